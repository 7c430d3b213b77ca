import Bytes
import FLV
import Media
import TestSupport
import Testing

@Suite struct MuxerTests {
    private func slice(_ text: String) -> SlabSlice { SlabSlice(copying: hex(text)) }

    private func text(_ tag: FLVTag) -> String { String(hex: tag.payload.copied()) }

    private func frame(_ codec: EncodedFrame.Codec, pts: MediaTime = 0, dts: MediaTime = 0, isKey: Bool = true)
        -> EncodedFrame
    {
        EncodedFrame(codec: codec, pts: pts, dts: dts, isKey: isKey, payload: slice("aabbcc"))
    }

    @Test("legacy AVC messages have the bytes that FFmpeg writes")
    func legacyVideo() throws {
        let muxer = FLVMuxer()
        let configuration = VideoConfiguration(codec: .h264, record: slice(Samples.avcRecord))
        #expect(text(try muxer.sequenceStart(configuration)) == "1700000000" + Samples.avcRecord)
        let key = try muxer.frame(frame(.video(.h264), pts: 80_000_000))
        #expect(text(key) == "1701000050aabbcc")
        let inter = try muxer.frame(frame(.video(.h264), pts: 0, dts: 40_000_000, isKey: false))
        #expect(text(inter) == "2701ffffd8aabbcc")
        #expect(inter.timestampMilliseconds == 40)
        #expect(text(try muxer.sequenceEnd(.video(.h264), timestampMilliseconds: 9)) == "1702000000")
    }

    @Test("legacy AAC messages have the bytes that FFmpeg writes")
    func legacyAudio() throws {
        let muxer = FLVMuxer()
        let configuration = AudioConfiguration(codec: .aac, record: slice("1210"), sampleRate: 44_100, channels: 2)
        #expect(text(try muxer.sequenceStart(configuration)) == "af001210")
        #expect(text(try muxer.frame(frame(.audio(.aac)))) == "af01aabbcc")
        #expect(text(try muxer.sequenceEnd(.audio(.aac), timestampMilliseconds: 0)) == "")
    }

    @Test("enhanced messages choose CodedFramesX where there is no composition time")
    func enhanced() throws {
        let muxer = FLVMuxer(prefersEnhanced: true)
        #expect(text(try muxer.frame(frame(.video(.h264)))) == "93" + Samples.avc1 + "aabbcc")
        #expect(text(try muxer.frame(frame(.video(.hevc), pts: 40_000_000))) == "91" + Samples.hvc1 + "000028aabbcc")
        #expect(text(try muxer.frame(frame(.video(.av1), isKey: false))) == "a1" + Samples.av01 + "aabbcc")
        #expect(text(try muxer.frame(frame(.audio(.opus)))) == "91" + Samples.opus + "aabbcc")
        #expect(text(try muxer.frame(frame(.audio(.aac)))) == "91" + Samples.mp4a + "aabbcc")
        #expect(text(try muxer.sequenceEnd(.video(.vp9), timestampMilliseconds: 0)) == "92" + Samples.vp09)
        #expect(text(try muxer.sequenceEnd(.audio(.opus), timestampMilliseconds: 0)) == "92" + Samples.opus)
    }

    @Test("an Opus header goes out as FFmpeg sends it")
    func opus() throws {
        let head = SlabSlice(copying: OpusHead(channels: 1).encoded())
        let configuration = AudioConfiguration(codec: .opus, record: head, sampleRate: 48_000, channels: 1)
        #expect(text(try FLVMuxer().sequenceStart(configuration)) == "90" + Samples.opus + Samples.opusHead)
    }

