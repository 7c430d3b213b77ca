import COpenSSL

/// Protection profiles of DTLS-SRTP (RFC 5764 section 4.1.2, RFC 7714 section 14.2) that this module has, best
/// first. The one with a tag of 32 bits is left out: it saves 6 bytes a packet and lets one forgery in four billion pass.
package enum SRTPProfile: UInt16, Sendable, CaseIterable {
    case aeadAES128GCM = 0x0007
    case aeadAES256GCM = 0x0008
    case aes128CMSHA1With80BitTag = 0x0001

    package var keyBytes: Int { self == .aeadAES256GCM ? 32 : 16 }

    package var saltBytes: Int { self == .aes128CMSHA1With80BitTag ? 14 : 12 }

    /// Bytes of tag that protection adds to RTP; RTCP grows by 4 more.
    package var tagBytes: Int { self == .aes128CMSHA1With80BitTag ? 10 : 16 }

    /// Whether cipher and tag are one (RFC 7714).
    var isAEAD: Bool { self != .aes128CMSHA1With80BitTag }

    var cipher: OpaquePointer? {
        switch self {
        case .aeadAES128GCM: EVP_aes_128_gcm()
        case .aeadAES256GCM: EVP_aes_256_gcm()
        case .aes128CMSHA1With80BitTag: EVP_aes_128_ctr()
        }
    }

    /// OpenSSL's name.
    var name: String {
        switch self {
        case .aeadAES128GCM: "SRTP_AEAD_AES_128_GCM"
        case .aeadAES256GCM: "SRTP_AEAD_AES_256_GCM"
        case .aes128CMSHA1With80BitTag: "SRTP_AES128_CM_SHA1_80"
        }
    }
}

/// What the handshake agreed on for media: two master keys, each followed by its salt. Prints without them.
package struct SRTPKeyingMaterial: Sendable, Equatable {
    package let profile: SRTPProfile
    /// For what we send: key, then salt.
    package let local: [UInt8]
    /// For what the peer sends: key, then salt.
    package let remote: [UInt8]

    package init(profile: SRTPProfile, local: [UInt8], remote: [UInt8]) {
        self.profile = profile
        self.local = local
        self.remote = remote
    }
}

extension SRTPKeyingMaterial: CustomStringConvertible, CustomDebugStringConvertible {
    package var description: String { "SRTPKeyingMaterial(\(profile))" }
    package var debugDescription: String { description }
}

extension SRTPKeyingMaterial {
    /// Exports from a finished handshake (RFC 5764 section 4.2): client key, server key, client salt, server salt.
    init(exportingFrom ssl: OpaquePointer, role: DTLSRole) throws(DTLSError) {
        guard let selected = SSL_get_selected_srtp_profile(ssl),
            let profile = SRTPProfile(rawValue: UInt16(truncatingIfNeeded: selected.pointee.id))
        else { throw .srtpProfileMissing }
        let label = "EXTRACTOR-dtls_srtp"
        let (keyBytes, saltBytes) = (profile.keyBytes, profile.saltBytes)
        var material = [UInt8](repeating: 0, count: 2 * (keyBytes + saltBytes))
        defer { material.withUnsafeMutableBytes { OPENSSL_cleanse($0.baseAddress, $0.count) } }
        let worked = SSL_export_keying_material(ssl, &material, material.count, label, label.utf8.count, nil, 0, 0)
        guard worked == 1 else { throw .handshakeFailed(.drain()) }
        let salts = 2 * keyBytes
        let client = Array(material[..<keyBytes] + material[salts..<salts + saltBytes])
        let server = Array(material[keyBytes..<salts] + material[(salts + saltBytes)...])
        self.init(
            profile: profile, local: role == .client ? client : server, remote: role == .client ? server : client)
    }
}
