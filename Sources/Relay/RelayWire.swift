import Bytes
import Media

/// How messages stand on the connection: version (8 bits), type (8), length (32) of what follows, the type's fixed
/// fields, and for some types a tail that takes the rest. All integers are big-endian.
enum RelayWire {
    static let version: UInt8 = 1
    static let headerBytes = 6
    /// The longest fixed part, that of hello.
    static let longestFixedPart = RelayToken.byteCount
}

/// The messages by their number on the wire.
package enum RelayMessageType: UInt8, Sendable, Hashable, CaseIterable {
    // From the main process to the child.
    case start = 1
    case sourceBegan, videoConfiguration, audioConfiguration, frame, sourceEnded, requestStop, setLogLevel
    // From the child to the main process.
    case hello = 65
    case ready, started, report, statistics, keyFrameWanted, sourceRefused, ended

    var isCommand: Bool { rawValue < RelayMessageType.hello.rawValue }

    /// Bytes of the fields that the message always has.
    var fixedBytes: Int {
        switch self {
        case .start, .sourceBegan, .ready, .started, .statistics, .keyFrameWanted, .sourceRefused: 0
        case .sourceEnded, .requestStop, .setLogLevel, .report: 1
        case .videoConfiguration, .ended: 2
        case .audioConfiguration: 7
        case .frame: 26
        case .hello: RelayToken.byteCount
        }
    }

    /// Bytes that may stand behind the fixed fields.
    func tailLimit(_ limits: RelayLimits) -> Int {
        switch self {
        case .start: limits.specificationBytes
        case .frame: limits.frameBytes
        case .videoConfiguration, .audioConfiguration: limits.recordBytes
        case .report, .statistics: limits.reportBytes
        case .sourceBegan, .sourceEnded, .sourceRefused, .ended: limits.textBytes
        case .requestStop, .setLogLevel, .hello, .ready, .started, .keyFrameWanted: 0
        }
    }

    /// The message's bytes on the wire with such a tail.
    func encodedByteCount(tail: Int, _ limits: RelayLimits) throws(RelayError) -> Int {
        guard tail <= tailLimit(limits) else { throw .overLimit(self, bytes: tail) }
        return RelayWire.headerBytes + fixedBytes + tail
    }

    func writeHeader(tail: Int, into output: inout OutputRawSpan) {
        output.append(byte: RelayWire.version)
        output.append(byte: rawValue)
        output.append(bigEndian: UInt32(truncatingIfNeeded: fixedBytes + tail))
    }
}

/// Names and sentences, cut to what the receiver takes.
enum RelayText {
    /// UTF-8 bytes of `text` that are sent: all, or as many whole characters of it as fit.
    static func byteCount(_ text: String, _ limits: RelayLimits) -> Int {
        guard text.utf8.count > limits.textBytes else { return text.utf8.count }
        var count = 0
        for scalar in text.unicodeScalars {
            let width = UTF8.width(scalar)
            guard count + width <= limits.textBytes else { break }
            count += width
        }
        return count
    }

    static func write(_ text: String, _ limits: RelayLimits, into output: inout OutputRawSpan) {
        for byte in text.utf8.prefix(byteCount(text, limits)) { output.append(byte: byte) }
    }

    static func read(_ bytes: RawSpan, of type: RelayMessageType) throws(RelayError) -> String {
        guard let text = String(validating: bytes.copied(), as: UTF8.self) else { throw .malformed(type) }
        return text
    }
}

extension EncodedFrame.Codec {
    /// The codec's number on the wire: video below 64, sound from there on.
    var relayCode: UInt8 {
        switch self {
        case .video(let codec): codec.relayCode
        case .audio(let codec): codec.relayCode
        }
    }

    init?(relayCode: UInt8) {
        if let codec = VideoCodec(relayCode: relayCode) {
            self = .video(codec)
        } else if let codec = AudioCodec(relayCode: relayCode) {
            self = .audio(codec)
        } else {
            return nil
        }
    }
}

extension VideoCodec {
    var relayCode: UInt8 {
        switch self {
        case .h264: 1
        case .hevc: 2
        case .av1: 3
        case .vp8: 4
        case .vp9: 5
        case .sorensonH263: 6
        case .screenVideo: 7
        case .vp6: 8
        case .vp6Alpha: 9
        case .screenVideo2: 10
        }
    }

    init?(relayCode: UInt8) {
        switch relayCode {
        case 1: self = .h264
        case 2: self = .hevc
        case 3: self = .av1
        case 4: self = .vp8
        case 5: self = .vp9
        case 6: self = .sorensonH263
        case 7: self = .screenVideo
        case 8: self = .vp6
        case 9: self = .vp6Alpha
        case 10: self = .screenVideo2
        default: return nil
        }
    }
}

extension AudioCodec {
    var relayCode: UInt8 {
        switch self {
        case .aac: 64
        case .opus: 65
        case .mp3: 66
        case .flac: 67
        case .ac3: 68
        case .eac3: 69
        case .pcmALaw: 70
        case .pcmMuLaw: 71
        case .pcmS16LE: 72
        case .pcmU8: 73
        case .adpcm: 74
        case .nellymoser: 75
        case .speex: 76
        case .g722: 77
        }
    }

    init?(relayCode: UInt8) {
        switch relayCode {
        case 64: self = .aac
        case 65: self = .opus
        case 66: self = .mp3
        case 67: self = .flac
        case 68: self = .ac3
        case 69: self = .eac3
        case 70: self = .pcmALaw
        case 71: self = .pcmMuLaw
        case 72: self = .pcmS16LE
        case 73: self = .pcmU8
        case 74: self = .adpcm
        case 75: self = .nellymoser
        case 76: self = .speex
        case 77: self = .g722
        default: return nil
        }
    }
}
