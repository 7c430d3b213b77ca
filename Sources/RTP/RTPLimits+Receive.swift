package import Bytes

/// Bounds of the receiving side.
extension RTPLimits {
    /// Streams of one receiver: audio, three or more simulcast layers, a second picture.
    package static let maxReceiveStreams = 16
    /// Packets behind the newest one that are told from duplicates; at 20 Mbit/s that is about 2 s.
    package static let receiveWindowPackets = 4_096
    /// A sequence number that is so far ahead is a jump, and believed only when the next one follows it (RFC 3550
    /// appendix A.1).
    package static let maxDropout = 3_000
    /// Packets in a row that repeat old numbers until the source is taken to have started over among them.
    package static let maxStaleRun = 128
    /// Packets that one datagram can turn into: redundant blocks, and what error correction gives back.
    package static let receiveQueuePackets = 64
    /// A source's SSRC may be replaced at once when it was silent for so long; else two packets in a row are asked for.
    package static let rebindSilence = Interval.milliseconds(200)
    /// Packets that overtake a BYE do not bring their stream back within this time.
    package static let goodbyeGrace = Interval.milliseconds(500)

    /// Missing packets of one stream that are asked for at a time; with more, a key frame costs less.
    package static let maxMissingPackets = 512
    /// How long a gap may be the work of reordering …
    package static let reorderTime = Interval.milliseconds(5)
    /// … unless so many packets came behind it.
    package static let reorderPackets: Int64 = 3
    /// As long as packets came late by themselves, gaps are given time for that, and no count of packets ends it. The
    /// time goes back to `reorderTime` where none did for so long.
    package static let maxReorderTime = Interval.milliseconds(100)
    package static let reorderMemory = Interval.seconds(4)
    package static let maxNackTries: UInt8 = 10
    package static let maxNackAge = Interval.seconds(1)
    package static let minNackInterval = Interval.milliseconds(20)
    package static let maxNackInterval = Interval.milliseconds(200)
    /// Before it was measured.
    package static let defaultRoundTrip = Interval.milliseconds(100)

    /// Requests for key frames of one stream are so far apart, or one round trip: browsers pass over one that comes within
    /// 300 ms of the last …
    package static let minKeyFrameRequestInterval = Interval.milliseconds(350)
    /// … and repeated after this time until a key frame comes.
    package static let keyFrameRequestRepeat = Interval.seconds(1)

    /// RFC 3550 allows less often; congestion control and round trips want it.
    package static let receiverReportInterval = Interval.seconds(1)
    /// The first one tells senders early that their extensions were understood.
    package static let firstReportDelay = Interval.milliseconds(100)

    /// Packets whose arrivals are kept for transport-wide feedback.
    package static let arrivalLogPackets = 4_096
    package static let minFeedbackInterval = Interval.milliseconds(50)
    package static let maxFeedbackInterval = Interval.milliseconds(250)
    /// How long due feedback waits for a packet to leave with.
    package static let feedbackPatience = Interval.milliseconds(25)

    /// Blocks of one RED payload (RFC 2198).
    package static let maxRedundantBlocks = 8
    /// Packets that error correction can look back on: a mask covers 48 of them (RFC 5109 section 7.4).
    package static let correctionWindowPackets = 128
    package static let maxCorrectionGroups = 16
    /// Bytes of a packet that is given back by error correction: what an Ethernet frame carries.
    package static let maxRecoveredBytes = 1_500

    /// Slabs of 64 KiB that one receiver keeps for video, and of 16 KiB for audio.
    package static let videoArenaSlabs = 64
    package static let audioArenaSlabs = 32
}
