import Bytes
import CLinux
import Glibc

extension Syscalls {
    /// A non-blocking socket of the address's family.
    @inline(never)
    static func socket(for address: TransportAddress, datagrams: Bool) throws(RuntimeError) -> FileDescriptor {
        let family = if case .v4 = address.ip { AF_INET } else { AF_INET6 }
        let kind = Int32(
            (datagrams ? SOCK_DGRAM : SOCK_STREAM).rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        return FileDescriptor(taking: Int32(try require(.socket) { Glibc.socket(family, kind, 0) }))
    }

    @inline(never)
    static func bind(_ socket: Int32, to address: TransportAddress) throws(RuntimeError) {
        let encoded = SocketAddress(address)
        let result = encoded.withSockaddr { pointer, length in attempt { Glibc.bind(socket, pointer, length) } }
        if case .failed(let errno) = result { throw .bind(address, errno) }
    }

    /// `wouldBlock` when the port was taken between bind and listen never happens; EADDRINUSE may.
    @inline(never)
    static func listen(_ socket: Int32, at address: TransportAddress, backlog: Int32) throws(RuntimeError) {
        if case .failed(let errno) = attempt({ Glibc.listen(socket, backlog) }) { throw .bind(address, errno) }
    }

    /// True when connected at once, false when under way.
    @inline(never)
    static func connect(_ socket: Int32, to address: TransportAddress) throws(RuntimeError) -> Bool {
        let encoded = SocketAddress(address)
        // An interrupted connect goes on in the background; asking again gives EALREADY.
        let result = encoded.withSockaddr { pointer, length in attempt { Glibc.connect(socket, pointer, length) } }
        switch result {
        case .done: return true
        case .failed(Errno(rawValue: EINPROGRESS)), .failed(Errno(rawValue: EALREADY)): return false
        case .failed(Errno(rawValue: EISCONN)): return true
        case .failed(let errno): throw .connect(address, errno)
        // No free local port.
        case .wouldBlock: throw .connect(address, Errno(rawValue: EAGAIN))
        }
    }

    /// The accepted descriptor, non-blocking, and who is at the other end.
    @inline(never)
    static func accept(_ socket: Int32, peer: inout SocketAddress) -> Attempt {
        peer.withMutableSockaddr { pointer, length in
            attempt {
                clinux_accept4(socket, pointer, length, Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue))
            }
        }
    }

    @inline(never)
    static func localAddress(of socket: Int32) throws(RuntimeError) -> TransportAddress {
        var address = SocketAddress()
        let result = address.withMutableSockaddr { pointer, length in attempt { getsockname(socket, pointer, length) } }
        if case .failed(let errno) = result { throw .system(.getsockname, errno) }
        guard let decoded = address.transportAddress else { throw .system(.getsockname, Errno(rawValue: EAFNOSUPPORT)) }
        return decoded
    }

    @inline(never)
    static func shutdownWriting(_ socket: Int32) {
        // ENOTCONN: the peer was faster.
        _ = attempt { Glibc.shutdown(socket, Int32(SHUT_WR)) }
    }

    @inline(never)
    static func setOption(_ socket: Int32, _ level: Int32, _ name: Int32, _ value: Int32) throws(RuntimeError) {
        var value = value
        try require(.setsockopt) { setsockopt(socket, level, name, &value, socklen_t(MemoryLayout<Int32>.size)) }
    }

    @inline(never)
    static func option(_ socket: Int32, _ level: Int32, _ name: Int32) throws(RuntimeError) -> Int32 {
        var value: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        try require(.getsockopt) { getsockopt(socket, level, name, &value, &length) }
        return value
    }

    /// The error that the kernel keeps for the socket, cleared by reading it; nil when there is none.
    @inline(never)
    static func pendingError(of socket: Int32) -> Errno? {
        guard let code = try? option(socket, SOL_SOCKET, SO_ERROR), code != 0 else { return nil }
        return Errno(rawValue: code)
    }

    /// Datagrams that the kernel dropped because the receive buffer was full.
    @inline(never)
    static func kernelDrops(of socket: Int32) -> UInt32 {
        var values = [UInt32](repeating: 0, count: Int(clinux_SK_MEMINFO_VARS.rawValue))
        var length = socklen_t(values.count * MemoryLayout<UInt32>.size)
        let result = attempt { getsockopt(socket, SOL_SOCKET, Int32(clinux_SO_MEMINFO.rawValue), &values, &length) }
        let index = Int(clinux_SK_MEMINFO_DROPS.rawValue)
        guard case .done = result, Int(length) > index * MemoryLayout<UInt32>.size else { return 0 }
        return values[index]
    }

    // MARK: Datagrams in batches

    @inline(never)
    static func receiveBatch(_ socket: Int32, _ messages: UnsafeMutableBufferPointer<clinux_mmsghdr>) -> Attempt {
        attempt { clinux_recvmmsg(socket, messages.baseAddress, UInt32(messages.count), Int32(MSG_DONTWAIT), nil) }
    }

    /// How many messages of the front were sent; an error is that of the first.
    @inline(never)
    static func sendBatch(_ socket: Int32, _ messages: UnsafeMutableBufferPointer<clinux_mmsghdr>) -> Attempt {
        let flags = Int32(MSG_DONTWAIT | MSG_NOSIGNAL)
        return attempt { clinux_sendmmsg(socket, messages.baseAddress, UInt32(messages.count), flags) }
    }

    // MARK: Interfaces and names

    @inline(never)
    static func interfaceAddresses() throws(RuntimeError) -> UnsafeMutablePointer<ifaddrs>? {
        var list: UnsafeMutablePointer<ifaddrs>?
        try require(.getifaddrs) { getifaddrs(&list) }
        return list
    }
}
