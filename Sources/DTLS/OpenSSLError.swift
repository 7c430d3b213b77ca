import COpenSSL

/// What OpenSSL's error queue of this thread held, as a value.
package struct OpenSSLError: Error, Equatable, Sendable {
    /// The first entry, which is the cause of those behind it: library and reason packed as OpenSSL does; 0 when the queue was empty.
    package let code: UInt
    /// Entries in the queue, including the first.
    package let count: Int

    /// Takes all entries, so that none is left to be blamed on a later call.
    static func drain() -> OpenSSLError {
        let first = ERR_get_error()
        guard first != 0 else { return OpenSSLError(code: 0, count: 0) }
        var count = 1
        while ERR_get_error() != 0 { count += 1 }
        return OpenSSLError(code: UInt(first), count: count)
    }
}

extension OpenSSLError: CustomStringConvertible {
    package var description: String {
        guard code != 0 else { return "OpenSSL gave no reason" }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            ERR_error_string_n(code, buffer.baseAddress, buffer.count)
            return buffer.baseAddress.map { String(cString: $0) } ?? ""
        }
    }
}
