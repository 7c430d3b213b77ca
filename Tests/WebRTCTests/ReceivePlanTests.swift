import Media
import RTP
import SDP
import TestSupport
import Testing
import WebRTC

private func plan(
    _ offer: String, _ capabilities: ReceiveCapabilities = ReceiveCapabilities(), isLite: Bool = true
) throws -> ReceivePlan {
    try ReceivePlan.answer(
        to: SessionDescription(parsing: offer), accepting: capabilities, local: PlanFixture.local(isLite: isLite))
}

/// A publisher's offer of one section with these lines; formats are those with an rtpmap.
private func offer(
    _ lines: [String], kind: String = "video", session: [String] = ["a=group:BUNDLE 0"], formats: String? = nil
) -> String {
    let mapped = lines.filter { $0.hasPrefix("a=rtpmap:") }.map { String($0.dropFirst(9).prefix { $0 != " " }) }
    let transport = [
        "a=ice-ufrag:user", "a=ice-pwd:passwordpasswordpassword", "a=setup:actpass",
        "a=fingerprint:" + PlanFixture.fingerprint.text,
    ]
    let media = "m=\(kind) 9 UDP/TLS/RTP/SAVPF " + (formats ?? mapped.joined(separator: " "))
    return
        (["v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0"] + session + transport
        + [media, "a=mid:0", "a=rtcp-mux", "a=sendonly"] + lines).joined(separator: "\n")
}

@Suite struct ReceivePlanTests {
    @Test("Chrome: first codec, retransmission, simulcast and feedback; the data channel is refused")
    func chrome() throws {
        let plan = try plan(SDPFixture.chromePublisher)
        #expect(plan.dtlsRole == .server)
        #expect(plan.sections.map(\.codec) == [.audio(.opus), .video(.vp8)])
        #expect(plan.sections.map(\.payloadType) == [111, 96])
        #expect(plan.sections.map(\.payloads) == [.init(red: 63), .init(rtx: 97)])
        #expect(plan.sections[1].feedback == [.nack, .pli, .fir, .transportCC])
        #expect(plan.sections[1].streamIDs == ["q", "h", "f"])
        let answer = plan.localDescription
        #expect(answer.media.map(\.isRejected) == [false, false, true])
        #expect(answer.media[1].formats == ["96", "97"])
        #expect(answer.media[1].simulcast == Simulcast(receive: ["q", "h", "f"].map { [.init(rid: $0)] }))
        #expect(answer.media[1].rids.map(\.direction) == [.recv, .recv, .recv])
        #expect(answer.media[1].direction == .recvonly)
        #expect(answer.media[0].parameters(for: 111)?["stereo"] == "1")
        #expect(answer.media[0].parameters(for: 63)?.parameters.first?.name == "111/111")
        #expect(answer.bundle == ["0", "1"])
    }

