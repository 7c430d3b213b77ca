package import Bytes
package import Media

/// One source of one track to one peer: numbers its packets, writes them, keeps what can be asked for again, and
/// knows what its reports must say.
///
/// The media timeline is the process's monotonic clock: a frame shown at nanosecond t has RTP time offset + ticks(t),
/// so that all tracks and layers share one clock and a sender report needs nothing but the present time.
package struct SendStream: Sendable {
    /// RFC 4588, SSRC multiplexing.
    package struct Retransmission: Hashable, Sendable {
        package var ssrc: UInt32
        package var payloadType: UInt8
        /// Random.
        package var firstSequenceNumber: UInt16

        package init(ssrc: UInt32, payloadType: UInt8, firstSequenceNumber: UInt16) {
            self.ssrc = ssrc
            self.payloadType = payloadType
            self.firstSequenceNumber = firstSequenceNumber
        }
    }

    package struct Configuration: Hashable, Sendable {
        package var kind: MediaKind
        package var ssrc: UInt32
        package var payloadType: UInt8
        /// Ticks a second of RTP timestamps: 90,000 for video, 48,000 for Opus.
        package var clockRate: Int
        /// Random; RFC 3711 section 3.3.1 advises below 2^15, so that an early loss does not upset the rollover count.
        package var firstSequenceNumber: UInt16
        /// Random.
        package var timestampOffset: UInt32
        /// Nil sends lost packets again as they were, on the stream's own SSRC.
        package var retransmission: Retransmission?
        package var extensions = HeaderExtensionMap()
        package var mid: InlineBytes?
        /// The simulcast layer.
        package var streamID: InlineBytes?
        package var playoutDelay: HeaderExtensionValues.PlayoutDelay?

        package init(
            kind: MediaKind, ssrc: UInt32, payloadType: UInt8, clockRate: Int, firstSequenceNumber: UInt16,
            timestampOffset: UInt32
        ) {
            self.kind = kind
            self.ssrc = ssrc
            self.payloadType = payloadType
            self.clockRate = clockRate
            self.firstSequenceNumber = firstSequenceNumber
            self.timestampOffset = timestampOffset
        }
    }

    package struct Statistics: Hashable, Sendable {
        /// Packets and payload bytes of first sendings.
        package var packetsSent: UInt64 = 0
        package var bytesSent: UInt64 = 0
        package var framesSent: UInt64 = 0
        package var keyFramesSent: UInt64 = 0
        /// Frames given up because the peer could not be sent to, or because a key frame had to come first.
        package var framesDropped: UInt64 = 0
        package var packetsRetransmitted: UInt64 = 0
        package var bytesRetransmitted: UInt64 = 0
        /// Packets of padding alone, sent to probe the path.
        package var paddingPacketsSent: UInt64 = 0
        /// Packets that the peer reported lost, repeats included.
        package var packetsNacked: UInt64 = 0
        /// PLI and FIR.
        package var keyFrameRequests: UInt64 = 0
        package var report = ReceiveReportStatistics()
    }

    package let configuration: Configuration
    package var statistics = Statistics()
    var nextSequenceNumber: UInt16
    private var nextRetransmissionNumber: UInt16
    var cache: RetransmitCache
    private var captureTimeSentAt: Monotonic?
    /// Ids are repeated in every packet until the receiver has shown by a report that it knows the source.
    var isBound = false
    private var isRetransmissionBound = false
    /// A packet of padding is to make the source for retransmissions known.
    var introducesRetransmission = false
    package internal(set) var lastSentAt: Monotonic?
    var lastTimestamp: UInt32 = 0
    /// The last packet ended its frame.
    var isAtFrameEnd = false
    /// Frames are dropped until a key frame comes.
    var awaitsKeyFrame: Bool
    /// A key frame is to be asked for by the next event.
    var wantsKeyFrame = false
    var keyFrameAskedAt: Monotonic?
    var lastFullIntra: UInt8?
    var reportDueAt: Monotonic?
    /// The next packet of the forwarded source is taken whatever it is, and numbered behind the last one.
    var resumes = false
    /// How packets of others are numbered here; nil before the first one.
    var forwarding: Forwarding?

    package init(_ configuration: Configuration) {
        self.configuration = configuration
        nextSequenceNumber = configuration.firstSequenceNumber
        nextRetransmissionNumber = configuration.retransmission?.firstSequenceNumber ?? 0
        let isAudio = configuration.kind == .audio
        cache = RetransmitCache(capacity: isAudio ? RTPLimits.audioHistoryPackets : RTPLimits.videoHistoryPackets)
        awaitsKeyFrame = !isAudio
    }

    /// The RTP timestamp of a time on the media timeline.
    package func timestamp(at time: MediaTime) -> UInt32 {
        configuration.timestampOffset &+ UInt32(truncatingIfNeeded: time.ticks(rate: Int64(configuration.clockRate)))
    }

    /// The report for now (RFC 3550 section 6.4.1): counts and the present instant on both clocks.
    package func senderReport(at now: Monotonic, clock: NTPClock) -> SenderReport {
        // Plain retransmissions leave on the same SSRC and count as packets of it.
        let isPlain = configuration.retransmission == nil
        let again = statistics.packetsRetransmitted &+ statistics.paddingPacketsSent
        let packets = statistics.packetsSent &+ (isPlain ? again : 0)
        let octets = statistics.bytesSent &+ (isPlain ? statistics.bytesRetransmitted : 0)
        return SenderReport(
            ssrc: configuration.ssrc, ntp: clock.time(at: now), rtpTimestamp: reportedTimestamp(at: now),
            packetCount: UInt32(truncatingIfNeeded: packets), octetCount: UInt32(truncatingIfNeeded: octets))
    }

    /// Writes the next packet, gives it the next sequence number and remembers it. `transportSequence` is written
    /// when the extension has an id.
    package mutating func write(
        _ frame: PacketizedFrame, fragment index: Int, timestamp: UInt32, transportSequence: UInt16, at now: Monotonic,
        clock: NTPClock, into output: inout OutputRawSpan
    ) {
        let fragment = frame.fragments[index]
        let header = RTPHeader(
            marker: fragment.marker, payloadType: configuration.payloadType, sequenceNumber: nextSequenceNumber,
            timestamp: timestamp, ssrc: configuration.ssrc)
        var values = timing(transportSequence, at: now, clock: clock)
        if !isBound {
            values.mid = configuration.mid
            values.streamID = configuration.streamID
        }
        if index == 0 { describe(frame, in: &values, at: now, clock: clock) }
        write(header, values, originalSequence: nil, fragment, of: frame.payload, into: &output)
        cache.insert(frame.payload, fragment, sequenceNumber: nextSequenceNumber, timestamp: timestamp, at: now)
        nextSequenceNumber &+= 1
        lastSentAt = now
        lastTimestamp = timestamp
        isAtFrameEnd = fragment.marker || index == frame.fragments.count - 1
        statistics.packetsSent &+= 1
        statistics.bytesSent &+= UInt64(fragment.byteCount)
        if isAtFrameEnd {
            statistics.framesSent &+= 1
            if frame.isKey { statistics.keyFramesSent &+= 1 }
        }
    }

    /// Writes a packet of the history once more, by RFC 4588 or as it was. False, and nothing written, when it is gone.
    package mutating func writeAgain(
        _ sequenceNumber: UInt16, transportSequence: UInt16, at now: Monotonic, clock: NTPClock,
        into output: inout OutputRawSpan
    ) -> Bool {
        guard let entry = cache.entry(sequenceNumber) else { return false }
        let fragment = entry.fragment
        var header = RTPHeader(
            marker: fragment.marker, payloadType: configuration.payloadType, sequenceNumber: sequenceNumber,
            timestamp: entry.timestamp, ssrc: configuration.ssrc)
        var values = timing(transportSequence, at: now, clock: clock)
        if let retransmission = configuration.retransmission {
            header.payloadType = retransmission.payloadType
            header.ssrc = retransmission.ssrc
            header.sequenceNumber = nextRetransmissionNumber
            nextRetransmissionNumber &+= 1
            if !isRetransmissionBound {
                values.mid = configuration.mid
                values.repairedStreamID = configuration.streamID
            }
            write(
                header, values, originalSequence: sequenceNumber, fragment, of: entry.payload,
                descriptor: entry.descriptor, into: &output)
        } else {
            if !isBound {
                values.mid = configuration.mid
                values.streamID = configuration.streamID
            }
            write(
                header, values, originalSequence: nil, fragment, of: entry.payload, descriptor: entry.descriptor,
                into: &output)
        }
        statistics.packetsRetransmitted &+= 1
        statistics.bytesRetransmitted &+= UInt64(fragment.byteCount)
        return true
    }
}

