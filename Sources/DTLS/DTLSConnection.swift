package import Bytes
import COpenSSL

/// One DTLS 1.2 association for SRTP keys (RFC 5764), over datagrams and without a socket. Confined to one thread.
///
/// Driver: feed only datagrams that came over a path that ICE validated and whose first byte is 20…63 (RFC 7983); after each
/// mutating call drain `pollTransmit`, then look at `state`, then read `nextDeadline`.
///
/// The one impurity: OpenSSL 3.0 times retransmissions by the system's real clock. `nextDeadline` translates that into the
/// driver's time, and `advance(to:)` asks OpenSSL again, so a clock that runs differently costs a wake-up and nothing else.
/// Without an answer the handshake fails by itself after about 17 s (12 retransmissions).
package final class DTLSConnection {
    package enum State: Equatable, Sendable {
        case handshaking
        /// The peer proved the expected fingerprint; the keys are for SRTP.
        case connected(SRTPKeyingMaterial)
        case failed(DTLSError)
        /// By us, or by the peer's close_notify.
        case closed
    }

    /// Size of our datagrams, UDP payload.
    package static let maximumDatagramBytes = 1200
    package let role: DTLSRole
    package internal(set) var state = State.handshaking
    /// When to call `advance(to:)`; nil when nothing is due.
    package internal(set) var nextDeadline: Monotonic?
    /// Datagrams that were no DTLS, or came when nothing could use them.
    package private(set) var droppedDatagrams: UInt64 = 0

    let ssl: OpaquePointer
    private let transport = DatagramBIO()
    private let context: DTLSContext
    private let expected: [Fingerprint]

    /// `expectedFingerprints`: of the peer's certificate, from signalling. Those of the strongest algorithm count, and one of
    /// them must match; with an empty list the handshake cannot succeed.
    /// `retransmitAfter`: first wait of a flight; it doubles up to 2 s.
    package init(
        role: DTLSRole, context: DTLSContext, expectedFingerprints: [Fingerprint],
        retransmitAfter: Interval = .milliseconds(100)
    ) throws(DTLSError) {
        ERR_clear_error()
        guard let ssl = SSL_new(context.handle.raw) else { throw .setupFailed(.drain()) }
        (self.role, self.context, self.ssl) = (role, context, ssl)
        let strongest = expectedFingerprints.map(\.algorithm).max()
        expected = expectedFingerprints.filter { $0.algorithm == strongest }
        try transport.attach(to: ssl)
        shim_SSL_set_fixed_mtu(ssl, Self.maximumDatagramBytes)
        setRetransmitTimer(first: retransmitAfter)
        switch role {
        case .client: SSL_set_connect_state(ssl)
        case .server: SSL_set_accept_state(ssl)
        }
    }

    deinit { SSL_free(ssl) }

    /// Sends the client's first flight; for a server it does nothing. Call when ICE has a path.
    package func start(at now: Monotonic) throws(DTLSError) {
        guard case .handshaking = state else { return }
        try shakeHands()
        updateDeadline(at: now)
    }

    /// Takes one datagram. Throws when it ends the connection, which `state` then shows too; garbage is dropped and counted.
    package func receive(_ datagram: RawSpan, at now: Monotonic) throws(DTLSError) {
        let usable = isOpen ? DTLSRecords.plausiblePrefix(of: datagram, protectionBytes: protectionBytes) : 0
        guard usable > 0 else {
            droppedDatagrams &+= 1
            return
        }
        defer { updateDeadline(at: now) }
        try transport.lend(datagram.extracting(..<usable)) { () throws(DTLSError) in
            if case .handshaking = state { try shakeHands() }
            if case .connected = state { try discardApplicationData() }
        }
    }

    /// Appends one datagram to send; false when none waits. `output` needs room for `maximumDatagramBytes`.
    package func pollTransmit(into output: inout OutputRawSpan) -> Bool { transport.popPacket(into: &output) }

    /// Datagrams of ours that were dropped as the driver did not take them.
    package var droppedTransmits: UInt64 { transport.dropped }

    /// Says goodbye to the peer (close_notify, when the handshake got that far) and ends.
    package func close() {
        guard isOpen else { return }
        shutDown()
        state = .closed
        nextDeadline = nil
    }

    var isOpen: Bool {
        switch state {
        case .handshaking, .connected: true
        case .failed, .closed: false
        }
    }

    /// Before the ciphers are known no record is so short that the difference matters.
    private var protectionBytes: Int {
        guard case .connected = state, let cipher = SSL_get_current_cipher(ssl),
            SSL_CIPHER_get_cipher_nid(cipher) == NID_chacha20_poly1305
        else { return DTLSRecords.gcmBytes }
        return DTLSRecords.chachaBytes
    }

    func fail(_ error: DTLSError) -> DTLSError {
        state = .failed(error)
        nextDeadline = nil
        return error
    }
}

extension DTLSConnection {
    private func shakeHands() throws(DTLSError) {
        ERR_clear_error()
        let result = SSL_do_handshake(ssl)
        if result == 1 { return try finish() }
        switch SSL_get_error(ssl, result) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return
        default: throw fail(.handshakeFailed(.drain()))
        }
    }

    /// The fingerprint comes first: no key leaves OpenSSL before it matched.
    private func finish() throws(DTLSError) {
        do {
            try checkFingerprint()
            state = .connected(try SRTPKeyingMaterial(exportingFrom: ssl, role: role))
        } catch {
            shutDown()
            throw fail(error)
        }
    }

    private func checkFingerprint() throws(DTLSError) {
        guard let certificate = SSL_get1_peer_certificate(ssl) else { throw .peerCertificateMissing }
        defer { X509_free(certificate) }
        guard let algorithm = expected.first?.algorithm, let actual = Fingerprint(algorithm, of: certificate) else {
            throw .fingerprintMismatch
        }
        guard expected.contains(where: { HMAC.isEqual($0.bytes, actual.bytes) }) else { throw .fingerprintMismatch }
    }

    /// Reading also lets OpenSSL answer a repeated last flight and notice close_notify.
    private func discardApplicationData() throws(DTLSError) {
        while true {
            ERR_clear_error()
            let read = withUnsafeTemporaryAllocation(byteCount: 2048, alignment: 1) {
                SSL_read(ssl, $0.baseAddress, Int32($0.count))
            }
            guard read <= 0 else { continue }
            switch SSL_get_error(ssl, read) {
            case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return
            case SSL_ERROR_ZERO_RETURN: return close()
            default: throw fail(.recordFailed(.drain()))
            }
        }
    }

    private func shutDown() {
        guard SSL_is_init_finished(ssl) == 1 else { return }
        ERR_clear_error()
        SSL_shutdown(ssl)
        ERR_clear_error()
    }
}
