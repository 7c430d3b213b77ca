import DTLS
import ICE
import RTP

/// An encoder's offer to send one sound and one H.264 picture, with the feedback that browsers ask for.
struct PublisherOffer {
    static let audioPayloadType: UInt8 = 111
    static let videoPayloadType: UInt8 = 102
    static let retransmissionPayloadType: UInt8 = 103

    let text: String

    static var extensions: HeaderExtensionMap {
        var map = HeaderExtensionMap()
        map[.mid] = 4
        map[.transportSequence] = 3
        return map
    }

    init(_ credentials: ICECredentials, _ fingerprint: DTLS.Fingerprint) {
        let transport = """
            c=IN IP4 0.0.0.0
            a=ice-ufrag:\(credentials.fragment)
            a=ice-pwd:\(credentials.password)
            a=ice-options:trickle
            a=fingerprint:\(fingerprint.sdp)
            a=setup:actpass
            a=sendonly
            a=rtcp-mux
            a=rtcp-rsize
            a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
            a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
            """
        let lines = """
            v=0
            o=- 4611686018427387905 2 IN IP4 127.0.0.1
            s=-
            t=0 0
            a=group:BUNDLE 0 1
            m=audio 9 UDP/TLS/RTP/SAVPF \(Self.audioPayloadType)
            \(transport)
            a=mid:0
            a=rtpmap:\(Self.audioPayloadType) opus/48000/2
            a=rtcp-fb:\(Self.audioPayloadType) transport-cc
            m=video 9 UDP/TLS/RTP/SAVPF \(Self.videoPayloadType) \(Self.retransmissionPayloadType)
            \(transport)
            a=mid:1
            a=rtpmap:\(Self.videoPayloadType) H264/90000
            a=rtcp-fb:\(Self.videoPayloadType) transport-cc
            a=rtcp-fb:\(Self.videoPayloadType) nack
            a=rtcp-fb:\(Self.videoPayloadType) nack pli
            a=fmtp:\(Self.videoPayloadType) level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f
            a=rtpmap:\(Self.retransmissionPayloadType) rtx/90000
            a=fmtp:\(Self.retransmissionPayloadType) apt=\(Self.videoPayloadType)

            """
        text = lines.split(separator: "\n").joined(separator: "\r\n") + "\r\n"
    }
}
