package import Media

/// A codec's name in enhanced RTMP: four ASCII characters, the first in the highest byte.
package struct FLVFourCC: RawRepresentable, Hashable, Sendable {
    package let rawValue: UInt32

    package init(rawValue: UInt32) { self.rawValue = rawValue }

    private init(_ text: StaticString) {
        precondition(text.utf8CodeUnitCount == 4, "a FourCC has four characters")
        rawValue = "\(text)".utf8.reduce(0) { $0 << 8 | UInt32($1) }
    }

    package static let avc = Self("avc1")
    package static let hevc = Self("hvc1")
    package static let av1 = Self("av01")
    package static let vp8 = Self("vp08")
    package static let vp9 = Self("vp09")
    package static let aac = Self("mp4a")
    package static let opus = Self("Opus")
    package static let mp3 = Self(".mp3")
    package static let flac = Self("fLaC")
    package static let ac3 = Self("ac-3")
    package static let eac3 = Self("ec-3")

    /// All that the demuxer takes, for the connect command's `fourCcList`.
    package static let allVideo = [avc, hevc, av1, vp9, vp8]
    package static let allAudio = [opus, aac, flac, mp3, ac3, eac3]

    /// The characters; those outside of printable ASCII become "?".
    package var text: String {
        let bytes = [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: rawValue >> $0) }
        return String(decoding: bytes.map { (0x20...0x7E).contains($0) ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
    }

    package var videoCodec: VideoCodec? {
        switch self {
        case .avc: .h264
        case .hevc: .hevc
        case .av1: .av1
        case .vp8: .vp8
        case .vp9: .vp9
        default: nil
        }
    }

    package var audioCodec: AudioCodec? {
        switch self {
        case .aac: .aac
        case .opus: .opus
        case .mp3: .mp3
        case .flac: .flac
        case .ac3: .ac3
        case .eac3: .eac3
        default: nil
        }
    }

    /// Nil for the codecs that only legacy tags carry.
    package init?(_ codec: VideoCodec) {
        guard let match = Self.allVideo.first(where: { $0.videoCodec == codec }) else { return nil }
        self = match
    }

    /// Nil for the codecs that only legacy tags carry.
    package init?(_ codec: AudioCodec) {
        guard let match = Self.allAudio.first(where: { $0.audioCodec == codec }) else { return nil }
        self = match
    }
}
