package import Bytes
import Media

/// The sender's side of congestion control: feeds the estimator, paces by it, probes the path, and drops what a path
/// cannot take.
extension RTPSender {
    /// A change of the estimate that is told at once, in percent.
    static let toldChange = 5
    static let toldInterval = Interval.seconds(1)

    /// A bandwidth probe that is being sent.
    struct Burst {
        var first: UInt16
        var last: UInt16
        var startedAt: Monotonic
        var bitrate: Int
        var sentBytes = 0
        var packets = 0
        var endsAt: Monotonic
        /// When the next packets are due.
        var dueAt: Monotonic
    }

    /// What the path is believed to carry, bits a second of the packets with transport-wide numbers, RTP headers,
    /// retransmissions and probes included; nil without feedback.
    package var bandwidthEstimate: Int? { estimator?.estimate }
    /// True while the path is believed to carry less than is wanted.
    package var isPathLimited: Bool { estimator?.isLimited ?? false }

    /// Another path is in use: what was learnt of the old one means nothing.
    package mutating func pathChanged(at now: Monotonic) {
        guard estimator != nil else { return }
        let cap = estimator?.cap
        estimator = BandwidthEstimator(wantedBitrate: targetBitrate)
        estimator?.cap = cap
        burst = nil
        pacer.pathBitrate = nil
        // What is still told of the old path's packets is not the new path's.
        sentPackets.forget()
        if told != nil { bitrateToTell = estimator?.estimate ?? targetBitrate }
        told = nil
    }

    /// Whether new frames of a stream must not join the queue, because the path takes less than is produced: those of
    /// the highest layer first, those of the others when the queue is twice as long. The encoders have been told, or
    /// will be; this is for what they make until then.
    func isBehind(_ stream: Int, at now: Monotonic) -> Bool {
        guard pacer.pathBitrate != nil, streams[stream].configuration.kind == .video else { return false }
        let isHighest = !streams.indices.contains {
            $0 > stream && isActive($0, at: now) && !streams[$0].awaitsKeyFrame
        }
        let isLowest = !streams.indices.contains { $0 < stream && isActive($0, at: now) }
        guard isHighest, !isLowest else { return pacer.queueTime > Pacer.maxQueueTime * 3 }
        // A key frame takes what it takes; dropping what follows it would only call for the next.
        return pacer.deltaQueueTime > Pacer.maxQueueTime || pacer.queueTime > Pacer.maxQueueTime * 2
    }

    private func isActive(_ stream: Int, at now: Monotonic) -> Bool {
        guard streams[stream].configuration.kind == .video, let sentAt = streams[stream].lastSentAt else {
            return false
        }
        return now - sentAt < RTPLimits.senderIdleTime
    }

    mutating func recordSent(byteCount: Int, on stream: Int, at now: Monotonic) {
        guard streams[stream].configuration.extensions[.transportSequence] != nil else { return }
        if var current = burst {
            current.sentBytes += byteCount
            current.packets += 1
            current.last = sentPackets.nextSequence
            burst = current
        }
        sentPackets.record(byteCount: byteCount, at: now)
        estimator?.recordSent(byteCount: byteCount, at: now)
    }

    /// Before each datagram of RTCP. After a black-out no picture can be shown before the next key frame, which peers ask
    /// for only when they have given up what is lost.
    mutating func noteWord(at now: Monotonic) {
        guard estimator?.recordWord(at: now) ?? false else { return }
        for index in streams.indices where isActive(index, at: now) { streams[index].wantsKeyFrame = true }
        told = nil
        updatePace(at: now)
        endsBlackOut = bitrateToTell != nil
    }

    /// After each datagram of RTCP.
    mutating func receiveBandwidthFeedback(at now: Monotonic) {
        guard estimator != nil else { return }
        estimator?.receive(feedback, roundTrip: roundTrip, at: now)
        updatePace(at: now)
    }

    mutating func advanceBandwidth(to now: Monotonic) {
        guard estimator != nil else { return }
        estimator?.advance(to: now)
        updatePace(at: now)
    }

    /// The estimate follows what is wanted at once, so that nobody goes by what it was for less.
    mutating func tellOfWish() {
        guard let estimate = estimator?.estimate, let told, told.bitrate != estimate else { return }
        self.told = (estimate, told.at)
        bitrateToTell = estimate
    }

    private mutating func updatePace(at now: Monotonic) {
        guard let estimator, let estimate = estimator.estimate else { return }
        pacer.pathBitrate = estimator.isLimited ? estimate : nil
        if let told {
            let change = (estimate - told.bitrate).magnitude
            guard change > told.bitrate.magnitude / 100 * UInt(Self.toldChange) || now - told.at >= Self.toldInterval
            else { return }
        }
        told = (estimate, now)
        bitrateToTell = estimate
    }
}

// MARK: - Probes

extension RTPSender {
    /// When the estimator or a burst wants to be looked after.
    var bandwidthDeadline: Monotonic? { burst?.dueAt ?? estimator?.nextDeadline }

    /// Begins a burst that is due, and ends one that is over.
    mutating func beginBurst(at now: Monotonic) {
        if let current = burst {
            guard current.endsAt <= now else { return }
            burst = nil
            if current.packets == 0 {
                estimator?.probing.giveUp(at: now)
            } else {
                estimator?.probing.recordBurst(first: current.first, last: current.last, at: now)
            }
            return
        }
        guard let probing = estimator?.probing, let due = probing.dueAt, due <= now else { return }
        guard paddingStream(at: now) != nil else {
            estimator?.probing.giveUp(at: now)
            return
        }
        let next = sentPackets.nextSequence
        burst = Burst(
            first: next, last: next, startedAt: now, bitrate: probing.dueBitrate,
            endsAt: now + BandwidthProbing.burstTime, dueAt: now)
    }

    /// Media that the burst takes along.
    mutating func nextInBurst(at now: Monotonic) -> Pacer.Item? {
        wantsMore(at: now) ? pacer.nextInBurst(at: now) : nil
    }

    /// Fills the burst up with padding; returns its stream.
    mutating func writePadding(into output: inout OutputRawSpan, at now: Monotonic) -> Int? {
        guard wantsMore(at: now) else { return nil }
        guard let stream = paddingStream(at: now), streams[stream].canPad else {
            burst?.endsAt = now
            beginBurst(at: now)
            return nil
        }
        writePadding(on: stream, into: &output, at: now)
        return stream
    }

    mutating func writePadding(on stream: Int, into output: inout OutputRawSpan, at now: Monotonic) {
        let start = output.byteCount
        streams[stream].writePadding(
            transportSequence: sentPackets.nextSequence, at: now, clock: clock, into: &output)
        recordSent(byteCount: output.byteCount - start, on: stream, at: now)
    }

    /// Whether the burst is behind its rate; sets the time of the next packets otherwise.
    private mutating func wantsMore(at now: Monotonic) -> Bool {
        guard let current = burst else { return false }
        let elapsed = now - current.startedAt + Pacer.quantum
        let allowed = Int(Double(current.bitrate) / 8 * elapsed.seconds)
        if current.sentBytes < allowed, now < current.endsAt { return true }
        burst?.dueAt = min(max(current.dueAt, now + Pacer.quantum), current.endsAt)
        return false
    }

    /// The lowest layer that is being sent and has transport-wide numbers.
    private func paddingStream(at now: Monotonic) -> Int? {
        streams.indices.first {
            isActive($0, at: now) && streams[$0].configuration.extensions[.transportSequence] != nil
        }
    }
}
