import Bytes
import RTMP
import TestSupport
import Testing

@Suite struct HandshakeTests {
    private let random = (0..<1528).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ 3) }
    private let c1 = [UInt8](repeating: 0, count: 8) + (0..<1528).map { UInt8(truncatingIfNeeded: $0 &* 5 &+ 1) }
    private let c2 = [UInt8](repeating: 0xAA, count: 1536)

    @Test("the tests' own HMAC agrees with RFC 4231")
    func hmacVector() {
        let mac = SHA256.hmac(Array("Jefe".utf8), Array("what do ya want for nothing?".utf8))
        #expect(mac == hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"))
    }

    @Test("a simple client gets its C1 back as S2 and a C0 of 3 in front")
    func simple() throws {
        let (answer, complete, rest) = try run([3] + c1 + c2 + [1, 2, 3])
        #expect(answer.count == 1 + 2 * 1536)
        #expect(answer[0] == 3)
        #expect(Array(answer[9..<1537]) == random)
        #expect(Array(answer[1537...]) == c1)
        #expect(complete)
        #expect(rest == 3)
    }

    @Test("the handshake reads the same from any two pieces")
    func splitAnywhere() throws {
        let bytes = [3] + c1 + c2
        let whole = try run(bytes).answer
        for cut in stride(from: 0, through: bytes.count, by: 37) {
            var handshake = ServerHandshake(random: random, hmac: SHA256.hmac)
            var answer: [UInt8] = []
            for piece in [Array(bytes[..<cut]), Array(bytes[cut...])] {
                var offset = 0
                answer += try handshake.receive(piece.rawSpan, from: &offset) ?? []
                #expect(offset == piece.count)
            }
            #expect(answer == whole)
            #expect(handshake.isComplete)
        }
    }

    @Test("nothing is answered before C1 is complete and all of it after")
    func waitsForC1() throws {
        var handshake = ServerHandshake(random: random, hmac: nil)
        var offset = 0
        let most = [3] + c1.dropLast()
        let early = try handshake.receive(most.rawSpan, from: &offset)
        #expect(early == nil)
        offset = 0
        let last = Array(c1.suffix(1))
        let answer = try handshake.receive(last.rawSpan, from: &offset)
        #expect(answer?.count == 1 + 2 * 1536)
        #expect(!handshake.isComplete)
    }

    @Test("any version but 3 is refused with its number", arguments: [0, 2, 4, 6, 22, 71, 255])
    func versions(version: UInt8) {
        #expect(throws: RTMPError.unsupportedVersion(version)) { try run([version]) }
    }

    @Test(
        "digest clients of both schemas get digests over S1 and over their own",
        arguments: HandshakeDigest.Schema.allCases)
    func digest(schema: HandshakeDigest.Schema) throws {
        let digest = HandshakeDigest(hmac: SHA256.hmac)
        var signed = c1
        signed.replaceSubrange(4..<8, with: [128, 0, 7, 2])
        digest.sign(&signed, schema: schema, key: HandshakeKeys.player)
        let answer = try run([3] + signed + c2).answer
        let s1 = Array(answer[1..<1537])
        let s2 = Array(answer[1537...])
        #expect(s1[4..<8] != [0, 0, 0, 0])
        let found = try #require(digest.find(in: s1, key: HandshakeKeys.server))
        #expect(found.schema == schema)
        let theirs = try #require(digest.find(in: signed, key: HandshakeKeys.player))
        let key = SHA256.hmac(HandshakeKeys.server + HandshakeKeys.tail, theirs.digest)
        #expect(Array(s2[1504...]) == SHA256.hmac(key, Array(s2[..<1504])))
    }

    @Test("a version field without a digest falls back to the echo")
    func versionWithoutDigest() throws {
        var odd = c1
        odd.replaceSubrange(4..<8, with: [9, 0, 124, 2])
        #expect(try Array(run([3] + odd + c2).answer[1537...]) == odd)
    }

    @Test("a digest client gets the echo when no HMAC is at hand")
    func noHMAC() throws {
        var signed = c1
        signed[4] = 9
        HandshakeDigest(hmac: SHA256.hmac).sign(&signed, schema: .digestInFirstHalf, key: HandshakeKeys.player)
        #expect(try Array(run([3] + signed + c2, hmac: nil).answer[1537...]) == signed)
    }

    @Test("digest positions stay inside the packet for the largest selector")
    func digestOffsets() {
        for schema in HandshakeDigest.Schema.allCases {
            for value: UInt8 in [0, 1, 127, 181, 182, 255] {
                let packet = [UInt8](repeating: value, count: 1536)
                let offset = HandshakeDigest.offset(in: packet, schema: schema)
                #expect(offset >= schema.rawValue + 4)
                #expect(offset + 32 <= schema.rawValue + 764)
            }
        }
    }

    @Test("client and server handshakes complete each other")
    func clientAndServer() throws {
        var client = ClientHandshake(random: random)
        var server = ServerHandshake(random: random.reversed(), hmac: nil)
        var offset = 0
        let opening = client.opening
        let answer = try #require(try server.receive(opening.rawSpan, from: &offset))
        offset = 0
        let second = try #require(try client.receive(answer.rawSpan, from: &offset))
        #expect(second == Array(answer[1...1536]))
        offset = 0
        _ = try server.receive(second.rawSpan, from: &offset)
        #expect(server.isComplete)
    }

    @Test("the client refuses a server of another version")
    func clientVersion() {
        var client = ClientHandshake(random: random)
        #expect(throws: RTMPError.unsupportedVersion(6)) {
            var offset = 0
            let bytes: [UInt8] = [6, 0]
            _ = try client.receive(bytes.rawSpan, from: &offset)
        }
    }

    private func run(
        _ bytes: [UInt8], hmac: HMACSHA256? = SHA256.hmac
    ) throws -> (answer: [UInt8], complete: Bool, rest: Int) {
        var handshake = ServerHandshake(random: random, hmac: hmac)
        var offset = 0
        let answer = try handshake.receive(bytes.rawSpan, from: &offset) ?? []
        return (answer, handshake.isComplete, bytes.count - offset)
    }
}
