import COpenSSL

/// Session keys of one direction's RTP or RTCP (RFC 3711 section 4.3). Prints without them.
package struct SRTPKeys: Sendable {
    package enum Purpose: UInt8, Sendable {
        case media = 0
        case control = 3
    }

    package let cipher: [UInt8]
    /// 20 bytes; empty for AEAD, whose tag needs no key of its own.
    package let authentication: [UInt8]
    package let salt: [UInt8]

    package init(cipher: [UInt8], authentication: [UInt8], salt: [UInt8]) {
        self.cipher = cipher
        self.authentication = authentication
        self.salt = salt
    }

    /// Derives them once for the life of the key (a key derivation rate of 0, RFC 5764 section 4.1.2). `master`: key followed
    /// by salt. AES-256 uses AES-256 here too (RFC 6188 section 3).
    package init(_ purpose: Purpose, profile: SRTPProfile, master: [UInt8]) throws(DTLSError) {
        let (key, salt) = (Array(master.prefix(profile.keyBytes)), Array(master.dropFirst(profile.keyBytes)))
        let first = purpose.rawValue
        cipher = try Self.derived(profile.keyBytes, label: first, key: key, salt: salt)
        authentication = profile.isAEAD ? [] : try Self.derived(HMAC.sha1Bytes, label: first + 1, key: key, salt: salt)
        self.salt = try Self.derived(profile.saltBytes, label: first + 2, key: key, salt: salt)
    }

    /// Key stream of AES in counter mode from (label << 48 XOR salt) << 16 on. A salt of 96 bits stands to the left of
    /// 16 zero bits (RFC 7714 section 11).
    private static func derived(
        _ count: Int, label: UInt8, key: [UInt8], salt: [UInt8]
    ) throws(DTLSError) -> [UInt8] {
        guard let context = EVP_CIPHER_CTX_new() else { throw .setupFailed(.drain()) }
        defer { EVP_CIPHER_CTX_free(context) }
        var counter = salt + [UInt8](repeating: 0, count: 16 - salt.count)
        counter[7] ^= label
        let cipher = key.count == 32 ? EVP_aes_256_ctr() : EVP_aes_128_ctr()
        try check(EVP_EncryptInit_ex(context, cipher, nil, key, counter))
        let zeros = [UInt8](repeating: 0, count: count)
        var output = zeros
        var written: Int32 = 0
        try check(EVP_EncryptUpdate(context, &output, &written, zeros, Int32(count)))
        return output
    }
}

extension SRTPKeys: CustomStringConvertible, CustomDebugStringConvertible {
    package var description: String { "SRTPKeys" }
    package var debugDescription: String { description }
}
