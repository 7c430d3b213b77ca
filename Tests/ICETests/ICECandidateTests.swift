import Bytes
import ICE
import TestSupport
import Testing

@Suite struct ICECandidateTests {
    @Test(
        "candidates survive parsing and writing",
        arguments: [
            "candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host",
            "candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx raddr 10.0.0.1 rport 46154",
            "candidate:a+/ 1 udp 1 2001:db8::1 9 typ relay raddr 2001:db8::2 rport 1 ufrag EsAw",
            "candidate:2 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active",
            "candidate:2 256 tcp 4294967295 192.0.2.1 443 typ prflx tcptype passive",
            "candidate:4 1 udp 2122260223 1f2b4c5d-0001-4bde-9a00-0123456789ab.local 61764 typ host",
        ])
    func roundTrip(text: String) throws {
        #expect(try ICECandidate(parsing: text).description == text)
        #expect(try ICECandidate(parsing: "a=" + text).description == text)
    }

    @Test("a browser's candidate is read whole, and extensions without meaning here are passed over")
    func browser() throws {
        let candidate = try ICECandidate(
            parsing: "candidate:3885250869 1 UDP 2122260223 172.17.0.1 41874 typ srflx raddr 0.0.0.0 rport 0"
                + " generation 0 ufrag /hOr network-id 1 network-cost 50")
        #expect(candidate.foundation == "3885250869")
        #expect(candidate.component == 1)
        #expect(candidate.transport == .udp)
        #expect(candidate.priority == 2_122_260_223)
        #expect(candidate.address == address("172.17.0.1", 41_874))
        #expect(candidate.kind == .serverReflexive)
        #expect(candidate.related == address("0.0.0.0", 0))
        #expect(candidate.fragment == "/hOr")
    }

    @Test("a host name stays unresolved")
    func name() throws {
        let candidate = try ICECandidate(parsing: "candidate:4 1 udp 1 x-1.local 7 typ host")
        #expect(candidate.endpoint == .name("x-1.local", port: 7))
        #expect(candidate.address == nil)
    }

    @Test(
        "text of another form is refused",
        arguments: [
            "", "candidate", "candidate:", "candidate:1 1 udp 1 192.0.2.1 1 typ", "1 1 udp 1 192.0.2.1 1 typ host",
            "candidate: 1 udp 1 192.0.2.1 1 typ host", "candidates:1 1 udp 1 192.0.2.1 1 typ host",
            "candidate:1 0 udp 1 192.0.2.1 1 typ host", "candidate:1 257 udp 1 192.0.2.1 1 typ host",
            "candidate:1 1 udp 4294967296 192.0.2.1 1 typ host", "candidate:1 1 udp -1 192.0.2.1 1 typ host",
            "candidate:1 1 udp +1 192.0.2.1 1 typ host", "candidate:1 1 udp 00000000001 192.0.2.1 1 typ host",
            "candidate:1 1 udp 1 192.0.2.1 65536 typ host", "candidate:1 1 udp 1 192.0.2.1 x typ host",
            "candidate:1 1 udp 1 192.0.2.1 1 type host", "candidate:1 1 udp 1 a!b 1 typ host",
            "candidate:1 1 udp 1 fe80::1%eth0 1 typ host", "candidate:1 1 udp 1 192.0.2.1 1 typ host generation",
            "candidate:1 1 tcp 1 192.0.2.1 1 typ host", "candidate:1 1 udp 1 192.0.2.1 1 typ host tcptype active",
            "candidate:1 1 udp 1 192.0.2.1 1 typ host raddr 1.2.3.4 rport 65536",
            "candidate:1 1 udp 1 192.0.2.1 1 typ host ufrag abc",
        ])
    func malformed(text: String) {
        #expect(throws: ICEError.malformedCandidate) { try ICECandidate(parsing: text) }
    }

    @Test(
        "transports and types that are not spoken here are named as such",
        arguments: [
            "candidate:1 1 ssltcp 1 192.0.2.1 1 typ host", "candidate:1 1 udp 1 192.0.2.1 1 typ magic",
            "candidate:1 1 tcp 1 192.0.2.1 1 typ host tcptype sideways",
        ])
    func unsupported(text: String) {
        #expect(throws: ICEError.unsupportedCandidate) { try ICECandidate(parsing: text) }
    }

