import Bytes
import Media
import TestSupport
import Testing

@Suite struct VideoHeaderTests {
    @Test("libaom's AV1 record is read and written the same but for its presentation delay")
    func av1Record() throws {
        let config = try AV1Configuration(bytes: MediaVectors.av1Record)
        #expect(config.profile == 1)
        #expect(config.levelIndex == 0)
        #expect(config.bitDepth == 8)
        #expect(!config.isMonochrome)
        #expect(config.units == Array(MediaVectors.av1Record[4...]))
        #expect(try AV1Configuration(bytes: config.encoded()) == config)
    }

    @Test("a 12-bit monochrome high-tier AV1 record reads back the same")
    func av1RoundTrip() throws {
        for depth in [8, 10, 12] {
            let config = AV1Configuration(
                profile: 2, levelIndex: 13, isHighTier: true, bitDepth: depth, isMonochrome: true, units: [])
            #expect(try AV1Configuration(bytes: config.encoded()) == config)
        }
    }

    @Test("AV1 records of another version, profile or length are refused")
    func av1Refused() {
        for text in ["01200000", "82200000", "81600000"] {
            #expect(throws: MediaError.malformed(.av1Configuration)) { try AV1Configuration(bytes: hex(text)) }
        }
        #expect(throws: MediaError.self) { try AV1Configuration(bytes: hex("812000")) }
        let long = hex("81200000") + [UInt8](repeating: 0, count: MediaLimits.maxParameterSetBytes + 1)
        #expect(throws: MediaError.overLimit(.av1Configuration)) { try AV1Configuration(bytes: long) }
    }

    @Test("the AV1 sequence header tells the size")
    func av1Size() throws {
        let units = Array(MediaVectors.av1Record[4...])
        #expect(try AV1SequenceHeader.find(bytes: units)?.size == VideoSize(width: 64, height: 48))
        let temporalUnit = hex("1200") + units + hex("3200")
        #expect(try AV1SequenceHeader.find(bytes: temporalUnit)?.size == VideoSize(width: 64, height: 48))
        #expect(try AV1SequenceHeader.find(bytes: hex("1200")) == nil)
    }

    @Test("an AV1 sequence header with timing, a decoder model and two operating points is read")
    func av1OperatingPoints() throws {
        var bits = BitBuilder()
        bits.u(0, 3)
        bits.u(0b00, 2)
        bits.u(1, 1)
        bits.u(1, 32)
        bits.u(60, 32)
        bits.u(1, 1)
        bits.ue(0)
        bits.u(1, 1)
        bits.u(9, 5)
        bits.u(0, 32 + 10)
        bits.u(1, 1)
        bits.u(1, 5)
        for level in [13, 4] {
            bits.u(1, 12)
            bits.u(level, 5)
            if level > 7 { bits.u(1, 1) }
            bits.u(1, 1)
            bits.u(0, 21)
            bits.u(1, 1)
            bits.u(3, 4)
        }
        bits.u(11, 4)
        bits.u(11, 4)
        bits.u(3839, 12)
        bits.u(2159, 12)
        let header = try AV1SequenceHeader(bytes: bits.bytes)
        #expect(header.size == VideoSize(width: 3840, height: 2160))
        #expect(header.levelIndex == 13)
        #expect(header.isHighTier)
        for count in 0..<bits.bytes.count - 1 {
            #expect(throws: MediaError.self) { try AV1SequenceHeader(bytes: Array(bits.bytes[..<count])) }
        }
    }

    @Test("an AV1 frame larger than the limit is refused")
    func av1TooLarge() {
        var bits = BitBuilder()
        bits.u(0b000_1_1, 5)
        bits.u(0, 5)
        bits.u(15, 4)
        bits.u(15, 4)
        bits.u(16_384, 16)
        bits.u(0, 16)
        #expect(throws: MediaError.overLimit(.av1SequenceHeader)) { try AV1SequenceHeader(bytes: bits.bytes) }
    }

