import Media
import SDP
import TestSupport
import Testing
import WebRTC

@Suite struct H264ChoiceTests {
    /// The payload type chosen among formats 100, 101, … with these parameters.
    private func choice(_ parameters: String..., profile: H264ProfileLevel = .constrainedBaseline31) throws -> UInt8? {
        var capabilities = PlanFixture.both
        capabilities.video?.profile = profile
        let lines = parameters.enumerated().flatMap { index, parameters in
            ["a=rtpmap:\(100 + index) H264/90000", "a=fmtp:\(100 + index) \(parameters)"]
        }
        do {
            return try PlanFixture.answer(PlanFixture.offer(video: lines), capabilities).sections[0].payloadType
        } catch MediaPlanError.noCommonCodec {
            return nil
        }
    }

    @Test("constrained baseline in any spelling comes first, baseline next, richer profiles last")
    func order() throws {
        let high = "packetization-mode=1;profile-level-id=64001f;level-asymmetry-allowed=1"
        let baseline = "packetization-mode=1;profile-level-id=42001f"
        #expect(try choice(high, baseline, "packetization-mode=1;profile-level-id=42e01f") == 102)
        #expect(try choice(high, baseline, "packetization-mode=1;profile-level-id=42C01F") == 102)
        #expect(try choice(high, baseline) == 101)
        #expect(try choice(high) == 100)
    }

    @Test("a richer profile without level asymmetry is not taken, nor is an unknown one")
    func noAsymmetry() throws {
        #expect(try choice("packetization-mode=1;profile-level-id=64001f") == nil)
        #expect(try choice("packetization-mode=1;profile-level-id=58001f;level-asymmetry-allowed=1") == nil)
    }

    @Test("packetization mode 0 is not taken, stated or not")
    func mode0() throws {
        #expect(try choice("packetization-mode=0;profile-level-id=42e01f", "profile-level-id=42e01f") == nil)
    }

    @Test("a format without profile-level-id is baseline; a malformed one is skipped")
    func unstated() throws {
        #expect(try choice("packetization-mode=1") == 100)
        #expect(try choice("packetization-mode=1;profile-level-id=42e0", "packetization-mode=1") == 101)
    }

    @Test("a high profile stream is not for baseline viewers")
    func highStream() throws {
        let high = H264ProfileLevel(profileIDC: 100, constraints: 0, levelIDC: 40)
        let baseline = "packetization-mode=1;profile-level-id=42e01f;level-asymmetry-allowed=1"
        #expect(try choice(baseline, profile: high) == nil)
        #expect(try choice(baseline, "packetization-mode=1;profile-level-id=640c1f", profile: high) == 101)
    }

    @Test("the answer repeats the viewer's profile and level")
    func echo() throws {
        let plan = try PlanFixture.answer(
            PlanFixture.offer(h264: "packetization-mode=1;profile-level-id=4D0028;level-asymmetry-allowed=1"))
        #expect(plan.sections[0].parameters["profile-level-id"] == "4d0028")
        #expect(plan.sections[0].parameters["level-asymmetry-allowed"] == "1")
    }

    @Test("profile-level-id is six hexadecimal digits", arguments: ["42e0", "42e01f00", "42e01g", ""])
    func malformed(text: String) {
        #expect(H264ProfileLevel(text) == nil)
    }
}

@Suite struct MediaPlanRuleTests {
    private let vp8 = ["a=rtpmap:96 VP8/90000"]
    private var vp8Only: SendCapabilities {
        var capabilities = PlanFixture.both
        capabilities.video?.codec = .vp8
        return capabilities
    }

    /// Answers an offer whose text was changed.
    private func answer(
        _ old: String, _ new: String, isLite: Bool = true
    ) throws -> MediaPlan {
        let offer = PlanFixture.offer(video: vp8)
        let changed = offer.split(separator: "\n").map { $0 == old ? new : String($0) }.joined(separator: "\n")
        try #require(changed != offer || old == new)
        return try PlanFixture.answer(changed, vp8Only, isLite: isLite)
    }

    @Test(
        "the DTLS role follows the viewer's setup, and ICE when it leaves the choice",
        arguments: [
            ("a=setup:actpass", true, MediaPlan.DTLSRole.server, SetupRole.passive),
            ("a=setup:actpass", false, .client, .active),
            ("a=setup:active", false, .server, .passive),
            ("a=setup:passive", true, .client, .active),
            ("a=x", true, .server, .passive),
        ])
    func roles(line: String, isLite: Bool, role: MediaPlan.DTLSRole, setup: SetupRole) throws {
        let plan = try answer("a=setup:actpass", line, isLite: isLite)
        #expect(plan.dtlsRole == role)
        #expect(plan.localDescription.media[0].transport.setup == setup)
        #expect(plan.localDescription.isICELite == isLite)
    }

