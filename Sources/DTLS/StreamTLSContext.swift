import COpenSSL

/// Settings of a TLS 1.2 and 1.3 server with one certificate. Immutable: to reload the files, make a new context; connections
/// keep the one they began with.
package final class TLSServerContext: Sendable {
    let handle: SharedHandle

    package init(certificate: Certificate) throws(DTLSError) {
        ERR_clear_error()
        handle = try SharedHandle(taking: SSL_CTX_new(TLS_server_method()), release: SSL_CTX_free)
        try check(shim_SSL_CTX_set_protocol_range(handle.raw, TLS1_2_VERSION, TLS1_3_VERSION))
        try TLSSettings.apply(to: handle)
        try TLSSettings.use(certificate, in: handle)
    }

    /// PEM files; see `Certificate.init(certificateFile:keyFile:)` for the errors.
    package convenience init(certificateFile: String, keyFile: String) throws(DTLSError) {
        try self.init(certificate: Certificate(certificateFile: certificateFile, keyFile: keyFile))
    }
}

/// Settings of a TLS 1.2 and 1.3 client that verifies its server. Immutable.
package final class TLSClientContext: Sendable {
    let handle: SharedHandle

    /// Trusts the system's authorities, and `authority` too when there is one.
    package init(trusting authority: Certificate? = nil) throws(DTLSError) {
        ERR_clear_error()
        handle = try SharedHandle(taking: SSL_CTX_new(TLS_client_method()), release: SSL_CTX_free)
        try check(shim_SSL_CTX_set_protocol_range(handle.raw, TLS1_2_VERSION, TLS1_3_VERSION))
        try TLSSettings.apply(to: handle)
        SSL_CTX_set_verify(handle.raw, SSL_VERIFY_PEER, nil)
        try check(SSL_CTX_set_default_verify_paths(handle.raw))
        if let authority { try check(X509_STORE_add_cert(SSL_CTX_get_cert_store(handle.raw), authority.leaf.raw)) }
    }
}

/// What a client of one particular service needs beyond the system's defaults.
package struct TLSClientSettings: Sendable {
    /// False accepts any certificate of the server.
    package var verifiesServer = true
    /// PEM file of the authorities to trust instead of the system's; empty: the system's.
    package var authorityFile = ""
    /// What this client shows when the server asks.
    package var certificate: Certificate?

    package init() {}
}

extension TLSClientContext {
    /// Throws `certificateFileUnreadable` when the authorities cannot be read.
    package convenience init(_ settings: TLSClientSettings) throws(DTLSError) {
        try self.init()
        if !settings.verifiesServer { SSL_CTX_set_verify(handle.raw, SSL_VERIFY_NONE, nil) }
        if let certificate = settings.certificate { try TLSSettings.use(certificate, in: handle) }
        guard !settings.authorityFile.isEmpty else { return }
        // The context owns the store, in place of the one with the system's authorities.
        guard let store = X509_STORE_new() else { throw .setupFailed(.drain()) }
        SSL_CTX_set_cert_store(handle.raw, store)
        guard SSL_CTX_load_verify_locations(handle.raw, settings.authorityFile, nil) == 1 else {
            ERR_clear_error()
            throw .certificateFileUnreadable
        }
    }
}