    @Test("AV1 units with and without size, with an extension and with the longest size are walked")
    func av1Units() throws {
        let bytes = hex("1200 0e aa 8100 11 32 8180808080808000 22 30 33")
        var units = AV1Units(bytes.rawSpan)
        let first = try units.next()
        #expect(first?.type == 2 && first?.payload == 2..<2)
        let second = try units.next()
        #expect(second?.type == 1 && second?.payload == 6..<7)
        let third = try units.next()
        #expect(third?.type == 6 && third?.payload == 16..<17)
        let last = try units.next()
        #expect(last?.type == 6 && last?.payload == 18..<19)
        let end = try units.next()
        #expect(end == nil)
    }

    @Test(
        "AV1 units that do not add up are refused",
        arguments: ["92", "12", "16", "1201", "12ff", "12ffffffff1f", "128080808080808080", "1280808080808080808000"])
    func av1BadUnits(_ text: String) {
        let bytes = hex(text)
        #expect(throws: MediaError.self) {
            var units = AV1Units(bytes.rawSpan)
            _ = try units.next()
        }
    }

    @Test("libvpx's VP8 key frame tells its size")
    func vp8() throws {
        let header = try VP8FrameHeader(bytes: MediaVectors.vp8Key)
        #expect(header.isKey)
        #expect(header.size == VideoSize(width: 70, height: 50))
        #expect(try VP8FrameHeader(bytes: hex("b12200")) == VP8FrameHeader(bytes: hex("b12200ff")))
        #expect(try VP8FrameHeader(bytes: hex("b12200")).size == nil)
    }

    @Test("VP8 key frames that are short, unmarked or empty are refused; the scaling bits are no size")
    func vp8Refused() throws {
        for count in 0..<10 {
            #expect(throws: MediaError.self) { try VP8FrameHeader(bytes: Array(MediaVectors.vp8Key[..<count])) }
        }
        #expect(throws: MediaError.malformed(.vp8FrameHeader)) {
            try VP8FrameHeader(bytes: hex("b022009d012b46003200"))
        }
        #expect(throws: MediaError.malformed(.vp8FrameHeader)) {
            try VP8FrameHeader(bytes: hex("b022009d012a00403200"))
        }
        let scaled = try VP8FrameHeader(bytes: hex("b022009d012affffffff"))
        #expect(scaled.size == VideoSize(width: 16_383, height: 16_383))
    }

    @Test("libvpx's VP9 key frames tell their size, in profiles 0 and 1")
    func vp9() throws {
        let header = try VP9FrameHeader(bytes: MediaVectors.vp9Key)
        #expect(header.isKey && header.profile == 0)
        #expect(header.size == VideoSize(width: 70, height: 50))
        let profile1 = try VP9FrameHeader(bytes: MediaVectors.vp9Profile1Key)
        #expect(profile1.profile == 1)
        #expect(profile1.size == VideoSize(width: 64, height: 48))
    }

    @Test("VP9 headers of profiles 2 and 3 and of RGB have their bits in place")
    func vp9Profiles() throws {
        for (profile, isRGB) in [(2, false), (3, false), (3, true), (1, true)] {
            var bits = BitBuilder()
            bits.u(2, 2)
            bits.u(profile & 1, 1)
            bits.u(profile >> 1, 1)
            if profile == 3 { bits.u(0, 1) }
            bits.u(0b0_0_1_0, 4)
            bits.u(0x498342, 24)
            if profile >= 2 { bits.u(1, 1) }
            bits.u(isRGB ? 7 : 2, 3)
            if !isRGB { bits.u(0, 1) }
            if profile & 1 == 1 { bits.u(0, isRGB ? 1 : 3) }
            bits.u(1279, 16)
            bits.u(719, 16)
            let header = try VP9FrameHeader(bytes: bits.bytes)
            #expect(header.size == VideoSize(width: 1280, height: 720))
            #expect(Int(header.profile) == profile)
        }
    }

    @Test("VP9 frames that show another, follow another or are broken have no size")
    func vp9Others() throws {
        #expect(try VP9FrameHeader(bytes: hex("88")).isKey == false)
        #expect(try VP9FrameHeader(bytes: hex("86")).size == nil)
        for text in ["", "02", "824983", "b8"] {
            #expect(throws: MediaError.self) { try VP9FrameHeader(bytes: hex(text)) }
        }
        #expect(throws: MediaError.malformed(.vp9FrameHeader)) { try VP9FrameHeader(bytes: hex("8249834300045003 16")) }
        #expect(throws: MediaError.overLimit(.vp9FrameHeader)) {
            try VP9FrameHeader(bytes: hex("82498342 00 ffff ffff 00"))
        }
    }

    @Test("FFmpeg's VP9 record is read, and ours reads back the same")
    func vpRecord() throws {
        let config = try VPConfiguration(bytes: MediaVectors.vpRecord)
        #expect(config == VPConfiguration(profile: 1, level: 10, bitDepth: 8))
        #expect(try VPConfiguration(bytes: config.encoded()) == config)
        #expect(throws: MediaError.malformed(.vpConfiguration)) { try VPConfiguration(bytes: hex("00000000010a87")) }
    }

    @Test("a stream's size and profile come from its record")
    func descriptions() {
        func video(_ codec: VideoCodec, _ record: [UInt8]?) -> VideoConfiguration {
            VideoConfiguration(codec: codec, record: record.map { SlabSlice(copying: $0) })
        }
        let h264 = video(.h264, MediaVectors.avcRecord)
        #expect(h264.profileName == "H.264 High 1.0")
        #expect(h264.codedSize == VideoSize(width: 70, height: 50))
        let hevc = video(.hevc, MediaVectors.hevcRecord)
        #expect(hevc.profileName == "HEVC Main 1.0")
        #expect(hevc.codedSize == VideoSize(width: 70, height: 50))
        let av1 = video(.av1, MediaVectors.av1Record)
        #expect(av1.profileName == "AV1 High 2.0")
        #expect(av1.codedSize == VideoSize(width: 64, height: 48))
        #expect(video(.vp9, MediaVectors.vpRecord).profileName == "VP9 profile 1")
        #expect(video(.vp8, nil).profileName == "VP8")
        #expect(video(.h264, [1, 2]).profileName == "H.264")
        #expect(video(.h264, [1, 2]).codedSize == nil)
        #expect(video(.vp6, [0]).codedSize == nil)
    }

    @Test("codecs without a record tell the size in their key frames")
    func frameSizes() {
        func size(_ codec: VideoCodec, _ bytes: [UInt8], isKey: Bool = true) -> VideoSize? {
            EncodedFrame(codec: .video(codec), pts: 0, dts: 0, isKey: isKey, payload: SlabSlice(copying: bytes))
                .codedSize
        }
        #expect(size(.vp8, MediaVectors.vp8Key) == VideoSize(width: 70, height: 50))
        #expect(size(.vp9, MediaVectors.vp9Key) == VideoSize(width: 70, height: 50))
        #expect(size(.av1, Array(MediaVectors.av1Record[4...])) == VideoSize(width: 64, height: 48))
        #expect(size(.vp8, MediaVectors.vp8Key, isKey: false) == nil)
        #expect(size(.h264, MediaVectors.avcRecord) == nil)
    }

    @Test("an audio stream is named with rate and channels as far as known")
    func audioNames() {
        let aac = AudioConfiguration(
            codec: .aac, record: SlabSlice(copying: hex("1210")), sampleRate: 44_100, channels: 2)
        #expect(aac.profileName == "AAC-LC 44100 Hz 2 ch")
        #expect(AudioConfiguration(codec: .mp3, record: nil, sampleRate: 0, channels: 0).profileName == "MP3")
    }

    @Test("every codec has its own name")
    func names() {
        #expect(Set(VideoCodec.allCases.map(\.displayName)).count == VideoCodec.allCases.count)
        #expect(Set(AudioCodec.allCases.map(\.displayName)).count == AudioCodec.allCases.count)
    }
}
