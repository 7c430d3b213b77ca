import Bytes
import Media
import TestSupport
import Testing

@Suite struct AudioHeaderTests {
    private func config(_ text: String) throws -> AudioSpecificConfig { try AudioSpecificConfig(bytes: hex(text)) }

    @Test(
        "FFmpeg's AAC-LC configurations are read",
        arguments: [
            ("118856e500", 48_000, 1), ("121056e500", 44_100, 2), ("11b056e500", 48_000, 6), ("100856e500", 96_000, 1),
        ])
    func lowComplexity(_ text: String, _ rate: Int, _ channels: Int) throws {
        let config = try config(text)
        #expect(config.objectType == 2)
        #expect(config.sampleRate == rate)
        #expect(config.channels == channels)
        #expect(config.extensionSampleRate == nil)
        #expect(config.frameLength == 1024)
        #expect(config.profileName == "AAC-LC")
    }

    @Test("two bytes are enough, one is not")
    func short() throws {
        #expect(try config("1210").channels == 2)
        #expect(throws: MediaError.self) { try config("12") }
        #expect(throws: MediaError.self) { try config("") }
    }

    @Test("explicit and backward compatible signalling of SBR and PS say the same")
    func spectralReplication() throws {
        // Explicit: type 5, 24 kHz, stereo, 48 kHz, type 2.
        let explicit = try config("2b118800")
        #expect(explicit.outputSampleRate == 48_000)
        #expect(explicit.sampleRate == 24_000)
        #expect(explicit.profileName == "HE-AAC")
        // Behind the core's fields: 0x2B7, type 5, present, 48 kHz.
        let compatible = try config("131056e598")
        #expect(compatible.outputSampleRate == 48_000)
        #expect(compatible == explicit)
        let parametric = try config("eb098800")
        #expect(parametric.hasParametricStereo)
        #expect(parametric.channelConfiguration == 1)
        #expect(parametric.channels == 2)
        #expect(parametric.profileName == "HE-AAC v2")
    }

    @Test("a rate outside of the table is written out in 24 bits, up to the limit")
    func explicitRate() throws {
        var wanted = AudioSpecificConfig(objectType: 2, sampleRate: 50_000, channelConfiguration: 2)
        #expect(try AudioSpecificConfig(bytes: wanted.encoded()) == wanted)
        wanted.sampleRate = MediaLimits.maxSampleRate + 1
        #expect(throws: MediaError.overLimit(.audioSpecificConfig)) { try AudioSpecificConfig(bytes: wanted.encoded()) }
        wanted.sampleRate = 0
        #expect(throws: MediaError.malformed(.audioSpecificConfig)) { try AudioSpecificConfig(bytes: wanted.encoded()) }
    }

    @Test("what is written reads back the same, for object types with and without the escape")
    func roundTrip() throws {
        for type in [1, 2, 3, 4, 17, 23, 39, 42] {
            var wanted = AudioSpecificConfig(objectType: type, sampleRate: 44_100, channelConfiguration: 2)
            if type == 23 || type == 39 { wanted.frameLength = 512 }
            #expect(try AudioSpecificConfig(bytes: wanted.encoded()) == wanted)
        }
        var extended = AudioSpecificConfig(objectType: 2, sampleRate: 24_000, channelConfiguration: 1)
        extended.extensionSampleRate = 48_000
        extended.hasParametricStereo = true
        extended.frameLength = 960
        #expect(try AudioSpecificConfig(bytes: extended.encoded()) == extended)
    }

