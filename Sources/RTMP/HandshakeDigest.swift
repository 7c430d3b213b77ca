import Bytes

/// HMAC with SHA-256; 32 bytes. Injected, because the cryptographic library lives elsewhere.
package typealias HMACSHA256 = @Sendable (_ key: [UInt8], _ message: [UInt8]) -> [UInt8]

/// The digest ("complex") handshake that Flash Player 9 introduced and that is not part of the RTMP 1.0 text: each first
/// packet hides an HMAC of the rest of itself at a place that four of its bytes choose, and the second packets sign the peer's.
package struct HandshakeDigest {
    package static let packetBytes = 1536
    package static let digestBytes = 32

    /// Where the four bytes stand that choose the digest's place.
    package enum Schema: Int, CaseIterable {
        /// Key block first, digest block second.
        case digestInSecondHalf = 772
        /// Digest block first, key block second.
        case digestInFirstHalf = 8
    }

    private let hmac: HMACSHA256

    package init(hmac: @escaping HMACSHA256) { self.hmac = hmac }

    /// Offset of the digest in a C1 or S1 of 1,536 bytes.
    package static func offset(in packet: [UInt8], schema: Schema) -> Int {
        let selector = schema.rawValue
        let sum = (0..<4).reduce(0) { $0 + Int(packet[selector + $1]) }
        return selector + 4 + sum % 728
    }

    /// Schema and digest of a C1 that carries a valid one; nil for a simple handshake.
    package func find(in packet: [UInt8], key: [UInt8]) -> (schema: Schema, digest: [UInt8])? {
        for schema in Schema.allCases {
            let offset = Self.offset(in: packet, schema: schema)
            let found = Array(packet[offset..<offset + Self.digestBytes])
            if digest(of: packet, skippingAt: offset, key: key) == found { return (schema, found) }
        }
        return nil
    }

    /// Puts the digest into a C1 or S1.
    package func sign(_ packet: inout [UInt8], schema: Schema, key: [UInt8]) {
        let offset = Self.offset(in: packet, schema: schema)
        let value = digest(of: packet, skippingAt: offset, key: key)
        packet.replaceSubrange(offset..<offset + Self.digestBytes, with: value)
    }

    /// Replaces the last 32 bytes of a C2 or S2 by the answer to the peer's digest.
    package func signAnswer(_ packet: inout [UInt8], to peerDigest: [UInt8], key: [UInt8]) {
        let body = Array(packet.prefix(Self.packetBytes - Self.digestBytes))
        packet = body + hmac(hmac(key, peerDigest), body)
    }

    private func digest(of packet: [UInt8], skippingAt offset: Int, key: [UInt8]) -> [UInt8] {
        hmac(key, Array(packet[..<offset] + packet[(offset + Self.digestBytes)...]))
    }
}

/// The published constants of the digest handshake.
package enum HandshakeKeys {
    /// Signs C1.
    package static let player = Array("Genuine Adobe Flash Player 001".utf8)
    /// Signs S1.
    package static let server = Array("Genuine Adobe Flash Media Server 001".utf8)
    /// Signs C2 and S2, appended to the names above.
    package static let tail: [UInt8] = [
        0xF0, 0xEE, 0xC2, 0x4A, 0x80, 0x68, 0xBE, 0xE8, 0x2E, 0x00, 0xD0, 0xD1, 0x02, 0x9E, 0x7E, 0x57,
        0x6E, 0xEC, 0x5D, 0x2D, 0x29, 0x80, 0x6F, 0xAB, 0x93, 0xB8, 0xE6, 0x36, 0xCF, 0xEB, 0x31, 0xAE,
    ]
}
