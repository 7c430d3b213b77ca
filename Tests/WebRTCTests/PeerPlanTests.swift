import DTLS
import ICE
import Media
import RTP
import SDP
import TestSupport
import Testing
import WebRTC

@Suite struct PeerPlanTests {
    private func configuration(_ plan: MediaPlan) throws -> WebRTCPeer.Configuration {
        let ice = ICEAgent.Configuration(
            mode: .lite, credentials: ICECredentials(random: Array(1...24)), seed: Array(1...32),
            hmac: { HMAC.sha1Tag(key: $0, $1) })
        return try WebRTCPeer.Configuration(
            plan: plan, ice: ice, dtlsContext: PeerWorld.serverContext, clock: PeerWorld.clock, cname: InlineBytes(),
            targetBitrate: 1_000_000)
    }

    @Test("a plan's credentials, role and fingerprints become the connection's")
    func transport() throws {
        let plan = try PlanFixture.answer(SDPFixture.chromeViewer)
        let configuration = try configuration(plan)
        #expect(configuration.remoteCredentials?.fragment == "8TMm")
        #expect(configuration.remoteCredentials?.password == "Abzh+agIRcRsmINIwGO8EgBC")
        #expect(configuration.dtlsRole == .server)
        #expect(configuration.remoteFingerprints.map(\.algorithm) == [.sha256])
        #expect(configuration.remoteFingerprints.first?.bytes == plan.remote.fingerprints.first?.bytes)
    }

    @Test("fingerprints of unknown algorithms or wrong length are left out, and with none left nobody could connect")
    func unusableFingerprints() throws {
        var plan = try PlanFixture.answer(SDPFixture.chromeViewer)
        plan.remote.fingerprints = [
            SDP.Fingerprint(algorithm: "md5", bytes: Array(1...16)), SDP.Fingerprint(algorithm: "sha-256", bytes: [1]),
        ]
        #expect(try configuration(plan).remoteFingerprints.isEmpty)
    }

    @Test("credentials that ICE cannot use are refused")
    func unusableCredentials() throws {
        var plan = try PlanFixture.answer(SDPFixture.chromeViewer)
        plan.remote.iceUfrag = "a:b"
        #expect(throws: ICEError.malformedCredentials) { try configuration(plan) }
    }

    @Test("a planned section says how its layer is sent")
    func stream() throws {
        let plan = try PlanFixture.answer(SDPFixture.chromeViewer)
        let section = try #require(plan.sections.first { $0.kind == .video })
        let layer = try #require(section.layers.first)
        let seed = StreamSeed(sequenceNumber: 1, retransmissionNumber: 2, timestampOffset: 3)
        let stream = section.stream(layer, seed: seed)
        #expect(stream.ssrc == layer.ssrc)
        #expect(stream.payloadType == section.payloadType)
        #expect(stream.clockRate == 90_000)
        #expect(stream.firstSequenceNumber == 1)
        #expect(stream.timestampOffset == 3)
        #expect(
            stream.retransmission
                == section.rtxPayloadType.map {
                    SendStream.Retransmission(ssrc: 22, payloadType: $0, firstSequenceNumber: 2)
                })
        #expect(stream.mid?.text == "1")
        #expect(stream.streamID == nil)
        #expect(stream.extensions[.mid] == 4)
        #expect(stream.extensions[.transportSequence] == 3)
    }

    @Test("without a retransmission format packets are sent again on their own source")
    func plainRetransmission() throws {
        let offer = PlanFixture.offer(video: ["a=rtpmap:100 H264/90000", "a=fmtp:100 packetization-mode=1"])
        let section = try #require(try PlanFixture.answer(offer).sections.first)
        let stream = section.stream(
            SentLayer(rid: "q", ssrc: 21, rtxSSRC: 22),
            seed: StreamSeed(sequenceNumber: 1, retransmissionNumber: 2, timestampOffset: 3))
        #expect(stream.retransmission == nil)
        #expect(stream.streamID?.text == "q")
    }

    @Test("random starts of sequence numbers stay in the lower half, so that an early loss does not upset SRTP")
    func seeds() {
        var generator = SeededGenerator(seed: 5)
        let seeds = (0..<1_000).map { _ in StreamSeed(using: &generator) }
        #expect(seeds.allSatisfy { $0.sequenceNumber < 0x8000 && $0.retransmissionNumber < 0x8000 })
        #expect(seeds.contains { $0.timestampOffset > 0x8000_0000 })
        #expect(Set(seeds).count == seeds.count)
    }
}
