import Bytes

/// The offer of an encoder that is not there: all that a server needs to answer, and nothing behind it.
package struct ConformanceOffer: Sendable {
    package var hasAudio = true
    package var videoSections = 1
    package var direction = "sendonly"
    package var setup = "actpass"
    /// Of the last video section.
    package var rids: [String] = []
    /// A section of text that nobody takes, behind the others.
    package var hasUnknownCodec = false

    package init() {}

    /// `random` makes the credentials and the fingerprint, which are different in each offer.
    func text(random: (Int) -> [UInt8]) -> (text: String, ufrag: String, password: String) {
        let ufrag = String(hex: random(4))
        let password = String(hex: random(16))
        let fingerprint = String(hex: random(32), separator: ":", uppercase: true)
        var sections: [[String]] = []
        if hasAudio { sections.append(Self.audio) }
        for index in 0..<videoSections { sections.append(Self.video(rids: index == videoSections - 1 ? rids : [])) }
        if hasUnknownCodec { sections.append(Self.unknown) }
        let mids = sections.indices.map(String.init).joined(separator: " ")
        var lines = [
            "v=0", "o=- \(random(3).reduce(1) { $0 << 8 | Int($1) }) 2 IN IP4 127.0.0.1", "s=-", "t=0 0",
            "a=group:BUNDLE \(mids)", "a=ice-options:trickle ice2", "a=msid-semantic: WMS *",
        ]
        for (index, section) in sections.enumerated() {
            lines.append(section[0])
            lines += [
                "c=IN IP4 0.0.0.0", "a=mid:\(index)", "a=\(direction)", "a=ice-ufrag:\(ufrag)", "a=ice-pwd:\(password)",
                "a=fingerprint:sha-256 \(fingerprint)", "a=setup:\(setup)", "a=rtcp-mux", "a=rtcp-rsize",
                "a=msid:stream track\(index)", "a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid",
            ]
            lines += section.dropFirst()
        }
        return (lines.joined(separator: "\r\n") + "\r\n", ufrag, password)
    }

    private static let audio = [
        "m=audio 9 UDP/TLS/RTP/SAVPF 111", "a=rtpmap:111 opus/48000/2", "a=fmtp:111 minptime=10;useinbandfec=1",
    ]

    private static let unknown = ["m=video 9 UDP/TLS/RTP/SAVPF 120", "a=rtpmap:120 x-no-such-codec/90000"]

    private static func video(rids: [String]) -> [String] {
        var lines = [
            "m=video 9 UDP/TLS/RTP/SAVPF 96 97", "a=rtpmap:96 H264/90000",
            "a=fmtp:96 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f", "a=rtpmap:97 VP8/90000",
        ]
        for type in [96, 97] {
            lines += ["ccm fir", "nack", "nack pli", "transport-cc"].map { "a=rtcp-fb:\(type) \($0)" }
        }
        guard !rids.isEmpty else { return lines }
        lines.append("a=extmap:2 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id")
        lines.append("a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id")
        lines += rids.map { "a=rid:\($0) send" }
        lines.append("a=simulcast:send " + rids.joined(separator: ";"))
        return lines
    }
}
