import Media
import SDP
import TestSupport
import Testing
import WebRTC

@Suite struct MediaPlanAnswerTests {
    @Test("Chrome: the answer, line by line")
    func chromeAnswer() throws {
        let plan = try PlanFixture.answer(SDPFixture.chromeViewer)
        let fingerprint = "a=fingerprint:" + PlanFixture.fingerprint.text
        let transport = ["a=ice-ufrag:ours", "a=ice-pwd:0123456789abcdef012345", fingerprint, "a=setup:passive"]
        let expected =
            [
                "v=0", "o=- 77 3 IN IP4 0.0.0.0", "s=-", "t=0 0", "a=group:BUNDLE 0 1", "a=msid-semantic:WMS *",
                "a=ice-lite", "a=extmap-allow-mixed", "m=audio 9 UDP/TLS/RTP/SAVPF 111", "c=IN IP4 0.0.0.0", "a=mid:0",
            ] + transport + [
                "a=sendonly", "a=rtcp-mux", "a=rtcp-rsize",
                "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
                "a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
                "a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
                "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid", "a=rtpmap:111 opus/48000/2",
                "a=rtcp-fb:111 transport-cc", "a=fmtp:111 minptime=10;useinbandfec=1;stereo=1;sprop-stereo=1",
                "a=msid:s a", "a=ssrc:11 cname:me", "a=ssrc:11 msid:s a",
                "a=candidate:1 1 udp 1 192.0.2.9 7885 typ host", "a=end-of-candidates",
                "m=video 9 UDP/TLS/RTP/SAVPF 108 109", "c=IN IP4 0.0.0.0", "a=mid:1",
            ] + transport + [
                "a=sendonly", "a=rtcp-mux", "a=rtcp-rsize",
                "a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
                "a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
                "a=extmap:5 http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
                "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid", "a=rtpmap:108 H264/90000", "a=rtpmap:109 rtx/90000",
                "a=rtcp-fb:108 nack", "a=rtcp-fb:108 nack pli", "a=rtcp-fb:108 ccm fir", "a=rtcp-fb:108 transport-cc",
                "a=fmtp:108 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
                "a=fmtp:109 apt=108", "a=msid:s v", "a=ssrc-group:FID 21 22", "a=ssrc:21 cname:me",
                "a=ssrc:21 msid:s v",
                "a=ssrc:22 cname:me", "a=ssrc:22 msid:s v",
            ]
        #expect(plan.localDescription.text.split(separator: "\r\n").map(String.init) == expected)
    }

    @Test("Chrome: the plan")
    func chromePlan() throws {
        let plan = try PlanFixture.answer(SDPFixture.chromeViewer)
        #expect(plan.dtlsRole == .server)
        #expect(plan.remote.iceUfrag == "8TMm")
        #expect(plan.remote.icePwd == "Abzh+agIRcRsmINIwGO8EgBC")
        #expect(plan.remote.trickles && !plan.remote.isICELite && !plan.remote.endOfCandidates)
        #expect(plan.remote.fingerprints.map(\.algorithm) == ["sha-256"])
        #expect(plan.remote.candidates.isEmpty)
        #expect(plan.sections.map(\.index) == [0, 1])
        #expect(plan.sections.map(\.mid) == ["0", "1"])
        #expect(plan.sections.map(\.kind) == [.audio, .video])
        #expect(plan.sections.map(\.codec) == [.audio(.opus), .video(.h264)])
        #expect(plan.sections.map(\.payloadType) == [111, 108])
        #expect(plan.sections.map(\.rtxPayloadType) == [nil, 109])
        #expect(plan.sections.map(\.clockRate) == [48_000, 90_000])
        #expect(plan.sections.map(\.feedback) == [.transportCC, [.nack, .pli, .fir, .transportCC]])
        #expect(plan.sections[1].extensionIDs["http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"] == 5)
        #expect(plan.sections[1].layers == [SentLayer(ssrc: 21, rtxSSRC: 22)])
        #expect(plan.sections.allSatisfy { $0.direction == .sendonly && $0.allowsReducedSizeRTCP })
    }

