/// Why a text is no JSON object that we take.
package enum JSONError: Error, Equatable, Sendable {
    case malformed
    case tooLarge
    case tooDeep
}

/// Reads one JSON object (RFC 8259) strictly: its own strings, numbers, booleans and nulls. What is nested in it is
/// checked and passed over. Of a repeated name the last value counts.
package struct JSONObjectReader {
    package enum Value: Equatable, Sendable {
        case string(String)
        /// As written.
        case number(String)
        case bool(Bool)
        case null
    }

    package enum Limits {
        package static let textBytes = 8_192
        package static let depth = 8
        package static let members = 64
    }

    /// A left curly bracket and a left square bracket (RFC 8259, section 2).
    private static let (objectStart, arrayStart) = (0x7B as UInt8, 0x5B as UInt8)

    private let bytes: [UInt8]
    private var position = 0

    private init(_ bytes: [UInt8]) { self.bytes = bytes }

    package static func read(_ text: String) throws(JSONError) -> [String: Value] {
        guard text.utf8.count <= Limits.textBytes else { throw .tooLarge }
        var reader = JSONObjectReader(Array(text.utf8))
        reader.skipBlanks()
        let members = try reader.object(depth: 0)
        reader.skipBlanks()
        guard reader.position == reader.bytes.count else { throw .malformed }
        return members
    }

    private mutating func object(depth: Int) throws(JSONError) -> [String: Value] {
        guard depth < Limits.depth else { throw .tooDeep }
        try expect("{")
        var members: [String: Value] = [:]
        var count = 0
        skipBlanks()
        if take("}") { return members }
        repeat {
            count += 1
            guard count <= Limits.members else { throw .tooLarge }
            skipBlanks()
            let name = try string()
            skipBlanks()
            try expect(":")
            if let value = try value(depth: depth) { members[name] = value }
            skipBlanks()
        } while take(",")
        try expect("}")
        return members
    }

    private mutating func array(depth: Int) throws(JSONError) {
        guard depth < Limits.depth else { throw .tooDeep }
        try expect("[")
        skipBlanks()
        if take("]") { return }
        repeat {
            _ = try value(depth: depth)
            skipBlanks()
        } while take(",")
        try expect("]")
    }

    /// Nil for an object or an array.
    private mutating func value(depth: Int) throws(JSONError) -> Value? {
        skipBlanks()
        switch next {
        case UInt8(ascii: "\""): return .string(try string())
        case Self.objectStart: _ = try object(depth: depth + 1)
        case Self.arrayStart: try array(depth: depth + 1)
        case UInt8(ascii: "t"):
            try expect("true")
            return .bool(true)
        case UInt8(ascii: "f"):
            try expect("false")
            return .bool(false)
        case UInt8(ascii: "n"):
            try expect("null")
            return .null
        default: return .number(try number())
        }
        return nil
    }

    private mutating func number() throws(JSONError) -> String {
        let start = position
        _ = take("-")
        if !take("0") { try digits() }
        if take(".") { try digits() }
        if take("e") || take("E") {
            if !take("+") { _ = take("-") }
            try digits()
        }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private mutating func digits() throws(JSONError) {
        let start = position
        while let byte = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { position += 1 }
        guard position > start else { throw .malformed }
    }

    private mutating func string() throws(JSONError) -> String {
        try expect("\"")
        var text: [UInt8] = []
        while let byte = next {
            position += 1
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"): text.append(contentsOf: String(Character(try escaped())).utf8)
            case 0..<0x20: throw .malformed
            default: text.append(byte)
            }
        }
        throw .malformed
    }

    private mutating func escaped() throws(JSONError) -> Unicode.Scalar {
        guard let byte = next else { throw .malformed }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): return try unicode()
        default: throw .malformed
        }
    }

    /// The digits behind `\u`, and a second such escape when the first is the high half of a surrogate pair.
    private mutating func unicode() throws(JSONError) -> Unicode.Scalar {
        let first = try hexUnit()
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard (0xD800..<0xDC00).contains(first) else { throw .malformed }
        try expect("\\u")
        let second = try hexUnit()
        guard (0xDC00..<0xE000).contains(second) else { throw .malformed }
        guard let scalar = Unicode.Scalar(0x1_0000 + (first - 0xD800) << 10 + (second - 0xDC00)) else {
            throw .malformed
        }
        return scalar
    }

    private mutating func hexUnit() throws(JSONError) -> UInt32 {
        guard bytes.count - position >= 4 else { throw .malformed }
        var unit: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = Character(Unicode.Scalar(bytes[position])).hexDigitValue else { throw .malformed }
            unit = unit << 4 | UInt32(digit)
            position += 1
        }
        return unit
    }

    private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipBlanks() {
        while let byte = next, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D { position += 1 }
    }

    private mutating func take(_ token: StaticString) -> Bool {
        let end = position + token.utf8CodeUnitCount
        guard end <= bytes.count, bytes[position..<end].elementsEqual(token.description.utf8) else { return false }
        position = end
        return true
    }

    private mutating func expect(_ token: StaticString) throws(JSONError) {
        if !take(token) { throw .malformed }
    }
}
