extension SDPFixture {
    /// Firefox, recvonly: directions at session level and in extmaps, video bundle-only at port 0.
    package static let firefoxViewer = """
        v=0
        o=mozilla...THIS_IS_SDPARTA-99.0 4991156590662245017 0 IN IP4 0.0.0.0
        s=-
        t=0 0
        a=sendrecv
        a=fingerprint:sha-256 0B:30:55:7A:9F:C4:E9:0E:33:58:7D:A2:C7:EC:11:36:5B:80:A5:CA:EF:14:39:5E:83:A8:CD:F2:17:3\
        C:61:86
        a=group:BUNDLE 0 1
        a=ice-options:trickle
        a=msid-semantic:WMS *
        m=audio 9 UDP/TLS/RTP/SAVPF 109 9 0 8 101
        c=IN IP4 0.0.0.0
        a=recvonly
        a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
        a=extmap:2/recvonly urn:ietf:params:rtp-hdrext:csrc-audio-level
        a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid
        a=fmtp:109 maxplaybackrate=48000;stereo=1;useinbandfec=1
        a=fmtp:101 0-15
        a=ice-pwd:e0e1a833f36d9e0fe0012984ec6dd249
        a=ice-ufrag:9d8a2bf7
        a=mid:0
        a=rtcp-mux
        a=rtpmap:109 opus/48000/2
        a=rtpmap:9 G722/8000/1
        a=rtpmap:0 PCMU/8000
        a=rtpmap:8 PCMA/8000
        a=rtpmap:101 telephone-event/8000/1
        a=setup:actpass
        a=ssrc:3363243281 cname:{69b4b75e-68fa-4e3c-9ff8-5a1c7a2b9a01}
        m=video 0 UDP/TLS/RTP/SAVPF 120 124 121 125 126 127 97 98
        c=IN IP4 0.0.0.0
        a=bundle-only
        a=recvonly
        a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid
        a=extmap:4 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
        a=extmap:5 urn:ietf:params:rtp-hdrext:toffset
        a=extmap:6/recvonly http://www.webrtc.org/experiments/rtp-hdrext/playout-delay
        a=extmap:7 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
        a=fmtp:126 profile-level-id=42e01f;level-asymmetry-allowed=1;packetization-mode=1
        a=fmtp:97 profile-level-id=42e01f;level-asymmetry-allowed=1
        a=fmtp:120 max-fs=12288;max-fr=60
        a=fmtp:124 apt=120
        a=fmtp:121 max-fs=12288;max-fr=60
        a=fmtp:125 apt=121
        a=fmtp:127 apt=126
        a=fmtp:98 apt=97
        a=ice-pwd:e0e1a833f36d9e0fe0012984ec6dd249
        a=ice-ufrag:9d8a2bf7
        a=mid:1
        a=rtcp-fb:120 nack
        a=rtcp-fb:120 nack pli
        a=rtcp-fb:120 ccm fir
        a=rtcp-fb:120 goog-remb
        a=rtcp-fb:120 transport-cc
        a=rtcp-fb:121 nack
        a=rtcp-fb:121 nack pli
        a=rtcp-fb:121 ccm fir
        a=rtcp-fb:121 goog-remb
        a=rtcp-fb:121 transport-cc
        a=rtcp-fb:126 nack
        a=rtcp-fb:126 nack pli
        a=rtcp-fb:126 ccm fir
        a=rtcp-fb:126 goog-remb
        a=rtcp-fb:126 transport-cc
        a=rtcp-fb:97 nack
        a=rtcp-fb:97 nack pli
        a=rtcp-fb:97 ccm fir
        a=rtcp-fb:97 goog-remb
        a=rtcp-fb:97 transport-cc
        a=rtcp-mux
        a=rtcp-rsize
        a=rtpmap:120 VP8/90000
        a=rtpmap:124 rtx/90000
        a=rtpmap:121 VP9/90000
        a=rtpmap:125 rtx/90000
        a=rtpmap:126 H264/90000
        a=rtpmap:127 rtx/90000
        a=rtpmap:97 H264/90000
        a=rtpmap:98 rtx/90000
        a=setup:actpass
        a=ssrc:2936345519 cname:{69b4b75e-68fa-4e3c-9ff8-5a1c7a2b9a01}
        """

