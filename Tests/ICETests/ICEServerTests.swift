import ICE
import Testing

@Suite struct ICEServerTests {
    struct Parsed: Sendable {
        var text: String
        var kind: ICEServerURL.Kind
        var host: String
        var port: UInt16
        var transport: ICETransport
    }

    @Test(
        "URLs of STUN and TURN servers are read with their defaults",
        arguments: [
            Parsed(text: "stun:stun.example.org", kind: .stun, host: "stun.example.org", port: 3_478, transport: .udp),
            Parsed(text: "STUN:192.0.2.1:19302", kind: .stun, host: "192.0.2.1", port: 19_302, transport: .udp),
            Parsed(text: "turn:t.example.org", kind: .turn, host: "t.example.org", port: 3_478, transport: .udp),
            Parsed(text: "turn:t:1?transport=tcp", kind: .turn, host: "t", port: 1, transport: .tcp),
            Parsed(text: "turn:t:65535?transport=UDP", kind: .turn, host: "t", port: 65_535, transport: .udp),
            Parsed(text: "turns:t", kind: .turns, host: "t", port: 5_349, transport: .tcp),
            Parsed(text: "turns:t:443?transport=tcp", kind: .turns, host: "t", port: 443, transport: .tcp),
            Parsed(
                text: "turn:[2001:db8::1]:5?transport=udp", kind: .turn, host: "2001:db8::1", port: 5, transport: .udp),
            Parsed(text: "stun:[2001:db8::1]", kind: .stun, host: "2001:db8::1", port: 3_478, transport: .udp),
        ])
    func parses(expected: Parsed) throws {
        let url = try ICEServerURL(parsing: expected.text)
        #expect(url.kind == expected.kind)
        #expect(url.host == expected.host)
        #expect(url.port == expected.port)
        #expect(url.transport == expected.transport)
    }

    @Test(
        "anything else is no server",
        arguments: [
            "", "stun", "stun:", "stun::1", "http:host", "turn:host:", "turn:host:0", "turn:host:65536", "turn:host:+1",
            "turn:host:1x", "turn:host:1:2", "turn:[::1", "turn:[::1]x", "turn:[]:1", "turn:host?transport",
            "turn:host?x=1",
            "stun:host?transport=udp", "turn://host", "turn:user@host", "turn:ho st", "turn:hé",
        ])
    func malformed(text: String) {
        #expect(throws: ICEError.malformedServerURL) { try ICEServerURL(parsing: text) }
    }

    @Test(
        "what we do not speak is told apart",
        arguments: ["stuns:host", "turn:host?transport=sctp", "turns:host?transport=udp", "turn:host?transport="])
    func unsupported(text: String) {
        #expect(throws: ICEError.unsupportedServerURL) { try ICEServerURL(parsing: text) }
    }

    @Test("URLs and host names have a greatest length")
    func limits() throws {
        let name = String(repeating: "a", count: ICELimits.nameBytes)
        #expect(try ICEServerURL(parsing: "turn:\(name):1").host == name)
        #expect(throws: ICEError.malformedServerURL) { try ICEServerURL(parsing: "turn:\(name)a:1") }
        let long = "turn:" + String(repeating: "a", count: ICELimits.serverURLBytes)
        #expect(throws: ICEError.tooLarge) { try ICEServerURL(parsing: long) }
    }

    @Test("of a list, URLs that cannot be used are left out")
    func list() {
        let server = ICEServer(
            urls: ["turn:a?transport=udp", "nonsense", "stuns:b", "turns:c:443"], username: "u", password: "p")
        #expect(server.urls.map(\.host) == ["a", "c"])
    }
}
