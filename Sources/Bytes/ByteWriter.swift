/// Grows an array of bytes. For control messages; packets are appended to an `OutputRawSpan` that the caller lends.
/// Multi-byte integers are written big-endian unless the name says otherwise.
public struct ByteWriter: Sendable {
    public private(set) var bytes: [UInt8]

    @inlinable
    public init(reservingCapacity capacity: Int = 0) {
        self.init(bytes: [], capacity: capacity)
    }

    @usableFromInline
    init(bytes: [UInt8], capacity: Int) {
        self.bytes = bytes
        self.bytes.reserveCapacity(capacity)
    }

    public var count: Int { bytes.count }

    public mutating func write(_ value: UInt8) { bytes.append(value) }
    public mutating func write(_ value: UInt16) { writeInteger(value) }
    public mutating func write(_ value: UInt32) { writeInteger(value) }
    public mutating func write(_ value: UInt64) { writeInteger(value) }
    /// The low 24 bits of `value`.
    public mutating func writeUInt24(_ value: UInt32) {
        write(UInt8(truncatingIfNeeded: value >> 16))
        write(UInt16(truncatingIfNeeded: value))
    }
    public mutating func writeLittleEndian(_ value: UInt32) { writeInteger(value.byteSwapped) }
    /// IEEE 754 double, big-endian.
    public mutating func write(_ value: Double) { write(value.bitPattern) }
    public mutating func write(_ value: [UInt8]) { bytes.append(contentsOf: value) }
    /// UTF-8, without a terminator.
    public mutating func write(_ value: String) { bytes.append(contentsOf: value.utf8) }
    public mutating func write(_ value: RawSpan) {
        unsafe value.withUnsafeBytes { source in unsafe bytes.append(contentsOf: source) }
    }
    public mutating func writeZeroes(_ count: Int) { bytes.append(contentsOf: repeatElement(0, count: count)) }

    /// Overwrites two bytes at `offset`, which were written before; for lengths known only later.
    public mutating func patch(_ value: UInt16, at offset: Int) {
        bytes[offset] = UInt8(truncatingIfNeeded: value >> 8)
        bytes[offset + 1] = UInt8(truncatingIfNeeded: value)
    }

    /// Overwrites three bytes at `offset` with the low 24 bits.
    public mutating func patchUInt24(_ value: UInt32, at offset: Int) {
        bytes[offset] = UInt8(truncatingIfNeeded: value >> 16)
        patch(UInt16(truncatingIfNeeded: value), at: offset + 1)
    }

    public mutating func patch(_ value: UInt32, at offset: Int) {
        patch(UInt16(truncatingIfNeeded: value >> 16), at: offset)
        patch(UInt16(truncatingIfNeeded: value), at: offset + 2)
    }

    /// Empties the writer and keeps its memory.
    public mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

    private mutating func writeInteger<T: FixedWidthInteger>(_ value: T) {
        for shift in stride(from: T.bitWidth - 8, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> T(shift)))
        }
    }
}