    @Test(
        "an offer that cannot be used is refused with the reason",
        arguments: [
            ("a=setup:actpass", "a=setup:holdconn", MediaPlanError.setup),
            ("a=ice-ufrag:user", "a=ice-ufrag:use", .iceCredentials),
            ("a=ice-ufrag:user", "a=x", .iceCredentials),
            ("a=ice-pwd:passwordpasswordpassword", "a=ice-pwd:passwordpasswordpassw", .iceCredentials),
            ("a=ice-pwd:passwordpasswordpassword", "a=x", .iceCredentials),
            ("a=fingerprint:" + PlanFixture.fingerprint.text, "a=x", .fingerprint),
            (
                "a=fingerprint:" + PlanFixture.fingerprint.text,
                "a=fingerprint:sha-1 " + Array(repeating: "00", count: 20).joined(separator: ":"), .fingerprint
            ),
            ("a=rtcp-mux", "a=x", .transportUnsupported),
            ("a=mid:0", "a=x", .transportUnsupported),
            ("a=mid:0", "a=mid:1", .transportUnsupported),
            ("m=video 9 UDP/TLS/RTP/SAVPF 96", "m=video 9 RTP/AVP 96", .transportUnsupported),
            ("m=video 9 UDP/TLS/RTP/SAVPF 96", "m=video 0 UDP/TLS/RTP/SAVPF 96", .nothingToReceive),
            ("m=video 9 UDP/TLS/RTP/SAVPF 96", "m=text 9 UDP/TLS/RTP/SAVPF 96", .nothingToReceive),
            ("a=recvonly", "a=sendonly", .nothingToReceive),
            ("a=recvonly", "a=inactive", .nothingToReceive),
            ("a=rtpmap:96 VP8/90000", "a=rtpmap:96 VP9/90000", .noCommonCodec),
            ("a=rtpmap:96 VP8/90000", "a=rtpmap:97 VP8/90000", .noCommonCodec),
        ])
    func refusals(old: String, new: String, error: MediaPlanError) {
        #expect(throws: error) { try answer(old, new) }
    }

    @Test("sendrecv and an unstated direction receive; rtcp-mux-only is rtcp-mux")
    func leniency() throws {
        #expect(try answer("a=recvonly", "a=sendrecv").sections[0].direction == .sendonly)
        #expect(try answer("a=recvonly", "a=x").sections[0].direction == .sendonly)
        #expect(try answer("a=rtcp-mux", "a=rtcp-mux-only").localDescription.media[0].rtcpMux)
    }

    @Test("without a bundle one section lives and the others are refused")
    func noBundle() throws {
        let offer = SDPFixture.chromeViewer.replacing("a=group:BUNDLE 0 1", with: "a=x")
        let plan = try PlanFixture.answer(offer)
        #expect(plan.sections.map(\.mid) == ["0"])
        #expect(plan.localDescription.media.map(\.isRejected) == [false, true])
        #expect(plan.localDescription.groups.isEmpty)
    }

    @Test("a section outside of the bundle is refused alone")
    func outsideOfBundle() throws {
        let offer = SDPFixture.chromeViewer.replacing("a=group:BUNDLE 0 1", with: "a=group:BUNDLE 1")
        #expect(try PlanFixture.answer(offer).sections.map(\.mid) == ["1"])
    }

    @Test("a second section of a kind is refused, and one with our codec is found behind one without")
    func severalSections() throws {
        let section = { (mid: String, codec: String) in
            "m=video 9 UDP/TLS/RTP/SAVPF 96\na=mid:\(mid)\na=rtcp-mux\na=recvonly\na=rtpmap:96 \(codec)/90000\n"
        }
        let head = PlanFixture.offer(session: ["a=group:BUNDLE a b c"], video: vp8).components(before: "m=video")
        let text = head + section("a", "AV1") + section("b", "VP8") + section("c", "VP8")
        let plan = try PlanFixture.answer(text, vp8Only)
        #expect(plan.sections.map(\.index) == [1])
        #expect(plan.localDescription.media.map(\.mid) == ["a", "b", "c"])
        #expect(plan.localDescription.media.map(\.isRejected) == [true, false, true])
        #expect(plan.localDescription.media[0].rtpmaps.map(\.name) == ["AV1"])
    }

    @Test("the transport is that of the bundle's first accepted section")
    func taggedTransport() throws {
        // Offered per section, as before the bundle is agreed on; the bundle names video first.
        let offer = SDPFixture.chromeViewer.replacing("a=group:BUNDLE 0 1", with: "a=group:BUNDLE 1 0")
        var description = try SessionDescription(parsing: offer)
        description.media[1].transport.iceUfrag = "video"
        let plan = try MediaPlan.answer(to: description, wanting: PlanFixture.both, local: PlanFixture.local())
        #expect(plan.remote.iceUfrag == "video")
        #expect(plan.localDescription.bundle == ["1", "0"])
    }

    @Test("a bundle-only section finds the transport at a section that is refused")
    func transportElsewhere() throws {
        var description = try SessionDescription(parsing: SDPFixture.chromeViewer)
        description.media[1].transport = TransportAttributes()
        var capabilities = PlanFixture.both
        capabilities.audio = nil
        let plan = try MediaPlan.answer(to: description, wanting: capabilities, local: PlanFixture.local())
        #expect(plan.remote.iceUfrag == "8TMm")
    }

    @Test("two sections with one mid are refused")
    func duplicateMid() {
        let offer = SDPFixture.chromeViewer.replacing("a=mid:1", with: "a=mid:0")
        #expect(throws: MediaPlanError.duplicateMid) { try PlanFixture.answer(offer) }
    }

    @Test("an offer without media has nothing to receive")
    func empty() {
        #expect(throws: MediaPlanError.nothingToReceive) { try PlanFixture.answer("v=0\no=- 1 1 IN IP4 0.0.0.0") }
    }

    @Test(
        "publishers' offers are no viewers' offers",
        arguments: [
            SDPFixture.obsPublisher, SDPFixture.ffmpegPublisher, SDPFixture.gstreamerPublisher,
        ])
    func publishers(offer: String) {
        #expect(throws: MediaPlanError.nothingToReceive) { try PlanFixture.answer(offer) }
    }
}

extension String {
    /// What stands before `marker`.
    fileprivate func components(before marker: String) -> String {
        split(separator: "\n").prefix { !$0.hasPrefix(marker) }.joined(separator: "\n") + "\n"
    }

    /// Replaces the lines that equal `line`.
    fileprivate func replacing(_ line: String, with other: String) -> String {
        split(separator: "\n").map { $0 == line ? other : String($0) }.joined(separator: "\n")
    }
}
