import Bytes
import Media
import RTP
import TestSupport
import Testing

/// 70x50 throughout, but AV1's 64x48.
private let avcSet = hex("6742c01ed905279a23011000000300100000030320f162e480")
private let hevcSet = hex("42010102200000030090000003000003001ea024839d48d96566b932bc05a02000000300200000030321")
private let vp8Key = hex("b022009d012a46003200008708858588858488020202c47a")
private let vp9Key = hex("8249834200045003156038241c184a0001f07cb17beaff3f")
private let av1Sequence = hex("0820000002aff79b5f2404340080")

private func aggregate(_ header: [UInt8], _ units: [[UInt8]]) -> [UInt8] {
    header + units.flatMap { [0, UInt8($0.count)] + $0 }
}

@Suite struct PacketInspectorTests {
    struct Row: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var codec: VideoCodec
        var payload: [UInt8]
        var isKey: Bool
        var hasSize: Bool

        init(_ text: String, _ codec: VideoCodec, _ payload: [UInt8], key: Bool, size: Bool) {
            testDescription = text
            self.codec = codec
            self.payload = payload
            isKey = key
            hasSize = size
        }
    }

    static let table: [Row] = [
        Row("H.264 parameter set", .h264, avcSet, key: true, size: true),
        Row("H.264 picture set", .h264, [0x68, 1, 2], key: false, size: false),
        Row("H.264 key slice", .h264, [0x65, 0x88], key: true, size: false),
        Row("H.264 second key slice", .h264, [0x65, 0x01], key: false, size: false),
        Row("H.264 slice", .h264, [0x41, 0x88], key: false, size: false),
        Row("STAP-A", .h264, aggregate([0x78], [[0x06, 1], avcSet, [0x68, 1]]), key: true, size: true),
        Row("STAP-A of no key", .h264, aggregate([0x78], [[0x41, 0x88], [0x41, 1]]), key: false, size: false),
        Row("STAP-B", .h264, aggregate([0x79, 0, 1], [[0x09, 1], avcSet]), key: true, size: true),
        Row("MTAP16", .h264, [0x1A, 0, 1, 0, UInt8(avcSet.count), 0, 0, 0] + avcSet, key: true, size: true),
        Row("MTAP24", .h264, [0x1B, 0, 1, 0, UInt8(avcSet.count), 0, 0, 0, 0] + avcSet, key: true, size: true),
        Row("FU-A start of key", .h264, [0x7C, 0x85, 0x88, 1], key: true, size: false),
        Row("FU-A of key", .h264, [0x7C, 0x05, 0x88, 1], key: false, size: false),
        Row("FU-B start of key", .h264, [0x7D, 0x85, 0, 1, 0x88, 1], key: true, size: false),
        Row("FU-A start of parameter set", .h264, [0x7C, 0x87] + avcSet[1...], key: true, size: true),
        Row("HEVC parameter set", .hevc, hevcSet, key: true, size: true),
        Row("HEVC video set", .hevc, [0x40, 1, 0x0C, 1], key: true, size: false),
        Row("HEVC picture set", .hevc, [0x44, 1, 0xC1], key: false, size: false),
        Row("HEVC key slice", .hevc, [0x26, 1, 0xAF], key: true, size: false),
        Row("HEVC second key slice", .hevc, [0x26, 1, 0x2F], key: false, size: false),
        Row("HEVC clean access", .hevc, [0x2A, 1, 0xAF], key: true, size: false),
        Row("HEVC slice", .hevc, [0x02, 1, 0xD0], key: false, size: false),
        Row("HEVC aggregation", .hevc, aggregate([0x60, 1], [[0x40, 1, 2], hevcSet]), key: true, size: true),
        Row("HEVC fragment start", .hevc, [0x62, 1, 0x93, 0xAF], key: true, size: false),
        Row("HEVC fragment start of set", .hevc, [0x62, 1, 0xA1] + hevcSet[2...], key: true, size: true),
        Row("HEVC fragment", .hevc, [0x62, 1, 0x13, 0xAF], key: false, size: false),
        Row("VP8 key", .vp8, [0x90, 0x80, 0x80, 1] + vp8Key, key: true, size: true),
        Row("VP8 key, second packet", .vp8, [0x80, 0x80, 0x80, 1] + vp8Key, key: false, size: false),
        Row("VP8", .vp8, [0x10, 0x31, 0, 0], key: false, size: false),
        Row("VP9 key", .vp9, [0x0C] + vp9Key, key: true, size: true),
        Row("VP9 key, upper layer", .vp9, [0x2C, 0x02, 0] + vp9Key, key: false, size: true),
        Row("VP9 key, second packet", .vp9, [0x04] + vp9Key, key: false, size: false),
        Row("VP9", .vp9, [0x4C, 0x86, 0], key: false, size: false),
        Row("VP9 structure", .vp9, [0x0E, 0x10, 0, 70, 0, 50] + vp9Key, key: true, size: true),
        Row("AV1 sequence", .av1, [0x18] + av1Sequence, key: true, size: true),
        Row(
            "AV1 sequence and key", .av1, [0x28, UInt8(av1Sequence.count)] + av1Sequence + [0x30, 0x10],
            key: true, size: true),
        Row(
            "AV1 sequence and other", .av1, [0x20, UInt8(av1Sequence.count)] + av1Sequence + [0x30, 0x30],
            key: false, size: true),
        Row("AV1 key without sequence", .av1, [0x10, 0x30, 0x10], key: false, size: false),
        Row("AV1 fragment", .av1, [0x90] + av1Sequence, key: false, size: false),
        Row(
            "AV1 sequence with its size", .av1, [0x18, 0x0A, UInt8(av1Sequence.count - 1)] + av1Sequence[1...],
            key: true, size: true),
        Row("legacy", .vp6, [0x10, 0, 1, 2], key: false, size: false),
    ]

    @Test("packets tell of key frames and sizes", arguments: table)
    func rows(row: Row) {
        let isKey = PacketInspector.beginsKeyFrame(row.payload.rawSpan, row.codec)
        #expect(isKey == row.isKey)
        let size = row.codec == .av1 ? VideoSize(width: 64, height: 48) : VideoSize(width: 70, height: 50)
        let found = PacketInspector.pictureSize(row.payload.rawSpan, row.codec)
        #expect(found == (row.hasSize ? size : nil))
    }

    @Test("streams with several layers of a picture say how many, each in its way")
    func spatialLayers() {
        let structure = hex("0A500040002400800048010000900102") + vp9Key
        #expect(PacketInspector.spatialLayers(structure.rawSpan, .vp9) == 3)
        #expect(PacketInspector.spatialLayers(([0x0C] + vp9Key).rawSpan, .vp9) == nil)
        // As Chromium writes it for L3T3.
        let sequence = hex("08008707238191c04860e430321809041c8206410124cf7f0d803401")
        let layered = [0x18] + sequence
        #expect(PacketInspector.spatialLayers(layered.rawSpan, .av1) == 3)
        #expect(PacketInspector.pictureSize(layered.rawSpan, .av1) == VideoSize(width: 960, height: 540))
        #expect(PacketInspector.spatialLayers(([0x18] + av1Sequence).rawSpan, .av1) == 1)
        #expect(PacketInspector.spatialLayers(([0xB0] + vp8Key).rawSpan, .vp8) == nil)
    }

    @Test("pictures may grow whose frames tell their layer in VP9, or whose sequence has several in AV1")
    func growth() {
        func mayGrow(_ payload: [UInt8], _ codec: VideoCodec) -> Bool {
            PacketInspector.mayGrow(payload.rawSpan, codec)
        }
        #expect(mayGrow([0x2C, 0x00, 0] + vp9Key, .vp9))
        #expect(!mayGrow([0x0C] + vp9Key, .vp9))
        #expect(mayGrow(hex("1808008707238191c04860e430321809041c8206410124cf7f0d803401"), .av1))
        #expect(!mayGrow([0x18] + av1Sequence, .av1))
        #expect(!mayGrow([], .vp9))
        #expect(!mayGrow([0x20], .h264))
    }

    @Test("every truncation is no harm, and an empty payload tells nothing", arguments: table)
    func truncations(row: Row) {
        for count in 0..<row.payload.count {
            let part = Array(row.payload[..<count])
            let size = PacketInspector.pictureSize(part.rawSpan, row.codec)
            #expect(size == nil || row.hasSize)
            _ = PacketInspector.beginsKeyFrame(part.rawSpan, row.codec)
        }
        let empty: [UInt8] = []
        let isKey = PacketInspector.beginsKeyFrame(empty.rawSpan, row.codec)
        #expect(!isKey)
    }
}