    @Test("Firefox: bundle-only at port 0 is accepted, extmap directions are turned round")
    func firefox() throws {
        let plan = try PlanFixture.answer(SDPFixture.firefoxViewer)
        #expect(plan.sections.map(\.payloadType) == [109, 126])
        #expect(plan.sections[1].rtxPayloadType == 127)
        let video = plan.localDescription.media[1]
        #expect(video.port == 9 && !video.isBundleOnly)
        #expect(video.extensions.first { $0.uri.hasSuffix("playout-delay") }?.direction == .sendonly)
        #expect(plan.remote.iceUfrag == "9d8a2bf7")
        #expect(plan.sections[0].feedback.isEmpty)
        #expect(plan.localDescription.media[0].feedback.isEmpty)
    }

    @Test("Safari: constrained baseline wins over the high profile that comes first")
    func safari() throws {
        let plan = try PlanFixture.answer(SDPFixture.safariViewer)
        #expect(plan.sections[1].payloadType == 98)
        #expect(plan.sections[1].rtxPayloadType == 99)
    }

    @Test("aiortc: the data channel is refused alone, all hashes are kept, no transport-cc")
    func aiortc() throws {
        let plan = try PlanFixture.answer(SDPFixture.aiortcViewer)
        #expect(plan.sections.map(\.payloadType) == [96, 101])
        #expect(plan.sections[1].feedback == [.nack, .pli])
        #expect(plan.remote.fingerprints.map(\.algorithm) == ["sha-256", "sha-384", "sha-512"])
        #expect(plan.remote.candidates.count == 2)
        #expect(plan.remote.endOfCandidates && !plan.remote.trickles)
        let data = plan.localDescription.media[2]
        #expect(data.isRejected && data.mid == "2" && data.formats == ["webrtc-datachannel"])
        // aiortc refuses an answer in which any section lacks credentials or a role.
        #expect(data.transport.iceUfrag == "ours" && data.transport.setup == .passive)
        #expect(plan.localDescription.bundle == ["0", "1"])
    }

    @Test(
        "the answer is a description that can be read back",
        arguments: [
            SDPFixture.chromeViewer, SDPFixture.firefoxViewer, SDPFixture.safariViewer, SDPFixture.aiortcViewer,
        ])
    func readable(offer: String) throws {
        let answer = try PlanFixture.answer(offer).localDescription
        #expect(try SessionDescription(parsing: answer.serialized()) == answer)
    }

    @Test("VP8 is chosen when the stream is VP8")
    func vp8() throws {
        var capabilities = PlanFixture.both
        capabilities.video?.codec = .vp8
        let section = try PlanFixture.answer(SDPFixture.chromeViewer, capabilities).sections[1]
        #expect(section.payloadType == 96 && section.rtxPayloadType == 97 && section.codec == .video(.vp8))
        #expect(section.parameters.parameters.isEmpty)
    }

    @Test("a stream without audio, or without video, leaves that section refused")
    func oneKind() throws {
        var capabilities = PlanFixture.both
        capabilities.audio = nil
        let video = try PlanFixture.answer(SDPFixture.chromeViewer, capabilities)
        #expect(video.sections.map(\.mid) == ["1"])
        #expect(video.localDescription.media.map(\.isRejected) == [true, false])
        #expect(video.localDescription.bundle == ["1"])
        #expect(video.localDescription.media[1].candidates.count == 1)
        capabilities = PlanFixture.both
        capabilities.video = nil
        let audio = try PlanFixture.answer(SDPFixture.chromeViewer, capabilities)
        #expect(audio.sections.map(\.mid) == ["0"])
    }

