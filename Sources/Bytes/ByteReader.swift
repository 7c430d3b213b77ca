/// A read past the end of the bytes at hand.
public struct Truncated: Error, Equatable, Sendable {
    /// Offset, in bytes from the start of the reader's input, at which the read began.
    public let offset: Int

    @inlinable
    public init(offset: Int) {
        self.offset = offset
    }
}

/// A bounds-checked cursor over borrowed bytes. Multi-byte integers are big-endian unless the name says otherwise.
///
/// Right for control messages; per-packet headers on the hot path guard once and index a span instead.
/// A failed read leaves the cursor where it was.
public struct ByteReader: ~Escapable {
    @usableFromInline let bytes: RawSpan
    /// Position of the next read, in bytes from the start of the input.
    public var offset: Int { position }
    @usableFromInline var position: Int

    @inlinable
    @_lifetime(copy bytes)
    public init(_ bytes: RawSpan) {
        self.bytes = bytes
        self.position = 0
    }

    /// Bytes not read yet.
    @inlinable
    public var remaining: Int { bytes.byteCount - offset }

    @inlinable
    public var isEmpty: Bool { offset == bytes.byteCount }

    @inlinable
    @_lifetime(self: copy self)
    public mutating func readUInt8() throws(Truncated) -> UInt8 { try load(UInt8.self) }

    @inlinable
    @_lifetime(self: copy self)
    public mutating func readUInt16() throws(Truncated) -> UInt16 { try load(UInt16.self).bigEndian }

    @inlinable
    @_lifetime(self: copy self)
    public mutating func readUInt24() throws(Truncated) -> UInt32 {
        guard remaining >= 3 else { throw Truncated(offset: offset) }
        let high = UInt32(try readUInt8())
        return high << 16 | UInt32(try readUInt16())
    }

    @inlinable
    @_lifetime(self: copy self)
    public mutating func readUInt32() throws(Truncated) -> UInt32 { try load(UInt32.self).bigEndian }

    @inlinable
    @_lifetime(self: copy self)
    public mutating func readUInt64() throws(Truncated) -> UInt64 { try load(UInt64.self).bigEndian }

    /// IEEE 754 double, big-endian.
    @inlinable
    @_lifetime(self: copy self)
    public mutating func readDouble() throws(Truncated) -> Double { Double(bitPattern: try readUInt64()) }

    @inlinable
    @_lifetime(self: copy self)
    public mutating func readUInt32LittleEndian() throws(Truncated) -> UInt32 { try load(UInt32.self).littleEndian }

    /// The next `count` bytes as a view of the input. A negative count counts as truncated.
    @inlinable
    @_lifetime(copy self)
    public mutating func readBytes(_ count: Int) throws(Truncated) -> RawSpan {
        guard count >= 0, count <= remaining else { throw Truncated(offset: offset) }
        let view = bytes.extracting(offset..<offset + count)
        position += count
        return view
    }

    /// All bytes that are left, as a view of the input.
    @inlinable
    @_lifetime(copy self)
    public mutating func readRest() -> RawSpan {
        let view = bytes.extracting(offset..<bytes.byteCount)
        position = bytes.byteCount
        return view
    }

    @inlinable
    @_lifetime(self: copy self)
    public mutating func skip(_ count: Int) throws(Truncated) {
        guard count >= 0, count <= remaining else { throw Truncated(offset: offset) }
        position += count
    }

    /// The byte `ahead` bytes after the cursor, without moving; nil past the end.
    @inlinable
    public func peek(_ ahead: Int = 0) -> UInt8? {
        guard ahead >= 0, ahead < remaining else { return nil }
        return bytes[offset + ahead]
    }

    @inlinable
    @_lifetime(self: copy self)
    mutating func load<T: BitwiseCopyable & FixedWidthInteger>(_ type: T.Type) throws(Truncated) -> T {
        guard remaining >= MemoryLayout<T>.size else { throw Truncated(offset: offset) }
        // Bounds were checked one line above; every bit pattern is a valid integer.
        let value = unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: T.self)
        position += MemoryLayout<T>.size
        return value
    }
}

extension RawSpan {
    /// The byte at `offset`. Traps when out of bounds, so callers guard the length first.
    @inlinable
    public subscript(_ offset: Int) -> UInt8 {
        precondition(offset >= 0 && offset < byteCount, "byte offset out of bounds")
        return unsafe unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self)
    }

    /// Big-endian load at `offset`; traps when out of bounds, so callers guard the length first.
    @inlinable
    public func bigEndian<T: FixedWidthInteger & BitwiseCopyable>(at offset: Int, as type: T.Type) -> T {
        precondition(offset >= 0 && offset <= byteCount - MemoryLayout<T>.size, "byte offset out of bounds")
        return unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: T.self).bigEndian
    }

    /// A copy of the bytes.
    @inlinable
    public func copied() -> [UInt8] {
        unsafe withUnsafeBytes { source in unsafe [UInt8](source) }
    }

    /// Byte-wise equality; not constant time.
    @inlinable
    public func elementsEqual(_ other: RawSpan) -> Bool {
        guard byteCount == other.byteCount else { return false }
        for index in 0..<byteCount where self[index] != other[index] { return false }
        return true
    }
}

extension Array where Element == UInt8 {
    /// The array's bytes as a view.
    @inlinable
    public var rawSpan: RawSpan {
        @_lifetime(borrow self)
        get { unsafe span.bytes }
    }
}

extension Span where Element == UInt8 {
    /// The same memory without a type.
    @inlinable
    public var raw: RawSpan {
        @_lifetime(copy self)
        get { unsafe bytes }
    }
}
