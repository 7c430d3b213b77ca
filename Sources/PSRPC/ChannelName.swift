/// Names of Redis channels: sanitised parts joined by "|"; empty parts leave no trace.
package enum ChannelName {
    /// Where servers of a method hear requests.
    package static func request(_ service: String, _ method: String, _ topic: [String]) -> String {
        join([service, method] + topic + ["REQ"])
    }

    /// Where clients tell all servers of a method whom they chose.
    package static func grant(_ service: String, _ method: String, _ topic: [String]) -> String {
        join([service, method] + topic + ["RCLAIM"])
    }

    /// Where a client hears which servers would take its request.
    package static func claim(_ service: String, client: String) -> String { join([service, client, "CLAIM"]) }

    /// Where a client hears responses.
    package static func response(_ service: String, client: String) -> String { join([service, client, "RES"]) }

    private static func join(_ parts: [String]) -> String {
        parts.filter { !$0.isEmpty }.map(sanitised).joined(separator: "|")
    }

    /// Keeps `0-9 A-Z a-z _`; any other code point becomes `u+` and 4 hexadecimal digits, or `U+` and 8.
    package static func sanitised(_ part: String) -> String {
        var text = ""
        for scalar in part.unicodeScalars {
            switch scalar {
            case "0"..."9", "A"..."Z", "a"..."z", "_": text.unicodeScalars.append(scalar)
            default:
                let digits = String(scalar.value, radix: 16)
                let width = scalar.value < 0x1_0000 ? 4 : 8
                text += (width == 4 ? "u+" : "U+") + String(repeating: "0", count: width - digits.utf8.count) + digits
            }
        }
        return text
    }
}

/// Identifiers of clients, servers and requests.
package enum RPCIdentifier {
    /// Random bytes that one identifier takes.
    package static let randomBytes = 24
    private static let alphabet = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)

    /// `prefix` and 12 letters and digits, out of `randomBytes` bytes of `random`.
    package static func make(_ prefix: String, random: [UInt8]) -> String {
        precondition(random.count >= randomBytes, "too few random bytes")
        let digits = stride(from: 0, to: randomBytes, by: 2).map { index in
            alphabet[(Int(random[index]) << 8 | Int(random[index + 1])) % alphabet.count]
        }
        return prefix + String(decoding: digits, as: UTF8.self)
    }
}
