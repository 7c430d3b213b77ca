import Bytes
import FLV
import Media
import TestSupport
import Testing

@Suite struct EnhancedVideoTests {
    private let start = "90" + Samples.hvc1 + Samples.hevcRecord

    @Test("FFmpeg's HEVC stream comes out: header, colours, frames with and without composition time")
    func hevc() {
        let colours = "d4" + Samples.hvc1 + "020009636f6c6f72496e666f03000b636f6c6f72436f6e66696703000009000009"
        let seen = demux(
            .video,
            [start, colours, "91" + Samples.hvc1 + "000050 0000000228 01", "a3" + Samples.hvc1 + "0000000202 01"])
        #expect(seen.order == "vVV")
        #expect(seen.errors == [])
        #expect(seen.video.first?.codec == .hevc)
        #expect(seen.videoRecords == [Samples.hevcRecord])
        #expect(seen.frames.map(\.dts) == [80_000_000, 120_000_000])
        #expect(seen.frames.map(\.pts) == [160_000_000, 120_000_000])
        #expect(seen.frames.map(\.isKey) == [true, false])
        #expect(seen.payloads == ["000000022801", "000000020201"])
    }

    @Test("FFmpeg's AV1 stream, which starts with an empty header, is announced once")
    func av1() {
        let seen = demux(
            .video, ["90" + Samples.av01, "90" + Samples.av01 + Samples.av1Record, "91" + Samples.av01 + "12003200"])
        #expect(seen.order == "vV")
        #expect(seen.videoRecords == [Samples.av1Record])
        #expect(seen.payloads == ["12003200"])
        #expect(seen.frames.first?.pts == 80_000_000)
    }

    @Test("AV1 in its transport stream form is announced by its first frame")
    func av1TransportStream() {
        let seen = demux(.video, ["95" + Samples.av01 + "80048100", "91" + Samples.av01 + "1200"])
        #expect(seen.order == "vV" && seen.videoRecords == [nil])
        #expect(demux(.video, ["95" + Samples.hvc1 + "00"]).errors == [.unknownPacketType(.video, 5)])
    }

    @Test(
        "VP8 and VP9 play with and without a header",
        arguments: [(Samples.vp08, VideoCodec.vp8), (Samples.vp09, .vp9)])
    func vpx(_ fourCC: String, _ codec: VideoCodec) {
        let with = demux(.video, ["90" + fourCC + Samples.vp9Record, "91" + fourCC + "aa", "a1" + fourCC + "bb"])
        #expect(with.order == "vVV")
        #expect(with.video.map(\.codec) == [codec])
        #expect(with.videoRecords == [Samples.vp9Record])
        let without = demux(.video, ["91" + fourCC + "aa", "a1" + fourCC + "bb"])
        #expect(without.order == "vVV" && without.videoRecords == [nil])
    }

    @Test("legacy and enhanced AVC are the same stream")
    func mixed() {
        let seen = demux(
            .video,
            [
                "1700000000" + Samples.avcRecord, "1701000000 65", "90" + Samples.avc1 + Samples.avcRecord,
                "93" + Samples.avc1 + "65", "92" + Samples.avc1,
            ])
        #expect(seen.order == "vVVe")
        #expect(seen.errors == [])
    }

    @Test("a new FourCC in mid-stream announces the new codec")
    func codecSwitch() {
        let seen = demux(
            .video,
            [start, "93" + Samples.hvc1 + "26", "90" + Samples.avc1 + Samples.avcRecord, "93" + Samples.avc1 + "65"])
        #expect(seen.video.map(\.codec) == [.hevc, .h264])
        #expect(seen.order == "vVvV")
    }

    @Test("AVC and HEVC frames before a header, and unreadable headers, are dropped")
    func errors() {
        let seen = demux(
            .video,
            [
                "93" + Samples.avc1 + "65", "90" + Samples.hvc1, "90" + Samples.hvc1 + "ff", "90" + Samples.av01 + "00",
                start, "93" + Samples.hvc1, "91" + Samples.hvc1 + "0000",
            ])
        #expect(
            seen.errors == [
                .missingSequenceHeader(.video), .invalidSequenceHeader(.video), .invalidSequenceHeader(.video),
                .invalidSequenceHeader(.video), .emptyFrame(.video), .truncated(offset: 0),
            ])
    }

    @Test("unknown FourCCs and packet types are dropped")
    func unknown() {
        let seen = demux(.video, ["90" + Samples.vvc1 + "01", "98" + Samples.hvc1, "9f" + Samples.hvc1])
        #expect(
            seen.errors == [
                .unknownFourCC(FLVFourCC(rawValue: 0x7676_6331)), .unknownPacketType(.video, 8),
                .unknownPacketType(.video, 15),
            ])
        #expect(FLVFourCC(rawValue: 0x7676_6331).text == "vvc1")
        #expect(FLVFourCC(rawValue: 0x0000_41FF).text == "??A?")
    }

    @Test("seek commands are passed over")
    func command() {
        let seen = demux(.video, ["d0", "d100", "d301"])
        #expect(seen.order == "" && seen.errors == [])
    }

    @Test("a nanosecond offset moves decoding and presentation")
    func nanoseconds() {
        let seen = demux(.video, [start, "97 02 07a120 01" + Samples.hvc1 + "000028 26"])
        #expect(seen.frames.first?.dts == 40_500_000)
        #expect(seen.frames.first?.pts == 80_500_000)
    }

    @Test("unknown modifiers of any size are passed over, and the last offset counts")
    func modifiers() {
        let long = "ff 0100" + String(repeating: "ee", count: 257)
        let seen = demux(
            .video, [start, "97 00 aa 17" + long + "17 02 000001 07 03 000002ff 03" + Samples.hvc1 + "26"])
        #expect(seen.errors == [])
        #expect(seen.frames.first?.dts == 40_000_002)
    }

    @Test("an offset of a millisecond or more, or of fewer than three bytes, is malformed")
    func badModifiers() {
        let tail = Samples.hvc1 + "26"
        let seen = demux(.video, [start, "97 02 0f4240 03" + tail, "97 01 0001 03" + tail, "97 02 0f423f 03" + tail])
        #expect(seen.errors == [.malformedSignal(.video), .malformedSignal(.video)])
        #expect(seen.frames.map(\.dts) == [120_999_999])
    }

    @Test("modifiers beyond the limit are refused")
    func modifierLimit() {
        func message(_ count: Int) -> String {
            "97" + (1..<count).map { _ in "00aa17" }.joined() + "00aa13" + Samples.hvc1 + "26"
        }
        let seen = demux(.video, [start, message(FLVLimits.maxModifiers), message(FLVLimits.maxModifiers + 1)])
        #expect(seen.frames.count == 1)
        #expect(seen.errors == [.tooManyParts(.video)])
    }

    @Test("every truncation of a message with a modifier and a track is an error, never a frame")
    func truncations() {
        let whole = hex("97 02 000001 06 11" + Samples.vp09 + "00 000002 aabb")
        for count in 1..<whole.count {
            let tag = FLVTag(
                kind: .video, timestampMilliseconds: 0, payload: SlabSlice(copying: Array(whole[..<count])))
            let seen = demux([tag])
            // Without any track there is nothing to miss.
            #expect(seen.frames.isEmpty && seen.errors.count == (count == 11 ? 0 : 1))
        }
        #expect(demux(.video, [String(hex: whole)]).payloads == ["aabb"])
    }
}
