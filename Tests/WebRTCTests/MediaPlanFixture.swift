import Media
import SDP
import WebRTC

/// Our side in the tests of plans.
enum PlanFixture {
    static let audio = SentAudio(track: MediaStreamID(stream: "s", track: "a"), ssrc: 11, isStereo: true)
    static let video = SentVideo(
        track: MediaStreamID(stream: "s", track: "v"), codec: .h264, layers: [SentLayer(ssrc: 21, rtxSSRC: 22)])
    static let both = SendCapabilities(cname: "me", audio: audio, video: video)
    static let fingerprint = Fingerprint(algorithm: "sha-256", bytes: Array(1...32))

    static func local(isLite: Bool = true) -> LocalTransport {
        LocalTransport(
            sessionID: 77, sessionVersion: 3, iceUfrag: "ours", icePwd: "0123456789abcdef012345", isICELite: isLite,
            fingerprints: [fingerprint], candidates: ["candidate:1 1 udp 1 192.0.2.9 7885 typ host"],
            endOfCandidates: true)
    }

    /// Answers text whose lines end in `\n`.
    static func answer(
        _ offer: String, _ capabilities: SendCapabilities = both, isLite: Bool = true
    ) throws -> MediaPlan {
        try MediaPlan.answer(
            to: SessionDescription(parsing: offer), wanting: capabilities, local: local(isLite: isLite))
    }

    /// A viewer's offer with one video section that has these lines; formats are those with an rtpmap.
    static func offer(session: [String] = ["a=group:BUNDLE 0"], video lines: [String]) -> String {
        let formats = lines.filter { $0.hasPrefix("a=rtpmap:") }.map { $0.dropFirst(9).prefix { $0 != " " } }
        let head = ["v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0"]
        let transport = [
            "a=ice-ufrag:user", "a=ice-pwd:passwordpasswordpassword", "a=setup:actpass",
            "a=fingerprint:" + fingerprint.text,
        ]
        let media = "m=video 9 UDP/TLS/RTP/SAVPF " + formats.joined(separator: " ")
        return (head + session + transport + [media, "a=mid:0", "a=rtcp-mux", "a=recvonly"] + lines)
            .joined(separator: "\n")
    }

    static func offer(h264 parameters: String...) -> String {
        offer(
            video: parameters.enumerated().flatMap { index, parameters in
                ["a=rtpmap:\(100 + index) H264/90000", "a=fmtp:\(100 + index) \(parameters)"]
            })
    }
}
