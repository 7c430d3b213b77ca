import Bytes

/// What the headers of a request say, read as RFC 9110 has it.
extension ResourceRequest {
    /// All values of a list header, as one text.
    func joined(_ name: String) -> String? {
        let values = headers.filter { $0.name == name }.map(\.value)
        return values.isEmpty ? nil : values.joined(separator: ",")
    }

    /// Type and subtype of the body, in lower case and without parameters.
    var mediaType: String? {
        header("content-type").map { value in value.prefix { $0 != ";" }.trimmed.lowercased() }
    }

    /// The token of `Authorization: Bearer <token>`; many encoders leave the first word out, so a token alone will do.
    var bearerToken: String? {
        guard let value = header("authorization") else { return nil }
        let words = value.split(whereSeparator: { $0 == " " || $0 == "\t" })
        switch words.count {
        case 1 where words[0].lowercased() != "bearer": return String(words[0])
        case 2 where words[0].lowercased() == "bearer": return String(words[1])
        default: return nil
        }
    }

    /// Whether an answer of `type` is welcome (RFC 9110 section 12.5.1): without `Accept` anything is.
    func accepts(_ type: String) -> Bool {
        guard let accept = joined("accept") else { return true }
        let family = type.prefix { $0 != "/" } + "/*"
        var best: (specificity: Int, isWelcome: Bool)?
        for range in accept.split(separator: ",") {
            let parts = range.split(separator: ";").map { $0.trimmed.lowercased() }
            guard let name = parts.first, let specificity = ["*/*", String(family), type].firstIndex(of: name) else {
                continue
            }
            let isRefused = parts.dropFirst().contains { part in
                part.hasPrefix("q=0") && part.dropFirst(3).allSatisfy { $0 == "." || $0 == "0" }
            }
            if specificity >= best?.specificity ?? 0 { best = (specificity, !isRefused) }
        }
        return best?.isWelcome ?? false
    }

    /// Who asks. Behind a proxy of this machine or network it is whom that proxy names last: everything before it in the
    /// list was said by the client.
    var client: TransportAddress.IP? {
        guard let peer, peer.isLoopback || peer.isPrivate,
            let last = joined("x-forwarded-for")?.split(separator: ",").last?.trimmed
        else { return peer }
        return TransportAddress.IP(forwarded: last)?.unmapped ?? peer
    }

    /// Scheme and authority that the client used, as far as the headers tell; nil when they do not.
    var origin: String? {
        let scheme = header("x-forwarded-proto")?.firstListItem.lowercased() ?? (isSecure ? "https" : "http")
        guard scheme == "http" || scheme == "https" else { return nil }
        guard let authority = header("x-forwarded-host")?.firstListItem ?? header("host"), authority.isAuthority else {
            return nil
        }
        return scheme + "://" + authority
    }
}

extension TransportAddress.IP {
    /// Networks that are not of the Internet: RFC 1918, RFC 4193, and link-local ones.
    var isPrivate: Bool {
        switch self {
        case .v4(let address):
            address >> 24 == 10 || address >> 20 == 0xAC1 || address >> 16 == 0xC0A8 || isLinkLocal
        case .v6(let high, _): high >> 57 == 0x7E || isLinkLocal
        }
    }

    /// An entry of `X-Forwarded-For`: an address, in brackets or not, with a port or not.
    fileprivate init?(forwarded text: Substring) {
        if text.first == "[", let end = text.firstIndex(of: "]") {
            self.init(text[text.index(after: text.startIndex)..<end])
        } else if text.count(where: { $0 == ":" }) == 1 {
            self.init(text.prefix { $0 != ":" })
        } else {
            self.init(text)
        }
    }
}

extension StringProtocol {
    /// Without blanks at both ends.
    var trimmed: SubSequence {
        let isBlank = { (character: Character) in character == " " || character == "\t" }
        let tail = drop(while: isBlank)
        guard let last = tail.lastIndex(where: { !isBlank($0) }) else { return tail }
        return tail[...last]
    }

    fileprivate var firstListItem: String { String(prefix { $0 != "," }.trimmed) }

    /// Host and port with nothing in them that could mean anything else in a URL.
    fileprivate var isAuthority: Bool {
        !isEmpty && utf8.count <= WHIPLimits.authorityBytes
            && utf8.allSatisfy { byte in byte.isAlphanumeric || "-._:[]".utf8.contains(byte) }
    }
}

extension UInt8 {
    var isAlphanumeric: Bool {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"):
            true
        default: false
        }
    }
}
