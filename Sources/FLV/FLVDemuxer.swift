package import Bytes
package import Media

/// What comes out of `FLVDemuxer`, in the order of the messages.
package enum FLVEvent: Sendable {
    /// Before the first frame, and again whenever codec or sequence header change.
    case videoConfiguration(VideoConfiguration)
    case audioConfiguration(AudioConfiguration)
    case frame(EncodedFrame)
    indirect case metadata(StreamMetadata)
    /// A track beyond the first, told once for each; its data is passed over.
    case extraTrackIgnored(MediaKind, trackID: UInt8)
    /// The publisher ends the sequence; another may follow.
    case endOfSequence(MediaKind)
}

/// Turns the payloads of RTMP audio, video and data messages (or of FLV tags, which are the same) into codec
/// configurations and coded frames: legacy tags (FLV 10.1, annex E.4) and enhanced RTMP v1 and v2.
///
/// Frames are views of the messages that they came in. Where a view does not end at its slab's padding, as inside of
/// multitrack messages, it is copied, so that decoders can read ahead. Timestamps are taken as they are: unwrapping and
/// repairing them is up to the driver. Track 0 of each kind plays.
///
/// After each call, take all events. An error concerns the one message, or the rest of it; the demuxer stays usable.
package struct FLVDemuxer: ~Copyable {
    var video: VideoConfiguration?
    var audio: AudioConfiguration?
    /// What a MultichannelConfig said, for codecs whose streams have no header of their own.
    var multichannel: (codec: AudioCodec, channels: Int)?
    private var events = RingDeque<FLVEvent>(capacity: FLVLimits.eventCapacity)
    /// One bit for each track that was reported.
    private var reportedVideo = TrackSet()
    private var reportedAudio = TrackSet()
    private let pool: SlabPool?

    /// `pool` serves the copies of multitrack payloads.
    package init(pool: SlabPool? = nil) { self.pool = pool }

    /// A video message's payload; `timestampMilliseconds` is its decoding time. Empty payloads are passed over.
    package mutating func demuxVideo(_ payload: SlabSlice, timestampMilliseconds: Int64) throws(FLVError) {
        guard !payload.isEmpty else { return }
        if payload.bytes[0] & 0x80 != 0 {
            try demuxEnhancedVideo(payload, timestampMilliseconds)
        } else {
            try demuxLegacyVideo(payload, timestampMilliseconds)
        }
    }

    /// An audio message's payload. An empty one announces silence and is passed over.
    package mutating func demuxAudio(_ payload: SlabSlice, timestampMilliseconds: Int64) throws(FLVError) {
        guard !payload.isEmpty else { return }
        if payload.bytes[0] >> 4 == AudioTag.enhancedFormat {
            try demuxEnhancedAudio(payload, timestampMilliseconds)
        } else {
            try demuxLegacyAudio(payload, timestampMilliseconds)
        }
    }

    /// An AMF0 data message's payload; what is not onMetaData is passed over.
    package mutating func demuxData(_ payload: SlabSlice, timestampMilliseconds: Int64) throws(FLVError) {
        if let metadata = try StreamMetadata.read(message: payload.bytes) { try emit(.metadata(metadata)) }
    }

    /// The next event; nil when all were taken.
    package mutating func pollEvent() -> FLVEvent? { events.popFirst() }

    mutating func emit(_ event: FLVEvent) throws(FLVError) {
        guard events.append(event) else { throw .eventQueueFull }
    }

    /// Part of a message as a slice of its own lifetime with padding behind it.
    func padded(_ payload: SlabSlice, _ range: Range<Int>) -> SlabSlice {
        let view = payload[range]
        return view.endsAtPadding ? view : SlabSlice(copying: view.bytes, pool: pool)
    }

    /// A copy of a sequence header, which lives as long as the stream and must not hold its message's slab.
    func record(_ payload: SlabSlice, _ range: Range<Int>, kind: MediaKind) throws(FLVError) -> SlabSlice? {
        guard !range.isEmpty else { return nil }
        guard range.count <= FLVLimits.maxSequenceHeaderBytes else { throw .sequenceHeaderTooLong(kind) }
        return SlabSlice(copying: payload[range].bytes)
    }

    mutating func reportExtraTrack(_ id: UInt8, kind: MediaKind) throws(FLVError) {
        let isNew = kind == .video ? reportedVideo.insert(id) : reportedAudio.insert(id)
        if isNew { try emit(.extraTrackIgnored(kind, trackID: id)) }
    }

    mutating func emitFrame(
        _ codec: EncodedFrame.Codec, _ payload: SlabSlice, _ range: Range<Int>, isKey: Bool, dts: MediaTime,
        pts: MediaTime
    ) throws(FLVError) {
        try emit(.frame(EncodedFrame(codec: codec, pts: pts, dts: dts, isKey: isKey, payload: padded(payload, range))))
    }

    static func nanoseconds(_ milliseconds: Int64) -> MediaTime { milliseconds &* 1_000_000 }
}

/// Track numbers that were seen: 256 bits.
private struct TrackSet {
    private var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

    /// True when `id` was not in it before.
    mutating func insert(_ id: UInt8) -> Bool {
        switch id >> 6 {
        case 0: Self.insert(id, into: &words.0)
        case 1: Self.insert(id, into: &words.1)
        case 2: Self.insert(id, into: &words.2)
        default: Self.insert(id, into: &words.3)
        }
    }

    private static func insert(_ id: UInt8, into word: inout UInt64) -> Bool {
        let bit = UInt64(1) << UInt64(id & 63)
        defer { word |= bit }
        return word & bit == 0
    }
}
