package import Bytes
import COpenSSL

extension DTLSConnection {
    private static let longestWaitMicroseconds: UInt32 = 2_000_000

    /// Sends a flight again when OpenSSL's clock says that it is due; otherwise moves `nextDeadline`.
    package func advance(to now: Monotonic) throws(DTLSError) {
        guard let deadline = nextDeadline, deadline <= now, isOpen else { return }
        ERR_clear_error()
        guard shim_DTLSv1_handle_timeout(ssl) >= 0 else { throw fail(.handshakeFailed(.drain())) }
        updateDeadline(at: now)
    }

    func updateDeadline(at now: Monotonic) {
        var left = timeval()
        guard isOpen, shim_DTLSv1_get_timeout(ssl, &left) == 1 else {
            nextDeadline = nil
            return
        }
        nextDeadline = now + .seconds(Int64(left.tv_sec)) + .microseconds(Int64(left.tv_usec))
    }

    /// OpenSSL would start with 1 s and go up to 60; live media wants a lost datagram back sooner. The callback finds the
    /// first wait in the connection's ex-data, as a number and not an address.
    func setRetransmitTimer(first: Interval) {
        let microseconds = min(max(first.nanoseconds / 1000, 1), Int64(Self.longestWaitMicroseconds))
        _ = shim_SSL_set_ex_value(ssl, UnsafeMutableRawPointer(bitPattern: Int(microseconds)))
        DTLS_set_timer_cb(ssl, nextWait)
    }

    fileprivate static func wait(after previous: UInt32, first: UInt32) -> UInt32 {
        previous == 0 ? first : min(previous &* 2, longestWaitMicroseconds)
    }
}

private func nextWait(_ ssl: OpaquePointer?, _ previous: UInt32) -> UInt32 {
    let first = UInt32(truncatingIfNeeded: Int(bitPattern: shim_SSL_get_ex_value(ssl)))
    return DTLSConnection.wait(after: previous, first: first)
}