    @Test("the usual stereo configuration is written in two bytes")
    func written() {
        #expect(
            AudioSpecificConfig(objectType: 2, sampleRate: 44_100, channelConfiguration: 2).encoded() == hex("1210"))
    }

    @Test("channel counts of a program config element add up")
    func programConfig() throws {
        var bits = BitBuilder()
        bits.u(2, 5)
        bits.u(3, 4)
        bits.u(0, 4)
        bits.u(0, 3)
        bits.u(0, 10)  // tag, object type, rate
        bits.u(2, 4)  // front: one single, one pair
        bits.u(0, 4)
        bits.u(1, 4)  // back: one pair
        bits.u(1, 2)
        bits.u(0, 7)
        bits.u(0b1_0101_0_0, 7)  // a mono mixdown
        bits.u(0b0_0000_1_0000_1_0000, 15)
        let config = try AudioSpecificConfig(bytes: bits.bytes)
        #expect(config.programChannels == 6)
        #expect(config.channels == 6)
    }

    @Test("reserved sample rate indices and object type 0 are refused")
    func reserved() {
        #expect(throws: MediaError.malformed(.audioSpecificConfig)) { try config("1690") }
        #expect(throws: MediaError.malformed(.audioSpecificConfig)) { try config("0210") }
    }

    @Test(
        "channel configurations beyond stereo have their counts",
        arguments: [(7, 8), (11, 7), (12, 8), (13, 24), (15, 0)])
    func channelCounts(_ configuration: Int, _ channels: Int) {
        let config = AudioSpecificConfig(objectType: 2, sampleRate: 48_000, channelConfiguration: configuration)
        #expect(config.channels == channels)
    }

    @Test("FFmpeg's 5.1 Opus header is read and written the same")
    func opusSurround() throws {
        let head = try OpusHead(bytes: MediaVectors.opusHead51)
        #expect(head.channels == 6)
        #expect(head.preSkip == 312)
        #expect(head.inputSampleRate == 48_000)
        #expect(head.mapping == .init(streams: 4, coupledStreams: 2, table: [0, 4, 1, 2, 3, 5]))
        #expect(head.encoded() == MediaVectors.opusHead51)
    }

    @Test("a stereo Opus header has 19 bytes and reads back the same")
    func opusStereo() throws {
        let head = OpusHead(channels: 2)
        #expect(head.encoded() == hex("4f707573486561640102380180bb0000000000"))
        #expect(try OpusHead(bytes: head.encoded()) == head)
    }

    @Test("every truncation of an Opus header throws")
    func opusTruncations() {
        for count in 0..<MediaVectors.opusHead51.count {
            #expect(throws: MediaError.self) { try OpusHead(bytes: Array(MediaVectors.opusHead51[..<count])) }
        }
    }

    @Test(
        "Opus headers that break a rule are refused",
        arguments: [
            (8, 0x10), (9, 0), (18, 0), (19, 0), (20, 5), (19, 255), (21, 6),
        ])
    func opusRules(_ offset: Int, _ value: Int) {
        var bytes = MediaVectors.opusHead51
        bytes[offset] = UInt8(value)
        #expect(throws: MediaError.malformed(.opusHead)) { try OpusHead(bytes: bytes) }
    }

    @Test("a mapped channel may be silent")
    func opusSilence() throws {
        var bytes = MediaVectors.opusHead51
        bytes[21] = 255
        #expect(try OpusHead(bytes: bytes).mapping?.table.first == 255)
    }

    @Test(
        "durations of Opus packets follow table 2 of RFC 6716",
        arguments: [
            ("00", 480), ("08", 960), ("10", 1920), ("18", 2880), ("60", 480), ("68", 960), ("80", 120), ("88", 240),
            ("90", 480), ("98", 960), ("fc", 960), ("f9", 1920), ("fa", 1920), ("83 30", 5760), ("fb 06", 5760),
        ])
    func opusDurations(_ text: String, _ samples: Int) throws {
        #expect(try OpusPacket(bytes: hex(text)).duration48k == samples)
    }

    @Test("Opus packets of no frame, of more than 120 ms or of no byte are refused")
    func opusBadPackets() {
        #expect(throws: MediaError.truncated(offset: 0)) { try OpusPacket(bytes: [UInt8]()) }
        #expect(throws: MediaError.truncated(offset: 1)) { try OpusPacket(bytes: hex("fb")) }
        for text in ["fb00", "fb07", "8331", "1b03"] {
            #expect(throws: MediaError.malformed(.opusPacket)) { try OpusPacket(bytes: hex(text)) }
        }
    }

    @Test("STREAMINFO is found alone and behind the stream marker")
    func flac() throws {
        let block = MediaVectors.flacStreamInfo
        #expect(try FLACStreamInfo.range(bytes: block) == 0..<34)
        let marked = hex("664c6143 80000022") + block
        #expect(try FLACStreamInfo.range(bytes: marked) == 8..<42)
        let info = try FLACStreamInfo(bytes: block)
        #expect(info.sampleRate == 48_000)
        #expect(info.channels == 1)
        #expect(info.bitsPerSample == 16)
        #expect(throws: MediaError.self) { try FLACStreamInfo.range(bytes: Array(marked[..<41])) }
        #expect(throws: MediaError.malformed(.flacStreamInfo)) {
            try FLACStreamInfo.range(bytes: (hex("664c6143 84000022") + block))
        }
        #expect(throws: MediaError.malformed(.flacStreamInfo)) {
            try FLACStreamInfo(bytes: [UInt8](repeating: 0, count: 34))
        }
    }
}