    /// Safari, recvonly: constrained high profile before constrained baseline.
    package static let safariViewer = """
        v=0
        o=- 985372420936776446 2 IN IP4 127.0.0.1
        s=-
        t=0 0
        a=group:BUNDLE 0 1
        a=extmap-allow-mixed
        a=msid-semantic: WMS
        m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126
        c=IN IP4 0.0.0.0
        a=rtcp:9 IN IP4 0.0.0.0
        a=ice-ufrag:P3pY
        a=ice-pwd:svCwcEunmp3xe5js1YGHMWI8
        a=ice-options:trickle
        a=fingerprint:sha-256 0B:30:55:7A:9F:C4:E9:0E:33:58:7D:A2:C7:EC:11:36:5B:80:A5:CA:EF:14:39:5E:83:A8:CD:F2:17:3\
        C:61:86
        a=setup:actpass
        a=mid:0
        a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
        a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
        a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
        a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
        a=recvonly
        a=rtcp-mux
        a=rtcp-rsize
        a=rtpmap:111 opus/48000/2
        a=rtcp-fb:111 transport-cc
        a=fmtp:111 minptime=10;useinbandfec=1
        a=rtpmap:63 red/48000/2
        a=fmtp:63 111/111
        a=rtpmap:9 G722/8000
        a=rtpmap:0 PCMU/8000
        a=rtpmap:8 PCMA/8000
        a=rtpmap:13 CN/8000
        a=rtpmap:110 telephone-event/48000
        a=rtpmap:126 telephone-event/8000
        m=video 9 UDP/TLS/RTP/SAVPF 96 97 98 99 100 101 104 105
        c=IN IP4 0.0.0.0
        a=rtcp:9 IN IP4 0.0.0.0
        a=ice-ufrag:P3pY
        a=ice-pwd:svCwcEunmp3xe5js1YGHMWI8
        a=ice-options:trickle
        a=fingerprint:sha-256 0B:30:55:7A:9F:C4:E9:0E:33:58:7D:A2:C7:EC:11:36:5B:80:A5:CA:EF:14:39:5E:83:A8:CD:F2:17:3\
        C:61:86
        a=setup:actpass
        a=mid:1
        a=extmap:14 urn:ietf:params:rtp-hdrext:toffset
        a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
        a=extmap:13 urn:3gpp:video-orientation
        a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
        a=extmap:12 http://www.webrtc.org/experiments/rtp-hdrext/playout-delay
        a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
        a=extmap:5 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id
        a=extmap:6 urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id
        a=recvonly
        a=rtcp-mux
        a=rtcp-rsize
        a=rtpmap:96 H264/90000
        a=rtcp-fb:96 goog-remb
        a=rtcp-fb:96 transport-cc
        a=rtcp-fb:96 ccm fir
        a=rtcp-fb:96 nack
        a=rtcp-fb:96 nack pli
        a=fmtp:96 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=640c1f
        a=rtpmap:97 rtx/90000
        a=fmtp:97 apt=96
        a=rtpmap:98 H264/90000
        a=rtcp-fb:98 goog-remb
        a=rtcp-fb:98 transport-cc
        a=rtcp-fb:98 ccm fir
        a=rtcp-fb:98 nack
        a=rtcp-fb:98 nack pli
        a=fmtp:98 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f
        a=rtpmap:99 rtx/90000
        a=fmtp:99 apt=98
        a=rtpmap:100 VP8/90000
        a=rtcp-fb:100 goog-remb
        a=rtcp-fb:100 transport-cc
        a=rtcp-fb:100 ccm fir
        a=rtcp-fb:100 nack
        a=rtcp-fb:100 nack pli
        a=rtpmap:101 rtx/90000
        a=fmtp:101 apt=100
        a=rtpmap:104 red/90000
        a=rtpmap:105 rtx/90000
        a=fmtp:105 apt=104
        """

