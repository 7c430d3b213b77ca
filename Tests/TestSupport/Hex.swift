import Bytes

/// Bytes of a hexadecimal text in which white space does not count; traps on anything else, for vectors in tests.
package func hex(_ text: String) -> [UInt8] {
    guard let bytes = [UInt8](hex: text.filter { !$0.isWhitespace }) else {
        preconditionFailure("bad hex in a test vector")
    }
    return bytes
}

/// Every way to cut `bytes` in two: the cut positions 0…count.
package func splits(of bytes: [UInt8]) -> [(head: [UInt8], tail: [UInt8])] {
    (0...bytes.count).map { (Array(bytes[..<$0]), Array(bytes[$0...])) }
}
