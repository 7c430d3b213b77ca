package import Bytes
import Media

/// Everything that one peer is sent by RTP and RTCP: its streams behind one pacer, retransmissions, sender reports,
/// and what the peer's RTCP asks for. Encryption, sockets and the wish for a bitrate are the caller's.
///
/// Verbs: `send` queues a frame; `receiveControl` takes decrypted RTCP; `advance(to:)` lets time pass. After each of
/// them the caller drains `pollTransmit`, then `pollEvent`, then reads `nextDeadline`. One datagram is written per
/// `pollTransmit`, so that it costs one packet's memory however many wait. Nothing is allocated for packets once the
/// streams exist.
///
/// RFC 3550, 4585, 5104, 4588, 3611, 8285.
package struct RTPSender: ~Copyable {
    /// What `pollTransmit` wrote: they are protected by different keys of SRTP.
    package enum Transmit: Hashable, Sendable {
        case media(stream: Int)
        case control
    }

    package enum Event: Hashable, Sendable {
        /// The peer lost a picture, or the stream has to begin with a key frame. Several requests make one event; how
        /// often an encoder obeys is the caller's choice.
        case keyFrameRequested(stream: Int)
        /// The peer's own estimate (REMB), bits a second.
        case bitrateLimited(UInt64)
        /// New entries stand in `feedback`.
        case feedbackReceived
        /// What the path is believed to carry, bits a second of the packets with transport-wide numbers: once a second
        /// while feedback comes, and at once when it changed by more than 5 %.
        case bandwidthEstimated(bitsPerSecond: Int)
        /// Nothing passed for a while, and now the path is back with what it carried before.
        case blackOutEnded(bitsPerSecond: Int)
    }

    private struct ReferenceTime {
        var mediaSSRC: UInt32
        var senderSSRC: UInt32
        var compact: UInt32
        var arrivedAt: Monotonic
    }

    let clock: NTPClock
    private let cname: InlineBytes
    var streams: [SendStream] = []
    var pacer: Pacer
    var sentPackets: SentPacketHistory
    /// Other senders' packets that leave with the next poll.
    var forwards = RingDeque<Forward>(capacity: RTPLimits.maxPendingForwards)
    private var referenceTimes: [ReferenceTime] = []
    /// When reports are due next.
    private var controlDueAt: Monotonic?
    /// What became of packets, by the feedback of the last `receiveControl`.
    package private(set) var feedback: [SentPacketHistory.Outcome] = []
    private var hasFeedback = false
    private var bitrateLimit: UInt64?
    /// Smoothed over report blocks of all streams.
    package private(set) var roundTrip: Interval?
    /// Nil when the path's bandwidth is not to be estimated.
    var estimator: BandwidthEstimator?
    var burst: Burst?
    /// What the application was told last, and when.
    var told: (bitrate: Int, at: Monotonic)?
    var bitrateToTell: Int?
    var endsBlackOut = false
    /// Some stream's source for retransmissions may be introduced.
    private var awaitsIntroduction = false

    /// `cname` is the same for all streams of the peer and tells nothing (RFC 7022). `targetBitrate`, bits a second,
    /// is that of all video encoders together on a perfect path. With `estimatesBandwidth` transport-wide feedback sets
    /// a limit to the pace and makes `bandwidthEstimated` events.
    package init(
        clock: NTPClock, cname: InlineBytes, targetBitrate: Int, estimatesBandwidth: Bool = false,
        firstTransportSequence: UInt16 = 0
    ) {
        self.clock = clock
        self.cname = cname
        pacer = Pacer(targetBitrate: targetBitrate)
        estimator = estimatesBandwidth ? BandwidthEstimator(wantedBitrate: targetBitrate) : nil
        sentPackets = SentPacketHistory(firstSequence: firstTransportSequence)
        referenceTimes.reserveCapacity(RTPLimits.maxPendingReferenceTimes)
        feedback.reserveCapacity(estimatesBandwidth ? RTPLimits.maxFeedbackStatuses : 0)
    }

    /// Bits a second of all video together that would be sent on a perfect path: sets the pace, and how far the
    /// estimate of the bandwidth may go.
    package var targetBitrate: Int {
        get { pacer.targetBitrate }
        set {
            pacer.targetBitrate = newValue
            estimator?.wantedBitrate = newValue
            tellOfWish()
        }
    }

    /// Bytes of video that wait for their turn.
    package var queuedBytes: Int { pacer.queuedBytes }

    /// Streams have the indices 0..<streamCount.
    package var streamCount: Int { streams.count }

    package func configuration(of stream: Int) -> SendStream.Configuration { streams[stream].configuration }
    package func statistics(of stream: Int) -> SendStream.Statistics { streams[stream].statistics }

    /// The new stream's index, which names it from now on. Video starts with the first key frame that is sent.
    package mutating func addStream(_ configuration: SendStream.Configuration) -> Int {
        precondition(streams.count < RTPLimits.maxStreams, "a sender has at most 16 streams")
        streams.append(SendStream(configuration))
        return streams.count - 1
    }

    /// Queues a frame. False when it was dropped, because a key frame has to come first or sending is stalled.
    @discardableResult
    package mutating func send(_ frame: PacketizedFrame, on stream: Int, at now: Monotonic) -> Bool {
        if streams[stream].awaitsKeyFrame {
            guard frame.isKey else {
                // While the path is behind, a key frame would only make it worse.
                if pacer.pathBitrate == nil || pacer.queueTime < Pacer.calmQueueTime {
                    askForKeyFrame(on: stream, at: now)
                }
                streams[stream].statistics.framesDropped &+= 1
                return false
            }
        }
        guard !isBehind(stream, at: now) else {
            requireKeyFrame(on: stream)
            streams[stream].statistics.framesDropped &+= 1
            return false
        }
        if streams[stream].awaitsKeyFrame {
            streams[stream].awaitsKeyFrame = false
            streams[stream].keyFrameAskedAt = nil
        }
        let timestamp = streams[stream].timestamp(at: frame.pts)
        if pacer.enqueue(frame, stream: stream, timestamp: timestamp, at: now) { return true }
        streams[stream].statistics.framesDropped &+= 1
        // What follows refers to the frame that is missing.
        if frame.kind == .video { requireKeyFrame(on: stream) }
        return false
    }

    /// Drops the stream's frames until a key frame comes: when a paused layer resumes, or a viewer changes its source.
    package mutating func requireKeyFrame(on stream: Int) {
        streams[stream].awaitsKeyFrame = true
        streams[stream].resumes = false
        streams[stream].keyFrameAskedAt = nil
    }

    /// Lets go of what is too old. Call it when `nextDeadline` has come.
    package mutating func advance(to now: Monotonic) {
        for index in streams.indices { streams[index].expire(at: now) }
        advanceBandwidth(to: now)
    }

    /// Writes the next datagram and says what it is; nil when nothing may leave before `nextDeadline`.
    ///
    /// `output` must have room for `RTPLimits.maxDatagramBytes`; what SRTP adds comes on top. Packets are appended, but
    /// SRTP protects a span from its start, so that the caller hands in an empty one each time.
    package mutating func pollTransmit(into output: inout OutputRawSpan, at now: Monotonic) -> Transmit? {
        precondition(output.freeCapacity >= RTPLimits.maxDatagramBytes, "no room for a datagram")
        if let due = controlDueAt, due <= now, writeControl(into: &output, at: now) { return .control }
        if let stream = writeForwarded(into: &output, at: now) { return .media(stream: stream) }
        beginBurst(at: now)
        while let item = pacer.next(at: now) ?? nextInBurst(at: now) {
            if let stream = write(item, into: &output, at: now) { return .media(stream: stream) }
        }
        let padded = writePadding(into: &output, at: now) ?? writeIntroduction(into: &output, at: now)
        return padded.map { .media(stream: $0) }
    }

    /// A source for retransmissions that its first packets have to make known loses them: servers need time for it, and
    /// meanwhile tell of loss. So each is introduced once its stream is known, before anything is asked for again.
    private mutating func writeIntroduction(into output: inout OutputRawSpan, at now: Monotonic) -> Int? {
        guard awaitsIntroduction else { return nil }
        guard let stream = streams.firstIndex(where: { $0.introducesRetransmission && $0.canPad }) else {
            awaitsIntroduction = false
            return nil
        }
        streams[stream].introducesRetransmission = false
        writePadding(on: stream, into: &output, at: now)
        return stream
    }

    /// Writes a packet and returns its stream; nil, and nothing written, when it is no longer there.
    private mutating func write(_ item: Pacer.Item, into output: inout OutputRawSpan, at now: Monotonic) -> Int? {
        let start = output.byteCount
        let number = sentPackets.nextSequence
        let stream: Int
        switch item {
        case .fragment(let index, let frame, let fragment, let timestamp):
            stream = index
            streams[stream].write(
                frame, fragment: fragment, timestamp: timestamp, transportSequence: number, at: now, clock: clock,
                into: &output)
            if streams[stream].reportDueAt == nil { scheduleReport(of: stream, at: now) }
        case .retransmission(let index, let sequenceNumber):
            stream = index
            let isWritten = streams[stream].writeAgain(
                sequenceNumber, transportSequence: number, at: now, clock: clock, into: &output)
            if !isWritten { return nil }
        }
        recordSent(byteCount: output.byteCount - start, on: stream, at: now)
        return stream
    }

    /// When to call `advance(to:)` and poll again.
    package var nextDeadline: Monotonic? {
        var earliest = pacer.nextDeadline ?? .distantFuture
        if let controlDueAt { earliest = min(earliest, controlDueAt) }
        if let bandwidthDeadline { earliest = min(earliest, bandwidthDeadline) }
        return earliest == .distantFuture ? nil : earliest
    }

    package mutating func pollEvent() -> Event? {
        if endsBlackOut, let bitrate = bitrateToTell.take() {
            endsBlackOut = false
            return .blackOutEnded(bitsPerSecond: bitrate)
        }
        for index in streams.indices where streams[index].wantsKeyFrame {
            streams[index].wantsKeyFrame = false
            return .keyFrameRequested(stream: index)
        }
        if hasFeedback {
            hasFeedback = false
            return .feedbackReceived
        }
        if let bitrate = bitrateToTell.take() { return .bandwidthEstimated(bitsPerSecond: bitrate) }
        return bitrateLimit.take().map { .bitrateLimited($0) }
    }

    /// Writes a BYE for all streams; for the last datagram of a peer.
    package func writeGoodbye(into output: inout OutputRawSpan) {
        Goodbye.write(ssrcs: streams.map(\.configuration.ssrc), into: &output)
    }
}

