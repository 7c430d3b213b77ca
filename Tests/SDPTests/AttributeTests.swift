import SDP
import Testing

/// A media section with these attribute lines.
private func section(_ attributes: String...) throws -> MediaSection {
    let text = "v=0\no=- 1 1 IN IP4 a\nm=video 9 UDP/TLS/RTP/SAVPF 96 97\n" + attributes.joined(separator: "\n")
    return try SessionDescription(parsing: text).media[0]
}

@Suite struct AttributeTests {
    @Test("rtpmap with and without channels; names match in any case")
    func rtpmap() throws {
        let maps = try section("a=rtpmap:111 OPUS/48000/2", "a=rtpmap:96 VP8/90000").rtpmaps
        #expect(maps[0] == RTPMap(payloadType: 111, name: "OPUS", clockRate: 48000, channels: 2))
        #expect(maps[0].matches("opus", clockRate: 48000))
        #expect(!maps[0].matches("opus", clockRate: 16000))
        #expect(!maps[0].matches("opu", clockRate: 48000))
        #expect(maps[1].channels == nil)
    }

    @Test("fmtp parameters keep their order and count names in any case")
    func fmtp() throws {
        let media = try section(
            "a=fmtp:96 level-asymmetry-allowed=1; packetization-mode=1;Profile-Level-ID=42e01f;", "a=fmtp:97 0-15",
            "a=fmtp:98", "a=fmtp:99 k=a=b;;=v")
        let h264 = try #require(media.parameters(for: 96))
        #expect(h264.parameters.map(\.name) == ["level-asymmetry-allowed", "packetization-mode", "Profile-Level-ID"])
        #expect(h264["profile-level-id"] == "42e01f")
        #expect(h264["absent"] == nil)
        #expect(media.parameters(for: 97)?.parameters == [FormatParameters.Parameter(name: "0-15", value: nil)])
        #expect(media.parameters(for: 98)?.parameters == [])
        #expect(
            media.parameters(for: 99)
                == FormatParameters(
                    payloadType: 99, parameters: [.init(name: "k", value: "a=b"), .init(name: "", value: "v")]))
    }

    @Test("fmtp of a format that is no payload type stays as text")
    func fmtpOfWord() throws {
        let media = try section("a=fmtp:webrtc-datachannel x=1", "a=fmtp:128 x=1")
        #expect(media.formatParameters.isEmpty)
        #expect(media.otherAttributes.map(\.value) == ["webrtc-datachannel x=1", "128 x=1"])
    }

    @Test("feedback for all payload types counts for each")
    func feedback() throws {
        let media = try section(
            "a=rtcp-fb:* nack", "a=rtcp-fb:96 nack pli", "a=rtcp-fb:97 ccm fir", "a=rtcp-fb:97 x a  b")
        #expect(media.feedback(for: 96).map(\.parameter) == [nil, "pli"])
        #expect(
            media.feedback(for: 97) == [
                RTCPFeedback(payloadType: nil, type: "nack"),
                RTCPFeedback(payloadType: 97, type: "ccm", parameter: "fir"),
                RTCPFeedback(payloadType: 97, type: "x", parameter: "a  b"),
            ])
    }

    @Test("extmap with direction and parameters")
    func extmap() throws {
        let media = try section("a=extmap:1 urn:a", "a=extmap:2/recvonly urn:b", "a=extmap:4351/inactive urn:c p q")
        #expect(
            media.extensions == [
                ExtensionMapping(id: 1, uri: "urn:a"), ExtensionMapping(id: 2, direction: .recvonly, uri: "urn:b"),
                ExtensionMapping(id: 4351, direction: .inactive, uri: "urn:c", parameters: "p q"),
            ])
    }

    @Test("sources, their groups and msids")
    func sources() throws {
        let media = try section(
            "a=ssrc-group:FID 1 4294967295", "a=ssrc:1 cname:a b", "a=ssrc:4294967295 x", "a=msid:s t", "a=msid:-")
        #expect(media.ssrcGroups == [SSRCGroup(semantics: "FID", ssrcs: [1, .max])])
        #expect(
            media.ssrcs == [
                SSRCAttribute(ssrc: 1, name: "cname", value: "a b"), SSRCAttribute(ssrc: .max, name: "x", value: nil),
            ])
        #expect(media.msids == [MediaStreamID(stream: "s", track: "t"), MediaStreamID(stream: "-", track: nil)])
    }

    @Test("rids and simulcast lists with alternatives and paused streams (RFC 8853 section 5.1)")
    func simulcast() throws {
        let media = try section(
            "a=rid:1 send pt=97;max-width=1280", "a=rid:c recv", "a=simulcast:send 1,~4;2 recv c")
        #expect(
            media.rids == [
                RestrictionID(id: "1", direction: .send, restrictions: "pt=97;max-width=1280"),
                RestrictionID(id: "c", direction: .recv),
            ])
        #expect(
            media.simulcast
                == Simulcast(
                    send: [[.init(rid: "1"), .init(rid: "4", isPaused: true)], [.init(rid: "2")]],
                    receive: [[.init(rid: "c")]]))
    }

    @Test("fingerprints: algorithm in lower case, octets of any case")
    func fingerprint() throws {
        let hash = (0..<32).map { _ in "aB" }.joined(separator: ":")
        let media = try section("a=fingerprint:SHA-256 \(hash)", "a=fingerprint:future-1 00:FF")
        #expect(
            media.transport.fingerprints == [
                Fingerprint(algorithm: "sha-256", bytes: Array(repeating: 0xAB, count: 32)),
                Fingerprint(algorithm: "future-1", bytes: [0, 255]),
            ])
        #expect(media.transport.fingerprints[1].text == "future-1 00:FF")
    }

    @Test("candidates stay text, from their name on")
    func candidates() throws {
        let media = try section("a=candidate:1 1 udp 2 192.0.2.1 9 typ host", "a=candidate: 2", "a=end-of-candidates")
        #expect(media.candidates == ["candidate:1 1 udp 2 192.0.2.1 9 typ host", "candidate:2"])
        #expect(media.endOfCandidates)
    }

    @Test("flags of a section")
    func flags() throws {
        let media = try section(
            "a=mid:v", "a=rtcp-mux", "a=rtcp-mux-only", "a=rtcp-rsize", "a=bundle-only", "a=setup:PASSIVE", "a=sendonly"
        )
        #expect(media.mid == "v")
        #expect(media.rtcpMux && media.rtcpMuxOnly && media.rtcpReducedSize && media.isBundleOnly)
        #expect(media.transport.setup == .passive)
        #expect(media.direction == .sendonly)
    }

    @Test(
        "a known attribute with a broken value is refused",
        arguments: [
            ("rtpmap:128 VP8/90000", SDPField.rtpmap), ("rtpmap:96", .rtpmap), ("rtpmap:96 VP8", .rtpmap),
            ("rtpmap:96 VP8/0", .rtpmap), ("rtpmap:96 /1", .rtpmap), ("rtpmap:96 a/1/256", .rtpmap),
            ("rtpmap:+6 a/1", .rtpmap), ("rtpmap", .rtpmap), ("rtpmap:96 a/1 b", .rtpmap), ("fmtp:", .fmtp),
            ("rtcp-fb:96", .feedback), ("rtcp-fb:x nack", .feedback), ("extmap:0 urn:a", .extmap),
            ("extmap:256 urn:a", .extmap), ("extmap:4352 urn:a", .extmap), ("extmap:1", .extmap),
            ("extmap:1/up urn:a", .extmap), ("ssrc:4294967296 a", .ssrc), ("ssrc:1", .ssrc), ("ssrc:1 :a", .ssrc),
            ("ssrc-group:", .ssrcGroup), ("ssrc-group:FID x", .ssrcGroup), ("msid:", .msid), ("msid:a b c", .msid),
            ("rid:a", .rid), ("rid:a up", .rid), ("rid:a=b send", .rid), ("simulcast:", .simulcast),
            ("simulcast:send", .simulcast), ("simulcast:send a send b", .simulcast), ("simulcast:up a", .simulcast),
            ("simulcast:send a;", .simulcast), ("simulcast:send ~", .simulcast), ("mid:", .mid), ("mid:a b", .mid),
            ("ice-ufrag:", .iceUfrag), ("ice-ufrag:a b", .iceUfrag), ("ice-pwd:a\"b", .icePwd), ("ice-pwd", .icePwd),
            ("fingerprint:sha-256 00", .fingerprint), ("fingerprint:x 0", .fingerprint),
            ("fingerprint:x", .fingerprint),
            ("fingerprint:x 00:", .fingerprint), ("fingerprint:x 00 11", .fingerprint),
            ("fingerprint:x 0g", .fingerprint),
            ("setup:both", .setup), ("candidate:", .candidate), ("candidate", .candidate),
        ])
    func broken(attribute: String, field: SDPField) {
        #expect(throws: SDPError.malformed(field, line: 4)) { try section("a=" + attribute) }
    }

    @Test("payload types are the numbers among the formats")
    func payloadTypes() {
        let media = MediaSection(kind: .video, port: 9, transportProtocol: "x", formats: ["96", "127", "128", "a", ""])
        #expect(media.payloadTypes == [96, 127])
    }
}