    @Test("OBS: every rid is accepted, and its REMB, for it knows nothing else")
    func obs() throws {
        let plan = try plan(SDPFixture.obsPublisher)
        #expect(plan.sections.map(\.codec) == [.audio(.opus), .video(.h264)])
        #expect(plan.sections[1].streamIDs == ["0", "1", "2"])
        #expect(plan.sections[1].feedback == [.nack, .pli, .remb])
        #expect(plan.sections[1].sources.media == [3_388_068_601])
        #expect(plan.sections[0].channels == 2)
        #expect(
            plan.localDescription.media[1].parameters(for: 96)
                == FormatParameters(
                    payloadType: 96,
                    ["profile-level-id": "42e01f", "packetization-mode": "1", "level-asymmetry-allowed": "1"]))
    }

    @Test("FFmpeg: it waits for our handshake")
    func ffmpeg() throws {
        let plan = try plan(SDPFixture.ffmpegPublisher)
        #expect(plan.dtlsRole == .client)
        #expect(plan.localDescription.media.allSatisfy { $0.transport.setup == .active })
        #expect(plan.sections.map(\.payloadType) == [111, 106])
        #expect(plan.sections.map(\.sources.media) == [[1_776_255_861], [2_083_541_219]])
    }

    @Test("FFmpeg 9: what is lost is asked for in datagrams cut short, though only its picture says they may be")
    func ffmpegRepeats() throws {
        let offer =
            SDPFixture.ffmpegPublisher.replacing(
                "m=video 9 UDP/TLS/RTP/SAVPF 106", with: "m=video 9 UDP/TLS/RTP/SAVPF 106 105")
            + "\na=rtcp-fb:106 nack\na=rtpmap:105 rtx/90000\na=fmtp:105 apt=106"
        let plan = try plan(offer)
        #expect(plan.sections.map(\.payloads.rtx) == [nil, 105] && plan.sections[1].feedback == [.nack])
        #expect(plan.sections.map(\.allowsReducedSizeRTCP) == [false, true])
        let receiver = plan.receiver(localSSRC: 1, cname: InlineBytes(), clock: PeerWorld.clock)
        #expect(receiver.allowsReducedSize)
    }

    @Test("GStreamer: order, capitals and mids as words")
    func gstreamer() throws {
        let plan = try plan(SDPFixture.gstreamerPublisher, ReceiveCapabilities(videoCodecs: [.h264]))
        #expect(plan.sections.map(\.mid) == ["video0", "audio1"])
        #expect(plan.sections.map(\.payloadType) == [97, 99])
        #expect(plan.sections[0].payloads.rtx == 98)
        #expect(plan.sections[1].channels == 1)
    }

    @Test(
        "every codec that is known is taken, in the publisher's order",
        arguments: [
            ("H264/90000", EncodedFrame.Codec.video(.h264)), ("H265/90000", .video(.hevc)), ("vp8/90000", .video(.vp8)),
            ("VP9/90000", .video(.vp9)), ("AV1/90000", .video(.av1)),
        ])
    func videoCodecs(map: String, codec: EncodedFrame.Codec) throws {
        let plan = try plan(offer(["a=rtpmap:90 flexfec-03/90000", "a=rtpmap:100 \(map)", "a=rtpmap:101 VP8/90000"]))
        #expect(plan.sections[0].codec == codec && plan.sections[0].payloadType == 100)
    }

    @Test(
        "sound of fixed payload types needs no rtpmap",
        arguments: [
            ("0", AudioCodec.pcmMuLaw), ("8", .pcmALaw), ("9", .g722),
        ])
    func fixedAudio(format: String, codec: AudioCodec) throws {
        let plan = try plan(offer([], kind: "audio", formats: format))
        #expect(plan.sections[0].codec == .audio(codec))
        #expect(plan.sections[0].clockRate == 8_000 && plan.sections[0].channels == 1)
    }

    @Test(
        "H.264 in any mode but the interleaved one",
        arguments: [
            ("profile-level-id=42e01f", true), ("packetization-mode=0", true), ("packetization-mode=1", true),
            ("packetization-mode=2", false),
        ])
    func modes(parameters: String, isTaken: Bool) throws {
        let text = offer(["a=rtpmap:100 H264/90000", "a=fmtp:100 \(parameters)"])
        if isTaken {
            #expect(try plan(text).sections[0].codec == .video(.h264))
        } else {
            #expect(throws: MediaPlanError.noCommonCodec) { try plan(text) }
        }
    }

    @Test("redundancy is taken from those who have no retransmission")
    func redundancy() throws {
        let lines = ["a=rtpmap:100 VP8/90000", "a=rtpmap:101 red/90000", "a=rtpmap:102 ulpfec/90000"]
        #expect(try plan(offer(lines)).sections[0].payloads == .init(red: 101, ulpfec: 102))
        let withRTX = lines + ["a=rtpmap:103 rtx/90000", "a=fmtp:103 apt=100", "a=rtcp-fb:100 nack"]
        #expect(try plan(offer(withRTX)).sections[0].payloads == .init(rtx: 103))
    }

    @Test("a section without a common codec is refused alone, and a second one of a kind")
    func refusals() throws {
        let text =
            offer(["a=rtpmap:100 VP8/90000"], session: ["a=group:BUNDLE 0 1 2 3"])
            + "\nm=audio 9 UDP/TLS/RTP/SAVPF 101\na=mid:1\na=rtcp-mux\na=sendonly\na=rtpmap:101 ISAC/16000"
            + "\nm=video 9 UDP/TLS/RTP/SAVPF 100\na=mid:2\na=rtcp-mux\na=sendonly\na=rtpmap:100 VP8/90000"
            + "\nm=audio 9 UDP/TLS/RTP/SAVPF 111\na=mid:3\na=rtcp-mux\na=sendrecv\na=rtpmap:111 opus/48000/2"
        let plan = try plan(text)
        #expect(plan.localDescription.media.map(\.isRejected) == [false, true, true, false])
        #expect(plan.sections.map(\.mid) == ["0", "3"])
    }

    @Test("an offer that sends nothing is refused with its reason")
    func nothing() {
        let viewer = SDPFixture.chromeViewer
        #expect(throws: MediaPlanError.nothingToSend) { try plan(viewer) }
    }

    @Test("rids without their extension, a list or a description are no simulcast")
    func halfSimulcast() throws {
        let rid = "a=extmap:2 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
        let codec = "a=rtpmap:100 VP8/90000"
        let streams = ["a=rid:a send", "a=rid:b send", "a=simulcast:send a;b"]
        func ids(_ lines: [String]) throws -> [String] { try plan(offer([codec] + lines)).sections[0].streamIDs }
        #expect(try ids([rid] + streams) == ["a", "b"])
        #expect(try ids(streams) == [])
        #expect(try ids([rid] + streams.dropLast()) == [])
        #expect(try ids([rid, "a=rid:b send", "a=simulcast:send a;b"]) == ["b"])
        #expect(try ids([rid, "a=rid:a send", "a=rid:b send", "a=simulcast:send a,b;~b"]) == ["a", "b"])
    }

    @Test("more streams than a room has qualities are cut")
    func manyStreams() throws {
        let lines = ["1", "2", "3", "4"].map { "a=rid:\($0) send" } + ["a=simulcast:send 1;2;3;4"]
        let rid = "a=extmap:2 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
        let section = try plan(offer(["a=rtpmap:100 VP8/90000", rid] + lines)).sections[0]
        #expect(section.streamIDs == ["1", "2", "3"])
    }

    @Test("sources and their retransmissions are read from the offer")
    func sources() throws {
        let section = try plan(
            offer([
                "a=rtpmap:100 VP8/90000", "a=ssrc-group:FID 7 8", "a=ssrc:7 cname:x", "a=ssrc:8 cname:x",
                "a=ssrc:7 msid:a b",
            ])
        ).sections[0]
        #expect(section.sources == .init(media: [7], retransmissions: [7: 8]))
    }

    @Test("extensions are answered with their ids, and only those that the offer sends")
    func extensions() throws {
        let section = try plan(
            offer([
                "a=rtpmap:100 VP8/90000", "a=extmap:4/sendonly urn:ietf:params:rtp-hdrext:sdes:mid",
                "a=extmap:5/recvonly urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id", "a=extmap:6 urn:unknown",
                "a=extmap:20 http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time",
            ])
        ).localDescription.media[0]
        #expect(
            section.extensions == [
                ExtensionMapping(id: 4, direction: .recvonly, uri: "urn:ietf:params:rtp-hdrext:sdes:mid")
            ])
    }

    @Test("dependency descriptors are taken of codecs that need them, from offers that allow them any length")
    func descriptors() throws {
        let uri = "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
        func ids(_ codec: String, _ session: [String]) throws -> [UInt8] {
            let plan = try plan(
                offer(["a=rtpmap:100 \(codec)/90000", "a=extmap:12 " + uri], session: ["a=group:BUNDLE 0"] + session))
            #expect(plan.localDescription.allowsMixedExtensions == !session.isEmpty)
            return Array(plan.sections[0].extensionIDs.values)
        }
        #expect(try ids("AV1", ["a=extmap-allow-mixed"]) == [12])
        #expect(try ids("VP9", ["a=extmap-allow-mixed"]) == [12])
        #expect(try ids("VP8", ["a=extmap-allow-mixed"]) == [])
        #expect(try ids("AV1", []) == [])
    }
}
