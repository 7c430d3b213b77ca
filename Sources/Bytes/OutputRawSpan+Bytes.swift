// Packets are written into memory that the driver lends: `OutputRawSpan` counts what is initialised and traps past its
// capacity, so writers check `freeCapacity` against the size they know before they start.

extension OutputRawSpan {
    @inlinable
    @_lifetime(self: copy self)
    public mutating func append(byte: UInt8) { unsafe append(byte, as: UInt8.self) }

    @inlinable
    @_lifetime(self: copy self)
    public mutating func append(bigEndian value: UInt16) { unsafe append(value.bigEndian, as: UInt16.self) }

    @inlinable
    @_lifetime(self: copy self)
    public mutating func append(bigEndian value: UInt32) { unsafe append(value.bigEndian, as: UInt32.self) }

    @inlinable
    @_lifetime(self: copy self)
    public mutating func append(bigEndian value: UInt64) { unsafe append(value.bigEndian, as: UInt64.self) }

    /// Copies all of `source`; traps when it does not fit.
    @inlinable
    @_lifetime(self: copy self)
    public mutating func append(copying source: RawSpan) {
        precondition(source.byteCount <= freeCapacity, "no room left for the bytes")
        guard source.byteCount > 0 else { return }
        unsafe withUnsafeMutableBytes { buffer, count in
            unsafe source.withUnsafeBytes { from in
                unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[count...]).copyMemory(from: from)
            }
            count += source.byteCount
        }
    }

    /// Copies all of `source`; traps when it does not fit.
    @inlinable
    @_lifetime(self: copy self)
    public mutating func append(copying source: [UInt8]) { append(copying: source.rawSpan) }

    /// Overwrites two bytes that were written before; for lengths known only later.
    @inlinable
    @_lifetime(self: copy self)
    public mutating func patch(bigEndian value: UInt16, at offset: Int) {
        unsafe withUnsafeMutableBytes { buffer, count in
            precondition(offset >= 0 && offset + 2 <= count, "patch outside of the written bytes")
            unsafe buffer.storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt16.self)
        }
    }
}
