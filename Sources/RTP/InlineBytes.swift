import Bytes

/// Up to 16 bytes that are held in place, so that copying them never touches the heap: payload prefixes, media ids.
package struct InlineBytes: Hashable, Sendable {
    package static let capacity = 16

    /// Bytes 0..<8 and 8..<16; the first byte stands in the lowest bits. Unused bits are zero, so equality is bytewise.
    private var low: UInt64 = 0
    private var high: UInt64 = 0
    private var used: UInt8 = 0

    package init() {}

    /// Nil when there are more than 16 bytes.
    package init?(_ bytes: RawSpan) {
        guard bytes.byteCount <= Self.capacity else { return nil }
        for index in 0..<bytes.byteCount { append(bytes[index]) }
    }

    /// UTF-8; nil when there are more than 16 bytes.
    package init?(_ text: some StringProtocol) {
        guard text.utf8.count <= Self.capacity else { return nil }
        for byte in text.utf8 { append(byte) }
    }

    package var count: Int { Int(used) }
    package var isEmpty: Bool { used == 0 }
    package var text: String { String(decoding: (0..<count).map { self[$0] }, as: UTF8.self) }

    package subscript(_ index: Int) -> UInt8 {
        precondition(index >= 0 && index < count, "inline byte index out of bounds")
        let word = index < 8 ? low : high
        return UInt8(truncatingIfNeeded: word >> UInt64(index % 8 * 8))
    }

    /// Traps when 16 bytes are there already.
    package mutating func append(_ byte: UInt8) {
        precondition(count < Self.capacity, "inline bytes are full")
        let shifted = UInt64(byte) << UInt64(count % 8 * 8)
        if count < 8 { low |= shifted } else { high |= shifted }
        used += 1
    }

    package func write(into output: inout OutputRawSpan) {
        for index in 0..<count { output.append(self[index]) }
    }
}
