import Bytes
import COpus
import FLV
import Media

/// A clip's pictures as a WebRTC encoder sends them, parameter sets in front of each key frame, and 20 ms of Opus after
/// 20 ms: nothing is encoded while it is sent.
struct PassClip: Sendable {
    struct Item: Sendable {
        let codec: EncodedFrame.Codec
        let isKey: Bool
        /// An Annex B byte stream, or an Opus packet.
        let payload: SlabSlice
        /// From the clip's first picture.
        let nanoseconds: Int64
    }

    private static let opusNanoseconds: Int64 = 20_000_000

    /// In order of time; the first picture is a key frame.
    let items: [Item]
    /// Where a repetition begins.
    let nanoseconds: Int64

    init(path: String) throws {
        var demuxer = FLVDemuxer()
        var record: AVCConfiguration?
        var pictures: [Item] = []
        for tag in try Clip.tags(path) {
            try demuxer.demux(tag)
            while let event = demuxer.pollEvent() {
                switch event {
                case .videoConfiguration(let configuration):
                    guard configuration.codec == .h264, let bytes = configuration.record else {
                        throw BenchError("only H.264 can be passed here")
                    }
                    record = try AVCConfiguration(bytes.bytes)
                case .frame(let frame) where frame.kind == .video:
                    guard let record else { throw BenchError("\(path) has no sequence header") }
                    guard frame.pts == frame.dts else { throw BenchError("\(path) has B-frames") }
                    if pictures.isEmpty, !frame.isKey { continue }
                    pictures.append(try Self.picture(frame, record))
                default: break
                }
            }
        }
        guard let first = pictures.first, let last = pictures.last, pictures.count > 1 else {
            throw BenchError("\(path) has no pictures")
        }
        let span = last.nanoseconds - first.nanoseconds
        nanoseconds = span + span / Int64(pictures.count - 1)
        let sound = try Self.sound(nanoseconds / Self.opusNanoseconds)
        items = (pictures.map { $0.moved(by: -first.nanoseconds) } + sound).sorted { $0.nanoseconds < $1.nanoseconds }
    }

    private static func picture(_ frame: EncodedFrame, _ record: AVCConfiguration) throws -> Item {
        var bytes: [UInt8] = []
        let startCode: [UInt8] = [0, 0, 0, 1]
        if frame.isKey {
            for set in record.sequenceParameterSets + record.pictureParameterSets { bytes += startCode + set }
        }
        let payload = frame.payload.bytes
        var units = LengthPrefixedUnits(payload, lengthSize: record.lengthSize)
        while let range = try units.next() { bytes += startCode + payload.extracting(range).copied() }
        return Item(
            codec: .video(.h264), isKey: frame.isKey, payload: SlabSlice(copying: bytes), nanoseconds: frame.dts)
    }

    /// A tone.
    private static func sound(_ count: Int64) throws -> [Item] {
        var status: Int32 = 0
        guard let encoder = opus_encoder_create(48_000, 1, OPUS_APPLICATION_AUDIO, &status) else {
            throw BenchError("Opus does not start")
        }
        defer { opus_encoder_destroy(encoder) }
        _ = shim_opus_set_bitrate(encoder, 64_000)
        let wave = (0..<960).map { Float($0 % 120 < 60 ? 0.2 : -0.2) }
        var packet = [UInt8](repeating: 0, count: 1_276)
        return try (0..<count).map { index in
            let size = opus_encode_float(encoder, wave, 960, &packet, Int32(packet.count))
            guard size > 0 else { throw BenchError("Opus fails") }
            return Item(
                codec: .audio(.opus), isKey: true, payload: SlabSlice(copying: Array(packet.prefix(Int(size)))),
                nanoseconds: index * opusNanoseconds)
        }
    }
}

extension PassClip.Item {
    fileprivate func moved(by nanoseconds: Int64) -> PassClip.Item {
        PassClip.Item(codec: codec, isKey: isKey, payload: payload, nanoseconds: self.nanoseconds + nanoseconds)
    }
}
