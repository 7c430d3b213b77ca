/// An IP address and a port (RFC 8489: "transport address"), as a value that needs no socket library.
public struct TransportAddress: Hashable, Sendable {
    public enum IP: Hashable, Sendable {
        /// Host byte order: 127.0.0.1 is 0x7F00_0001.
        case v4(UInt32)
        /// The first and the last eight bytes, host byte order.
        case v6(UInt64, UInt64)
    }

    public var ip: IP
    public var port: UInt16

    @inlinable
    public init(ip: IP, port: UInt16) {
        self.ip = ip
        self.port = port
    }

    /// Parses an address without a port or brackets: dotted decimal, or RFC 4291 text. No zones, no names.
    public init?(host: some StringProtocol, port: UInt16) {
        guard let ip = IP(host) else { return nil }
        self.init(ip: ip, port: port)
    }

    /// The address in text, without the port.
    public var host: String { ip.description }
}

extension TransportAddress: CustomStringConvertible {
    public var description: String {
        switch ip {
        case .v4: "\(ip):\(port)"
        case .v6: "[\(ip)]:\(port)"
        }
    }
}

extension TransportAddress.IP: CustomStringConvertible {
    /// Nil when the text is no IP address.
    public init?(_ text: some StringProtocol) {
        if let v4 = Self.parseV4(text) {
            self = .v4(v4)
        } else if let (high, low) = Self.parseV6(text) {
            self = .v6(high, low)
        } else {
            return nil
        }
    }

    public var description: String {
        switch self {
        case .v4(let address):
            return "\(address >> 24).\(address >> 16 & 0xFF).\(address >> 8 & 0xFF).\(address & 0xFF)"
        case .v6(let high, let low):
            return Self.formatV6(
                groups: (0..<8).map { index in
                    UInt16(truncatingIfNeeded: (index < 4 ? high : low) >> UInt64(48 - index % 4 * 16))
                })
        }
    }

    public var isLoopback: Bool {
        switch self {
        case .v4(let address): address >> 24 == 127
        case .v6(let high, let low): high == 0 && low == 1
        }
    }

    /// 0.0.0.0 or ::, which stands for every address of the machine.
    public var isAny: Bool {
        switch self {
        case .v4(let address): address == 0
        case .v6(let high, let low): high == 0 && low == 0
        }
    }

    /// Link-local: 169.254.0.0/16 or fe80::/10.
    public var isLinkLocal: Bool {
        switch self {
        case .v4(let address): address >> 16 == 0xA9FE
        case .v6(let high, _): high >> 54 == 0x3FA
        }
    }

    /// The IPv4 address inside an IPv4-mapped IPv6 one (::ffff:a.b.c.d), otherwise the address as it is.
    public var unmapped: TransportAddress.IP {
        if case .v6(0, let low) = self, low >> 32 == 0xFFFF { return .v4(UInt32(truncatingIfNeeded: low)) }
        return self
    }

    private static func parseV4(_ text: some StringProtocol) -> UInt32? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var address: UInt32 = 0
        for part in parts {
            guard (1...3).contains(part.utf8.count), part.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                let byte = UInt8(part)
            else { return nil }
            address = address << 8 | UInt32(byte)
        }
        return address
    }

    private static func parseV6(_ text: some StringProtocol) -> (UInt64, UInt64)? {
        guard text.utf8.count <= 45, text.utf8.contains(0x3A) else { return nil }
        let halves = splitOnce(String(text), at: "::")
        guard let halves else { return groups(of: text).flatMap { $0.count == 8 ? join($0) : nil } }
        guard let head = groups(of: halves.0), let tail = groups(of: halves.1), head.count + tail.count < 8 else {
            return nil
        }
        return join(head + Array(repeating: 0, count: 8 - head.count - tail.count) + tail)
    }

    private static func splitOnce(_ text: String, at separator: String) -> (String, String)? {
        let bytes = Array(text.utf8)
        let mark = Array(separator.utf8)
        guard bytes.count >= mark.count else { return nil }
        for start in 0...(bytes.count - mark.count) where Array(bytes[start..<start + mark.count]) == mark {
            return (
                String(decoding: bytes[..<start], as: UTF8.self),
                String(decoding: bytes[(start + mark.count)...], as: UTF8.self)
            )
        }
        return nil
    }

    /// 16-bit groups of colon-separated hex; the last part may be dotted decimal (two groups). Empty text gives no groups.
    private static func groups(of text: some StringProtocol) -> [UInt16]? {
        if text.isEmpty { return [] }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        var groups: [UInt16] = []
        for (index, part) in parts.enumerated() {
            if index == parts.count - 1, let v4 = parseV4(part) {
                groups += [UInt16(truncatingIfNeeded: v4 >> 16), UInt16(truncatingIfNeeded: v4)]
            } else if (1...4).contains(part.utf8.count), part.utf8.first != 0x2B, let group = UInt16(part, radix: 16) {
                groups.append(group)
            } else {
                return nil
            }
        }
        return groups.count <= 8 ? groups : nil
    }

    private static func join(_ groups: [UInt16]) -> (UInt64, UInt64) {
        let high = groups[0..<4].reduce(UInt64(0)) { $0 << 16 | UInt64($1) }
        let low = groups[4..<8].reduce(UInt64(0)) { $0 << 16 | UInt64($1) }
        return (high, low)
    }

    /// RFC 5952: lower case, the longest run of two or more zero groups becomes "::".
    private static func formatV6(groups: [UInt16]) -> String {
        var best = 0..<0
        var start = 0
        while start < 8 {
            var end = start
            while end < 8, groups[end] == 0 { end += 1 }
            if end - start >= 2, end - start > best.count { best = start..<end }
            start = max(end, start + 1)
        }
        let text = { (part: ArraySlice<UInt16>) in part.map { String($0, radix: 16) }.joined(separator: ":") }
        return best.isEmpty
            ? text(groups[...]) : text(groups[..<best.lowerBound]) + "::" + text(groups[best.upperBound...])
    }
}
