import Bytes
import Glibc

/// A `TransportAddress` in the kernel's form: room for either family, no allocation.
struct SocketAddress {
    /// The larger of the two; an IPv4 address is stored over it.
    private var storage = sockaddr_in6()
    private(set) var length = socklen_t(MemoryLayout<sockaddr_in6>.size)

    /// Room to receive an address.
    init() {}

    init(_ address: TransportAddress) {
        length = withUnsafeMutableBytes(of: &storage) { Self.encode(address, mapped: false, into: $0) }
    }

    /// The address, with an IPv4-mapped one (RFC 4291 section 2.5.5.2) as plain IPv4; nil for other families.
    var transportAddress: TransportAddress? {
        withUnsafeBytes(of: storage) { Self.decode(UnsafeRawBufferPointer(rebasing: $0.prefix(Int(length)))) }
    }

    func withSockaddr<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        withUnsafePointer(to: storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
        }
    }

    mutating func withMutableSockaddr<Result>(
        _ body: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Result
    ) -> Result {
        var capacity = socklen_t(MemoryLayout<sockaddr_in6>.size)
        let result = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, &capacity) }
        }
        length = min(capacity, socklen_t(MemoryLayout<sockaddr_in6>.size))
        return result
    }

    /// Writes the kernel's form into `memory`, which holds at least a `sockaddr_in6`; gives the length used.
    /// With `mapped`, IPv4 becomes an IPv4-mapped IPv6 address, as a dual-stack socket needs it.
    @inline(__always)
    static func encode(_ address: TransportAddress, mapped: Bool, into memory: UnsafeMutableRawBufferPointer)
        -> socklen_t
    {
        switch address.ip {
        case .v4(let host) where !mapped:
            var form = sockaddr_in()
            form.sin_family = sa_family_t(AF_INET)
            form.sin_port = address.port.bigEndian
            form.sin_addr.s_addr = host.bigEndian
            memory.storeBytes(of: form, as: sockaddr_in.self)
            return socklen_t(MemoryLayout<sockaddr_in>.size)
        case .v4(let host):
            return encodeV6(high: 0, low: 0xFFFF_0000_0000 | UInt64(host), port: address.port, into: memory)
        case .v6(let high, let low):
            return encodeV6(high: high, low: low, port: address.port, into: memory)
        }
    }

    private static func encodeV6(
        high: UInt64, low: UInt64, port: UInt16, into memory: UnsafeMutableRawBufferPointer
    ) -> socklen_t {
        var form = sockaddr_in6()
        form.sin6_family = sa_family_t(AF_INET6)
        form.sin6_port = port.bigEndian
        withUnsafeMutableBytes(of: &form.sin6_addr) {
            $0.storeBytes(of: high.bigEndian, as: UInt64.self)
            $0.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
        }
        memory.storeBytes(of: form, as: sockaddr_in6.self)
        return socklen_t(MemoryLayout<sockaddr_in6>.size)
    }

    @inline(__always)
    static func decode(_ memory: UnsafeRawBufferPointer) -> TransportAddress? {
        guard memory.count >= MemoryLayout<sockaddr_in>.size else { return nil }
        switch Int32(memory.loadUnaligned(as: sa_family_t.self)) {
        case AF_INET:
            let form = memory.loadUnaligned(as: sockaddr_in.self)
            return TransportAddress(
                ip: .v4(UInt32(bigEndian: form.sin_addr.s_addr)), port: UInt16(bigEndian: form.sin_port))
        case AF_INET6 where memory.count >= MemoryLayout<sockaddr_in6>.size:
            let form = memory.loadUnaligned(as: sockaddr_in6.self)
            let (high, low) = withUnsafeBytes(of: form.sin6_addr) {
                (
                    UInt64(bigEndian: $0.loadUnaligned(as: UInt64.self)),
                    UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
                )
            }
            return TransportAddress(
                ip: TransportAddress.IP.v6(high, low).unmapped, port: UInt16(bigEndian: form.sin6_port))
        default:
            return nil
        }
    }
}