// MARK: - Padding

extension SendStream {
    /// Whether a packet of padding may go out now: on the stream's own source only between frames.
    package var canPad: Bool {
        configuration.kind == .video && lastSentAt != nil && (configuration.retransmission != nil || isAtFrameEnd)
    }

    /// Writes a packet of padding alone: with the source for retransmissions, where its number matters to nobody, or
    /// else with the stream's own next number, remembered like any other packet, for the peer may ask for it again.
    package mutating func writePadding(
        transportSequence: UInt16, at now: Monotonic, clock: NTPClock, into output: inout OutputRawSpan
    ) {
        let frame = PacketizedFrame.padding
        var header = RTPHeader(
            marker: false, payloadType: configuration.payloadType, sequenceNumber: nextSequenceNumber,
            timestamp: lastTimestamp, ssrc: configuration.ssrc)
        var values = timing(transportSequence, at: now, clock: clock)
        if let retransmission = configuration.retransmission {
            header.payloadType = retransmission.payloadType
            header.ssrc = retransmission.ssrc
            header.sequenceNumber = nextRetransmissionNumber
            nextRetransmissionNumber &+= 1
            if !isRetransmissionBound {
                values.mid = configuration.mid
                values.repairedStreamID = configuration.streamID
            }
        } else {
            cache.insert(
                frame.payload, frame.fragments[0], sequenceNumber: nextSequenceNumber, timestamp: lastTimestamp, at: now
            )
            nextSequenceNumber &+= 1
            if !isBound {
                values.mid = configuration.mid
                values.streamID = configuration.streamID
            }
        }
        write(header, values, originalSequence: nil, frame.fragments[0], of: frame.payload, into: &output)
        statistics.paddingPacketsSent &+= 1
    }
}