// MARK: - Reports

extension RTPSender {
    mutating func scheduleReport(of stream: Int, at time: Monotonic) {
        streams[stream].reportDueAt = time
        updateControlDue()
    }

    private mutating func updateControlDue() {
        var due: Monotonic? = referenceTimes.isEmpty ? nil : .zero
        for stream in streams {
            if let reportDue = stream.reportDueAt, reportDue < due ?? .distantFuture { due = reportDue }
        }
        controlDueAt = due
    }

    /// Writes one due report; false when none was due after all.
    private mutating func writeControl(into output: inout OutputRawSpan, at now: Monotonic) -> Bool {
        defer { updateControlDue() }
        if let reference = referenceTimes.popLast() {
            let delay = ExtendedReport.Delay(
                ssrc: reference.senderSSRC, lastReport: reference.compact,
                delay: NTPTime.compactUnits(now - reference.arrivedAt))
            ExtendedReport.write(delay, sender: reference.mediaSSRC, into: &output)
            return true
        }
        for index in streams.indices {
            guard let due = streams[index].reportDueAt, due <= now else { continue }
            streams[index].expire(at: now)
            if let sentAt = streams[index].lastSentAt, now - sentAt > RTPLimits.senderIdleTime {
                // The next packet starts reports again, with one at once.
                streams[index].reportDueAt = nil
                continue
            }
            streams[index].reportDueAt = now + RTPLimits.senderReportInterval
            let report = streams[index].senderReport(at: now, clock: clock)
            report.write(into: &output)
            SourceDescription.write(ssrc: report.ssrc, cname: cname, into: &output)
            return true
        }
        return false
    }
}

