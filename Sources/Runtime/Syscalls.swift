import CLinux
import Glibc

/// Every system call of the module, and the only place that reads `errno`.
///
/// EINTR is retried, EAGAIN is a result, and EBADF, EFAULT and ENOTSOCK stop the process: they mean that a descriptor
/// or a buffer was used after its end, which is a fault of this program and never of a peer.
enum Syscalls {
    /// The result of a call that may have to be tried again later.
    enum Attempt: Equatable {
        case done(Int)
        case wouldBlock
        case failed(Errno)
    }

    /// Runs `body` until it is not interrupted. Not inlined into the callers' reference counting, which could run
    /// between the call and the read of `errno`.
    @inline(__always)
    static func attempt<Result: FixedWidthInteger>(_ body: () -> Result) -> Attempt {
        while true {
            let result = body()
            if result >= 0 { return .done(Int(result)) }
            let code = errno
            switch code {
            case EINTR: continue
            case EAGAIN: return .wouldBlock
            case EBADF, EFAULT, ENOTSOCK:
                preconditionFailure("descriptor or buffer used after its end: \(Errno(rawValue: code))")
            default: return .failed(Errno(rawValue: code))
            }
        }
    }

    /// For calls that never block, or whose EAGAIN is a failure like any other.
    @inline(__always)
    @discardableResult
    static func require<Result: FixedWidthInteger>(
        _ call: RuntimeError.Call, _ body: () -> Result
    ) throws(RuntimeError) -> Int {
        switch attempt(body) {
        case .done(let value): return value
        case .wouldBlock: throw .system(call, Errno(rawValue: EAGAIN))
        case .failed(let errno): throw .system(call, errno)
        }
    }

    /// Errors are ignored: Linux frees the number in any case, and a retry could close a stranger's descriptor.
    @inline(never)
    static func close(_ descriptor: Int32) {
        let result = Glibc.close(descriptor)
        precondition(result == 0 || errno != EBADF, "descriptor closed twice")
    }

    // MARK: Streams of bytes

    @inline(never)
    static func read(_ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer) -> Attempt {
        attempt { Glibc.read(descriptor, buffer.baseAddress, buffer.count) }
    }

    @inline(never)
    static func write(_ descriptor: Int32, _ buffer: UnsafeRawBufferPointer) -> Attempt {
        attempt { Glibc.write(descriptor, buffer.baseAddress, buffer.count) }
    }

    /// send(2) without SIGPIPE.
    @inline(never)
    static func send(_ socket: Int32, _ buffer: UnsafeRawBufferPointer) -> Attempt {
        attempt { Glibc.send(socket, buffer.baseAddress, buffer.count, Int32(MSG_NOSIGNAL)) }
    }

    @inline(never)
    static func pipe() throws(RuntimeError) -> (readEnd: Int32, writeEnd: Int32) {
        var ends: (Int32, Int32) = (-1, -1)
        try require(.pipe2) {
            withUnsafeMutableBytes(of: &ends) {
                clinux_pipe2($0.assumingMemoryBound(to: Int32.self).baseAddress, O_CLOEXEC | O_NONBLOCK)
            }
        }
        return ends
    }

    @inline(never)
    static func open(_ path: String, forWriting: Bool = false) throws(RuntimeError) -> FileDescriptor {
        let mode = forWriting ? O_WRONLY : O_RDONLY
        return FileDescriptor(taking: Int32(try require(.open) { Glibc.open(path, mode | O_CLOEXEC) }))
    }

    // MARK: Epoll and events

    @inline(never)
    static func epollCreate() throws(RuntimeError) -> FileDescriptor {
        FileDescriptor(taking: Int32(try require(.epollCreate) { epoll_create1(Int32(EPOLL_CLOEXEC)) }))
    }

