import Bytes

/// A STUN or TURN server that clients are told of (RFC 9725 section 4.6).
package struct ICEServer: Equatable, Sendable {
    package enum Credential: Equatable, Sendable {
        /// STUN needs none.
        case none
        case password(username: String, password: String)
        /// Passwords that end: the user's name says when (Unix seconds, then `:name` if there is one), and the password is
        /// the keyed hash of that under a secret that the TURN server knows as well.
        case timeLimited(secret: String, name: String, lifetimeSeconds: Int64)
    }

    /// `stun:`, `turn:` or `turns:` (RFC 7064, RFC 7065).
    package var url: String
    package var credential: Credential

    package init(url: String, credential: Credential = .none) {
        self.url = url
        self.credential = credential
    }
}

/// All of them, in the order to try.
package struct ICEServers: Sendable {
    package var servers: [ICEServer]
    /// HMAC with SHA-1 of (key, message): what TURN servers with shared secrets reckon with.
    private let hmacSHA1: @Sendable ([UInt8], [UInt8]) -> [UInt8]

    package static let none = ICEServers([], hmacSHA1: { _, _ in [] })

    package init(_ servers: [ICEServer], hmacSHA1: @escaping @Sendable (_ key: [UInt8], _ message: [UInt8]) -> [UInt8])
    {
        self.servers = servers
        self.hmacSHA1 = hmacSHA1
    }

    /// One `Link` header for each (RFC 8288). Servers whose URL could break out of its header are left out.
    package func links(at unixSeconds: Int64) -> [HeaderField] {
        servers.compactMap { server in
            guard !server.url.isEmpty, server.url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ">") })
            else { return nil }
            var value = "<" + server.url + ">; rel=\"ice-server\""
            if let (username, credential) = login(for: server, at: unixSeconds) {
                value += "; username=\"\(username.quotable)\"; credential=\"\(credential.quotable)\""
                value += "; credential-type=\"password\""
            }
            return HeaderField("link", value)
        }
    }

    private func login(for server: ICEServer, at unixSeconds: Int64) -> (username: String, credential: String)? {
        switch server.credential {
        case .none: return nil
        case .password(let username, let password): return (username, password)
        case .timeLimited(let secret, let name, let lifetime):
            let username = String(unixSeconds &+ lifetime) + (name.isEmpty ? "" : ":" + name)
            return (username, String(base64: hmacSHA1(Array(secret.utf8), Array(username.utf8))))
        }
    }
}

extension String {
    /// As it stands between the quotes of a header's parameter (RFC 9110 section 5.6.4).
    fileprivate var quotable: String {
        var text = ""
        for scalar in unicodeScalars where scalar.value >= 0x20 && scalar.value != 0x7F {
            if scalar == "\"" || scalar == "\\" { text += "\\" }
            text.unicodeScalars.append(scalar)
        }
        return text
    }
}
