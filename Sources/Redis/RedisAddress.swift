/// Host and port of a server, as they stand in a configuration.
package struct RedisAddress: Hashable, Sendable {
    package static let defaultPort: UInt16 = 6379

    /// A name or an IP address without brackets.
    package var host: String
    package var port: UInt16

    package init(host: String, port: UInt16 = defaultPort) {
        self.host = host
        self.port = port
    }

    /// Reads `host:port`, `host`, `[v6]:port` or `[v6]`.
    package init(_ text: String, defaultPort: UInt16 = defaultPort) throws(RedisError) {
        guard let address = Self.parse(text, defaultPort: defaultPort) else {
            throw .invalidSetting("\"\(text)\" is no address of a redis server; write it as host:port")
        }
        self = address
    }

    private static func parse(_ text: String, defaultPort: UInt16) -> RedisAddress? {
        guard text.utf8.count <= 300 else { return nil }
        let host: Substring
        var rest: Substring
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { return nil }
            host = text[text.index(after: text.startIndex)..<end]
            rest = text[text.index(after: end)...]
        } else {
            let end = text.firstIndex(of: ":") ?? text.endIndex
            host = text[..<end]
            rest = text[end...]
        }
        guard !host.isEmpty, host.utf8.allSatisfy({ isHostByte($0, inBrackets: text.hasPrefix("[")) }),
            text.hasPrefix("[") == host.contains(":")
        else { return nil }
        if rest.isEmpty { return RedisAddress(host: String(host), port: defaultPort) }
        guard rest.removeFirst() == ":", rest.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(rest),
            port > 0
        else { return nil }
        return RedisAddress(host: String(host), port: port)
    }

    /// Letters, digits and what stands in names; in brackets an IPv6 address with its zone.
    private static func isHostByte(_ byte: UInt8, inBrackets: Bool) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"): true
        case UInt8(ascii: ":"), UInt8(ascii: "%"): inBrackets
        default: false
        }
    }
}

extension RedisAddress: CustomStringConvertible {
    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
