import COpenSSL

/// Everything that can go wrong in this module, each case with one sentence.
package enum DTLSError: Error, Equatable, Sendable {
    case certificateFileUnreadable
    case certificateMalformed
    case keyFileUnreadable
    case keyMalformed
    /// The key does not belong to the certificate.
    case keyMismatch
    /// OpenSSL refused settings of ours, or had no memory.
    case setupFailed(OpenSSLError)
    /// Keys or salts of the wrong length for the profile.
    case srtpKeyMaterialMalformed
    /// The peer broke the protocol, or sent an alert, or never answered; OpenSSL knows which.
    case handshakeFailed(OpenSSLError)
    case peerCertificateMissing
    /// The server's certificate does not verify; the number is X509_V_ERR_….
    case peerCertificateRejected(Int)
    /// The peer's certificate is not the one that signalling announced (RFC 8122 section 5).
    case fingerprintMismatch
    /// No SRTP profile in common (RFC 5764 section 4.1).
    case srtpProfileMissing
    /// A record of the established connection was wrong in a way that ends it.
    case recordFailed(OpenSSLError)
    /// More bytes are waiting than the limit allows.
    case queueFull
    /// The connection was closed by us before.
    case closed
}

extension DTLSError {
    package enum Severity: Sendable {
        case closeConnection
    }

    /// Bad packets never reach this type: they are dropped and counted. What is left ends the connection.
    package var severity: Severity { .closeConnection }
}

extension DTLSError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .certificateFileUnreadable: "The certificate file is missing or cannot be read."
        case .certificateMalformed: "The certificate is not in PEM form or is damaged."
        case .keyFileUnreadable: "The key file is missing or cannot be read."
        case .keyMalformed: "The private key is not in PEM form, is damaged, or is protected by a pass phrase."
        case .keyMismatch: "The private key does not belong to the certificate."
        case .setupFailed(let cause): "OpenSSL could not be set up (\(cause))."
        case .srtpKeyMaterialMalformed: "The SRTP key has the wrong length for its profile."
        case .handshakeFailed(let cause): "The handshake failed (\(cause))."
        case .peerCertificateMissing: "The peer sent no certificate."
        case .peerCertificateRejected(let verdict):
            "The server's certificate is not valid (\(String(cString: X509_verify_cert_error_string(verdict))))."
        case .fingerprintMismatch: "The peer's certificate does not match the announced fingerprint."
        case .srtpProfileMissing: "The peer shares no SRTP profile with us."
        case .recordFailed(let cause): "The secured connection broke (\(cause))."
        case .queueFull: "Too many bytes wait on the secured connection."
        case .closed: "The secured connection was closed."
        }
    }
}
