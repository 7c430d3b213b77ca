/// Turns a fuzzer's bytes into bounded choices; reads past the end give zeroes, so every input is a valid one.
package struct FuzzInput {
    private var rest: ArraySlice<UInt8>

    package init(_ bytes: [UInt8]) { rest = bytes[...] }

    package var isEmpty: Bool { rest.isEmpty }

    package mutating func byte() -> UInt8 { rest.popFirst() ?? 0 }

    package mutating func int(in range: ClosedRange<Int>) -> Int {
        let word = (0..<4).reduce(0) { value, _ in value << 8 | Int(byte()) }
        return range.lowerBound + word % (range.count)
    }

    /// Up to `limit` bytes, their number chosen by the input.
    package mutating func slice(upTo limit: Int) -> [UInt8] {
        let count = min(int(in: 0...limit), rest.count)
        defer { rest = rest.dropFirst(count) }
        return Array(rest.prefix(count))
    }

    package mutating func remainder() -> [UInt8] {
        defer { rest = [] }
        return Array(rest)
    }
}
