import Bytes

/// `scheme://address[:port]/path` with an IP address or "localhost"; a bench needs no resolver.
struct ServerURL: Sendable {
    let authority: String
    let address: TransportAddress
    /// With its slash, and the query.
    let path: String

    init(_ text: String, scheme: String, defaultPort: UInt16) throws {
        guard text.hasPrefix(scheme + "://") else { throw BenchError("\(text) does not begin with \(scheme)://") }
        let rest = text.dropFirst(scheme.count + 3)
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        authority = String(rest[..<slash])
        path = slash == rest.endIndex ? "/" : String(rest[slash...])
        guard let address = Self.address(authority, defaultPort) else {
            throw BenchError("\(authority) is no IP address with a port")
        }
        self.address = address
    }

    private static func address(_ authority: String, _ defaultPort: UInt16) -> TransportAddress? {
        var host = authority[...]
        var port = defaultPort
        if let colon = authority.lastIndex(of: ":"), !authority.hasSuffix("]") {
            guard let number = UInt16(authority[authority.index(after: colon)...]) else { return nil }
            port = number
            host = authority[..<colon]
        }
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        return TransportAddress(host: host == "localhost" ? "127.0.0.1" : String(host), port: port)
    }

    /// The path's parts around its last slash; the query stays with the name.
    var folderAndName: (folder: String, name: String) {
        let end = path.firstIndex(of: "?") ?? path.endIndex
        guard let slash = path[..<end].lastIndex(of: "/") else { return ("", path) }
        return (String(path[..<slash]), String(path[path.index(after: slash)...]))
    }
}

/// The keys of `count` streams: numbered behind `prefix`, or all the one of the URL.
func streamKeys(_ name: String, prefix: String?, count: Int) -> [String] {
    (0..<count).map { index in prefix.map { $0 + String(index) } ?? name }
}
