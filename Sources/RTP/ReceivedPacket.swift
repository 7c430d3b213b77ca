package import Bytes
package import Media

/// One packet of media, freed of retransmission, redundancy and error correction, in order of arrival.
package struct ReceivedPacket: Sendable {
    /// The receiver's stream.
    package var stream: Int
    /// Counted on over wraps and restarts; its low 16 bits are those on the wire.
    package var sequenceNumber: Int64
    package var timestamp: UInt32
    package var marker: Bool
    /// Of the media, also when it came inside of another payload.
    package var payloadType: UInt8
    /// Empty when the sequence number carries nothing: padding, or error correction. Whoever passes packets on has to
    /// close the gap in the numbers; whoever orders them has to take the number as come.
    package var payload: SlabSlice
    /// When this packet came, or what brought it back.
    package var arrival: Monotonic
    /// Came by retransmission, redundancy or error correction, most likely late.
    package var isRepaired: Bool
    /// The source started over, or another took its place: neither sequence numbers nor timestamps go on from earlier
    /// ones.
    package var didRestart: Bool
    package var audioLevel: HeaderExtensionValues.AudioLevel?
    /// The dependency descriptor (AV1 RTP specification, appendix A) as it came, where it was negotiated.
    package var descriptor: SlabSlice?

    package init(
        stream: Int, sequenceNumber: Int64, timestamp: UInt32, marker: Bool, payloadType: UInt8, payload: SlabSlice,
        arrival: Monotonic, isRepaired: Bool = false, didRestart: Bool = false,
        audioLevel: HeaderExtensionValues.AudioLevel? = nil, descriptor: SlabSlice? = nil
    ) {
        self.stream = stream
        self.sequenceNumber = sequenceNumber
        self.timestamp = timestamp
        self.marker = marker
        self.payloadType = payloadType
        self.payload = payload
        self.arrival = arrival
        self.isRepaired = isRepaired
        self.didRestart = didRestart
        self.audioLevel = audioLevel
        self.descriptor = descriptor
    }
}

/// The instant that a sender report ties to a source's RTP clock, and when it came.
package struct SenderReportArrival: Hashable, Sendable {
    package var ntp: NTPTime
    package var rtpTimestamp: UInt32
    package var arrival: Monotonic

    package init(ntp: NTPTime, rtpTimestamp: UInt32, arrival: Monotonic) {
        self.ntp = ntp
        self.rtpTimestamp = rtpTimestamp
        self.arrival = arrival
    }
}

/// A stream of a receiver as it stands now.
package struct ReceivedStream: Hashable, Sendable {
    /// The caller's number of the section.
    package var section: Int
    package var kind: MediaKind
    /// The simulcast layer.
    package var streamID: InlineBytes?
    package var ssrc: UInt32
    package var retransmissionSSRC: UInt32?
    /// Of the media payload that came last.
    package var clockRate: Int
    package var lastReport: SenderReportArrival?
    /// The source said goodbye and has not come back.
    package var isEnded: Bool
    package var statistics: ReceiveStatistics
}

/// Counts of one received stream since its start.
package struct ReceiveStatistics: Hashable, Sendable {
    /// With the stream's own SSRC, late ones and duplicates among them.
    package var packetsReceived: Int64 = 0
    /// Whole packets, as they left SRTP.
    package var bytesReceived: Int64 = 0
    package var duplicates: Int64 = 0
    /// Behind the window, or held back by a jump.
    package var packetsDropped: Int64 = 0
    /// What did not come with the stream's own SSRC, repaired or not.
    package var packetsLost: Int64 = 0
    package var repairedByRetransmission: Int64 = 0
    /// By RED or ULPFEC.
    package var repairedByRedundancy: Int64 = 0
    /// Missing packets asked for, each time counted.
    package var packetsNacked: Int64 = 0
    package var keyFrameRequests: Int64 = 0
    package var restarts: Int64 = 0
    /// Interarrival jitter.
    package var jitter = Interval.zero
    /// Of the last report's span, in 1/256.
    package var fractionLost: UInt8 = 0
    /// Bits a second over the last half second; 0 while nothing is known.
    package var bitrate = 0
    package var lastPacketAt: Monotonic?

    package init() {}
}