// MARK: - What the peer reports

extension RTPSender {
    /// Takes one decrypted RTCP datagram. What precedes a malformed packet counts.
    package mutating func receiveControl(_ datagram: RawSpan, at now: Monotonic) throws(RTPError) {
        feedback.removeAll(keepingCapacity: true)
        noteWord(at: now)
        var reader = RTCPReader(datagram)
        // What precedes a malformed packet counts.
        defer { receiveBandwidthFeedback(at: now) }
        while let packet = try reader.next() { try receive(packet, at: now) }
    }

    private mutating func receive(_ packet: borrowing RTCPPacket, at now: Monotonic) throws(RTPError) {
        switch packet.type {
        case RTCPType.senderReport, RTCPType.receiverReport:
            let arrival = clock.time(at: now)
            try packet.forEachReportBlock { block in receive(block, arrival: arrival, at: now) }
        case RTCPType.transportFeedback where packet.isNack: try receiveNack(packet, at: now)
        case RTCPType.transportFeedback where packet.isTransportWide:
            try sentPackets.match(packet, into: &feedback)
            hasFeedback = !feedback.isEmpty
        case RTCPType.payloadFeedback: try receivePayloadFeedback(packet, at: now)
        case RTCPType.extendedReport: try receiveExtendedReport(packet, at: now)
        default: break
        }
    }

