import Bytes

/// The path of a request target, cut at its slashes; one slash at the end does not count.
struct TargetPath {
    /// Still with their escapes; none is empty.
    let segments: [Substring.UTF8View]
    /// Behind the question mark.
    let query: Substring.UTF8View?

    /// Nil unless the target begins with a slash and has no empty segment.
    init?(_ target: String) {
        let bytes = target[...].utf8
        let end = bytes.firstIndex(of: UInt8(ascii: "?")) ?? bytes.endIndex
        query = end == bytes.endIndex ? nil : bytes[bytes.index(after: end)...]
        guard bytes[..<end].first == UInt8(ascii: "/") else { return nil }
        var parts = bytes[..<end].dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        if parts.last?.isEmpty == true { parts.removeLast() }
        guard !parts.contains(where: \.isEmpty) else { return nil }
        segments = parts
    }

    /// What follows the segments of `base`; nil when it begins otherwise.
    func segments(below base: String) -> ArraySlice<Substring.UTF8View>? {
        let head = base.utf8.split(separator: UInt8(ascii: "/"))
        guard segments.count >= head.count, zip(segments, head).allSatisfy({ $0.elementsEqual($1) }) else { return nil }
        return segments.dropFirst(head.count)
    }
}

extension String {
    /// Decodes `%xx`; nil when an escape is broken, or the outcome is no UTF-8 or has control characters.
    init?(percentEncoded text: Substring.UTF8View) {
        var bytes: [UInt8] = []
        var rest = text[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%") {
                // Digits are looked at as bytes: a cut inside of a character is possible here.
                let digits = String(decoding: rest.prefix(2), as: UTF8.self)
                guard let value = [UInt8](hex: digits), value.count == 1 else { return nil }
                rest = rest.dropFirst(2)
                bytes += value
            } else {
                bytes.append(byte)
            }
        }
        guard bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else { return nil }
        self.init(validating: bytes, as: UTF8.self)
    }

    /// A stream key out of a path.
    init(key text: Substring.UTF8View) throws(WHIPError) {
        guard let key = String(percentEncoded: text), key.utf8.count <= WHIPLimits.keyBytes else {
            throw .malformedPath
        }
        self = key
    }
}
