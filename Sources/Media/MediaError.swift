import Bytes

/// Why bytes of a codec's header were refused. Always the peer's fault, and never worse than losing one packet.
package enum MediaError: Error, Equatable, Sendable {
    /// The header ends before its last field; the offset, in bytes, is where the read began.
    case truncated(offset: Int)
    /// A field has a value that the codec's specification forbids.
    case malformed(MediaStructure)
    /// A field is legal but larger than `MediaLimits` allows.
    case overLimit(MediaStructure)

    init(_ error: Truncated) { self = .truncated(offset: error.offset) }
}

/// The headers that this module reads, as error payload.
package enum MediaStructure: UInt8, Sendable, Hashable, CaseIterable {
    case nalUnit, avcConfiguration, hevcConfiguration, sequenceParameterSet
    case audioSpecificConfig, opusHead, opusPacket, flacStreamInfo
    case av1Configuration, av1Unit, av1SequenceHeader, vp8FrameHeader, vp9FrameHeader, vpConfiguration
}

/// Bounds for numbers in codec headers, far above what live video uses.
package enum MediaLimits {
    /// Width and height in pixels; H.264 level 6.2 and AV1 level 6.3 both end at 16,384.
    package static let maxDimension = 16_384
    /// Samples a second; the 24-bit escape of ISO/IEC 14496-3 section 1.6.3.4 could say 16 MHz.
    package static let maxSampleRate = 768_000
    /// A parameter set that is larger carries no picture that a decoder here would accept.
    package static let maxParameterSetBytes = 16_384
    /// Arrays and units in an HEVCDecoderConfigurationRecord (three kinds of parameter sets and two of SEI are usual).
    package static let maxHEVCArrays = 16
    package static let maxHEVCUnits = 64
}

/// Width and height in pixels.
package struct VideoSize: Hashable, Sendable {
    package var width: Int
    package var height: Int

    package init(width: Int, height: Int) {
        self.width = width
        self.height = height
    }
}
