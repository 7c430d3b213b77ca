import Bytes
import COpenSSL

/// TLS 1.2 and 1.3 over a byte stream, without a socket. Confined to one thread.
///
/// Driver: after each mutating call take plaintext and ciphertext, then look at `state`; ciphertext may wait even after an
/// error (the alert). Take all plaintext before the next `receive`, so what waits is bounded by what came in.
/// The end of the stream without `State.closedByPeer` before it means that bytes may be missing at the end.
package final class StreamTLS {
    package enum State: Equatable, Sendable {
        case handshaking
        case connected
        /// The peer said that no more comes (close_notify).
        case closedByPeer
        case failed(DTLSError)
        /// By us.
        case closed
    }

    /// What may be sent before the handshake is over; it is held until then.
    package static let maximumEarlyBytes = 128 * 1024
    /// Plaintext that may wait for the driver.
    package static let maximumPlaintextBytes = 4 * 1024 * 1024
    private static let recordBytes = 16_384

    package private(set) var state = State.handshaking
    private let ssl: OpaquePointer
    private let context: SharedHandle
    private let transport = StreamBIO()
    private var plaintext = ByteQueue()
    private var early = ByteQueue()

    package init(server context: TLSServerContext) throws(DTLSError) {
        self.context = context.handle
        ssl = try Self.makeConnection(context.handle)
        try transport.attach(to: ssl)
        SSL_set_accept_state(ssl)
    }

    /// `host`: name or IP address that the server's certificate must be for. The first flight waits as ciphertext at once.
    package init(client context: TLSClientContext, host: String) throws(DTLSError) {
        self.context = context.handle
        ssl = try Self.makeConnection(context.handle)
        try transport.attach(to: ssl)
        SSL_set_connect_state(ssl)
        if TransportAddress.IP(host) != nil {
            try check(X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host))
        } else {
            try check(SSL_set1_host(ssl, host))
            try check(shim_SSL_set_tlsext_host_name(ssl, host))
        }
        try shakeHands()
    }

    deinit { SSL_free(ssl) }

    /// Takes bytes from the peer, all of them. Throws when they end the connection; bytes after that are ignored.
    package func receive(_ ciphertext: RawSpan) throws(DTLSError) {
        guard state == .handshaking || state == .connected else { return }
        try transport.lend(ciphertext) { () throws(DTLSError) in
            if state == .handshaking { try shakeHands() }
            if state == .connected { try readRecords() }
        }
    }

    /// Queues bytes for the peer. Before the handshake is over up to `maximumEarlyBytes` wait for it.
    package func send(_ bytes: RawSpan) throws(DTLSError) {
        switch state {
        case .handshaking:
            guard early.count + bytes.byteCount <= Self.maximumEarlyBytes else { throw .queueFull }
            bytes.withUnsafeBytes { early.append($0) }
        case .connected, .closedByPeer: try write(bytes)
        case .failed(let error): throw error
        case .closed: throw .closed
        }
    }

    /// Says that no more comes (close_notify) and takes nothing more from the peer.
    package func close() {
        guard state != .closed else { return }
        if case .failed = state { return }
        if SSL_is_init_finished(ssl) == 1 {
            ERR_clear_error()
            SSL_shutdown(ssl)
            ERR_clear_error()
        }
        state = .closed
    }

    /// Decrypted bytes that wait.
    package var plaintextBytes: Int { plaintext.count }

    /// Bytes for the peer that wait; the driver stops sending when this grows.
    package var ciphertextBytes: Int { transport.outbound.count }

    /// Moves decrypted bytes, as many as fit; false when none moved.
    package func pollPlaintext(into output: inout OutputRawSpan) -> Bool { plaintext.move(into: &output) }

    /// Moves bytes for the peer, as many as fit; false when none moved.
    package func pollCiphertext(into output: inout OutputRawSpan) -> Bool { transport.outbound.move(into: &output) }

    /// Lends all decrypted bytes at once and forgets them; no copy. `body` must not call this object.
    package func takePlaintext<Failure>(_ body: (RawSpan) throws(Failure) -> Void) throws(Failure) {
        guard !plaintext.isEmpty else { return }
        try plaintext.take(body)
    }

    /// Lends all bytes for the peer at once and forgets them; no copy. `body` must not call this object.
    package func takeCiphertext<Failure>(_ body: (RawSpan) throws(Failure) -> Void) throws(Failure) {
        guard !transport.outbound.isEmpty else { return }
        try transport.outbound.take(body)
    }
}

extension StreamTLS {
    private static func makeConnection(_ context: SharedHandle) throws(DTLSError) -> OpaquePointer {
        ERR_clear_error()
        guard let ssl = SSL_new(context.raw) else { throw .setupFailed(.drain()) }
        return ssl
    }

    private func shakeHands() throws(DTLSError) {
        ERR_clear_error()
        let result = SSL_do_handshake(ssl)
        guard result == 1 else {
            switch SSL_get_error(ssl, result) {
            case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return
            default: throw fail(handshakeError())
            }
        }
        state = .connected
        guard !early.isEmpty else { return }
        try early.take { (bytes) throws(DTLSError) in try write(bytes) }
    }

    /// A certificate that does not verify has its own reason, which the queue does not tell.
    private func handshakeError() -> DTLSError {
        let cause = OpenSSLError.drain()
        let verdict = SSL_get_verify_result(ssl)
        return verdict == X509_V_OK ? .handshakeFailed(cause) : .peerCertificateRejected(verdict)
    }

    private func readRecords() throws(DTLSError) {
        while true {
            guard plaintext.count < Self.maximumPlaintextBytes else { throw fail(.queueFull) }
            var read: Int32 = 0
            ERR_clear_error()
            plaintext.append(upTo: Self.recordBytes) { free in
                read = SSL_read(ssl, free.baseAddress, Int32(clamping: free.count))
                return max(Int(read), 0)
            }
            guard read <= 0 else { continue }
            switch SSL_get_error(ssl, read) {
            case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return
            case SSL_ERROR_ZERO_RETURN: return state = .closedByPeer
            default: throw fail(.recordFailed(.drain()))
            }
        }
    }

    /// The queue takes everything, so OpenSSL never writes a part.
    private func write(_ bytes: RawSpan) throws(DTLSError) {
        guard bytes.byteCount > 0 else { return }
        var written = 0
        ERR_clear_error()
        let result = bytes.withUnsafeBytes { SSL_write_ex(ssl, $0.baseAddress, $0.count, &written) }
        guard result == 1, written == bytes.byteCount else { throw fail(.recordFailed(.drain())) }
    }

    private func fail(_ error: DTLSError) -> DTLSError {
        state = .failed(error)
        return error
    }
}
