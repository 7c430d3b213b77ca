import Bytes

/// An `http` or `https` URL, cut into what a request needs (RFC 3986, RFC 9110 section 4.2).
package struct HTTPURL: Equatable, Sendable {
    package var isSecure: Bool
    /// Without the brackets of an IPv6 address.
    package var host: String
    package var port: UInt16
    /// Path and query, as they go into the request line.
    package var target: String

    /// Nil for anything that is not such a URL; a fragment is dropped, a user is refused.
    package init?(_ text: String) {
        let scheme = text.prefix { $0 != ":" }.lowercased()
        guard scheme == "http" || scheme == "https", text.dropFirst(scheme.count).hasPrefix("://"),
            text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F })
        else { return nil }
        isSecure = scheme == "https"
        let rest = text.dropFirst(scheme.count + 3).prefix { $0 != "#" }
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        let tail = rest.dropFirst(authority.count)
        target = tail.hasPrefix("/") ? String(tail) : "/" + tail
        guard !authority.contains("@"), let (host, port) = Self.split(authority) else { return nil }
        self.host = host
        guard let number = port.isEmpty ? (isSecure ? 443 : 80) : UInt16(port), number > 0 else { return nil }
        self.port = number
    }

    private static func split(_ authority: Substring) -> (host: String, port: Substring)? {
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else { return nil }
            let host = authority[authority.index(after: authority.startIndex)..<end]
            let rest = authority[authority.index(after: end)...]
            guard TransportAddress.IP(host) != nil, rest.isEmpty || rest.hasPrefix(":") else { return nil }
            return (String(host), rest.dropFirst())
        }
        let host = authority.prefix { $0 != ":" }
        guard !host.isEmpty else { return nil }
        return (String(host), authority.dropFirst(host.count + 1))
    }

    /// For `Host`.
    package var authority: String {
        let host = host.contains(":") ? "[\(host)]" : host
        return port == (isSecure ? 443 : 80) ? host : "\(host):\(port)"
    }

    package var text: String { (isSecure ? "https://" : "http://") + authority + target }

    /// The path alone.
    package var path: Substring { target.prefix { $0 != "?" } }

    /// What a reference such as `Location` means here; nil when it is none of HTTP.
    package func resolving(_ reference: String) -> HTTPURL? {
        let scheme = isSecure ? "https:" : "http:"
        if reference.contains("://") && !reference.hasPrefix("/") && !reference.hasPrefix("?") {
            return HTTPURL(reference)
        }
        if reference.hasPrefix("//") { return HTTPURL(scheme + reference) }
        let base = scheme + "//" + authority
        if reference.hasPrefix("/") { return HTTPURL(base + reference) }
        if reference.hasPrefix("?") { return HTTPURL(base + path + reference) }
        guard !reference.isEmpty, let slash = path.lastIndex(of: "/") else { return nil }
        return HTTPURL(base + path[...slash] + reference)
    }
}
