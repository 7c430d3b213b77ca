package import Bytes

// Scalars as Go's YAML reads them into typed fields, because the files come from a service written in Go.
extension YAMLScalar {
    /// Words of YAML 1.2 and 1.1. Quotes are allowed around the latter's, as in Go.
    package var boolean: Bool? {
        switch text {
        case "true", "True", "TRUE": isPlain ? true : nil
        case "false", "False", "FALSE": isPlain ? false : nil
        case "y", "Y", "yes", "Yes", "YES", "on", "On", "ON": true
        case "n", "N", "no", "No", "NO", "off", "Off", "OFF": false
        default: nil
        }
    }

    /// Decimal, `0x`, `0o`, `0b`, a leading 0 for octal, `_` between digits; also a float without a fraction (`1e3`).
    package var integer: Int? {
        guard isPlain else { return nil }
        if let value = Self.integer(of: text) { return value }
        guard let number = Self.float(of: text), number == number.rounded(.towardZero) else { return nil }
        return Int(exactly: number)
    }

    /// A finite number.
    package var number: Double? {
        guard isPlain else { return nil }
        if let value = Self.integer(of: text) { return Double(value) }
        return Self.float(of: text)
    }

    /// Go's form (`10s`, `1m30s`, `1.5h`, `500ms`), or `0`.
    package var duration: Interval? { Self.duration(of: text) }

    private static func integer(of text: String) -> Int? {
        var digits = text.filter { $0 != "_" }[...]
        var sign = ""
        if let first = digits.first, first == "-" || first == "+" {
            sign = String(first)
            digits = digits.dropFirst()
        }
        // `Int` would take a second sign.
        guard let first = digits.first, first.isASCII, first.isNumber else { return nil }
        for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] where digits.lowercased().hasPrefix(prefix) {
            let rest = digits.dropFirst(2)
            guard rest.first?.isHexDigit == true else { return nil }
            return Int(sign + rest, radix: radix)
        }
        if first == "0" && digits.count > 1 { return Int(sign + digits, radix: 8) }
        return Int(sign + digits)
    }

    /// The decimal forms of YAML 1.2 only: Swift would read hexadecimal fractions and words as well.
    private static func float(of text: String) -> Double? {
        let digits = text.filter { $0 != "_" }
        guard digits.utf8.contains(where: { 48...57 ~= $0 }),
            digits.utf8.allSatisfy({ 48...57 ~= $0 || "+-.eE".utf8.contains($0) }),
            let value = Double(digits.hasPrefix("+") ? String(digits.dropFirst()) : digits), value.isFinite
        else { return nil }
        return value
    }

    private static let units: [(name: String, nanoseconds: Double)] = [
        ("ns", 1), ("us", 1e3), ("µs", 1e3), ("μs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9),
    ]

    private static func duration(of text: String) -> Interval? {
        var rest = text[...]
        let isNegative = rest.first == "-"
        if let first = rest.first, first == "-" || first == "+" { rest = rest.dropFirst() }
        if rest == "0" { return .zero }
        guard !rest.isEmpty else { return nil }
        var total = 0.0
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && $0.isNumber || $0 == "." }
            rest = rest.dropFirst(digits.count)
            let name = rest.prefix { !($0.isASCII && $0.isNumber) && $0 != "." }
            rest = rest.dropFirst(name.count)
            // `Double` refuses two points; a lone one has to be refused here.
            guard digits != "." else { return nil }
            let fixed = digits.hasPrefix(".") ? "0" + digits : digits
            guard let value = Double(fixed), let unit = units.first(where: { $0.name == name }) else { return nil }
            total += value * unit.nanoseconds
        }
        guard let nanoseconds = Int64(exactly: total.rounded()) else { return nil }
        return Interval(nanoseconds: isNegative ? -nanoseconds : nanoseconds)
    }
}

extension Interval {
    /// In the largest unit that needs no fraction, in Go's notation.
    var goText: String {
        if nanoseconds == 0 { return "0s" }
        let units: [(Int64, String)] = [
            (3_600_000_000_000, "h"), (60_000_000_000, "m"), (1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us"),
        ]
        for (length, name) in units where nanoseconds % length == 0 { return "\(nanoseconds / length)\(name)" }
        return "\(nanoseconds)ns"
    }
}
