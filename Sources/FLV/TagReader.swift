import Bytes

/// `ByteReader` whose failures are `FLVError`.
struct TagReader: ~Escapable {
    private var reader: ByteReader

    @_lifetime(copy bytes)
    init(_ bytes: RawSpan) { reader = ByteReader(bytes) }

    var offset: Int { reader.offset }
    var remaining: Int { reader.remaining }

    @_lifetime(self: copy self)
    mutating func readUInt8() throws(FLVError) -> UInt8 {
        do { return try reader.readUInt8() } catch { throw .truncated(offset: error.offset) }
    }

    @_lifetime(self: copy self)
    mutating func readUInt16() throws(FLVError) -> UInt16 {
        do { return try reader.readUInt16() } catch { throw .truncated(offset: error.offset) }
    }

    @_lifetime(self: copy self)
    mutating func readUInt24() throws(FLVError) -> UInt32 {
        do { return try reader.readUInt24() } catch { throw .truncated(offset: error.offset) }
    }

    @_lifetime(self: copy self)
    mutating func readUInt32() throws(FLVError) -> UInt32 {
        do { return try reader.readUInt32() } catch { throw .truncated(offset: error.offset) }
    }

    @_lifetime(self: copy self)
    mutating func readFourCC() throws(FLVError) -> FLVFourCC { FLVFourCC(rawValue: try readUInt32()) }

    /// SI24: two's complement.
    @_lifetime(self: copy self)
    mutating func readInt24() throws(FLVError) -> Int32 { Int32(bitPattern: try readUInt24() << 8) >> 8 }

    @_lifetime(self: copy self)
    mutating func skip(_ count: Int) throws(FLVError) {
        do { try reader.skip(count) } catch { throw .truncated(offset: error.offset) }
    }
}
