import Bytes

/// Writes one JSON object (RFC 8259), members in the order given. Texts may hold anything; what JSON does not allow inside
/// of quotes is escaped, all else is written as UTF-8.
package struct JSONWriter {
    private var bytes: [UInt8] = [UInt8(ascii: "{")]

    private init() {}

    /// The object whose members `fill` writes.
    package static func object(_ fill: (inout JSONWriter) -> Void) -> String {
        var writer = JSONWriter()
        fill(&writer)
        writer.bytes.append(UInt8(ascii: "}"))
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    package mutating func member(_ name: String, _ value: String) {
        begin(name)
        append(quoted: value)
    }

    package mutating func member(_ name: String, _ value: Int64) { memberVerbatim(name, String(value)) }
    package mutating func member(_ name: String, _ value: Bool) { memberVerbatim(name, value ? "true" : "false") }
    package mutating func memberNull(_ name: String) { memberVerbatim(name, "null") }

    package mutating func member(_ name: String, object fill: (inout JSONWriter) -> Void) {
        memberVerbatim(name, Self.object(fill))
    }

    /// Members in the order of their names, so that the same texts give the same bytes.
    package mutating func member(_ name: String, _ texts: [String: String]) {
        member(name) { object in
            for (key, value) in texts.sorted(by: { $0.key < $1.key }) { object.member(key, value) }
        }
    }

    private mutating func memberVerbatim(_ name: String, _ json: String) {
        begin(name)
        bytes.append(contentsOf: json.utf8)
    }

    private mutating func begin(_ name: String) {
        if bytes.last != UInt8(ascii: "{") { bytes.append(UInt8(ascii: ",")) }
        append(quoted: name)
        bytes.append(UInt8(ascii: ":"))
    }

    /// RFC 8259 section 7: the quote, the backslash and everything below U+0020 must be escaped.
    private mutating func append(quoted text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
            case UInt8(ascii: "\n"): bytes.append(contentsOf: "\\n".utf8)
            case UInt8(ascii: "\r"): bytes.append(contentsOf: "\\r".utf8)
            case UInt8(ascii: "\t"): bytes.append(contentsOf: "\\t".utf8)
            case 0..<0x20: bytes.append(contentsOf: ("\\u00" + String(hex: [byte])).utf8)
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}
