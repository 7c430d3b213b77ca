import Bytes
import FLV
import Media
import TestSupport
import Testing

@Suite struct MultitrackTests {
    @Test("FFmpeg's second video and audio tracks are reported once each while the first plays")
    func ffmpeg() {
        let tags: [(FLVTag.Kind, String)] = [
            (.video, "1700000000" + Samples.avcRecord),
            (.video, "9600" + Samples.avc1 + "01" + Samples.avcRecord),
            (.audio, "af00118856e500"),
            (.audio, "9500" + Samples.mp4a + "01118856e500"),
            (.audio, "9504" + Samples.mp4a + "01010100000004"),
            (.video, "1701000050 65"),
            (.video, "9601" + Samples.avc1 + "01000050 65"),
            (.audio, "af01de02"),
            (.audio, "9501" + Samples.mp4a + "01de02"),
        ]
        let seen = demux(tags.map { FLVTag(kind: $0, timestampMilliseconds: 0, payload: SlabSlice(copying: hex($1))) })
        #expect(seen.order == "vxaxVA")
        #expect(seen.extraTracks == ["video 1", "audio 1"])
        #expect(seen.errors == [])
    }

    @Test("one track with number 0 plays, as a view of the message")
    func oneTrack() {
        let message = SlabSlice(copying: hex("9601" + Samples.vp09 + "00aabb"))
        let seen = demux([FLVTag(kind: .video, timestampMilliseconds: 0, payload: message)])
        #expect(seen.order == "vV")
        #expect(seen.payloads == ["aabb"])
        let isShared = message.withUnsafeStorage { mine, _ in
            seen.frames[0].payload.withUnsafeStorage { theirs, _ in mine === theirs }
        }
        #expect(isShared)
    }

    @Test("of many tracks the first plays, with padding of its own when others follow")
    func manyTracks() {
        let message = SlabSlice(copying: hex("9611" + Samples.vp09 + "00 000002 aabb 01 000001 cc 05 000000"))
        let seen = demux([FLVTag(kind: .video, timestampMilliseconds: 0, payload: message)])
        #expect(seen.order == "vVxx")
        #expect(seen.payloads == ["aabb"])
        #expect(seen.extraTracks == ["video 1", "video 5"])
        let isShared = message.withUnsafeStorage { mine, _ in
            seen.frames[0].payload.withUnsafeStorage { theirs, _ in mine === theirs }
        }
        #expect(!isShared)
        #expect(seen.frames.first?.payload.endsAtPadding == true)
    }

    @Test("the last of many tracks stays a view")
    func lastTrack() {
        let message = SlabSlice(copying: hex("9611" + Samples.vp09 + "01 000001 cc 00 000002 aabb"))
        let seen = demux([FLVTag(kind: .video, timestampMilliseconds: 0, payload: message)])
        let isShared = message.withUnsafeStorage { mine, _ in
            seen.frames[0].payload.withUnsafeStorage { theirs, _ in mine === theirs }
        }
        #expect(isShared)
    }

    @Test("many tracks of many codecs each name theirs; one that is unknown matters in track 0 only")
    func manyCodecs() {
        let seen = demux(
            .video,
            [
                "9620" + Samples.avc1 + "00 00002f" + Samples.avcRecord + Samples.vvc1 + "01 000001 00",
                "9623" + Samples.vvc1 + "01 000001 00" + Samples.avc1 + "00 000002 6588",
                "9623" + Samples.vvc1 + "00 000001 00",
            ])
        #expect(seen.order == "vxV")
        #expect(seen.payloads == ["6588"])
        #expect(seen.errors == [.unknownFourCC(FLVFourCC(rawValue: 0x7676_6331))])
    }

    @Test("audio tracks are read the same way")
    func audio() {
        let seen = demux(
            .audio,
            [
                "9510" + Samples.opus + "00 000013" + Samples.opusHead + "02 000000",
                "9511" + Samples.opus + "00 000002 fc02",
            ])
        #expect(seen.order == "axA")
        #expect(seen.extraTracks == ["audio 2"])
        #expect(seen.payloads == ["fc02"])
    }

    @Test("a track's size beyond the message is truncated, and zero is an empty frame")
    func sizes() {
        let prefix = "9611" + Samples.vp09
        #expect(demux(.video, [prefix + "00 000003 aabb"]).errors == [.truncated(offset: 10)])
        #expect(demux(.video, [prefix + "00 ffffff aabb"]).errors == [.truncated(offset: 10)])
        #expect(demux(.video, [prefix + "00 000000"]).errors == [.emptyFrame(.video)])
        #expect(demux(.video, [prefix + "00 000001 aa bb"]).errors == [.truncated(offset: 12)])
    }

    @Test("tracks beyond the limit are refused, and those before it were heard")
    func trackLimit() {
        let tracks = (0...FLVLimits.maxTracksPerMessage).map { _ in "00000001aa" }
        let seen = demux(.video, ["9611" + Samples.vp09 + tracks.joined()])
        #expect(seen.errors == [.tooManyParts(.video)])
        #expect(seen.frames.count == FLVLimits.maxTracksPerMessage)
    }

    @Test("all 256 track numbers are reported once each")
    func allNumbers() {
        let messages = (0..<512).map { index in
            FLVTag(
                kind: .video, timestampMilliseconds: 0,
                payload: SlabSlice(copying: hex("9601" + Samples.vp09) + [UInt8(index % 256), 0xAA]))
        }
        let seen = demux(messages)
        #expect(seen.extraTracks.count == 255)
        #expect(Set(seen.extraTracks).count == 255)
        #expect(seen.frames.count == 2)
    }

    @Test("unknown multitrack types, and multitrack or modifiers inside of multitrack, are refused")
    func nested() {
        let seen = demux(.video, ["9630" + Samples.vp09, "9606" + Samples.vp09, "9607" + Samples.vp09])
        #expect(
            seen.errors == [.unknownMultitrackType(3), .unknownPacketType(.video, 6), .unknownPacketType(.video, 7)])
        #expect(demux(.audio, ["9505" + Samples.opus]).errors == [.unknownPacketType(.audio, 5)])
    }

    @Test("a driver that takes no events loses messages and nothing else")
    func fullQueue() throws {
        var demuxer = FLVDemuxer()
        let message = SlabSlice(copying: hex("91" + Samples.vp09 + "aa"))
        var refused = 0
        for _ in 0..<1000 {
            do { try demuxer.demuxVideo(message, timestampMilliseconds: 0) } catch {
                #expect(error == .eventQueueFull)
                refused += 1
            }
        }
        #expect(refused > 900)
        while demuxer.pollEvent() != nil {}
        try demuxer.demuxVideo(message, timestampMilliseconds: 0)
        let event = demuxer.pollEvent()
        guard case .frame? = event else {
            Issue.record("no frame after the queue was emptied")
            return
        }
    }
}
