package import Bytes
import Media

// The RTCP that the receiver makes.

extension RTPReceiver {
    /// Room that a piece of feedback needs to be worth beginning.
    private static let minFeedbackBytes = 64

    /// When to call `advance(to:)` and poll again; nil before the first packet.
    package var nextDeadline: Monotonic? {
        var earliest = reportDueAt ?? .distantFuture
        // A packet that comes in the meantime takes the feedback along, without a wake-up for it alone.
        if let due = transportFeedbackDueAt { earliest = min(earliest, due + RTPLimits.feedbackPatience) }
        for index in streams.indices {
            if let due = streams[index].nackDeadline { earliest = min(earliest, due) }
            if let due = keyFrameDueAt(index) { earliest = min(earliest, due) }
        }
        return earliest == .distantFuture ? nil : earliest
    }

    /// Appends one compound RTCP datagram and returns true when something is due; else false, and nothing is written.
    /// Call it until false.
    ///
    /// `output` must have room for `RTPLimits.maxDatagramBytes`; what SRTCP adds comes on top. SRTP protects a span from
    /// its start, so that the caller hands in an empty one each time.
    package mutating func pollControl(into output: inout OutputRawSpan, at now: Monotonic) -> Bool {
        precondition(output.freeCapacity >= RTPLimits.maxDatagramBytes, "no room for a datagram")
        for index in streams.indices { streams[index].nacks?.advance(to: now) }
        let isReportDue = reportDueAt.map { $0 <= now } ?? false
        guard isReportDue || isFeedbackDue(at: now) else { return false }
        let end = output.byteCount + RTPLimits.maxDatagramBytes
        if isReportDue {
            writeReport(into: &output, at: now)
            reportDueAt = now + RTPLimits.receiverReportInterval
            // Feedback has a datagram of its own where it may: some encoders read no further than the first packet.
            if allowsReducedSize { return true }
        } else if !allowsReducedSize {
            ReceiverReport.write(ssrc: localSSRC, blocks: [], into: &output)
            SourceDescription.write(ssrc: localSSRC, cname: cname, into: &output)
        }
        for index in streams.indices where end - output.byteCount >= Self.minFeedbackBytes {
            writeKeyFrameRequest(of: index, into: &output, at: now)
        }
        for index in streams.indices where end - output.byteCount >= Self.minFeedbackBytes {
            writeNack(of: index, maxBytes: end - output.byteCount, into: &output, at: now)
        }
        if let due = transportFeedbackDueAt, due <= now, end - output.byteCount >= Self.minFeedbackBytes {
            arrivals.write(
                sender: localSSRC, media: streams.first?.ssrc ?? 0, maxBytes: end - output.byteCount, at: now,
                into: &output)
        }
        return true
    }

    private func isFeedbackDue(at now: Monotonic) -> Bool {
        if let due = transportFeedbackDueAt, due <= now { return true }
        for index in streams.indices {
            if let due = streams[index].nackDeadline, due <= now { return true }
            if let due = keyFrameDueAt(index), due <= now { return true }
        }
        return false
    }

    private var roundTripOrDefault: Interval { roundTrip ?? RTPLimits.defaultRoundTrip }

    private func keyFrameDueAt(_ stream: Int) -> Monotonic? {
        streams[stream].keyFrames.deadline(roundTrip: roundTripOrDefault)
    }

    /// Feedback takes about 5 % of what arrives, as libwebrtc has it; at once when half the log is filled.
    private var transportFeedbackDueAt: Monotonic? {
        guard arrivals.hasUnreported else { return nil }
        if arrivals.unreported >= RTPLimits.maxFeedbackStatuses { return .zero }
        return max(arrivals.firstUnreportedAt, arrivals.lastWrittenAt ?? .zero) + transportFeedbackInterval
    }

    private var transportFeedbackInterval: Interval {
        // 68 bytes of one feedback with what is below it, and twenty times that for the media.
        let bits: Int64 = 68 * 8 * 20
        let interval = Interval(nanoseconds: bits * 1_000_000_000 / Int64(max(bitrate, 1)))
        return min(max(interval, RTPLimits.minFeedbackInterval), RTPLimits.maxFeedbackInterval)
    }
}

// MARK: - Parts of a compound

