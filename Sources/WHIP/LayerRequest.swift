extension WHEPLayer {
    init(named text: String) throws(WHIPError) {
        guard let layer = WHEPLayer(rawValue: text) else { throw .malformedLayer }
        self = layer
    }

    /// Reads `{"layer":"q"}` and nothing more: one member, no escapes, blanks where JSON has them.
    package init(parsing json: [UInt8]) throws(WHIPError) {
        var scanner = JSONScanner(json)
        guard scanner.take("{"), scanner.string() == "layer", scanner.take(":"), let name = scanner.string(),
            scanner.take("}"), scanner.isAtEnd
        else { throw .malformedLayer }
        try self.init(named: name)
    }
}

/// The few pieces of JSON that a layer request is made of.
private struct JSONScanner {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { rest = bytes[...] }

    var isAtEnd: Bool {
        mutating get {
            skipBlanks()
            return rest.isEmpty
        }
    }

    mutating func take(_ token: Unicode.Scalar) -> Bool {
        skipBlanks()
        guard rest.first == UInt8(ascii: token) else { return false }
        rest.removeFirst()
        return true
    }

    /// Letters between quotes; nil for anything else.
    mutating func string() -> String? {
        guard take("\"") else { return nil }
        let letters = rest.prefix { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) }
        rest = rest.dropFirst(letters.count)
        guard rest.popFirst() == UInt8(ascii: "\"") else { return nil }
        return String(decoding: letters, as: UTF8.self)
    }

    private mutating func skipBlanks() {
        rest = rest.drop { $0 == 0x20 || $0 == 0x09 || $0 == 0x0A || $0 == 0x0D }
    }
}
