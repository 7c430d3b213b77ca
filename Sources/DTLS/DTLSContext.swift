import COpenSSL

package enum DTLSRole: Sendable {
    /// Speaks first; `a=setup:active`.
    case client
    /// `a=setup:passive`.
    case server
}

/// Settings shared by all DTLS connections of one certificate: DTLS 1.2 alone, forward-secret AEAD ciphers, and a certificate
/// required of the peer. Make one per process; any thread may use it.
package final class DTLSContext: Sendable {
    package let certificate: Certificate
    package let profiles: [SRTPProfile]
    let handle: SharedHandle

    /// Bytes of certificates that are read from a peer.
    static let maximumPeerCertificateBytes = 16_384

    /// `profiles`: offered or accepted, best first; not empty.
    package init(certificate: Certificate, profiles: [SRTPProfile] = SRTPProfile.allCases) throws(DTLSError) {
        precondition(!profiles.isEmpty, "without an SRTP profile there is nothing to negotiate")
        ERR_clear_error()
        self.certificate = certificate
        self.profiles = profiles
        handle = try SharedHandle(taking: SSL_CTX_new(DTLS_method()), release: SSL_CTX_free)
        try check(shim_SSL_CTX_set_protocol_range(handle.raw, DTLS1_2_VERSION, DTLS1_2_VERSION))
        try TLSSettings.apply(to: handle)
        try TLSSettings.use(certificate, in: handle)
        shim_SSL_CTX_set_max_cert_list(handle.raw, Self.maximumPeerCertificateBytes)
        // Self-made certificates have no authority; the connection compares the fingerprint instead.
        SSL_CTX_set_verify(handle.raw, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
        SSL_CTX_set_cert_verify_callback(handle.raw, acceptAnyCertificate, nil)
        let names = profiles.map(\.name).joined(separator: ":")
        guard SSL_CTX_set_tlsext_use_srtp(handle.raw, names) == 0 else { throw .setupFailed(.drain()) }
    }
}

private func acceptAnyCertificate(_ store: OpaquePointer?, _ context: UnsafeMutableRawPointer?) -> Int32 { 1 }

/// What all contexts have in common.
enum TLSSettings {
    /// Of TLS 1.2; 1.3 has its own fixed list. AES-128 first: with AES instructions it is the cheapest.
    private static let ciphers =
        "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
        + "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
        + "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384"
    private static let groups = "X25519:P-256:P-384"

    static func apply(to context: SharedHandle) throws(DTLSError) {
        shim_SSL_CTX_set_house_options(context.raw)
        shim_SSL_CTX_disable_session_cache(context.raw)
        try check(SSL_CTX_set_num_tickets(context.raw, 0))
        try check(SSL_CTX_set_cipher_list(context.raw, ciphers))
        try check(shim_SSL_CTX_set1_groups_list(context.raw, groups))
    }

    static func use(_ certificate: Certificate, in context: SharedHandle) throws(DTLSError) {
        try check(SSL_CTX_use_certificate(context.raw, certificate.leaf.raw))
        for link in certificate.chain { try check(shim_SSL_CTX_add1_chain_cert(context.raw, link.raw)) }
        try check(SSL_CTX_use_PrivateKey(context.raw, certificate.key.raw))
    }
}
