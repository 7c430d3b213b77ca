package import Bytes
import Glibc

/// One address of one network interface, for candidates and for checks of what may be reached.
package struct NetworkInterface: Hashable, Sendable {
    /// "eth0"; several addresses of an interface share it.
    package let name: String
    package let address: TransportAddress.IP
    package let isUp: Bool
    package let isLoopback: Bool
    package let isPointToPoint: Bool

    package init(
        name: String, address: TransportAddress.IP, isUp: Bool, isLoopback: Bool, isPointToPoint: Bool = false
    ) {
        self.name = name
        self.address = address
        self.isUp = isUp
        self.isLoopback = isLoopback
        self.isPointToPoint = isPointToPoint
    }

    /// All IPv4 and IPv6 addresses of this machine, in the kernel's order.
    package static func all() throws(RuntimeError) -> [NetworkInterface] {
        let list = try Syscalls.interfaceAddresses()
        defer { freeifaddrs(list) }
        var found: [NetworkInterface] = []
        for entry in sequence(first: list, next: { $0?.pointee.ifa_next }) {
            guard let entry = entry?.pointee, let raw = entry.ifa_addr, let ip = decode(raw) else { continue }
            let flags = entry.ifa_flags
            found.append(
                NetworkInterface(
                    name: String(cString: entry.ifa_name), address: ip,
                    isUp: flags & UInt32(IFF_UP) != 0,
                    isLoopback: flags & UInt32(IFF_LOOPBACK) != 0,
                    isPointToPoint: flags & UInt32(IFF_POINTOPOINT) != 0))
        }
        return found
    }

    private static func decode(_ raw: UnsafeMutablePointer<sockaddr>) -> TransportAddress.IP? {
        let size: Int
        switch Int32(raw.pointee.sa_family) {
        case AF_INET: size = MemoryLayout<sockaddr_in>.size
        case AF_INET6: size = MemoryLayout<sockaddr_in6>.size
        default: return nil
        }
        return SocketAddress.decode(UnsafeRawBufferPointer(start: raw, count: size))?.ip
    }
}
