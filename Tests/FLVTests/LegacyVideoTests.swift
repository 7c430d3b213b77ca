import Bytes
import FLV
import Media
import TestSupport
import Testing

@Suite struct LegacyVideoTests {
    private let header = "1700000000" + Samples.avcRecord

    @Test("an AVC sequence header and its frames come out with composition time")
    func avc() {
        let seen = demux(.video, [header, "1701000050 0000000165", "27010000c8 0000000141"])
        #expect(seen.order == "vVV")
        #expect(seen.video.first?.codec == .h264)
        #expect(seen.videoRecords == [Samples.avcRecord])
        #expect(seen.payloads == ["0000000165", "0000000141"])
        #expect(seen.frames.map(\.isKey) == [true, false])
        #expect(seen.frames.map(\.dts) == [40_000_000, 80_000_000])
        #expect(seen.frames.map(\.pts) == [120_000_000, 280_000_000])
        #expect(seen.errors == [])
    }

    @Test("a negative composition time moves the presentation before the decoding")
    func negativeComposition() {
        let seen = demux(.video, [header, "2701ffffd8 0000000141"])
        #expect(seen.frames.first?.pts == 0)
        #expect(seen.frames.first?.dts == 40_000_000)
    }

    @Test("composition times up to a minute are taken, longer ones dropped")
    func compositionLimit() {
        let seen = demux(
            .video, [header, "270100ea60 41", "2701ff15a0 41", "270100ea61 41", "2701ff159f 41", "2701800000 41"])
        #expect(seen.frames.count == 2)
        #expect(
            seen.errors == [
                .compositionTimeOutOfRange(milliseconds: 60_001), .compositionTimeOutOfRange(milliseconds: -60_001),
                .compositionTimeOutOfRange(milliseconds: -8_388_608),
            ])
    }

    @Test("a sequence header is announced when its bytes change, and only then")
    func changes() {
        let other = "1700000000" + Samples.otherAVCRecord
        let seen = demux(.video, [header, header, other, other, header])
        #expect(seen.videoRecords == [Samples.avcRecord, Samples.otherAVCRecord, Samples.avcRecord])
    }

    @Test("frames before the sequence header are dropped")
    func early() {
        let seen = demux(.video, ["1701000000 65", header, "1701000000 65"])
        #expect(seen.errors == [.missingSequenceHeader(.video)])
        #expect(seen.order == "vV")
    }

    @Test("a sequence header that cannot be read is dropped and the old one stays")
    func invalid() {
        let seen = demux(.video, [header, "1700000000 02ff", "1700000000", "1701000000 65"])
        #expect(seen.errors == [.invalidSequenceHeader(.video), .invalidSequenceHeader(.video)])
        #expect(seen.order == "vV")
    }

    @Test("a sequence header longer than the limit is dropped")
    func longHeader() {
        let record = hex(Samples.avcRecord)
        let room = FLVLimits.maxSequenceHeaderBytes - record.count
        for (extra, fits) in [(room, true), (room + 1, false)] {
            let bytes = hex("1700000000") + record + [UInt8](repeating: 0, count: extra)
            let seen = demux([FLVTag(kind: .video, timestampMilliseconds: 0, payload: SlabSlice(copying: bytes))])
            #expect(seen.order == (fits ? "v" : ""))
            #expect(seen.errors == (fits ? [] : [.sequenceHeaderTooLong(.video)]))
        }
    }

    @Test("an end of sequence is told, also from two bytes")
    func end() {
        let seen = demux(.video, ["1702000000", "1702"])
        #expect(seen.ends == [.video, .video])
    }

    @Test("HEVC with codec id 12 works as AVC does")
    func legacyHEVC() {
        let seen = demux(
            .video, ["1c00000000" + Samples.hevcRecord, "1c01000028 0000000226 01", "2c01000000 0000000202 01"])
        #expect(seen.order == "vVV")
        #expect(seen.video.first?.codec == .hevc)
        #expect(seen.frames.map(\.pts) == [80_000_000, 80_000_000])
        #expect(seen.frames.map(\.isKey) == [true, false])
    }

    @Test("a switch from AVC to HEVC and back announces each")
    func codecSwitch() {
        let seen = demux(
            .video,
            [header, "1701000000 65", "1c00000000" + Samples.hevcRecord, "1c01000000 26", "1701000000 65", header])
        #expect(seen.video.map(\.codec) == [.h264, .hevc, .h264])
        #expect(seen.errors == [.missingSequenceHeader(.video)])
    }

    @Test(
        "codecs without a sequence header are announced with their first frame",
        arguments: [(2, .sorensonH263), (3, .screenVideo), (6, .screenVideo2)] as [(UInt8, VideoCodec)])
    func headerless(_ id: UInt8, _ codec: VideoCodec) {
        let seen = demux(
            [UInt8(0x10), 0x20, 0x30].map { type in
                FLVTag(kind: .video, timestampMilliseconds: 7, payload: SlabSlice(copying: [type | id, 0xAA, 0xBB]))
            })
        #expect(seen.order == "vVVV")
        #expect(seen.video.map(\.codec) == [codec])
        #expect(seen.payloads == ["aabb", "aabb", "aabb"])
        #expect(seen.frames.map(\.isKey) == [true, false, false])
        #expect(seen.frames.map(\.pts) == [7_000_000, 7_000_000, 7_000_000])
    }

    @Test("VP6's size adjustment is its record", arguments: [("14", VideoCodec.vp6), ("15", .vp6Alpha)])
    func vp6(_ header: String, _ codec: VideoCodec) {
        let seen = demux(.video, [header + "53 aabb", header + "53 cc", header + "00 dd"])
        #expect(seen.video.map(\.codec) == [codec, codec])
        #expect(seen.videoRecords == ["53", "00"])
        #expect(seen.payloads == ["aabb", "cc", "dd"])
    }

    @Test("info frames and empty messages are passed over")
    func ignored() {
        let seen = demux(.video, ["5700", "5201", ""])
        #expect(seen.order == "" && seen.errors == [])
    }

    @Test("unknown codecs and packet types are dropped", arguments: [0, 1, 8, 9, 10, 11, 13, 14, 15] as [UInt8])
    func unknown(_ codec: UInt8) {
        var demuxer = FLVDemuxer()
        #expect(throws: FLVError.unknownVideoCodec(codec)) {
            try demuxer.demuxVideo(SlabSlice(copying: [0x10 | codec, 1, 0, 0, 0, 1]), timestampMilliseconds: 0)
        }
        #expect(demux(.video, ["1703000000 65"]).errors == [.unknownPacketType(.video, 3)])
    }

    @Test("every truncation of a coded frame's header is a typed error")
    func truncations() {
        let errors = demux(.video, [header, "17", "1701", "170100", "17010000", "1701000000", "1700", "170000"]).errors
        #expect(
            errors == [
                .truncated(offset: 1), .truncated(offset: 2), .truncated(offset: 2), .truncated(offset: 2),
                .emptyFrame(.video), .truncated(offset: 2), .truncated(offset: 2),
            ])
        #expect(errors.allSatisfy { $0.severity == .drop })
        #expect(demux(.video, ["14"]).errors == [.truncated(offset: 1)])
        #expect(demux(.video, ["1453"]).errors == [.emptyFrame(.video)])
    }

    @Test("a frame is a view of its message, and readable beyond its end")
    func view() {
        let message = SlabSlice(copying: hex("1701000000 0000000165"))
        let configuration = FLVTag(kind: .video, timestampMilliseconds: 0, payload: SlabSlice(copying: hex(header)))
        let seen = demux([configuration, FLVTag(kind: .video, timestampMilliseconds: 0, payload: message)])
        let frame = seen.frames[0].payload
        #expect(frame.endsAtPadding)
        let isShared = message.withUnsafeStorage { mine, _ in frame.withUnsafeStorage { theirs, _ in mine === theirs } }
        #expect(isShared)
    }

    @Test("a message that is cut out of a larger slab gives a frame with padding of its own")
    func aggregate() {
        let slab = SlabSlice(copying: hex(header + "1701000000 0000000165 ffffffff"))
        let headerCount = hex(header).count
        let seen = demux([
            FLVTag(kind: .video, timestampMilliseconds: 0, payload: slab[0..<headerCount]),
            FLVTag(kind: .video, timestampMilliseconds: 0, payload: slab[headerCount..<slab.count - 4]),
        ])
        #expect(seen.payloads == ["0000000165"])
        #expect(seen.frames.first?.payload.endsAtPadding == true)
        #expect(seen.video.first?.record?.endsAtPadding == true)
    }
}
