/// One line without its end.
struct SDPLine {
    /// From 1.
    let number: Int
    let type: UInt8
    let value: ArraySlice<UInt8>
}

/// Cuts a description into lines, each looked at once.
struct SDPLineReader {
    private let bytes: [UInt8]
    private var position = 0
    private var number = 0

    init(_ bytes: [UInt8]) throws(SDPError) {
        guard bytes.count <= SDPLimits.descriptionBytes else { throw .tooLarge(limitBytes: SDPLimits.descriptionBytes) }
        // Checked once for the whole: every later cut is at an ASCII byte and leaves valid text on both sides.
        guard String(validating: bytes, as: UTF8.self) != nil else { throw .notText }
        self.bytes = bytes
    }

    mutating func next() throws(SDPError) -> SDPLine? {
        while position < bytes.count {
            let end = bytes[position...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
            var line = bytes[position..<end]
            position = min(end + 1, bytes.count)
            number += 1
            guard number <= SDPLimits.lines else { throw .tooMany(.line, line: number, limit: SDPLimits.lines) }
            if line.last == UInt8(ascii: "\r") { line.removeLast() }
            while let last = line.last, last.isBlank { line.removeLast() }
            guard let type = line.popFirst() else { continue }
            guard (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(type), line.popFirst() == UInt8(ascii: "="),
                !line.contains(where: { $0 == 0 || $0 == UInt8(ascii: "\r") })
            else { throw .malformedLine(line: number) }
            return SDPLine(number: number, type: type, value: line)
        }
        return nil
    }
}

/// Reads the words of one line's value, which stand apart by blanks.
struct WordReader {
    private var bytes: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { self.bytes = bytes.trimmed }

    var isEmpty: Bool { bytes.isEmpty }

    /// The next word; nil at the end.
    mutating func word() -> ArraySlice<UInt8>? {
        guard !bytes.isEmpty else { return nil }
        let end = bytes.firstIndex(where: \.isBlank) ?? bytes.endIndex
        defer { bytes = bytes[end...].drop(while: \.isBlank) }
        return bytes[..<end]
    }

    mutating func text() -> String? { word().map { String(decoding: $0, as: UTF8.self) } }

    /// The next word as an unsigned decimal number of at most `limit`; nil for anything else.
    mutating func integer<T: FixedWidthInteger & UnsignedInteger>(_ type: T.Type, upTo limit: T = .max) -> T? {
        word().flatMap { T(decimal: $0, upTo: limit) }
    }

    /// All that is left; nil when that is nothing.
    mutating func rest() -> String? {
        defer { bytes = [] }
        return bytes.isEmpty ? nil : String(decoding: bytes, as: UTF8.self)
    }

    /// The words that are left, at most `limit`; nil when there are more.
    mutating func texts(limit: Int) -> [String]? {
        var words: [String] = []
        while let word = text() {
            guard words.count < limit else { return nil }
            words.append(word)
        }
        return words
    }
}

extension UInt8 {
    var isBlank: Bool { self == UInt8(ascii: " ") || self == UInt8(ascii: "\t") }
}

extension ArraySlice<UInt8> {
    var text: String { String(decoding: self, as: UTF8.self) }

    var trimmed: ArraySlice<UInt8> {
        var slice = drop(while: \.isBlank)
        while let last = slice.last, last.isBlank { slice.removeLast() }
        return slice
    }

    /// What stands before and after the first `separator`; no tail without one.
    func cut(at separator: Unicode.Scalar) -> (head: ArraySlice<UInt8>, tail: ArraySlice<UInt8>?) {
        guard let index = firstIndex(of: UInt8(ascii: separator)) else { return (self, nil) }
        return (self[..<index], self[(index + 1)...])
    }
}

extension FixedWidthInteger where Self: UnsignedInteger {
    /// Decimal digits and nothing else, at most `limit`.
    init?(decimal digits: some Collection<UInt8>, upTo limit: Self = .max) {
        guard !digits.isEmpty else { return nil }
        var value: Self = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            let (tens, tooBig) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = tens.addingReportingOverflow(Self(digit - UInt8(ascii: "0")))
            guard !tooBig, !carry, sum <= limit else { return nil }
            value = sum
        }
        self = value
    }
}

extension String {
    /// Equality in which A-Z and a-z are the same and nothing else is.
    package func equalsIgnoringASCIICase(_ other: String) -> Bool {
        func lower(_ byte: UInt8) -> UInt8 {
            (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte + 32 : byte
        }
        return utf8.count == other.utf8.count && zip(utf8, other.utf8).allSatisfy { lower($0) == lower($1) }
    }
}