    /// aiortc, recvonly with a data channel: three fingerprint hashes, candidates, no transport-cc.
    package static let aiortcViewer = """
        v=0
        o=- 4004346866 4004346866 IN IP4 0.0.0.0
        s=-
        t=0 0
        a=group:BUNDLE 0 1 2
        a=msid-semantic:WMS *
        m=audio 54961 UDP/TLS/RTP/SAVPF 96 9 0 8
        c=IN IP4 192.0.2.2
        a=recvonly
        a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid
        a=extmap:2 urn:ietf:params:rtp-hdrext:ssrc-audio-level
        a=mid:0
        a=msid:e0d86144-1c2b-4321-b235-f7d9f249758d 1751c0ad-1cbd-4e7b-a3df-f1108e01d8b8
        a=rtcp:9 IN IP4 0.0.0.0
        a=rtcp-mux
        a=ssrc:390656464 cname:58b1a339-e97a-4662-a7ff-0a611a2a1c5f
        a=rtpmap:96 opus/48000/2
        a=rtpmap:9 G722/8000
        a=rtpmap:0 PCMU/8000
        a=rtpmap:8 PCMA/8000
        a=candidate:f957a2332b1715da3b0ef8ba684454eb 1 udp 2130706431 192.0.2.2 54961 typ host
        a=candidate:d0bcf3d9c29a2bc887618212a1623bfa 1 udp 2130706431 fd00::2 54382 typ host
        a=end-of-candidates
        a=ice-ufrag:eQuT
        a=ice-pwd:BZSxRTefKLyFx9whN8395V
        a=fingerprint:sha-256 E1:15:06:DD:16:B3:31:96:F5:67:08:61:57:3A:17:3C:04:C9:17:73:D1:2F:29:68:2B:78:7B:74:81:D\
        F:9A:06
        a=fingerprint:sha-384 9D:88:5E:AD:28:CF:6A:F1:16:AF:32:3F:47:E9:F1:AE:E4:AC:DA:9A:66:3A:33:35:AF:9B:18:9B:B3:C\
        8:45:A1:0C:B8:76:2D:22:6C:F8:21:07:C7:DE:D8:E9:EC:C5:AB
        a=fingerprint:sha-512 85:43:1C:97:BB:C1:1F:FA:3E:62:25:D9:1C:63:5C:93:93:DA:BF:99:DD:DA:C4:BE:7E:8C:26:0C:D5:5\
        5:AA:6C:97:C3:31:22:33:3A:CF:9B:8F:FA:B9:79:12:23:AA:17:F1:D1:EF:81:FF:FE:1A:89:8C:97:EB:3E:64:9A:7A:DC
        a=setup:actpass
        m=video 39390 UDP/TLS/RTP/SAVPF 97 98 99 100 101 102
        c=IN IP4 192.0.2.2
        a=recvonly
        a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid
        a=extmap:3 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
        a=mid:1
        a=msid:e0d86144-1c2b-4321-b235-f7d9f249758d ab4f6cb8-3f98-478f-ba41-8f30b543eafa
        a=rtcp:9 IN IP4 0.0.0.0
        a=rtcp-mux
        a=ssrc-group:FID 1749197972 3580449402
        a=ssrc:1749197972 cname:58b1a339-e97a-4662-a7ff-0a611a2a1c5f
        a=ssrc:3580449402 cname:58b1a339-e97a-4662-a7ff-0a611a2a1c5f
        a=rtpmap:97 VP8/90000
        a=rtcp-fb:97 nack
        a=rtcp-fb:97 nack pli
        a=rtcp-fb:97 goog-remb
        a=rtpmap:98 rtx/90000
        a=fmtp:98 apt=97
        a=rtpmap:99 H264/90000
        a=rtcp-fb:99 nack
        a=rtcp-fb:99 nack pli
        a=rtcp-fb:99 goog-remb
        a=fmtp:99 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f
        a=rtpmap:100 rtx/90000
        a=fmtp:100 apt=99
        a=rtpmap:101 H264/90000
        a=rtcp-fb:101 nack
        a=rtcp-fb:101 nack pli
        a=rtcp-fb:101 goog-remb
        a=fmtp:101 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f
        a=rtpmap:102 rtx/90000
        a=fmtp:102 apt=101
        a=candidate:f957a2332b1715da3b0ef8ba684454eb 1 udp 2130706431 192.0.2.2 39390 typ host
        a=candidate:d0bcf3d9c29a2bc887618212a1623bfa 1 udp 2130706431 fd00::2 51641 typ host
        a=end-of-candidates
        a=ice-ufrag:eQuT
        a=ice-pwd:BZSxRTefKLyFx9whN8395V
        a=fingerprint:sha-256 E1:15:06:DD:16:B3:31:96:F5:67:08:61:57:3A:17:3C:04:C9:17:73:D1:2F:29:68:2B:78:7B:74:81:D\
        F:9A:06
        a=fingerprint:sha-384 9D:88:5E:AD:28:CF:6A:F1:16:AF:32:3F:47:E9:F1:AE:E4:AC:DA:9A:66:3A:33:35:AF:9B:18:9B:B3:C\
        8:45:A1:0C:B8:76:2D:22:6C:F8:21:07:C7:DE:D8:E9:EC:C5:AB
        a=fingerprint:sha-512 85:43:1C:97:BB:C1:1F:FA:3E:62:25:D9:1C:63:5C:93:93:DA:BF:99:DD:DA:C4:BE:7E:8C:26:0C:D5:5\
        5:AA:6C:97:C3:31:22:33:3A:CF:9B:8F:FA:B9:79:12:23:AA:17:F1:D1:EF:81:FF:FE:1A:89:8C:97:EB:3E:64:9A:7A:DC
        a=setup:actpass
        m=application 40088 UDP/DTLS/SCTP webrtc-datachannel
        c=IN IP4 192.0.2.2
        a=mid:2
        a=sctp-port:5000
        a=max-message-size:262144
        a=candidate:f957a2332b1715da3b0ef8ba684454eb 1 udp 2130706431 192.0.2.2 40088 typ host
        a=candidate:d0bcf3d9c29a2bc887618212a1623bfa 1 udp 2130706431 fd00::2 54848 typ host
        a=end-of-candidates
        a=ice-ufrag:eQuT
        a=ice-pwd:BZSxRTefKLyFx9whN8395V
        a=fingerprint:sha-256 E1:15:06:DD:16:B3:31:96:F5:67:08:61:57:3A:17:3C:04:C9:17:73:D1:2F:29:68:2B:78:7B:74:81:D\
        F:9A:06
        a=fingerprint:sha-384 9D:88:5E:AD:28:CF:6A:F1:16:AF:32:3F:47:E9:F1:AE:E4:AC:DA:9A:66:3A:33:35:AF:9B:18:9B:B3:C\
        8:45:A1:0C:B8:76:2D:22:6C:F8:21:07:C7:DE:D8:E9:EC:C5:AB
        a=fingerprint:sha-512 85:43:1C:97:BB:C1:1F:FA:3E:62:25:D9:1C:63:5C:93:93:DA:BF:99:DD:DA:C4:BE:7E:8C:26:0C:D5:5\
        5:AA:6C:97:C3:31:22:33:3A:CF:9B:8F:FA:B9:79:12:23:AA:17:F1:D1:EF:81:FF:FE:1A:89:8C:97:EB:3E:64:9A:7A:DC
        a=setup:actpass
        """
}
