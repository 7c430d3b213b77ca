import Bytes
import COpenSSL

extension Certificate {
    /// Reads PEM text: the leaf first, then those that lead to its authority; and an unencrypted private key.
    package init(pem certificates: [UInt8], key: [UInt8]) throws(DTLSError) {
        self = try Self.withMemory(certificates) { (certificates) throws(DTLSError) in
            try Self.withMemory(key) { (key) throws(DTLSError) in
                try Certificate(certificates: certificates, key: key)
            }
        }
    }

    /// Reads two PEM files; both may be the same one.
    package init(certificateFile: String, keyFile: String) throws(DTLSError) {
        ERR_clear_error()
        guard let certificates = shim_BIO_new_file_for_reading(certificateFile) else {
            ERR_clear_error()
            throw .certificateFileUnreadable
        }
        defer { BIO_free(certificates) }
        guard let key = shim_BIO_new_file_for_reading(keyFile) else {
            ERR_clear_error()
            throw .keyFileUnreadable
        }
        defer { BIO_free(key) }
        try self.init(certificates: certificates, key: key)
    }

    /// Both are BIOs, borrowed.
    private init(certificates: OpaquePointer, key source: OpaquePointer) throws(DTLSError) {
        ERR_clear_error()
        defer { ERR_clear_error() }
        guard let first = PEM_read_bio_X509_AUX(certificates, nil, refusePassphrase, nil) else {
            throw .certificateMalformed
        }
        leaf = SharedHandle(taking: first, release: X509_free)
        chain = try Self.readChain(certificates)
        guard let privateKey = PEM_read_bio_PrivateKey(source, nil, refusePassphrase, nil) else { throw .keyMalformed }
        key = SharedHandle(taking: privateKey, release: EVP_PKEY_free)
        guard X509_check_private_key(leaf.raw, key.raw) == 1 else { throw .keyMismatch }
    }

    private static func readChain(_ source: OpaquePointer) throws(DTLSError) -> [SharedHandle] {
        var chain: [SharedHandle] = []
        while let next = PEM_read_bio_X509(source, nil, refusePassphrase, nil) {
            guard chain.count < maximumChainLength else {
                X509_free(next)
                throw .certificateMalformed
            }
            chain.append(SharedHandle(taking: next, release: X509_free))
        }
        // The end of the text shows as an error too.
        let end = ERR_peek_last_error()
        guard ERR_GET_LIB(end) == ERR_LIB_PEM, ERR_GET_REASON(end) == PEM_R_NO_START_LINE else {
            throw .certificateMalformed
        }
        ERR_clear_error()
        return chain
    }

    private static func withMemory(
        _ text: [UInt8], _ body: (OpaquePointer) throws(DTLSError) -> Certificate
    ) throws(DTLSError) -> Certificate {
        try text.rawSpan.withUnsafeBytes { (bytes) throws(DTLSError) in
            guard let bio = BIO_new_mem_buf(bytes.baseAddress, Int32(clamping: bytes.count)) else {
                ERR_clear_error()
                throw .certificateMalformed
            }
            defer { BIO_free(bio) }
            return try body(bio)
        }
    }
}

/// Without this OpenSSL would ask for a pass phrase at the terminal.
private func refusePassphrase(
    _ buffer: UnsafeMutablePointer<CChar>?, _ capacity: Int32, _ isWriting: Int32, _ context: UnsafeMutableRawPointer?
) -> Int32 { -1 }
