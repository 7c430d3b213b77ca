import Bytes
import FLV
import Media
import TestSupport
import Testing

@Suite struct AudioTests {
    @Test("FFmpeg's AAC header and frames come out")
    func aac() {
        let seen = demux(.audio, ["af00118856e500", "af01de02004c", "af010134"])
        #expect(seen.order == "aAA")
        #expect(seen.audio.first?.codec == .aac)
        #expect(seen.audio.first?.sampleRate == 48_000)
        #expect(seen.audio.first?.channels == 1)
        #expect(seen.audioRecords == ["118856e500"])
        #expect(seen.payloads == ["de02004c", "0134"])
        #expect(seen.frames.map(\.pts) == [40_000_000, 80_000_000])
        #expect(seen.frames.allSatisfy { $0.isKey && $0.pts == $0.dts })
    }

    @Test("an AAC header is announced when it changes, and frames before it are dropped")
    func aacChanges() {
        let seen = demux(.audio, ["af01aa", "af001210", "af001210", "af001190", "af01bb"])
        #expect(seen.errors == [.missingSequenceHeader(.audio)])
        #expect(seen.audioRecords == ["1210", "1190"])
        #expect(seen.payloads == ["bb"])
    }

    @Test("AAC messages that are short, empty, unreadable or of an unknown type are dropped")
    func aacErrors() {
        let seen = demux(.audio, ["af", "af00", "af0012", "af02", "af001210", "af01"])
        #expect(
            seen.errors == [
                .truncated(offset: 1), .invalidSequenceHeader(.audio), .invalidSequenceHeader(.audio),
                .unknownPacketType(.audio, 2), .emptyFrame(.audio),
            ])
    }

    @Test(
        "legacy formats have the codec, rate and channels that the flags or the format say",
        arguments: [
            ("1a", AudioCodec.adpcm, 22_050, 1), ("2e", .mp3, 0, 0), ("2f", .mp3, 0, 0), ("ef", .mp3, 8000, 0),
            ("3e", .pcmS16LE, 44_100, 1), ("3b", .pcmS16LE, 22_050, 2), ("0f", .pcmS16LE, 44_100, 2),
            ("04", .pcmU8, 11_025, 1), ("31", .pcmU8, 5512, 2), ("72", .pcmALaw, 8000, 1), ("82", .pcmMuLaw, 8000, 1),
            ("83", .pcmMuLaw, 8000, 2), ("4f", .nellymoser, 16_000, 1), ("5f", .nellymoser, 8000, 1),
            ("6e", .nellymoser, 44_100, 1), ("b6", .speex, 16_000, 1),
        ])
    func legacy(_ header: String, _ codec: AudioCodec, _ rate: Int, _ channels: Int) {
        let seen = demux(.audio, [header + "aabb", header + "cc"])
        #expect(seen.order == "aAA")
        #expect(seen.audio.first?.codec == codec)
        #expect(seen.audio.first?.sampleRate == rate)
        #expect(seen.audio.first?.channels == channels)
        #expect(seen.audio.first?.record == nil)
        #expect(seen.payloads == ["aabb", "cc"])
    }

    @Test("flags that change in mid-stream announce a new configuration")
    func flagsChange() {
        #expect(demux(.audio, ["3eaa", "3faa", "3faa", "1aaa", "3faa"]).order == "aAaAAaAaA")
    }

    @Test("reserved sound formats are dropped, and an empty message is silence")
    func reserved() {
        let seen = demux(.audio, ["cfaa", "dfaa", "ffaa", "", "2f"])
        #expect(
            seen.errors == [
                .unknownSoundFormat(12), .unknownSoundFormat(13), .unknownSoundFormat(15), .emptyFrame(.audio),
            ])
        #expect(seen.order == "")
    }

    @Test("enhanced Opus has its header's channels, and 48 kHz")
    func opus() {
        let seen = demux(
            .audio,
            [
                "90" + Samples.opus + Samples.opusHead51, "94" + Samples.opus + "01060000003f",
                "91" + Samples.opus + "fc02",
            ])
        #expect(seen.order == "aA")
        #expect(seen.audio.first?.channels == 6)
        #expect(seen.audio.first?.sampleRate == 48_000)
        #expect(seen.audioRecords == [Samples.opusHead51])
        #expect(seen.payloads == ["fc02"])
    }

    @Test("Opus without a header is announced with its first frame, with the channels of a MultichannelConfig")
    func opusHeaderless() {
        let seen = demux(.audio, ["90" + Samples.opus, "94" + Samples.opus + "0002", "91" + Samples.opus + "fc02"])
        #expect(seen.order == "aA")
        #expect(seen.audio.first?.channels == 2)
        #expect(seen.audio.first?.record == nil)
        #expect(demux(.audio, ["91" + Samples.opus + "fc02"]).audio.first?.channels == 0)
    }

    @Test("a MultichannelConfig that changes announces codecs without a header again, others not")
    func multichannelChange() {
        let ac3 = demux(
            .audio,
            [
                "90" + Samples.ac3, "94" + Samples.ac3 + "010100000004", "91" + Samples.ac3 + "0b77",
                "94" + Samples.ac3 + "0206000102030405", "91" + Samples.ac3 + "0b77",
            ])
        #expect(ac3.order == "aAaA")
        #expect(ac3.audio.map(\.channels) == [1, 6])
        let aac = demux(.audio, ["90" + Samples.mp4a + "1210", "94" + Samples.mp4a + "010100000004"])
        #expect(aac.audio.map(\.channels) == [2])
    }

    @Test("a MultichannelConfig of no channel or cut short is dropped")
    func multichannelBad() {
        let prefix = "94" + Samples.opus
        let errors = demux(.audio, ["0000", "01", "0102000000", "020401"].map { prefix + $0 }).errors
        #expect(errors.first == .malformedSignal(.audio))
        #expect(errors.count == 4)
    }

    @Test("FLAC's STREAMINFO comes out bare, whether sent alone or behind the stream marker")
    func flac() {
        let alone = demux(.audio, ["90" + Samples.flac + Samples.streamInfo, "91" + Samples.flac + "fff8"])
        let marked = demux(.audio, ["90" + Samples.flac + "664c614380000022" + Samples.streamInfo])
        #expect(alone.order == "aA")
        #expect(alone.audio.first?.sampleRate == 48_000)
        #expect(alone.audio.first?.channels == 1)
        #expect(alone.audioRecords == [Samples.streamInfo])
        #expect(marked.audioRecords == [Samples.streamInfo])
    }

    @Test("a FLAC header that repeats behind the stream marker is announced once")
    func flacRepeated() {
        let marked = "90" + Samples.flac + "664c614380000022" + Samples.streamInfo
        #expect(demux(.audio, [marked, marked, "90" + Samples.flac + Samples.streamInfo]).order == "a")
    }

    @Test("frames of AAC and FLAC without a header are dropped")
    func enhancedEarly() {
        let seen = demux(.audio, ["91" + Samples.mp4a + "21", "91" + Samples.flac + "fff8", "90" + Samples.flac])
        #expect(
            seen.errors == [
                .missingSequenceHeader(.audio), .missingSequenceHeader(.audio), .invalidSequenceHeader(.audio),
            ])
    }

    @Test(
        "self-describing codecs need no header, and one that comes is ignored",
        arguments: [(Samples.mp3, AudioCodec.mp3), (Samples.ac3, .ac3), (Samples.eac3, .eac3)])
    func selfDescribing(_ fourCC: String, _ codec: AudioCodec) {
        let seen = demux(.audio, ["90" + fourCC + "aabb", "91" + fourCC + "0b77", "92" + fourCC])
        #expect(seen.order == "aAe")
        #expect(seen.audio.first?.codec == codec)
        #expect(seen.audio.first?.record == nil)
        #expect(seen.ends == [.audio])
    }

    @Test("legacy and enhanced AAC are the same stream")
    func mixed() {
        let seen = demux(.audio, ["af001210", "af01aa", "90" + Samples.mp4a + "1210", "91" + Samples.mp4a + "bb"])
        #expect(seen.order == "aAA")
    }

    @Test("unknown FourCCs and packet types are dropped")
    func unknown() {
        let seen = demux(.audio, ["91" + Samples.vvc1 + "00", "93" + Samples.opus + "00", "9f" + Samples.opus])
        #expect(
            seen.errors == [
                .unknownFourCC(FLVFourCC(rawValue: 0x7676_6331)), .unknownPacketType(.audio, 3),
                .unknownPacketType(.audio, 15),
            ])
    }

    @Test("a nanosecond offset is added to the time")
    func nanoseconds() {
        let seen = demux(.audio, ["97 02 0f423f 01" + Samples.opus + "fc02"])
        #expect(seen.frames.first?.pts == 999_999)
    }

    @Test("every truncation of an enhanced message is an error or an empty frame, never a frame")
    func truncations() {
        let whole = hex("97 02 0f423f 01" + Samples.opus)
        for count in 1...whole.count {
            let tag = FLVTag(
                kind: .audio, timestampMilliseconds: 0, payload: SlabSlice(copying: Array(whole[..<count])))
            let seen = demux([tag])
            #expect(seen.errors.count == 1 && seen.order == "")
        }
    }
}
