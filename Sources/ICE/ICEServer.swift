/// Servers that help to find a path, with the name and password that TURN asks for.
package struct ICEServer: Hashable, Sendable {
    package var urls: [ICEServerURL]
    package var username: String
    package var password: String

    package init(urls: [ICEServerURL], username: String = "", password: String = "") {
        self.urls = urls
        self.username = username
        self.password = password
    }

    /// Servers as signalling tells them; URLs that cannot be used are left out.
    package init(urls: [String], username: String = "", password: String = "") {
        self.init(urls: urls.compactMap { try? ICEServerURL(parsing: $0) }, username: username, password: password)
    }
}

/// `stun:host[:port]` (RFC 7064), `turn:host[:port][?transport=udp|tcp]` or `turns:…` over TLS (RFC 7065).
package struct ICEServerURL: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        case stun
        case turn
        /// TURN over TLS over TCP.
        case turns
    }

    package var kind: Kind
    /// A name or an address, without brackets.
    package var host: String
    package var port: UInt16
    /// Towards the server.
    package var transport: ICETransport

    package init(parsing text: String) throws(ICEError) {
        guard text.utf8.count <= ICELimits.serverURLBytes else { throw .tooLarge }
        guard let colon = text.firstIndex(of: ":") else { throw .malformedServerURL }
        switch text[..<colon].lowercased() {
        case "stun": kind = .stun
        case "turn": kind = .turn
        case "turns": kind = .turns
        case "stuns": throw .unsupportedServerURL
        default: throw .malformedServerURL
        }
        let rest = text[text.index(after: colon)...]
        let parts = rest.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        transport = kind == .turns ? .tcp : .udp
        (host, port) = try Self.endpoint(parts[0], defaultPort: kind == .turns ? 5_349 : 3_478)
        if parts.count > 1 { try readQuery(parts[1]) }
    }

    private mutating func readQuery(_ query: Substring) throws(ICEError) {
        guard kind != .stun, query.lowercased().hasPrefix("transport=") else { throw .malformedServerURL }
        switch (query.dropFirst("transport=".count).lowercased(), kind) {
        case ("tcp", _): transport = .tcp
        case ("udp", .turn): transport = .udp
        // `turns` over UDP means DTLS (RFC 7350).
        default: throw .unsupportedServerURL
        }
    }

    private static func endpoint(
        _ text: Substring, defaultPort: UInt16
    ) throws(ICEError) -> (host: String, port: UInt16) {
        var host = text
        var portText: Substring?
        if text.first == "[" {
            guard let end = text.firstIndex(of: "]") else { throw .malformedServerURL }
            host = text[text.index(after: text.startIndex)..<end]
            let tail = text[text.index(after: end)...]
            guard tail.isEmpty || tail.first == ":" else { throw .malformedServerURL }
            if !tail.isEmpty { portText = tail.dropFirst() }
        } else if let colon = text.firstIndex(of: ":") {
            host = text[..<colon]
            portText = text[text.index(after: colon)...]
        }
        guard (1...ICELimits.nameBytes).contains(host.utf8.count), host.utf8.allSatisfy(isHostByte) else {
            throw .malformedServerURL
        }
        guard let portText else { return (String(host), defaultPort) }
        guard (1...5).contains(portText.utf8.count), portText.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let port = UInt16(portText), port != 0
        else { throw .malformedServerURL }
        return (String(host), port)
    }

    private static func isHostByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: ":"):
            true
        default: false
        }
    }
}
