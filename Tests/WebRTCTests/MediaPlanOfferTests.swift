import Media
import SDP
import TestSupport
import Testing
import WebRTC

@Suite struct MediaPlanOfferTests {
    private static let simulcast = SentVideo(
        track: MediaStreamID(stream: "IN_1", track: "IN_1"), codec: .h264,
        layers: [
            SentLayer(rid: "q", ssrc: 31, rtxSSRC: 41), SentLayer(rid: "h", ssrc: 32, rtxSSRC: 42),
            SentLayer(rid: "f", ssrc: 33, rtxSSRC: 43),
        ])
    private static let publishing = SendCapabilities(cname: "me", audio: PlanFixture.audio, video: simulcast)
    private let offer = MediaOffer(publishing: publishing, local: PlanFixture.local(isLite: false))

    private func answer(_ change: (inout SessionDescription) -> Void = { _ in }) throws -> SessionDescription {
        var answer = try SessionDescription(parsing: SDPFixture.livekitAnswer)
        change(&answer)
        return answer
    }

    @Test("simulcast: rids without SSRCs, low to high, and the rid extensions")
    func simulcastOffer() throws {
        let video = offer.description.media[1]
        #expect(video.rids.map(\.id) == ["q", "h", "f"])
        #expect(video.simulcast?.send.map { $0.map(\.rid) } == [["q"], ["h"], ["f"]])
        #expect(video.ssrcs.isEmpty && video.ssrcGroups.isEmpty)
        #expect(video.msids == [MediaStreamID(stream: "IN_1", track: "IN_1")])
        #expect(video.formats == ["108", "109"])
        #expect(video.parameters(for: 108)?["profile-level-id"] == "42e01f")
        #expect(video.parameters(for: 109)?["apt"] == "108")
        #expect(
            video.extensions.map(\.uri).contains("urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"))
        #expect(offer.sections[1].layers == Self.simulcast.layers)
    }

    @Test("audio declares its SSRC and msid; all of it is sendonly, actpass and bundled")
    func commonOffer() throws {
        let audio = offer.description.media[0]
        #expect(audio.formats == ["111"])
        #expect(audio.ssrcs.map(\.attribute.value) == ["me", "s a"])
        #expect(audio.parameters(for: 111)?["sprop-stereo"] == "1")
        #expect(offer.description.media.allSatisfy { $0.direction == .sendonly && $0.rtcpMux })
        #expect(offer.description.media.allSatisfy { $0.transport.setup == .actpass })
        #expect(offer.description.bundle == ["0", "1"])
        #expect(offer.description.media.map(\.candidates.count) == [1, 0])
        #expect(try SessionDescription(parsing: offer.description.serialized()) == offer.description)
    }

    @Test("one layer: SSRC, FID group, neither rid nor simulcast")
    func singleLayer() {
        let offer = MediaOffer(publishing: PlanFixture.both, local: PlanFixture.local(isLite: false))
        let video = offer.description.media[1]
        #expect(video.rids.isEmpty && video.simulcast == nil)
        #expect(video.ssrcGroups == [SSRCGroup(semantics: "FID", ssrcs: [21, 22])])
        #expect(!video.extensions.map(\.uri).contains("urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"))
    }

    @Test("layers of a picture in one stream bring their dependency descriptors, which may be long")
    func described() {
        var video = PlanFixture.video
        video.codec = .av1
        video.isDescribed = true
        let offer = MediaOffer(
            publishing: SendCapabilities(cname: "me", video: video), local: PlanFixture.local(isLite: false))
        #expect(offer.description.allowsMixedExtensions)
        let uri = "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
        #expect(offer.description.media[0].extensions.contains { $0.uri == uri && $0.id == 12 })
        #expect(!self.offer.description.allowsMixedExtensions)
        #expect(!self.offer.description.media[1].extensions.contains { $0.uri == uri })
    }

    @Test("VP8, no retransmission stream, no audio")
    func vp8() {
        var capabilities = SendCapabilities(cname: "me", video: PlanFixture.video)
        capabilities.video?.codec = .vp8
        capabilities.video?.layers = [SentLayer(ssrc: 21)]
        let offer = MediaOffer(publishing: capabilities, local: PlanFixture.local(isLite: false))
        #expect(offer.description.media.map(\.formats) == [["96"]])
        #expect(offer.description.media[0].formatParameters.isEmpty)
        #expect(offer.sections.map(\.mid) == ["0"])
    }

    @Test("within the bundle an extension id means one thing")
    func extensionIDs() {
        var meaning: [UInt16: String] = [:]
        for mapping in offer.description.media.flatMap(\.extensions) {
            #expect(meaning[mapping.id] ?? mapping.uri == mapping.uri)
            meaning[mapping.id] = mapping.uri
        }
        #expect(meaning.count == 6)
    }

    @Test("nothing to send makes no sections")
    func nothing() {
        let offer = MediaOffer(publishing: SendCapabilities(cname: "me"), local: PlanFixture.local(isLite: false))
        #expect(offer.description.media.isEmpty && offer.sections.isEmpty && offer.description.groups.isEmpty)
    }

    @Test("LiveKit's answer gives the plan")
    func livekit() throws {
        let plan = try offer.apply(answer: answer())
        #expect(plan.dtlsRole == .server)
        #expect(plan.localDescription == offer.description)
        #expect(plan.remote.iceUfrag == "QkyBopRWKSkGtmVn")
        #expect(plan.remote.isICELite && plan.remote.endOfCandidates)
        #expect(plan.remote.candidates.count == 2)
        #expect(plan.sections.map(\.payloadType) == [111, 108])
        #expect(plan.sections.map(\.rtxPayloadType) == [nil, 109])
        #expect(plan.sections[0].feedback == .nack)
        #expect(plan.sections[1].feedback == [.nack, .pli, .fir, .transportCC])
        #expect(plan.sections[1].layers == Self.simulcast.layers)
        #expect(
            plan.sections[0].extensionIDs == [
                "urn:ietf:params:rtp-hdrext:sdes:mid": 4, "urn:ietf:params:rtp-hdrext:ssrc-audio-level": 1,
            ])
        #expect(plan.sections[1].extensionIDs["urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"] == 11)
    }

    @Test("layers that the answer leaves out are not sent")
    func fewerLayers() throws {
        let plan = try offer.apply(
            answer: answer { $0.media[1].simulcast?.receive = [[.init(rid: "q")], [.init(rid: "f")]] })
        #expect(plan.sections[1].layers.map(\.rid) == ["q", "f"])
    }

    @Test("without simulcast in the answer the highest layer goes alone, without rid")
    func noSimulcast() throws {
        let plan = try offer.apply(answer: answer { $0.media[1].simulcast = nil })
        #expect(plan.sections[1].layers == [SentLayer(ssrc: 33, rtxSSRC: 43)])
    }

    @Test("without rtx in the answer no retransmission streams go out")
    func noRTX() throws {
        let plan = try offer.apply(answer: answer { $0.media[1].formats = ["108"] })
        #expect(plan.sections[1].rtxPayloadType == nil)
        #expect(plan.sections[1].layers.allSatisfy { $0.rtxSSRC == nil })
    }

    @Test("the answer's payload type for our codec is used, and its ids only where they are ours")
    func otherNumbers() throws {
        let plan = try offer.apply(
            answer: answer {
                $0.media[0].formats = ["100"]
                $0.media[0].rtpmaps = [RTPMap(payloadType: 100, name: "opus", clockRate: 48_000, channels: 2)]
                $0.media[0].extensions = [
                    ExtensionMapping(id: 7, uri: "urn:ietf:params:rtp-hdrext:ssrc-audio-level"),
                    ExtensionMapping(id: 4, uri: "urn:ietf:params:rtp-hdrext:sdes:mid"),
                    ExtensionMapping(id: 9, uri: "urn:x"),
                ]
            })
        #expect(plan.sections[0].payloadType == 100)
        #expect(plan.sections[0].extensionIDs == ["urn:ietf:params:rtp-hdrext:sdes:mid": 4])
    }

    @Test("a refused or inactive section is left out", arguments: [true, false])
    func refusedSection(byPort: Bool) throws {
        let plan = try offer.apply(
            answer: answer { if byPort { $0.media[0].port = 0 } else { $0.media[0].direction = .inactive } })
        #expect(plan.sections.map(\.mid) == ["1"])
        #expect(plan.sections[0].index == 1)
    }

    @Test("a passive answer makes us the client")
    func passive() throws {
        let change = { (answer: inout SessionDescription) in
            for index in answer.media.indices { answer.media[index].transport.setup = .passive }
        }
        #expect(try offer.apply(answer: answer(change)).dtlsRole == .client)
    }

    @Test("an answer that cannot be used is refused with the reason")
    func refusals() throws {
        let cases: [(MediaPlanError, (inout SessionDescription) -> Void)] = [
            (.sectionsDiffer, { $0.media.removeLast() }),
            (.sectionsDiffer, { $0.media.swapAt(0, 1) }),
            (.sectionsDiffer, { $0.media[0].mid = "x" }),
            (.sectionsDiffer, { $0.media[1].mid = "0" }),
            (.sectionsDiffer, { $0.media[0].kind = .application }),
            (.everythingRefused, { for index in $0.media.indices { $0.media[index].port = 0 } }),
            (.transportUnsupported, { for index in $0.media.indices { $0.media[index].rtcpMux = false } }),
            (.noCommonCodec, { for index in $0.media.indices { $0.media[index].rtpmaps = [] } }),
            (.setup, { for index in $0.media.indices { $0.media[index].transport.setup = .actpass } }),
            (.fingerprint, { $0.transport.fingerprints = [] }),
            (.iceCredentials, { for index in $0.media.indices { $0.media[index].transport.icePwd = "short" } }),
        ]
        for (error, change) in cases {
            #expect(throws: error) { try offer.apply(answer: answer(change)) }
        }
    }

    @Test("each error has a sentence of its own")
    func sentences() {
        let errors: [MediaPlanError] = [
            .noCommonCodec, .nothingToReceive, .transportUnsupported, .duplicateMid, .iceCredentials, .fingerprint,
            .setup,
            .sectionsDiffer, .everythingRefused,
        ]
        #expect(Set(errors.map(\.description)).count == errors.count)
    }
}
