import Bytes
import Media
import RTP

/// What `body` appends.
func written(capacity: Int = 2_048, _ body: (inout OutputRawSpan) -> Void) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
        var output = OutputRawSpan(buffer: UnsafeMutableRawBufferPointer(buffer), initializedCount: 0)
        body(&output)
        count = output.finalize(for: UnsafeMutableRawBufferPointer(buffer))
    }
}

extension Monotonic {
    static func ms(_ count: Int64) -> Monotonic { .zero + .milliseconds(count) }
}

/// A parsed packet with copies of its parts.
struct ParsedPacket {
    var header: RTPHeader
    var payload: [UInt8]
    var extensions: HeaderExtensionValues

    init(_ bytes: [UInt8], map: HeaderExtensionMap = HeaderExtensionMap()) throws {
        header = try RTPHeader(parsing: bytes.rawSpan)
        payload = header.payload(of: bytes.rawSpan).copied()
        extensions = try HeaderExtensionValues(header, of: bytes.rawSpan, map: map)
    }
}

/// A NAL unit with `header` and a body without start codes that begins with a first slice's leading 1 bit.
func nalUnit(_ header: UInt8, count: Int) -> [UInt8] {
    [header] + (0..<max(count - 1, 0)).map { UInt8(truncatingIfNeeded: $0 % 251 + 4) | ($0 == 0 ? 0x80 : 0) }
}

func annexB(_ units: [[UInt8]]) -> [UInt8] { units.flatMap { [0, 0, 0, 1] + $0 } }

func lengthPrefixed(_ units: [[UInt8]], size: Int = 4) -> [UInt8] {
    units.flatMap { unit in
        (0..<size).reversed().map { UInt8(truncatingIfNeeded: unit.count >> ($0 * 8)) } + unit
    }
}

func videoFrame(
    _ payload: [UInt8], as format: PayloadFormat = .h264AnnexB, pts: MediaTime = 0, isKey: Bool = false,
    maxPayloadBytes: Int = RTPLimits.maxPayloadBytes
) throws(RTPError) -> PacketizedFrame {
    let codec: VideoCodec =
        switch format {
        case .vp8: .vp8
        case .vp9: .vp9
        case .av1: .av1
        case .hevcAnnexB: .hevc
        default: .h264
        }
    let frame = EncodedFrame(
        codec: .video(codec), pts: pts, dts: pts, isKey: isKey, payload: SlabSlice(copying: payload))
    return try PacketizedFrame(frame, as: format, maxPayloadBytes: maxPayloadBytes)
}

/// A VP8 frame of `packets` packets; the content does not matter.
func pictures(packets: Int, pts: MediaTime = 0, isKey: Bool = false) throws -> PacketizedFrame {
    let bytes = [UInt8](repeating: isKey ? 0 : 1, count: packets * (RTPLimits.maxPayloadBytes - 4))
    return try videoFrame(bytes, as: .vp8(VP8PictureID(1)), pts: pts, isKey: isKey)
}

func audioFrame(
    _ payload: [UInt8] = [0xFC, 1, 2], pts: MediaTime = 0, level: HeaderExtensionValues.AudioLevel? = nil
) throws(RTPError) -> PacketizedFrame {
    let frame = EncodedFrame(
        codec: .audio(.opus), pts: pts, dts: pts, isKey: true, payload: SlabSlice(copying: payload))
    return try PacketizedFrame(frame, as: .opus, audioLevel: level)
}

/// The payloads that a frame's packets carry.
func payloads(of frame: PacketizedFrame) -> [[UInt8]] {
    frame.fragments.map { fragment in
        written { fragment.prefix.write(into: &$0) } + frame.payload[fragment.range].copied()
    }
}

/// Reads the first packet of a compound.
func readFirst<R>(_ bytes: [UInt8], _ read: (borrowing RTCPPacket) throws(RTPError) -> R) throws(RTPError) -> R {
    var reader = RTCPReader(bytes.rawSpan)
    guard let packet = try reader.next() else { throw .truncated(offset: 0) }
    return try read(packet)
}