extension SendStream {
    /// Takes a report block about this source or its retransmissions.
    package mutating func receive(_ block: ReportBlock, arrival: NTPTime, at now: Monotonic) {
        if block.ssrc == configuration.ssrc {
            if !isBound, configuration.kind == .video { introducesRetransmission = configuration.retransmission != nil }
            isBound = true
            statistics.report.receive(block, clockRate: configuration.clockRate, arrival: arrival, at: now)
        } else if block.ssrc == configuration.retransmission?.ssrc {
            isRetransmissionBound = true
        }
    }

    /// A packet that the peer reports lost: its payload bytes when it is to be sent again now.
    package mutating func receiveNack(_ sequenceNumber: UInt16, at now: Monotonic, interval: Interval) -> Int? {
        statistics.packetsNacked &+= 1
        return cache.request(sequenceNumber, at: now, interval: interval)?.fragment.byteCount
    }

    /// Lets go of frames that are too old to be asked for.
    mutating func expire(at now: Monotonic) { cache.expire(at: now) }

    func timing(_ transportSequence: UInt16, at now: Monotonic, clock: NTPClock) -> HeaderExtensionValues {
        var values = HeaderExtensionValues()
        if configuration.extensions.isEmpty { return values }
        values.transportSequence = transportSequence
        values.absoluteSendTime = HeaderExtensionValues.sendTime24(clock.time(at: now))
        return values
    }

    /// What the first packet of a frame says of it.
    private mutating func describe(
        _ frame: PacketizedFrame, in values: inout HeaderExtensionValues, at now: Monotonic, clock: NTPClock
    ) {
        values.audioLevel = frame.audioLevel
        if frame.isKey || !isBound { values.playoutDelay = configuration.playoutDelay }
        let isDue = captureTimeSentAt.map { now - $0 >= RTPLimits.captureTimeInterval } ?? true
        if isDue, configuration.extensions[.absoluteCaptureTime] != nil {
            captureTimeSentAt = now
            values.absoluteCaptureTime = clock.time(at: Monotonic(nanoseconds: frame.pts))
        }
    }

    func write(
        _ header: RTPHeader, _ values: HeaderExtensionValues, originalSequence: UInt16?, _ fragment: PayloadFragment,
        of payload: SlabSlice, descriptor: SlabSlice? = nil, into output: inout OutputRawSpan
    ) {
        let map = configuration.extensions
        let padding = fragment.paddingCount
        let extensionBytes = values.encodedByteCount(map: map, descriptorCount: descriptor?.count ?? 0)
        header.write(hasExtension: extensionBytes > 0, hasPadding: padding > 0, into: &output)
        if let descriptor {
            values.write(map: map, descriptor: descriptor.bytes, into: &output)
        } else {
            values.write(map: map, into: &output)
        }
        guard padding == 0 else {
            for _ in 1..<padding { output.append(0 as UInt8) }
            return output.append(padding)
        }
        if let originalSequence { output.append(bigEndian: originalSequence) }
        fragment.prefix.write(into: &output)
        output.append(copying: payload.bytes.extracting(fragment.range))
    }
}
