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
