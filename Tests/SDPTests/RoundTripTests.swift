import SDP
import TestSupport
import Testing

/// All fixtures by name.
private let fixtures = [
    ("Chrome viewer", SDPFixture.chromeViewer), ("Firefox viewer", SDPFixture.firefoxViewer),
    ("Safari viewer", SDPFixture.safariViewer), ("aiortc viewer", SDPFixture.aiortcViewer),
    ("Chrome publisher", SDPFixture.chromePublisher), ("OBS publisher", SDPFixture.obsPublisher),
    ("FFmpeg publisher", SDPFixture.ffmpegPublisher), ("GStreamer publisher", SDPFixture.gstreamerPublisher),
    ("LiveKit answer", SDPFixture.livekitAnswer),
]

@Suite struct RoundTripTests {
    @Test("a real description survives being written and read again", arguments: fixtures)
    func equal(name: String, text: String) throws {
        let description = try SessionDescription(parsing: text)
        #expect(try SessionDescription(parsing: description.serialized()) == description)
    }

    @Test("writing loses and adds no line", arguments: fixtures)
    func sameLines(name: String, text: String) throws {
        /// Lines whose form is free in blanks, commas and semicolons, brought to one form.
        func canonical(_ line: Substring) -> String {
            String(line.filter { $0 != " " && $0 != "," && $0 != "\r" })
        }
        let written = try SessionDescription(parsing: text).text
        #expect(
            written.split(separator: "\r\n").map(canonical).sorted()
                == text.split(separator: "\n").map(canonical).sorted())
    }

    @Test("every line ends in CR LF and known lines come in the order of RFC 8866")
    func order() throws {
        let written = try SessionDescription(parsing: SDPFixture.chromeViewer).serialized()
        let text = String(decoding: written, as: UTF8.self)
        #expect(
            text.hasPrefix(
                "v=0\r\no=- 6581627727253356743 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n"))
        #expect(text.hasSuffix("\r\n"))
        #expect(written.count { $0 == 10 } == written.count { $0 == 13 })
    }

    @Test("a description cut off anywhere is read or refused, and never more than that", arguments: fixtures)
    func truncations(name: String, text: String) {
        let bytes = Array(text.utf8)
        for length in stride(from: 0, to: bytes.count, by: bytes.count / 60 + 1) {
            guard let part = try? SessionDescription(parsing: Array(bytes[..<length])) else { continue }
            #expect((try? SessionDescription(parsing: part.serialized())) == part)
        }
    }

    @Test("bytes flipped at random give a description that survives a round trip, or an error", arguments: fixtures)
    func mutations(name: String, text: String) {
        var generator = SeededGenerator(seed: 7)
        var survivors = 0
        for _ in 0..<40 {
            var bytes = Array(text.utf8)
            for _ in 0..<3 {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 9...126, using: &generator)
            }
            guard let description = try? SessionDescription(parsing: bytes) else { continue }
            survivors += 1
            #expect((try? SessionDescription(parsing: description.serialized())) == description)
        }
        #expect(survivors > 0)
    }

    @Test("what the fixtures say is found where it belongs")
    func contents() throws {
        let chrome = try SessionDescription(parsing: SDPFixture.chromePublisher)
        #expect(chrome.media.map(\.kind) == [.audio, .video, .application])
        #expect(chrome.media[1].simulcast?.send.map { $0.map(\.rid) } == [["q"], ["h"], ["f"]])
        #expect(chrome.media[2].formats == ["webrtc-datachannel"])
        let obs = try SessionDescription(parsing: SDPFixture.obsPublisher)
        #expect(obs.transport(of: obs.media[1]).iceUfrag == "nxcM")
        #expect(obs.transport.iceOptions == ["ice2", "trickle"])
        let aiortc = try SessionDescription(parsing: SDPFixture.aiortcViewer)
        #expect(aiortc.media[0].transport.fingerprints.map(\.algorithm) == ["sha-256", "sha-384", "sha-512"])
        #expect(aiortc.media[1].candidates.count == 2)
        let firefox = try SessionDescription(parsing: SDPFixture.firefoxViewer)
        #expect(firefox.direction(of: firefox.media[1]) == .recvonly)
        #expect(!firefox.media[1].isRejected)
        #expect(firefox.media[0].extensions[1].direction == .recvonly)
        let livekit = try SessionDescription(parsing: SDPFixture.livekitAnswer)
        #expect(livekit.isICELite && livekit.media[0].endOfCandidates)
        #expect(livekit.media[1].feedback[0] == RTCPFeedback(payloadType: 108, type: "transport-cc"))
    }
}

@Suite struct TrickleFragmentTests {
    /// The example of RFC 9725 section 4.3.
    private static let example = """
        a=group:BUNDLE 0 1
        m=audio 9 UDP/TLS/RTP/SAVPF 111
        a=mid:0
        a=ice-ufrag:EsAw
        a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1
        a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw network-id 1
        a=candidate:3471623853 1 udp 2122194687 198.51.100.2 61765 typ host generation 0 ufrag EsAw network-id 2
        a=end-of-candidates
        """

    @Test("a fragment gives credentials and candidates with their mid")
    func read() throws {
        let fragment = try TrickleFragment(parsing: Array(Self.example.utf8))
        #expect(fragment.media[0].transport.iceUfrag == "EsAw")
        #expect(fragment.candidates.map(\.mid) == ["0", "0"])
        #expect(fragment.candidates[0].candidate.hasPrefix("candidate:1387637174 1 udp"))
        #expect(fragment.media[0].endOfCandidates)
        #expect(!fragment.endOfCandidates)
        #expect(fragment.groups == [MediaGroup(semantics: "BUNDLE", mids: ["0", "1"])])
    }

    @Test("credentials at session level alone make a restart fragment")
    func sessionLevel() throws {
        let fragment = try TrickleFragment(
            parsing: Array("a=ice-ufrag:abcd\r\na=ice-pwd:x\r\na=end-of-candidates\r\na=x:1".utf8))
        #expect(fragment.transport == TransportAttributes(iceUfrag: "abcd", icePwd: "x"))
        #expect(fragment.endOfCandidates)
        #expect(fragment.otherAttributes == [SDPAttribute(name: "x", value: "1")])
        #expect(try TrickleFragment(parsing: fragment.serialized()) == fragment)
    }

    @Test("a fragment survives being written and read again")
    func roundTrip() throws {
        let fragment = try TrickleFragment(parsing: Array(Self.example.utf8))
        #expect(try TrickleFragment(parsing: fragment.serialized()) == fragment)
        #expect(try TrickleFragment(parsing: []) == TrickleFragment())
    }

    @Test("ice-lite is kept, as an answer to a restart has to say it")
    func lite() throws {
        let fragment = try TrickleFragment(parsing: Array("a=ice-lite\r\na=ice-ufrag:abcd\r\n".utf8))
        #expect(fragment.isICELite)
        #expect(String(decoding: fragment.serialized(), as: UTF8.self).contains("a=ice-lite\r\n"))
        #expect(try TrickleFragment(parsing: fragment.serialized()) == fragment)
    }

    @Test("the lines that begin a description do not stand in a fragment")
    func noHead() {
        #expect(throws: SDPError.misplaced(.version, line: 1)) { try TrickleFragment(parsing: Array("v=0".utf8)) }
        #expect(throws: SDPError.misplaced(.origin, line: 1)) {
            try TrickleFragment(parsing: Array("o=- 1 1 IN IP4 a".utf8))
        }
    }
}
