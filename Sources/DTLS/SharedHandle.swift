import COpenSSL

/// One reference to a C object that is read-only from here on; given back with the last Swift reference.
final class SharedHandle: @unchecked Sendable {
    // SAFETY: OpenSSL counts references to contexts, certificates and keys atomically and lets any number of threads read
    // them; the wrappers set such an object up before they share it and never change it afterwards.
    let raw: OpaquePointer
    private let release: @convention(c) (OpaquePointer?) -> Void

    /// Takes over the caller's reference; `release` gives it back.
    init(taking raw: OpaquePointer, release: @escaping @convention(c) (OpaquePointer?) -> Void) {
        self.raw = raw
        self.release = release
    }

    deinit { release(raw) }
}

extension SharedHandle {
    /// Nil becomes `setupFailed` with what the error queue holds.
    convenience init(
        taking raw: OpaquePointer?, release: @escaping @convention(c) (OpaquePointer?) -> Void
    ) throws(DTLSError) {
        guard let raw else { throw .setupFailed(.drain()) }
        self.init(taking: raw, release: release)
    }
}

/// For calls that return 1 when they worked.
func check(_ result: Int32) throws(DTLSError) {
    guard result == 1 else { throw .setupFailed(.drain()) }
}
