import DTLS
import ICE

/// A browser's offer to receive one sound and one H.264 picture, as short as it may be.
struct ViewerOffer {
    static let audioPayloadType: UInt8 = 111
    static let videoPayloadType: UInt8 = 102

    let text: String

    init(_ credentials: ICECredentials, _ fingerprint: DTLS.Fingerprint) {
        let transport = """
            c=IN IP4 0.0.0.0
            a=ice-ufrag:\(credentials.fragment)
            a=ice-pwd:\(credentials.password)
            a=ice-options:trickle
            a=fingerprint:\(fingerprint.sdp)
            a=setup:actpass
            a=recvonly
            a=rtcp-mux
            a=rtcp-rsize
            """
        let lines = """
            v=0
            o=- 4611686018427387904 2 IN IP4 127.0.0.1
            s=-
            t=0 0
            a=group:BUNDLE 0 1
            a=msid-semantic: WMS
            m=audio 9 UDP/TLS/RTP/SAVPF 111
            \(transport)
            a=mid:0
            a=rtpmap:111 opus/48000/2
            a=fmtp:111 minptime=10;useinbandfec=1
            m=video 9 UDP/TLS/RTP/SAVPF 102 103
            \(transport)
            a=mid:1
            a=rtpmap:102 H264/90000
            a=rtcp-fb:102 nack
            a=rtcp-fb:102 nack pli
            a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f
            a=rtpmap:103 rtx/90000
            a=fmtp:103 apt=102

            """
        text = lines.split(separator: "\n").joined(separator: "\r\n") + "\r\n"
    }
}

/// What a viewer needs of the server's answer.
struct ViewerAnswer {
    let credentials: ICECredentials
    let fingerprint: DTLS.Fingerprint
    let isPassive: Bool
    let candidates: [ICECandidate]

    init(_ text: String) throws {
        let lines = text.split(whereSeparator: \.isNewline)
        func value(_ name: String) -> Substring? {
            lines.first { $0.hasPrefix("a=\(name):") }?.dropFirst(name.count + 3)
        }
        guard let fragment = value("ice-ufrag"), let password = value("ice-pwd"),
            let fingerprint = value("fingerprint").flatMap({ DTLS.Fingerprint(sdp: $0) })
        else { throw BenchError("the answer lacks a transport") }
        credentials = try ICECredentials(fragment: String(fragment), password: String(password))
        self.fingerprint = fingerprint
        isPassive = value("setup") == "passive"
        candidates = lines.filter { $0.hasPrefix("a=candidate:") }
            .compactMap { try? ICECandidate(parsing: $0.dropFirst(2)) }
            .filter { $0.transport == .udp }
        guard !candidates.isEmpty else { throw BenchError("the answer has no UDP candidate") }
    }
}