    @Test("mono audio says nothing of stereo")
    func mono() throws {
        var capabilities = PlanFixture.both
        capabilities.audio?.isStereo = false
        let audio = try PlanFixture.answer(SDPFixture.chromeViewer, capabilities).sections[0]
        #expect(audio.parameters.parameters.map(\.name) == ["minptime", "useinbandfec"])
    }

    @Test("no retransmission stream without an SSRC for it, or without NACK")
    func noRTX() throws {
        var capabilities = PlanFixture.both
        capabilities.video?.layers = [SentLayer(ssrc: 21)]
        let plan = try PlanFixture.answer(SDPFixture.chromeViewer, capabilities)
        #expect(plan.sections[1].rtxPayloadType == nil)
        #expect(plan.localDescription.media[1].ssrcGroups.isEmpty)
        #expect(plan.localDescription.media[1].formats == ["108"])
        let lines = ["a=rtpmap:96 VP8/90000", "a=rtpmap:97 rtx/90000", "a=fmtp:97 apt=96"]
        capabilities = PlanFixture.both
        capabilities.video?.codec = .vp8
        let without = try PlanFixture.answer(PlanFixture.offer(video: lines), capabilities)
        #expect(without.sections[0].rtxPayloadType == nil && without.sections[0].layers == [SentLayer(ssrc: 21)])
        let with = try PlanFixture.answer(PlanFixture.offer(video: lines + ["a=rtcp-fb:* nack"]), capabilities)
        #expect(with.sections[0].rtxPayloadType == 97)
    }

    @Test("transport-cc needs both its extension and its feedback")
    func transportCC() throws {
        let uri = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
        let codec = ["a=rtpmap:96 VP8/90000"]
        var capabilities = PlanFixture.both
        capabilities.video?.codec = .vp8
        for (lines, expected) in [
            (["a=extmap:3 \(uri)"], false), (["a=rtcp-fb:96 transport-cc"], false),
            (["a=extmap:3 \(uri)", "a=rtcp-fb:96 transport-cc"], true),
        ] {
            let section = try PlanFixture.answer(PlanFixture.offer(video: codec + lines), capabilities).sections[0]
            #expect(section.feedback.contains(.transportCC) == expected)
            #expect((section.extensionIDs[uri] == 3) == expected)
        }
    }

    @Test("extensions that the viewer only sends, with ids past 14, or named twice are left out")
    func extensions() throws {
        let lines = [
            "a=rtpmap:96 VP8/90000", "a=extmap:1/sendonly urn:ietf:params:rtp-hdrext:sdes:mid",
            "a=extmap:15 http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
            "a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
            "a=extmap:3 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
            "a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time",
        ]
        var capabilities = PlanFixture.both
        capabilities.video?.codec = .vp8
        let section = try PlanFixture.answer(PlanFixture.offer(video: lines), capabilities)
        #expect(
            section.sections[0].extensionIDs == ["http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time": 2])
        #expect(section.localDescription.media[0].extensions.map(\.id) == [2])
    }

    @Test("viewers of AV1 and VP9 get dependency descriptors when they can take them", arguments: [true, false])
    func descriptors(allowsMixed: Bool) throws {
        let uri = "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
        let session = ["a=group:BUNDLE 0"] + (allowsMixed ? ["a=extmap-allow-mixed"] : [])
        let lines = ["a=rtpmap:45 AV1/90000", "a=rtpmap:96 H264/90000", "a=fmtp:96 packetization-mode=1"]
        let offer = PlanFixture.offer(session: session, video: lines + ["a=extmap:13 " + uri])
        var video = PlanFixture.video
        func ids() throws -> [UInt8] {
            let plan = try PlanFixture.answer(offer, SendCapabilities(cname: "me", video: video))
            return Array(plan.sections[0].extensionIDs.values)
        }
        video.codec = .av1
        #expect(try ids() == (allowsMixed ? [13] : []))
        video.codec = .h264
        video.profile = H264ProfileLevel(profileIDC: 0x42, constraints: 0, levelIDC: 0x0A)
        #expect(try ids() == [])
    }
}
