package import Media

/// Why a tag, or a part of one, was dropped. All of it is the peer's fault, and none of it ends a session.
package enum FLVError: Error, Equatable, Sendable {
    /// The tag ends before its last field; the offset, in bytes of the tag's payload, is where the read began.
    case truncated(offset: Int)
    /// A tag that is neither audio, video nor script data, or an encrypted one.
    case unknownTagType(UInt8)
    case unknownVideoCodec(UInt8)
    case unknownSoundFormat(UInt8)
    case unknownFourCC(FLVFourCC)
    case unknownPacketType(MediaKind, UInt8)
    case unknownMultitrackType(UInt8)
    /// A ModEx or MultichannelConfig that breaks its own rules.
    case malformedSignal(MediaKind)
    /// More ModEx signals or tracks in one message than `FLVLimits` allows.
    case tooManyParts(MediaKind)
    /// A sequence header that cannot be read; a decoder would not start with it.
    case invalidSequenceHeader(MediaKind)
    case sequenceHeaderTooLong(MediaKind)
    /// Coded data of a codec whose sequence header has not come yet.
    case missingSequenceHeader(MediaKind)
    case compositionTimeOutOfRange(milliseconds: Int32)
    /// A coded frame without data.
    case emptyFrame(MediaKind)
    case scriptDataTooLong
    case invalidScriptData(AMF0Error)
    /// The driver has not taken the events of earlier messages.
    case eventQueueFull
    /// No tag can carry this codec.
    case codecWithoutTag

    /// What the driver must do about an error.
    package enum Severity: Sendable {
        /// Count it and go on with the next message.
        case drop
    }

    package var severity: Severity { .drop }
}

/// Bounds for what one message may ask for.
package enum FLVLimits {
    /// Bytes of a sequence header; HEVC records with an encoder's SEI text reach 3 KB.
    package static let maxSequenceHeaderBytes = 65_536
    /// Bytes of a script data message that is looked at.
    package static let maxScriptDataBytes = 65_536
    /// ModEx signals in one message (E-RTMP v2, ExVideoTagHeader); one is defined so far.
    package static let maxModifiers = 16
    /// Tracks in one message; OBS sends one, and Twitch takes up to six.
    package static let maxTracksPerMessage = 32
    /// The largest composition time, either way. The wire could say 2.3 hours.
    package static let maxCompositionMilliseconds: Int32 = 60_000
    /// The largest value of a timestamp's nanosecond offset (E-RTMP v2, TimestampOffsetNano).
    package static let maxNanosecondOffset: UInt32 = 999_999
    /// Events between two drains: each track 0 in a message makes at most two.
    static let eventCapacity = 2 * maxTracksPerMessage + 8
}