extension RTPReceiver {
    private mutating func writeReport(into output: inout OutputRawSpan, at now: Monotonic) {
        reportBlocks.removeAll(keepingCapacity: true)
        mediaSources.removeAll(keepingCapacity: true)
        for index in streams.indices {
            guard let block = streams[index].reportBlock(at: now) else { continue }
            reportBlocks.append(block)
            if streams[index].kind == .video { mediaSources.append(block.ssrc) }
        }
        ReceiverReport.write(ssrc: localSSRC, blocks: reportBlocks, into: &output)
        SourceDescription.write(ssrc: localSSRC, cname: cname, into: &output)
        let reference = clock.time(at: now)
        ExtendedReport.write(referenceTime: reference, sender: localSSRC, into: &output)
        referenceTimes[referenceCount & 3] = reference.compact
        referenceCount &+= 1
        if usesMaximumBitrate, !mediaSources.isEmpty { writeMaximumBitrate(into: &output) }
    }

    private mutating func writeMaximumBitrate(into output: inout OutputRawSpan) {
        // The worst of the streams: layers may stop, and then theirs is old.
        let fraction = reportBlocks.reduce(0 as UInt8) { max($0, $1.fractionLost) }
        let limit = bitrateLimit.update(lossFraction: Double(fraction) / 256, received: bitrate)
        Feedback.writeBitrate(
            sender: localSSRC, bitsPerSecond: UInt64(clamping: limit), ssrcs: mediaSources, into: &output)
    }

    private mutating func writeKeyFrameRequest(of stream: Int, into output: inout OutputRawSpan, at now: Monotonic) {
        guard let due = keyFrameDueAt(stream), due <= now else { return }
        streams[stream].keyFrames.noteAsked(at: now)
        streams[stream].statistics.keyFrameRequests &+= 1
        let media = streams[stream].ssrc
        let sequence = streams[stream].keyFrames.sequence
        if sections[streams[stream].section].configuration.feedback.contains(.pictureLoss) {
            Feedback.writePictureLoss(sender: localSSRC, media: media, into: &output)
        } else {
            Feedback.writeFullIntra(
                sender: localSSRC, media: media, sequence: sequence, into: &output)
        }
    }

    private mutating func writeNack(
        of stream: Int, maxBytes: Int, into output: inout OutputRawSpan, at now: Monotonic
    ) {
        guard let due = streams[stream].nackDeadline, due <= now else { return }
        streams[stream].nacks?.collect(into: &numbers, at: now)
        guard !numbers.isEmpty else { return }
        let media = streams[stream].ssrc
        let roundTrip = roundTripOrDefault
        let count = Feedback.writeNack(
            sender: localSSRC, media: media, sequenceNumbers: numbers, maxBytes: maxBytes, into: &output)
        streams[stream].nacks?.noteAsked(count, at: now, roundTrip: roundTrip)
        streams[stream].statistics.packetsNacked &+= Int64(count)
    }
}

// MARK: - What the peer reports

extension RTPReceiver {
    /// Takes one decrypted RTCP datagram: sender reports, goodbyes, and answers to reference times. All else is passed
    /// over. What precedes a malformed packet counts.
    package mutating func receiveControl(_ datagram: RawSpan, at now: Monotonic) throws(RTPError) {
        do throws(RTPError) {
            var reader = RTCPReader(datagram)
            while let packet = try reader.next() { try receive(packet, at: now) }
        } catch {
            counters.malformedControl &+= 1
            throw error
        }
    }

    private mutating func receive(_ packet: borrowing RTCPPacket, at now: Monotonic) throws(RTPError) {
        switch packet.type {
        case RTCPType.senderReport:
            let report = try packet.senderReport()
            guard let index = streams.firstIndex(where: { $0.ssrc == report.ssrc }) else { return }
            streams[index].lastReport = SenderReportArrival(
                ntp: report.ntp, rtpTimestamp: report.rtpTimestamp, arrival: now)
            streams[index].hasNewReport = true
        case RTCPType.goodbye:
            try packet.forEachGoodbye { ssrc in
                guard let index = streams.firstIndex(where: { $0.ssrc == ssrc }) else { return }
                streams[index].noteGoodbye(at: now)
            }
        case RTCPType.extendedReport:
            let arrival = clock.time(at: now).compact
            _ = try packet.extendedReport { delay in receive(delay, arrival: arrival) }
        default: break
        }
    }

    /// Only answers to what was asked lately count.
    private mutating func receive(_ delay: ExtendedReport.Delay, arrival: UInt32) {
        guard delay.ssrc == localSSRC else { return }
        var isKnown = false
        for index in 0..<min(referenceCount, referenceTimes.count) where referenceTimes[index] == delay.lastReport {
            isKnown = true
        }
        let sample = NTPTime.interval(compact: arrival &- delay.lastReport &- delay.delay)
        guard isKnown, sample >= .zero else { return }
        if !hasExactRoundTrip {
            hasExactRoundTrip = true
            roundTrip = nil
        }
        noteRoundTrip(sample)
    }
}
