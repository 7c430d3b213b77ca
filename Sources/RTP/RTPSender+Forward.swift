package import Bytes
package import Media

/// One packet of another sender's stream, to go on as it is: its payload is shared, its number, time and ids are changed.
package struct ForwardedPacket: Sendable {
    /// Names the stream that the packet is of, and changes when it starts anew: numbers and times of one source follow
    /// each other.
    package var source: UInt32
    /// Of the source, without wraps.
    package var sequenceNumber: Int64
    /// Of the source.
    package var timestamp: UInt32
    package var marker: Bool
    /// Empty: the packet carries nothing but padding, and keeps its number.
    package var payload: SlabSlice
    /// Where its timestamp lies on the server's timeline, in nanoseconds.
    package var pts: MediaTime
    /// The first packet of a frame that a decoder can start at. Sound is all of this kind.
    package var beginsKeyFrame: Bool
    package var audioLevel: HeaderExtensionValues.AudioLevel?
    /// Goes on unchanged to whoever negotiated it: its frames are those of the source.
    package var descriptor: SlabSlice?

    package init(
        source: UInt32, sequenceNumber: Int64, timestamp: UInt32, marker: Bool, payload: SlabSlice, pts: MediaTime,
        beginsKeyFrame: Bool, audioLevel: HeaderExtensionValues.AudioLevel? = nil, descriptor: SlabSlice? = nil
    ) {
        self.source = source
        self.sequenceNumber = sequenceNumber
        self.timestamp = timestamp
        self.marker = marker
        self.payload = payload
        self.pts = pts
        self.beginsKeyFrame = beginsKeyFrame
        self.audioLevel = audioLevel
        self.descriptor = descriptor
    }

    var byteCount: Int { payload.count + (descriptor?.count ?? 0) }
}

extension SendStream {
    /// From a source's numbers and times to ours. Gaps of the source stay gaps, so that what comes late finds its place.
    struct Forwarding: Sendable {
        var source: UInt32
        /// The first packet taken of this source; what is older belongs to frames that nobody has.
        var first: Int64
        /// To add to the source's, cut to 16 bits.
        var sequenceOffset: UInt16
        var timestampOffset: UInt32
        /// A pair of the newest packet's: where our RTP clock stands.
        var timestamp: UInt32
        var pts: MediaTime
        var newest: Int64
    }

    /// Takes the packet's source from here on, right behind what was sent last.
    mutating func follow(_ packet: ForwardedPacket) {
        forwarding = Forwarding(
            source: packet.source, first: packet.sequenceNumber,
            sequenceOffset: nextSequenceNumber &- UInt16(truncatingIfNeeded: packet.sequenceNumber),
            timestampOffset: timestamp(at: packet.pts) &- packet.timestamp, timestamp: timestamp(at: packet.pts),
            pts: packet.pts, newest: packet.sequenceNumber)
    }

    /// Whether the packet can be written: it is of the source that is followed, and not from before its start.
    func follows(_ packet: ForwardedPacket) -> Bool {
        forwarding.map { $0.source == packet.source && packet.sequenceNumber >= $0.first } ?? false
    }

    /// Whether the stream may begin with this packet, or go over to its source. Late ones of the same source may not.
    func mayFollow(_ packet: ForwardedPacket) -> Bool {
        guard configuration.kind == .audio || packet.beginsKeyFrame else { return false }
        return forwarding?.source != packet.source || goesOn(packet)
    }

    /// Whether it is the same source's as before, behind all that came.
    func goesOn(_ packet: ForwardedPacket) -> Bool {
        forwarding.map { $0.source == packet.source && packet.sequenceNumber > $0.newest } ?? false
    }

    /// Gives a packet that `follows` its number and time here.
    mutating func number(_ packet: ForwardedPacket) -> (number: UInt16, timestamp: UInt32)? {
        guard let map = forwarding else { return nil }
        let number = UInt16(truncatingIfNeeded: packet.sequenceNumber) &+ map.sequenceOffset
        let timestamp = packet.timestamp &+ map.timestampOffset
        if packet.sequenceNumber >= map.newest {
            forwarding?.newest = packet.sequenceNumber
            forwarding?.timestamp = timestamp
            forwarding?.pts = packet.pts
            nextSequenceNumber = number &+ 1
            lastTimestamp = timestamp
            isAtFrameEnd = packet.marker
        }
        return (number, timestamp)
    }

