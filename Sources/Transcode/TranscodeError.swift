/// Why a frame or a configuration could not be transcoded.
package enum TranscodeError: Error, Equatable, Sendable {
    /// How much of the session a failure takes with it.
    package enum Severity: Sendable { case drop, closeStream }

    /// A frame came before its track's configuration.
    case notConfigured
    /// libavcodec was built without this codec.
    case unsupportedVideo
    case unsupportedAudio
    /// The codec's library refused to start; the library's own code.
    case decoderRefused(Int32)
    case encoderRefused(Int32)
    case scalerRefused
    case resamplerRefused(Int32)
    /// Nothing can be shown before the next key frame; not counted as a fault of the stream.
    case awaitingKeyFrame
    /// libavcodec gave up on this frame; decoding goes on with the next.
    case undecodable(Int32)
    /// A frame larger than `TranscodeLimits.maxFrameBytes`.
    case frameTooLarge(Int)
    /// A picture or an audio format outside `TranscodeLimits`.
    case formatOutOfLimits
    /// An encoder failed on a picture it should take; the library's own code.
    case encodingFailed(Int32)
    /// A ladder that no encoder could follow; says which rule it breaks.
    case invalidLadder(LadderFault)

    package var severity: Severity {
        switch self {
        case .notConfigured, .awaitingKeyFrame, .undecodable, .frameTooLarge, .formatOutOfLimits: .drop
        case .unsupportedVideo, .unsupportedAudio, .decoderRefused, .encoderRefused, .scalerRefused, .resamplerRefused,
            .encodingFailed, .invalidLadder:
            .closeStream
        }
    }
}
