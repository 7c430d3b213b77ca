extension SDPFixture {
    /// Chromium 156 with three simulcast layers and a data channel; the rarer codecs are cut out.
    package static let chromePublisher = """
        v=0
        o=- 1248588000819234673 2 IN IP4 127.0.0.1
        s=-
        t=0 0
        a=group:BUNDLE 0 1 2
        a=extmap-allow-mixed
        a=msid-semantic: WMS 16ae2a17-786c-403c-a4cb-1dfe92427fc7
        m=audio 9 UDP/TLS/RTP/SAVPF 111 63
        c=IN IP4 0.0.0.0
        a=rtcp:9 IN IP4 0.0.0.0
        a=ice-ufrag:SNT9
        a=ice-pwd:8ywyNEIn5p3Cmogd/A6DHqxH
        a=ice-options:trickle
        a=fingerprint:sha-256 F2:12:D0:F6:35:50:BF:4B:B2:81:03:33:C4:F8:38:AE:8D:38:8B:AD:91:63:30:DA:0F:18:D9:88:B9:F\
        0:1A:B1
        a=setup:actpass
        a=mid:0
        a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
        a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
        a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
        a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
        a=sendonly
        a=msid:16ae2a17-786c-403c-a4cb-1dfe92427fc7 476ee248-fec6-4017-b071-375187d7b5cd
        a=rtcp-mux
        a=rtcp-rsize
        a=rtcp-xr:rcvr-rtt=all
        a=rtpmap:111 opus/48000/2
        a=rtcp-fb:111 transport-cc
        a=fmtp:111 minptime=10;useinbandfec=1
        a=rtpmap:63 red/48000/2
        a=fmtp:63 111/111
        a=ssrc:3845139612 cname:Br40VzrH3fCsl6Tr
        a=ssrc:3845139612 msid:16ae2a17-786c-403c-a4cb-1dfe92427fc7 476ee248-fec6-4017-b071-375187d7b5cd
        m=video 9 UDP/TLS/RTP/SAVPF 96 97 102 103 108 109 45 46
        c=IN IP4 0.0.0.0
        a=rtcp:9 IN IP4 0.0.0.0
        a=ice-ufrag:SNT9
        a=ice-pwd:8ywyNEIn5p3Cmogd/A6DHqxH
        a=ice-options:trickle
        a=fingerprint:sha-256 F2:12:D0:F6:35:50:BF:4B:B2:81:03:33:C4:F8:38:AE:8D:38:8B:AD:91:63:30:DA:0F:18:D9:88:B9:F\
        0:1A:B1
        a=setup:actpass
        a=mid:1
        a=extmap:14 urn:ietf:params:rtp-hdrext:toffset
        a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
        a=extmap:13 urn:3gpp:video-orientation
        a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
        a=extmap:5 http://www.webrtc.org/experiments/rtp-hdrext/playout-delay
        a=extmap:6 http://www.webrtc.org/experiments/rtp-hdrext/video-content-type
        a=extmap:7 http://www.webrtc.org/experiments/rtp-hdrext/video-timing
        a=extmap:8 http://www.webrtc.org/experiments/rtp-hdrext/color-space
        a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
        a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id
        a=extmap:11 urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id
        a=extmap:12 https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension
        a=extmap:9 http://www.webrtc.org/experiments/rtp-hdrext/video-layers-allocation00
        a=sendonly
        a=msid:16ae2a17-786c-403c-a4cb-1dfe92427fc7 0035929a-c6b3-4600-b649-05aea8ec4fdf
        a=rtcp-mux
        a=rtcp-rsize
        a=rtcp-xr:rcvr-rtt=all
        a=rtpmap:96 VP8/90000
        a=rtcp-fb:96 goog-remb
        a=rtcp-fb:96 transport-cc
        a=rtcp-fb:96 ccm fir
        a=rtcp-fb:96 nack
        a=rtcp-fb:96 nack pli
        a=rtpmap:97 rtx/90000
        a=fmtp:97 apt=96
        a=rtpmap:102 H264/90000
        a=rtcp-fb:102 goog-remb
        a=rtcp-fb:102 transport-cc
        a=rtcp-fb:102 ccm fir
        a=rtcp-fb:102 nack
        a=rtcp-fb:102 nack pli
        a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f
        a=rtpmap:103 rtx/90000
        a=fmtp:103 apt=102
        a=rtpmap:108 H264/90000
        a=rtcp-fb:108 goog-remb
        a=rtcp-fb:108 transport-cc
        a=rtcp-fb:108 ccm fir
        a=rtcp-fb:108 nack
        a=rtcp-fb:108 nack pli
        a=fmtp:108 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f
        a=rtpmap:109 rtx/90000
        a=fmtp:109 apt=108
        a=rtpmap:45 AV1/90000
        a=rtcp-fb:45 goog-remb
        a=rtcp-fb:45 transport-cc
        a=rtcp-fb:45 ccm fir
        a=rtcp-fb:45 nack
        a=rtcp-fb:45 nack pli
        a=fmtp:45 level-idx=5;profile=0;tier=0
        a=rtpmap:46 rtx/90000
        a=fmtp:46 apt=45
        a=rid:q send
        a=rid:h send
        a=rid:f send
        a=simulcast:send q;h;f
        m=application 9 UDP/DTLS/SCTP webrtc-datachannel
        c=IN IP4 0.0.0.0
        a=ice-ufrag:SNT9
        a=ice-pwd:8ywyNEIn5p3Cmogd/A6DHqxH
        a=ice-options:trickle
        a=fingerprint:sha-256 F2:12:D0:F6:35:50:BF:4B:B2:81:03:33:C4:F8:38:AE:8D:38:8B:AD:91:63:30:DA:0F:18:D9:88:B9:F\
        0:1A:B1
        a=setup:actpass
        a=mid:2
        a=sctp-port:5000
        a=max-message-size:262144
        """

    /// OBS 32 (libdatachannel): transport at session level, commas in ice-options, rids 0, 1 and 2.
    package static let obsPublisher = """
        v=0
        o=rtc 3877212184 0 IN IP4 127.0.0.1
        s=-
        t=0 0
        a=group:BUNDLE 0 1
        a=group:LS 0 1
        a=msid-semantic:WMS *
        a=setup:actpass
        a=ice-ufrag:nxcM
        a=ice-pwd:ezjAjgSSLLvbRhUA1zc6Se
        a=ice-options:ice2,trickle
        a=fingerprint:sha-256 0B:30:55:7A:9F:C4:E9:0E:33:58:7D:A2:C7:EC:11:36:5B:80:A5:CA:EF:14:39:5E:83:A8:CD:F2:17:3\
        C:61:86
        m=audio 9 UDP/TLS/RTP/SAVPF 111
        c=IN IP4 0.0.0.0
        a=mid:0
        a=sendonly
        a=ssrc:3388068600 cname:Yuu1KDxQcc3L5CpY
        a=ssrc:3388068600 msid:XmQSKutZo7zYcEQl XmQSKutZo7zYcEQl-audio
        a=msid:XmQSKutZo7zYcEQl XmQSKutZo7zYcEQl-audio
        a=rtcp-mux
        a=rtpmap:111 opus/48000/2
        a=fmtp:111 minptime=10;maxaveragebitrate=96000;stereo=1;sprop-stereo=1;useinbandfec=1
        m=video 9 UDP/TLS/RTP/SAVPF 96
        c=IN IP4 0.0.0.0
        a=mid:1
        a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid
        a=extmap:2 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id
        a=sendonly
        a=ssrc:3388068601 cname:Yuu1KDxQcc3L5CpY
        a=ssrc:3388068601 msid:XmQSKutZo7zYcEQl XmQSKutZo7zYcEQl-video
        a=msid:XmQSKutZo7zYcEQl XmQSKutZo7zYcEQl-video
        a=rid:0 send
        a=rid:1 send
        a=rid:2 send
        a=simulcast:send 0;1;2
        a=rtcp-mux
        a=rtpmap:96 H264/90000
        a=rtcp-fb:96 nack
        a=rtcp-fb:96 nack pli
        a=rtcp-fb:96 goog-remb
        a=fmtp:96 profile-level-id=42e01f;packetization-mode=1;level-asymmetry-allowed=1
        """

    /// The WHIP muxer of FFmpeg: setup passive.
    package static let ffmpegPublisher = """
        v=0
        o=FFmpeg 4489045141692799359 2 IN IP4 127.0.0.1
        s=FFmpegPublishSession
        t=0 0
        a=group:BUNDLE 0 1
        a=extmap-allow-mixed
        a=msid-semantic: WMS
        m=audio 9 UDP/TLS/RTP/SAVPF 111
        c=IN IP4 0.0.0.0
        a=ice-ufrag:4f6c81d2
        a=ice-pwd:5d9a12cc08b7e3f1a64422d09be07f5c
        a=fingerprint:sha-256 0B:30:55:7A:9F:C4:E9:0E:33:58:7D:A2:C7:EC:11:36:5B:80:A5:CA:EF:14:39:5E:83:A8:CD:F2:17:3\
        C:61:86
        a=setup:passive
        a=mid:0
        a=sendonly
        a=msid:FFmpeg audio
        a=rtcp-mux
        a=rtpmap:111 opus/48000/2
        a=ssrc:1776255861 cname:FFmpeg
        a=ssrc:1776255861 msid:FFmpeg audio
        m=video 9 UDP/TLS/RTP/SAVPF 106
        c=IN IP4 0.0.0.0
        a=ice-ufrag:4f6c81d2
        a=ice-pwd:5d9a12cc08b7e3f1a64422d09be07f5c
        a=fingerprint:sha-256 0B:30:55:7A:9F:C4:E9:0E:33:58:7D:A2:C7:EC:11:36:5B:80:A5:CA:EF:14:39:5E:83:A8:CD:F2:17:3\
        C:61:86
        a=setup:passive
        a=mid:1
        a=sendonly
        a=msid:FFmpeg video
        a=rtcp-mux
        a=rtcp-rsize
        a=rtpmap:106 H264/90000
        a=fmtp:106 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f
        a=ssrc:2083541219 cname:FFmpeg
        a=ssrc:2083541219 msid:FFmpeg video
        """

    /// whipclientsink of GStreamer: mids that are words, the second section bundle-only, OPUS in capitals.
    package static let gstreamerPublisher = """
        v=0
        o=- 7145863720943587230 0 IN IP4 0.0.0.0
        s=-
        t=0 0
        a=ice-options:trickle
        a=group:BUNDLE video0 audio1
        m=video 9 UDP/TLS/RTP/SAVPF 96 97 98
        c=IN IP4 0.0.0.0
        a=setup:actpass
        a=ice-ufrag:1VYMhFNkdsKXmiN8Y2PiNDkYbmaJDuGM
        a=ice-pwd:Qc2s3jqHxBjM8gB7DCoxrhbNMuSNkUhy
        a=rtcp-mux
        a=rtcp-rsize
        a=sendonly
        a=rtpmap:96 VP8/90000
        a=rtcp-fb:96 nack
        a=rtcp-fb:96 nack pli
        a=rtcp-fb:96 ccm fir
        a=rtcp-fb:96 transport-cc
        a=framerate:30
        a=rtpmap:97 H264/90000
        a=rtcp-fb:97 nack
        a=rtcp-fb:97 nack pli
        a=rtcp-fb:97 ccm fir
        a=rtcp-fb:97 transport-cc
        a=fmtp:97 packetization-mode=1;profile-level-id=42c01f;level-asymmetry-allowed=1
        a=rtpmap:98 rtx/90000
        a=fmtp:98 apt=97
        a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid
        a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
        a=ssrc:1320453251 msid:user3606273193@host-6f8f6e4b webrtctransceiver0
        a=ssrc:1320453251 cname:user3606273193@host-6f8f6e4b
        a=mid:video0
        a=fingerprint:sha-256 0B:30:55:7A:9F:C4:E9:0E:33:58:7D:A2:C7:EC:11:36:5B:80:A5:CA:EF:14:39:5E:83:A8:CD:F2:17:3\
        C:61:86
        m=audio 0 UDP/TLS/RTP/SAVPF 99
        c=IN IP4 0.0.0.0
        a=setup:actpass
        a=ice-ufrag:1VYMhFNkdsKXmiN8Y2PiNDkYbmaJDuGM
        a=ice-pwd:Qc2s3jqHxBjM8gB7DCoxrhbNMuSNkUhy
        a=bundle-only
        a=rtcp-mux
        a=rtcp-rsize
        a=sendonly
        a=rtpmap:99 OPUS/48000/2
        a=rtcp-fb:99 nack
        a=rtcp-fb:99 nack pli
        a=rtcp-fb:99 transport-cc
        a=fmtp:99 sprop-maxcapturerate=48000;sprop-stereo=0
        a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid
        a=ssrc:2466349847 msid:user3606273193@host-6f8f6e4b webrtctransceiver1
        a=ssrc:2466349847 cname:user3606273193@host-6f8f6e4b
        a=mid:audio1
        a=fingerprint:sha-256 0B:30:55:7A:9F:C4:E9:0E:33:58:7D:A2:C7:EC:11:36:5B:80:A5:CA:EF:14:39:5E:83:A8:CD:F2:17:3\
        C:61:86
        """

    /// A LiveKit server (pion) to a publisher: blanks at line ends, ICE-TCP candidates, simulcast received.
    package static let livekitAnswer = """
        v=0
        o=- 5851704821468498358 1754304708 IN IP4 0.0.0.0
        s=-
        t=0 0
        a=msid-semantic:WMS*
        a=fingerprint:sha-256 0B:30:55:7A:9F:C4:E9:0E:33:58:7D:A2:C7:EC:11:36:5B:80:A5:CA:EF:14:39:5E:83:A8:CD:F2:17:3\
        C:61:86
        a=extmap-allow-mixed
        a=group:BUNDLE 0 1
        a=ice-lite
        m=audio 9 UDP/TLS/RTP/SAVPF 111
        c=IN IP4 0.0.0.0
        a=setup:active
        a=mid:0
        a=ice-ufrag:QkyBopRWKSkGtmVn
        a=ice-pwd:wiVCIrmssQNJnwUsCuqDqzfHJPfxDvHF
        a=rtcp-mux
        a=rtcp-rsize
        a=rtpmap:111 opus/48000/2
        a=fmtp:111 minptime=10;useinbandfec=1
        a=rtcp-fb:111 nack\u{20}
        a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
        a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
        a=recvonly
        a=candidate:1372271321 1 udp 2130706431 203.0.113.7 7882 typ host ufrag QkyBopRWKSkGtmVn
        a=candidate:2717482411 1 tcp 1671430143 203.0.113.7 7881 typ host tcptype passive ufrag QkyBopRWKSkGtmVn
        a=end-of-candidates
        m=video 9 UDP/TLS/RTP/SAVPF 108 109
        c=IN IP4 0.0.0.0
        a=setup:active
        a=mid:1
        a=ice-ufrag:QkyBopRWKSkGtmVn
        a=ice-pwd:wiVCIrmssQNJnwUsCuqDqzfHJPfxDvHF
        a=rtcp-mux
        a=rtcp-rsize
        a=rtpmap:108 H264/90000
        a=fmtp:108 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f
        a=rtcp-fb:108 transport-cc\u{20}
        a=rtcp-fb:108 ccm fir
        a=rtcp-fb:108 nack\u{20}
        a=rtcp-fb:108 nack pli
        a=rtpmap:109 rtx/90000
        a=fmtp:109 apt=108
        a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
        a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id
        a=extmap:11 urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id
        a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
        a=rid:q recv
        a=rid:h recv
        a=rid:f recv
        a=simulcast:recv q;h;f
        a=recvonly
        """
}