    /// Writes a numbered packet and remembers it.
    mutating func write(
        _ packet: ForwardedPacket, number: UInt16, timestamp: UInt32, transportSequence: UInt16, at now: Monotonic,
        clock: NTPClock, into output: inout OutputRawSpan
    ) {
        let fragment =
            packet.payload.isEmpty
            ? PayloadFragment(paddingCount: 1)
            : PayloadFragment(range: 0..<packet.payload.count, marker: packet.marker)
        let header = RTPHeader(
            marker: packet.marker, payloadType: configuration.payloadType, sequenceNumber: number,
            timestamp: timestamp, ssrc: configuration.ssrc)
        var values = timing(transportSequence, at: now, clock: clock)
        if !isBound {
            values.mid = configuration.mid
            values.streamID = configuration.streamID
        }
        values.audioLevel = packet.audioLevel
        write(
            header, values, originalSequence: nil, fragment, of: packet.payload, descriptor: packet.descriptor,
            into: &output)
        cache.insert(
            packet.payload, fragment, descriptor: packet.descriptor, sequenceNumber: number, timestamp: timestamp,
            at: now)
        lastSentAt = now
        statistics.packetsSent &+= 1
        statistics.bytesSent &+= UInt64(fragment.byteCount)
        if packet.marker || configuration.kind == .audio { statistics.framesSent &+= 1 }
        if packet.beginsKeyFrame, configuration.kind == .video { statistics.keyFramesSent &+= 1 }
    }

    /// Our RTP clock now: as the source's goes, when packets are forwarded.
    func reportedTimestamp(at now: Monotonic) -> UInt32 {
        guard let forwarding else { return timestamp(at: now.nanoseconds) }
        let since = (now.nanoseconds &- forwarding.pts).ticks(rate: Int64(configuration.clockRate))
        return forwarding.timestamp &+ UInt32(truncatingIfNeeded: since)
    }
}

extension RTPSender {
    /// Queues another sender's packet; it leaves with the next poll, unpaced, since its sender paced it. False when it
    /// was dropped: a key frame has to come first, or too much waits.
    ///
    /// A stream follows one source until a key frame of another one comes.
    @discardableResult
    package mutating func forward(_ packet: ForwardedPacket, on stream: Int, at now: Monotonic) -> Bool {
        guard packet.byteCount <= RTPLimits.maxForwardedBytes else { return drop(on: stream) }
        let resumes = streams[stream].resumes && streams[stream].goesOn(packet)
        if resumes || streams[stream].awaitsKeyFrame || !streams[stream].follows(packet) {
            guard resumes || streams[stream].mayFollow(packet) else {
                if streams[stream].awaitsKeyFrame { askForKeyFrame(on: stream, at: now) }
                return drop(on: stream)
            }
            streams[stream].follow(packet)
            streams[stream].resumes = false
            streams[stream].awaitsKeyFrame = false
            streams[stream].keyFrameAskedAt = nil
        }
        guard let (number, timestamp) = streams[stream].number(packet),
            forwards.append(Forward(stream: stream, packet: packet, number: number, timestamp: timestamp))
        else { return drop(on: stream) }
        return true
    }

    /// Lets a stream that paused, while its peer let nobody have it, go on with whatever comes next of its source: a peer
    /// that goes over to it at key frames learns in time that it is there again, and can use the first one already.
    package mutating func resumeForwarding(on stream: Int) { streams[stream].resumes = !streams[stream].awaitsKeyFrame }

    private mutating func drop(on stream: Int) -> Bool {
        streams[stream].statistics.framesDropped &+= 1
        return false
    }

    /// Writes the next forwarded packet; nil when none waits.
    mutating func writeForwarded(into output: inout OutputRawSpan, at now: Monotonic) -> Int? {
        guard let next = forwards.popFirst() else { return nil }
        let start = output.byteCount
        streams[next.stream].write(
            next.packet, number: next.number, timestamp: next.timestamp, transportSequence: sentPackets.nextSequence,
            at: now, clock: clock, into: &output)
        if streams[next.stream].reportDueAt == nil { scheduleReport(of: next.stream, at: now) }
        recordSent(byteCount: output.byteCount - start, on: next.stream, at: now)
        return next.stream
    }

    /// A packet that waits for the next poll.
    struct Forward: Sendable {
        var stream: Int
        var packet: ForwardedPacket
        var number: UInt16
        var timestamp: UInt32
    }
}