    private mutating func receive(_ block: ReportBlock, arrival: NTPTime, at now: Monotonic) {
        for index in streams.indices {
            let configuration = streams[index].configuration
            guard block.ssrc == configuration.ssrc || block.ssrc == configuration.retransmission?.ssrc else { continue }
            streams[index].receive(block, arrival: arrival, at: now)
            if streams[index].introducesRetransmission { awaitsIntroduction = true }
            guard block.ssrc == configuration.ssrc, let sample = block.roundTrip(arrival: arrival) else { return }
            roundTrip = roundTrip.map { ($0 * 7 + sample) / 8 } ?? sample
            return
        }
    }

    private mutating func receiveNack(_ packet: borrowing RTCPPacket, at now: Monotonic) throws(RTPError) {
        let media = try packet.feedbackSources().media
        guard let index = streams.firstIndex(where: { $0.configuration.ssrc == media }) else { return }
        let interval = min(max(roundTrip ?? .zero, RTPLimits.minResendInterval), RTPLimits.maxResendInterval)
        try packet.forEachNacked { sequenceNumber in
            guard let bytes = streams[index].receiveNack(sequenceNumber, at: now, interval: interval) else { return }
            _ = pacer.enqueueRetransmission(stream: index, sequenceNumber: sequenceNumber, byteCount: bytes)
        }
    }

    private mutating func receivePayloadFeedback(_ packet: borrowing RTCPPacket, at now: Monotonic) throws(RTPError) {
        if packet.isPictureLoss {
            let media = try packet.feedbackSources().media
            guard let index = streams.firstIndex(where: { $0.configuration.ssrc == media }) else { return }
            streams[index].statistics.keyFrameRequests &+= 1
            streams[index].wantsKeyFrame = true
        } else if packet.isFullIntra {
            try packet.forEachFullIntra { ssrc, sequence in
                guard let index = streams.firstIndex(where: { $0.configuration.ssrc == ssrc }),
                    streams[index].lastFullIntra != sequence
                else { return }
                streams[index].lastFullIntra = sequence
                streams[index].statistics.keyFrameRequests &+= 1
                streams[index].wantsKeyFrame = true
            }
        } else if let bitrate = try packet.maximumBitrate() {
            bitrateLimit = bitrate
            estimator?.cap = Int(clamping: bitrate)
        }
    }

    /// A reference time is answered from the source that it names, or else from the first.
    private mutating func receiveExtendedReport(_ packet: borrowing RTCPPacket, at now: Monotonic) throws(RTPError) {
        let (sender, reference) = try packet.extendedReport { _ in }
        guard let reference, let first = streams.first else { return }
        let media = streams.first { $0.configuration.ssrc == sender } ?? first
        let answer = ReferenceTime(
            mediaSSRC: media.configuration.ssrc, senderSSRC: sender, compact: reference.compact, arrivedAt: now)
        if let index = referenceTimes.firstIndex(where: { $0.senderSSRC == sender }) {
            referenceTimes[index] = answer
        } else if referenceTimes.count < RTPLimits.maxPendingReferenceTimes {
            referenceTimes.append(answer)
        }
        controlDueAt = .zero
    }

    /// Once at first, then again after a while if no key frame came.
    mutating func askForKeyFrame(on stream: Int, at now: Monotonic) {
        if let asked = streams[stream].keyFrameAskedAt, now - asked < RTPLimits.keyFrameRepeatInterval { return }
        streams[stream].keyFrameAskedAt = now
        streams[stream].wantsKeyFrame = true
    }
}
