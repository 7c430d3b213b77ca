package import Bytes

/// Bounds for everything that a peer can name, and the sizes that the send path is built on.
package enum RTPLimits {
    /// Largest datagram that is written here, before SRTP adds its tag. WebRTC stacks keep datagrams near 1,200 bytes
    /// so that they pass tunnels without fragmentation.
    package static let maxDatagramBytes = 1_232
    /// Largest payload of one packet: prefix and frame bytes. 12 bytes of header, up to 60 of extensions, the 2 of
    /// RFC 4588 and 16 of an SRTP tag still fit into 1,210; with the short ids that are usual, into 1,180.
    package static let maxPayloadBytes = 1_120
    /// Packets of one frame (about 4.5 MB), far above any key frame of a live encoder.
    package static let maxFragmentsPerFrame = 4_096
    /// Packets inside one compound RTCP datagram (RFC 3550 section 6.1).
    package static let maxCompoundPackets = 64
    /// Words of one NACK (RFC 4585 section 6.2.1), of up to 17 packets each: more than a datagram of 1,500 bytes holds.
    package static let maxNackWords = 512
    /// Packets that one transport-wide feedback may cover; at 50 feedbacks a second that is 100,000 packets a second.
    package static let maxFeedbackStatuses = 2_048
    /// Reference-time reports (RFC 3611 section 4.4) that wait for an answer.
    package static let maxPendingReferenceTimes = 8
    /// Bytes of one reassembled frame: the largest key frame that is worth decoding.
    package static let maxFrameBytes = 4 * 1024 * 1024
    /// Payload and dependency descriptor of one packet that is forwarded: it came in a datagram of at most 1,500 bytes,
    /// and leaves with headers of ours, up to 72 bytes, the 2 of RFC 4588 and SRTP's tag.
    package static let maxForwardedBytes = 1_400
    /// Forwarded packets that wait for the next poll, which follows each of them.
    package static let maxPendingForwards = 64
    /// Frames that one packet may end: an aggregation of several times holds some, any other packet two.
    package static let maxFramesPerPacket = 16
    /// Parameter sets that are remembered for one stream: of each of the three kinds a few.
    package static let maxParameterSets = 32
    /// Characters of parameter sets in one attribute of a session description.
    package static let maxParameterSetText = 32 * 1024
    /// Streams of one sender: audio, three video layers, and room for screen sharing.
    package static let maxStreams = 16

    /// Packets that a video stream can send again; at 6 Mbit/s that is about 1.8 s.
    package static let videoHistoryPackets = 1_024
    /// Likewise of audio: 5 s of packets of 20 ms.
    package static let audioHistoryPackets = 256
    /// Packets of all streams that wait for transport-wide feedback.
    package static let feedbackHistoryPackets = 2_048

    /// How long a sent packet may be asked for again. LiveKit wants at least 1 s.
    package static let retransmitAge = Interval.seconds(3)
    /// The same packet goes out again at the earliest after one round trip, but not within this time …
    package static let minResendInterval = Interval.milliseconds(20)
    /// … and at the latest after this, whatever the round trip was measured to be.
    package static let maxResendInterval = Interval.milliseconds(200)
    /// Time between sender reports of one source. RFC 3550 allows less often; receivers need them to align tracks and
    /// layers.
    package static let senderReportInterval = Interval.seconds(1)
    /// A source that sent nothing for so long stops reporting (RFC 3550 section 6.4: two intervals make it a receiver).
    package static let senderIdleTime = Interval.seconds(2)
    /// A video stream that waits for a key frame asks again after this time.
    package static let keyFrameRepeatInterval = Interval.seconds(1)
    /// Capture times are interpolated by receivers, so that one a second is enough.
    package static let captureTimeInterval = Interval.seconds(1)
}