    @Test("a byte stream becomes a sequence header and a length-prefixed frame without parameter sets")
    func annexB() throws {
        let stream = hex(
            """
            00000001 09f0 00000001 6764000aacd945279a23011000000300100000030320f1225960
            00000001 68ebe3cb22c0 00000001 0601aa 000001 658884
            """)
        let muxer = FLVMuxer()
        let start = try muxer.sequenceStart(annexB: stream.rawSpan, codec: .h264)
        let key = try muxer.frame(annexB: stream.rawSpan, codec: .h264, pts: 0, dts: 0, isKey: true)
        #expect(text(start) == "1700000000" + Samples.avcRecord)
        #expect(text(key) == "1701000000" + "000000030601aa" + "00000003658884")
        let noSet = hex("00000001 6588")
        #expect(throws: FLVError.invalidSequenceHeader(.video)) {
            try muxer.sequenceStart(annexB: noSet.rawSpan, codec: .h264)
        }
    }

    @Test("an HEVC byte stream comes out of the demuxer as it should")
    func annexBHEVC() throws {
        let stream = hex(
            """
            00000001 40010c01ffff02200000030090000003000003001e959809
            00000001 42010102200000030090000003000003001ea024839d48d96566b932bc05a02000000300200000030321
            00000001 4401c173d189 00000001 2601af
            """)
        let muxer = FLVMuxer()
        let seen = demux([
            try muxer.sequenceStart(annexB: stream.rawSpan, codec: .hevc),
            try muxer.frame(annexB: stream.rawSpan, codec: .hevc, pts: 0, dts: 0, isKey: true),
        ])
        #expect(seen.order == "vV")
        #expect(seen.video.first?.codedSize == VideoSize(width: 70, height: 50))
        #expect(seen.payloads == ["000000032601af"])
    }

    @Test("what legacy tags cannot carry and FourCC does not name is refused")
    func refused() {
        let muxer = FLVMuxer()
        #expect(throws: FLVError.codecWithoutTag) { try muxer.frame(frame(.video(.vp6))) }
        #expect(throws: FLVError.codecWithoutTag) { try muxer.frame(frame(.audio(.speex))) }
        #expect(throws: FLVError.compositionTimeOutOfRange(milliseconds: 60_001)) {
            try muxer.frame(frame(.video(.h264), pts: 60_001_000_000))
        }
    }

    @Test(
        "frames of every codec that FourCC names come back with time, key flag and bytes",
        arguments: [true, false], [0, 1_234_567_891, 40_999_999_999] as [MediaTime])
    func roundTrip(_ prefersEnhanced: Bool, _ dts: MediaTime) throws {
        let muxer = FLVMuxer(prefersEnhanced: prefersEnhanced, writesNanoseconds: true)
        let records: [VideoCodec: String] = [
            .h264: Samples.avcRecord, .hevc: Samples.hevcRecord, .av1: Samples.av1Record,
        ]
        for codec in FLVFourCC.allVideo.compactMap(\.videoCodec) {
            let reorder: MediaTime = codec == .h264 || codec == .hevc ? 80_000_000 : 0
            let sent = frame(.video(codec), pts: dts + reorder, dts: dts, isKey: codec != .vp8)
            let start = VideoConfiguration(codec: codec, record: records[codec].map(slice))
            let seen = demux([try muxer.sequenceStart(start), try muxer.frame(sent)])
            let isExact = prefersEnhanced || codec != .h264
            #expect(seen.order == "vV")
            #expect(seen.frames.first?.codec == sent.codec)
            #expect(seen.frames.first?.isKey == sent.isKey)
            #expect(seen.frames.first?.dts == (isExact ? dts : dts / 1_000_000 * 1_000_000))
            #expect(seen.frames.first.map { $0.pts - $0.dts } == reorder)
            #expect(seen.payloads == ["aabbcc"])
        }
        let audioRecords: [AudioCodec: String] = [.aac: "1210", .opus: Samples.opusHead, .flac: Samples.streamInfo]
        for codec in FLVFourCC.allAudio.compactMap(\.audioCodec) {
            let start = AudioConfiguration(
                codec: codec, record: audioRecords[codec].map(slice), sampleRate: 0, channels: 0)
            let seen = demux([
                try muxer.sequenceStart(start), try muxer.frame(frame(.audio(codec), pts: dts, dts: dts)),
            ])
            let isExact = prefersEnhanced || codec != .aac
            #expect(seen.order == "aA")
            #expect(seen.frames.first?.pts == (isExact ? dts : dts / 1_000_000 * 1_000_000))
            #expect(seen.payloads == ["aabbcc"])
        }
    }

    @Test("FourCCs and codecs name each other")
    func fourCCs() {
        #expect(FLVFourCC.allVideo.map(\.text) == ["avc1", "hvc1", "av01", "vp09", "vp08"])
        #expect(FLVFourCC.allAudio.map(\.text) == ["Opus", "mp4a", "fLaC", ".mp3", "ac-3", "ec-3"])
        for fourCC in FLVFourCC.allVideo { #expect(fourCC.videoCodec.flatMap { FLVFourCC($0) } == fourCC) }
        for fourCC in FLVFourCC.allAudio { #expect(fourCC.audioCodec.flatMap { FLVFourCC($0) } == fourCC) }
        #expect(FLVFourCC.avc.audioCodec == nil && FLVFourCC.opus.videoCodec == nil)
    }
}
