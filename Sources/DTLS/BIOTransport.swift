import COpenSSL

/// The end of a TLS connection that faces the network, as an OpenSSL BIO without a socket: reads come from bytes that the
/// driver lends for one call, writes go where the subclass keeps them.
///
/// The BIO holds an unretained pointer to this object, so the owner frees the SSL object before it lets go of this one.
class BIOTransport {
    /// Lent bytes that were not read yet; valid during `lend` only.
    final var inbound = UnsafeRawBufferPointer(start: nil, count: 0)

    /// Makes `bytes` readable while `body` runs; what is unread afterwards is gone.
    final func lend(_ bytes: RawSpan, during body: () throws(DTLSError) -> Void) throws(DTLSError) {
        try bytes.withUnsafeBytes { (buffer) throws(DTLSError) in
            inbound = buffer
            defer { inbound = UnsafeRawBufferPointer(start: nil, count: 0) }
            try body()
        }
    }

    /// Fills the start of `buffer`; 0 means that nothing is there now.
    func read(into buffer: UnsafeMutableRawBufferPointer) -> Int { preconditionFailure("a subclass reads") }

    /// Takes all of `bytes`.
    func write(_ bytes: UnsafeRawBufferPointer) { preconditionFailure("a subclass writes") }

    /// Gives `ssl` a BIO over this object for both directions; `ssl` owns it.
    final func attach(to ssl: OpaquePointer) throws(DTLSError) {
        guard let method = Self.method, let bio = BIO_new(method.raw) else { throw .setupFailed(.drain()) }
        BIO_set_data(bio, Unmanaged.passUnretained(self).toOpaque())
        BIO_set_init(bio, 1)
        SSL_set_bio(ssl, bio, bio)
    }

    /// One for the process; nil when memory ran out.
    private static let method: SharedHandle? = {
        guard let raw = BIO_meth_new(BIO_get_new_index() | Int32(BIO_TYPE_SOURCE_SINK), "ingress") else { return nil }
        BIO_meth_set_read(raw, readFromTransport)
        BIO_meth_set_write(raw, writeToTransport)
        BIO_meth_set_ctrl(raw, controlTransport)
        return SharedHandle(taking: raw, release: BIO_meth_free)
    }()

    fileprivate static func of(_ bio: OpaquePointer?) -> BIOTransport? {
        BIO_get_data(bio).map { Unmanaged<BIOTransport>.fromOpaque($0).takeUnretainedValue() }
    }
}

private func readFromTransport(_ bio: OpaquePointer?, _ start: UnsafeMutablePointer<CChar>?, _ count: Int32) -> Int32 {
    shim_BIO_clear_retry_flags(bio)
    guard let transport = BIOTransport.of(bio), let start, count > 0 else { return -1 }
    let read = transport.read(into: UnsafeMutableRawBufferPointer(start: start, count: Int(count)))
    guard read > 0 else {
        shim_BIO_set_retry_read(bio)
        return -1
    }
    return Int32(read)
}

private func writeToTransport(_ bio: OpaquePointer?, _ start: UnsafePointer<CChar>?, _ count: Int32) -> Int32 {
    shim_BIO_clear_retry_flags(bio)
    guard let transport = BIOTransport.of(bio), let start, count > 0 else { return -1 }
    transport.write(UnsafeRawBufferPointer(start: start, count: Int(count)))
    return count
}

/// Only flushing means something here; the MTU is set on the connection and timers are asked for, not told.
private func controlTransport(
    _ bio: OpaquePointer?, _ command: Int32, _ number: Int, _ pointer: UnsafeMutableRawPointer?
) -> Int {
    command == BIO_CTRL_FLUSH ? 1 : 0
}
