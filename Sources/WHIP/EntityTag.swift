import Bytes

/// A strong entity tag (RFC 9110 section 8.8.3), quotes included.
struct EntityTag: Equatable, Sendable {
    let text: String

    init(random bytes: [UInt8]) { text = "\"" + String(hex: bytes) + "\"" }

    var field: HeaderField { HeaderField("etag", text) }

    /// Strong comparison with a list of entity tags (RFC 9110 section 13.1.1); ours have no comma in them. An asterisk
    /// in quotes counts as one without, because that is how the example of RFC 9725 section 4.3.3 writes it.
    func satisfies(ifMatch condition: String) -> Bool {
        condition.split(separator: ",").contains { part in
            let tag = part.trimmed
            return tag == "*" || tag == "\"*\"" || tag == text
        }
    }
}
