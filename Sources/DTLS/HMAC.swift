import Bytes
import COpenSSL

/// Keyed hashes (RFC 2104) by OpenSSL: SHA-1 for STUN, SHA-256 for the RTMP handshake and tokens.
///
/// The array forms cost one allocation for the result, the `into:` forms none of ours. No form can fail.
package enum HMAC {
    package static let sha1Bytes = 20
    package static let sha256Bytes = 32

    /// 20 bytes.
    package static func sha1(key: [UInt8], _ message: [UInt8]) -> [UInt8] { sha1(key: key.rawSpan, message.rawSpan) }

    /// 20 bytes.
    package static func sha1(key: RawSpan, _ message: RawSpan) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: sha1Bytes) { buffer, count in
            compute(EVP_sha1(), key, message, sha1Bytes, UnsafeMutableRawBufferPointer(buffer))
            count = sha1Bytes
        }
    }

    /// Appends 20 bytes; traps when they do not fit.
    package static func sha1(key: RawSpan, _ message: RawSpan, into output: inout OutputRawSpan) {
        append(EVP_sha1(), key, message, sha1Bytes, to: &output)
    }

    /// As ICE wants it; allocates nothing of ours.
    package static func sha1Tag(key: [UInt8], _ message: RawSpan) -> [20 of UInt8] {
        var tag = [20 of UInt8](repeating: 0)
        withUnsafeMutableBytes(of: &tag) { compute(EVP_sha1(), key.rawSpan, message, sha1Bytes, $0) }
        return tag
    }

    /// 32 bytes.
    package static func sha256(key: [UInt8], _ message: [UInt8]) -> [UInt8] {
        sha256(key: key.rawSpan, message.rawSpan)
    }

    /// 32 bytes.
    package static func sha256(key: RawSpan, _ message: RawSpan) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: sha256Bytes) { buffer, count in
            compute(EVP_sha256(), key, message, sha256Bytes, UnsafeMutableRawBufferPointer(buffer))
            count = sha256Bytes
        }
    }

    /// Appends 32 bytes; traps when they do not fit.
    package static func sha256(key: RawSpan, _ message: RawSpan, into output: inout OutputRawSpan) {
        append(EVP_sha256(), key, message, sha256Bytes, to: &output)
    }

    /// Equality whose time depends on the lengths alone. Compare every received tag, token or password with this.
    package static func isEqual(_ one: RawSpan, _ other: RawSpan) -> Bool {
        guard one.byteCount == other.byteCount else { return false }
        return one.withUnsafeBytes { a in
            other.withUnsafeBytes { b in a.isEmpty || CRYPTO_memcmp(a.baseAddress, b.baseAddress, a.count) == 0 }
        }
    }

    package static func isEqual(_ one: [UInt8], _ other: [UInt8]) -> Bool { isEqual(one.rawSpan, other.rawSpan) }

    private static func append(
        _ hash: OpaquePointer?, _ key: RawSpan, _ message: RawSpan, _ size: Int, to output: inout OutputRawSpan
    ) {
        precondition(output.freeCapacity >= size, "no room left for the tag")
        output.withUnsafeMutableBytes { buffer, count in
            compute(hash, key, message, size, UnsafeMutableRawBufferPointer(rebasing: buffer[count..<count + size]))
            count += size
        }
    }

    private static func compute(
        _ hash: OpaquePointer?, _ key: RawSpan, _ message: RawSpan, _ size: Int, _ output: UnsafeMutableRawBufferPointer
    ) {
        var written: UInt32 = 0
        let result = key.withUnsafeBytes { key in
            message.withUnsafeBytes { message in
                let (text, tag) = (message.bindMemory(to: UInt8.self), output.bindMemory(to: UInt8.self))
                return COpenSSL.HMAC(
                    hash, key.baseAddress, Int32(key.count), text.baseAddress, text.count, tag.baseAddress, &written)
            }
        }
        precondition(result != nil && written == size, "OpenSSL has no such keyed hash, or no memory is left")
    }
}

/// Plain hashes by OpenSSL.
package enum Digest {
    /// 20 bytes.
    package static func sha1(_ message: RawSpan) -> [UInt8] {
        hash(message, size: HMAC.sha1Bytes) { COpenSSL.SHA1($0, $1, $2) }
    }

    package static func sha1(_ message: [UInt8]) -> [UInt8] { sha1(message.rawSpan) }

    /// As ICE wants it for TURN's long-term credentials, which nothing else may be built on; nil where the system forbids
    /// MD5 (FIPS).
    package static func md5Tag(_ message: RawSpan) -> [16 of UInt8]? {
        var tag = [16 of UInt8](repeating: 0)
        var written: UInt32 = 0
        ERR_clear_error()
        let result = withUnsafeMutableBytes(of: &tag) { tag in
            message.withUnsafeBytes { message in
                EVP_Digest(
                    message.baseAddress, message.count, tag.bindMemory(to: UInt8.self).baseAddress, &written, EVP_md5(),
                    nil)
            }
        }
        ERR_clear_error()
        return result == 1 && written == 16 ? tag : nil
    }

    /// 32 bytes.
    package static func sha256(_ message: RawSpan) -> [UInt8] {
        hash(message, size: HMAC.sha256Bytes) { COpenSSL.SHA256($0, $1, $2) }
    }

    package static func sha256(_ message: [UInt8]) -> [UInt8] { sha256(message.rawSpan) }

    private static func hash(
        _ message: RawSpan, size: Int,
        _ function: (UnsafePointer<UInt8>?, Int, UnsafeMutablePointer<UInt8>?) -> UnsafeMutablePointer<UInt8>?
    ) -> [UInt8] {
        message.withUnsafeBytes { message in
            [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
                let result = function(message.bindMemory(to: UInt8.self).baseAddress, message.count, buffer.baseAddress)
                precondition(result != nil, "OpenSSL has no such hash, or no memory is left")
                count = size
            }
        }
    }
}