    @Test("foundations of 32 characters pass, of 33 do not")
    func foundationLength() throws {
        func text(_ count: Int) -> String {
            "candidate:\(String(repeating: "f", count: count)) 1 udp 1 192.0.2.1 1 typ host"
        }
        #expect(try ICECandidate(parsing: text(32)).foundation.count == 32)
        #expect(throws: ICEError.malformedCandidate) { try ICECandidate(parsing: text(33)) }
    }

    @Test("the longest text passes and one byte more does not")
    func length() throws {
        let base = "candidate:1 1 udp 1 192.0.2.1 1 typ host x "
        let longest = base + String(repeating: "y", count: ICELimits.candidateBytes - base.utf8.count)
        #expect(try ICECandidate(parsing: longest).foundation == "1")
        #expect(throws: ICEError.tooLarge) { try ICECandidate(parsing: longest + "y") }
    }

    @Test("no truncation of a candidate crashes, and what parses again is the same")
    func truncations() throws {
        let text = "candidate:2 1 tcp 1518280447 192.0.2.1 9 typ srflx raddr 10.0.0.1 rport 5 tcptype active ufrag abcd"
        for count in 0..<text.utf8.count {
            guard let candidate = try? ICECandidate(parsing: text.prefix(count)) else { continue }
            #expect(try ICECandidate(parsing: candidate.description) == candidate)
        }
    }

    @Test("priorities are those of RFC 8445 section 5.1.2.1")
    func priorities() {
        #expect(ICECandidate.priority(.host, localPreference: 65_535) == 2_130_706_431)
        #expect(ICECandidate.priority(.peerReflexive, localPreference: 65_535) == 1_862_270_975)
        #expect(ICECandidate.priority(.serverReflexive, localPreference: 0, component: 2) == 100 << 24 | 254)
        #expect(ICECandidate.priority(.relayed, localPreference: 1, component: 256) == 256)
    }

    @Test("UDP comes before TCP of the same kind, and active before passive")
    func transportOrder() {
        let here = address("192.0.2.1", 9)
        let udp = ICECandidate.host(here)
        let active = ICECandidate.host(here, transport: .tcp, tcpType: .active)
        let passive = ICECandidate.host(here, transport: .tcp, tcpType: .passive)
        #expect(udp.priority > active.priority)
        #expect(active.priority > passive.priority)
    }

    @Test("foundations differ by kind, base address, transport and server, not by port")
    func foundations() {
        let base = address("192.0.2.1", 1)
        let one = ICECandidate.foundation(.host, base: base, transport: .udp, server: nil)
        #expect(one == ICECandidate.foundation(.host, base: address("192.0.2.1", 2), transport: .udp, server: nil))
        let others = [
            ICECandidate.foundation(.serverReflexive, base: base, transport: .udp, server: nil),
            ICECandidate.foundation(.host, base: address("192.0.2.2", 1), transport: .udp, server: nil),
            ICECandidate.foundation(.host, base: base, transport: .tcp, server: nil),
            ICECandidate.foundation(.host, base: base, transport: .udp, server: address("192.0.2.9", 3478)),
        ]
        #expect(Set(others + [one]).count == 5)
    }
}

@Suite struct ICECredentialsTests {
    @Test("our own credentials are made of the random bytes and have lawful form")
    func random() throws {
        let one = ICECredentials(random: [UInt8](0..<24))
        let other = ICECredentials(random: [UInt8](1..<25))
        #expect(one.fragment.utf8.count == 8)
        #expect(one.password.utf8.count == 24)
        #expect(one != other)
        #expect(try ICECredentials(fragment: one.fragment, password: one.password) == one)
    }

    @Test("lengths at and beyond both ends")
    func lengths() {
        let password = String(repeating: "p", count: 22)
        for (count, isGood) in [(3, false), (4, true), (256, true), (257, false)] {
            let fragment = String(repeating: "f", count: count)
            let made = try? ICECredentials(fragment: fragment, password: password)
            #expect((made != nil) == isGood)
        }
        for (count, isGood) in [(21, false), (22, true), (256, true), (257, false)] {
            let password = String(repeating: "p", count: count)
            let made = try? ICECredentials(fragment: "abcd", password: password)
            #expect((made != nil) == isGood)
        }
    }

    @Test("characters that are no ice-char are refused", arguments: ["ab:d", "ab d", "ab-d", "abé", "ab\u{0}d"])
    func characters(fragment: String) {
        #expect(throws: ICEError.malformedCredentials) {
            try ICECredentials(fragment: fragment, password: String(repeating: "p", count: 22))
        }
    }
}
