import Bytes

/// The server's half of the handshake (RTMP 1.0 section 5.2): C0 C1 in, S0 S1 S2 out, C2 in.
///
/// A C1 with a valid digest is answered with digests; anything else gets the simple echo, whatever its version field says,
/// because encoders fill it in freely. C2 is read and not compared: real encoders send wrong ones.
package struct ServerHandshake {
    package static let version: UInt8 = 3
    package static let packetBytes = HandshakeDigest.packetBytes
    /// Random bytes that a handshake uses up.
    package static let randomBytes = packetBytes - 8

    private var first: [UInt8] = []
    private var secondBytesLeft = ServerHandshake.packetBytes
    private let random: [UInt8]
    private let digest: HandshakeDigest?

    /// `random` needs `randomBytes` at least.
    package init(random: [UInt8], hmac: HMACSHA256?) {
        precondition(random.count >= Self.randomBytes, "the handshake needs 1,528 random bytes")
        self.random = Array(random.prefix(Self.randomBytes))
        digest = hmac.map { HandshakeDigest(hmac: $0) }
        first.reserveCapacity(1 + Self.packetBytes)
    }

    /// True once C2 was read.
    package var isComplete: Bool { secondBytesLeft == 0 }

    /// Takes what belongs to the handshake from `bytes` at `offset`; returns the answer as soon as C1 is complete.
    package mutating func receive(_ bytes: RawSpan, from offset: inout Int) throws(RTMPError) -> [UInt8]? {
        var answer: [UInt8]?
        if first.count < 1 + Self.packetBytes {
            guard offset < bytes.byteCount else { return nil }
            let version = first.first ?? bytes[offset]
            guard version == Self.version else { throw .unsupportedVersion(version) }
            let count = min(1 + Self.packetBytes - first.count, bytes.byteCount - offset)
            first.append(contentsOf: bytes.extracting(offset..<offset + count).copied())
            offset += count
            guard first.count == 1 + Self.packetBytes else { return nil }
            answer = [Self.version] + makeAnswer(to: Array(first.dropFirst()))
        }
        let count = min(secondBytesLeft, bytes.byteCount - offset)
        secondBytesLeft -= count
        offset += count
        return answer
    }

    /// S1 and S2.
    private func makeAnswer(to c1: [UInt8]) -> [UInt8] {
        let claimsDigest = c1[4..<8].contains { $0 != 0 }
        if claimsDigest, let digest, let found = digest.find(in: c1, key: HandshakeKeys.player) {
            // Time 0, then a version that tells a client to expect digests.
            var s1 = [0, 0, 0, 0, 4, 5, 0, 1] + random
            digest.sign(&s1, schema: found.schema, key: HandshakeKeys.server)
            var s2 = [UInt8](repeating: 0, count: 8) + random.reversed()
            digest.signAnswer(&s2, to: found.digest, key: HandshakeKeys.server + HandshakeKeys.tail)
            return s1 + s2
        }
        // librtmp compares S2 with its whole C1, time fields included, so the echo is exact.
        return [UInt8](repeating: 0, count: 8) + random + c1
    }
}

/// The client's half, simple form: C0 C1 out, S0 S1 S2 in, C2 out.
package struct ClientHandshake {
    private var received: [UInt8] = []
    private let random: [UInt8]

    /// `random` needs `ServerHandshake.randomBytes` at least.
    package init(random: [UInt8]) {
        precondition(random.count >= ServerHandshake.randomBytes, "the handshake needs 1,528 random bytes")
        self.random = Array(random.prefix(ServerHandshake.randomBytes))
    }

    /// C0 and C1, to be sent first.
    package var opening: [UInt8] { [ServerHandshake.version] + [UInt8](repeating: 0, count: 8) + random }

    /// Takes what belongs to the handshake; returns C2 when S2 is complete, which ends the handshake.
    package mutating func receive(_ bytes: RawSpan, from offset: inout Int) throws(RTMPError) -> [UInt8]? {
        guard offset < bytes.byteCount else { return nil }
        let version = received.first ?? bytes[offset]
        guard version == ServerHandshake.version else { throw .unsupportedVersion(version) }
        let total = 1 + 2 * ServerHandshake.packetBytes
        let count = min(total - received.count, bytes.byteCount - offset)
        received.append(contentsOf: bytes.extracting(offset..<offset + count).copied())
        offset += count
        return received.count == total ? Array(received[1...ServerHandshake.packetBytes]) : nil
    }
}
