import Bytes
import COpenSSL

/// A certificate, those that lead from it to its authority, and its private key. Immutable; any thread may hold it.
package struct Certificate: Sendable {
    let leaf: SharedHandle
    let chain: [SharedHandle]
    let key: SharedHandle

    /// Longest chain that is read from a file, the leaf not counted.
    static let maximumChainLength = 10
    private static let secondsPerDay: Int64 = 86_400
    private static let lifetimeDays: Int64 = 365

    /// Makes a P-256 key and signs a certificate with itself, valid from a day before `unixSeconds` (clocks differ) for a year.
    /// Costs less than 1 ms; key and serial number come from OpenSSL's generator.
    package static func selfSigned(
        commonName: String = "ingress", unixSeconds: Int64
    ) throws(DTLSError) -> Certificate {
        ERR_clear_error()
        let key = try SharedHandle(taking: shim_EVP_EC_gen_P256(), release: EVP_PKEY_free)
        let leaf = try SharedHandle(taking: X509_new(), release: X509_free)
        try check(X509_set_version(leaf.raw, 2))
        try setSerialNumber(of: leaf)
        let start = unixSeconds - secondsPerDay
        guard ASN1_TIME_set(X509_getm_notBefore(leaf.raw), Int(start)) != nil,
            ASN1_TIME_set(X509_getm_notAfter(leaf.raw), Int(start + lifetimeDays * secondsPerDay)) != nil
        else { throw .setupFailed(.drain()) }
        let name = X509_get_subject_name(leaf.raw)
        try check(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, commonName, -1, -1, 0))
        try check(X509_set_issuer_name(leaf.raw, name))
        try check(X509_set_pubkey(leaf.raw, key.raw))
        guard X509_sign(leaf.raw, key.raw, EVP_sha256()) > 0 else { throw .setupFailed(.drain()) }
        return Certificate(leaf: leaf, chain: [], key: key)
    }

    /// 63 random bits, never 0 (RFC 5280 section 4.1.2.2 wants it positive).
    private static func setSerialNumber(of leaf: SharedHandle) throws(DTLSError) {
        var serial: UInt64 = 0
        let drawn = withUnsafeMutableBytes(of: &serial) { bytes in
            RAND_bytes(bytes.bindMemory(to: UInt8.self).baseAddress, Int32(bytes.count))
        }
        try check(drawn)
        try check(ASN1_INTEGER_set_uint64(X509_get_serialNumber(leaf.raw), serial >> 1 | 1))
    }

    /// Hash of the leaf's DER form.
    package func fingerprint(_ algorithm: Fingerprint.Algorithm = .sha256) -> Fingerprint {
        guard let fingerprint = Fingerprint(algorithm, of: leaf.raw) else {
            preconditionFailure("OpenSSL cannot hash a certificate that it made")
        }
        return fingerprint
    }
}

extension Fingerprint {
    /// Nil when OpenSSL cannot compute the hash. `certificate` is an X509, borrowed.
    init?(_ algorithm: Algorithm, of certificate: OpaquePointer) {
        let hash =
            switch algorithm {
            case .sha256: EVP_sha256()
            case .sha384: EVP_sha384()
            case .sha512: EVP_sha512()
            }
        var written: UInt32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: Int(EVP_MAX_MD_SIZE)) { buffer, count in
            let worked = X509_digest(certificate, hash, buffer.baseAddress, &written) == 1
            count = worked ? Int(written) : 0
        }
        self.init(algorithm: algorithm, bytes: bytes)
    }
}