    @inline(never)
    static func epollControl(
        _ epoll: Int32, _ operation: Int32, _ descriptor: Int32, events: UInt32, token: UInt64
    ) throws(RuntimeError) {
        var event = epoll_event()
        event.events = events
        event.data.u64 = token
        try require(.epollCtl) { epoll_ctl(epoll, operation, descriptor, &event) }
    }

    /// Waits up to `nanoseconds` (nil: for ever). An interrupted wait counts as one without events.
    @inline(never)
    static func epollWait(_ epoll: Int32, _ events: UnsafeMutableBufferPointer<epoll_event>, nanoseconds: Int64?) -> Int
    {
        var result: Int32
        if let nanoseconds {
            var span = timespec(tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
            result = clinux_epoll_pwait2(epoll, events.baseAddress, Int32(events.count), &span)
            if result < 0, errno == ENOSYS || errno == EPERM {
                let milliseconds = Int32(clamping: (nanoseconds + 999_999) / 1_000_000)
                result = epoll_wait(epoll, events.baseAddress, Int32(events.count), milliseconds)
            }
        } else {
            result = epoll_wait(epoll, events.baseAddress, Int32(events.count), -1)
        }
        if result >= 0 { return Int(result) }
        let code = errno
        precondition(code == EINTR, "epoll_wait: \(Errno(rawValue: code))")
        return 0
    }

    @inline(never)
    static func eventDescriptor() throws(RuntimeError) -> FileDescriptor {
        FileDescriptor(taking: Int32(try require(.eventfd) { eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK)) }))
    }

    /// Makes an event descriptor readable.
    @inline(never)
    static func signalEvent(_ descriptor: Int32) {
        var one: UInt64 = 1
        _ = withUnsafeBytes(of: &one) { write(descriptor, $0) }
    }

    @inline(never)
    static func drainEvent(_ descriptor: Int32) {
        var count: UInt64 = 0
        _ = withUnsafeMutableBytes(of: &count) { read(descriptor, $0) }
    }

    /// False when the deadline passed. May return early.
    @inline(never)
    static func futexWait(_ word: UnsafeMutablePointer<UInt32>, expected: UInt32, untilNanoseconds deadline: Int64?)
        -> Bool
    {
        guard let deadline else {
            _ = clinux_futex_wait(word, expected, nil)
            return true
        }
        var time = timespec(
            tv_sec: Int(max(0, deadline) / 1_000_000_000), tv_nsec: Int(max(0, deadline) % 1_000_000_000))
        return clinux_futex_wait(word, expected, &time) == 0 || errno != ETIMEDOUT
    }

    @inline(never)
    static func futexWake(_ word: UnsafeMutablePointer<UInt32>) { _ = clinux_futex_wake_one(word) }

    // MARK: Clock, randomness, threads, signals

    @inline(never)
    static func nanoseconds(of clock: clockid_t) -> Int64 {
        var time = timespec()
        let result = clock_gettime(clock, &time)
        precondition(result == 0, "the kernel has no such clock")
        return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }

    @inline(never)
    static func fillRandom(_ buffer: UnsafeMutableRawBufferPointer) {
        var filled = 0
        while filled < buffer.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
            guard case .done(let count) = attempt({ getrandom(rest.baseAddress, rest.count, 0) }) else {
                preconditionFailure("the kernel gives no random bytes")
            }
            filled += count
        }
    }

    @inline(never)
    static func catchSignal(_ number: Int32, with handler: @convention(c) (Int32) -> Void) throws(RuntimeError) {
        var action = sigaction()
        action.__sigaction_handler.sa_handler = handler
        action.sa_flags = SA_RESTART
        try require(.sigaction) { clinux_sigaction(number, &action) }
    }

    /// Writes one byte inside a signal handler, where only such calls are allowed, and leaves `errno` as it was.
    static func writeByteInSignalHandler(_ byte: UInt8, to descriptor: Int32) {
        let saved = errno
        var byte = byte
        _ = Glibc.write(descriptor, &byte, 1)
        errno = saved
    }
}
