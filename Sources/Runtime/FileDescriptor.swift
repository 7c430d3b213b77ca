/// The one owner of a descriptor: it is closed exactly once, by `close()` or when the owner goes away.
package struct FileDescriptor: ~Copyable, Sendable {
    /// The descriptor's number, lent: it must not be closed, nor used after this value is gone.
    package let raw: Int32

    /// Takes ownership of an open descriptor.
    package init(taking raw: Int32) {
        precondition(raw >= 0, "not a descriptor")
        self.raw = raw
    }

    /// Closes now.
    package consuming func close() {
        let raw = raw
        discard self
        Syscalls.close(raw)
    }

    /// Gives the number up: closing it is now the caller's duty.
    package consuming func release() -> Int32 {
        let raw = raw
        discard self
        return raw
    }

    deinit { Syscalls.close(raw) }
}
