import Bytes

/// What stands outside of the encryption in a datagram of DTLS (RFC 6347 section 4.1): records back to back, each type (1 byte),
/// version (2), epoch (2), sequence number (6), length (2), content.
enum DTLSRecords {
    /// Longer datagrams are dropped; peers send one path MTU.
    static let maximumDatagramBytes = 8192
    static let headerBytes = 13
    /// Explicit nonce and tag of AES-GCM (RFC 5288), and the tag of ChaCha20-Poly1305 (RFC 7905).
    static let gcmBytes = 24
    static let chachaBytes = 16

    /// Length of the records at the start that can be DTLS 1.2; 0 when the first one cannot. OpenSSL would give up the whole
    /// connection over some of what this cuts off, and anyone who can forge an address can send that.
    /// - Parameter protectionBytes: what encryption adds to a record.
    static func plausiblePrefix(of datagram: RawSpan, protectionBytes: Int) -> Int {
        guard datagram.byteCount <= maximumDatagramBytes else { return 0 }
        var offset = 0
        while datagram.byteCount - offset >= headerBytes {
            let type = datagram[offset]
            let minor = datagram[offset + 2]
            let epoch: UInt16 = datagram.bigEndian(at: offset + 3, as: UInt16.self)
            let length = Int(datagram.bigEndian(at: offset + 11, as: UInt16.self))
            guard (20...23).contains(type), datagram[offset + 1] == 0xFE, minor == 0xFF || minor == 0xFD else { break }
            // Application data is never in the clear.
            guard type != 23 || epoch > 0 else { break }
            guard length > (epoch > 0 ? protectionBytes : 0), length <= datagram.byteCount - offset - headerBytes
            else { break }
            offset += headerBytes + length
        }
        return offset
    }
}
