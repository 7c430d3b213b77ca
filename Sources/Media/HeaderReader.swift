import Bytes

/// `ByteReader` whose failures are `MediaError`, so that a header's parser throws one type only.
struct HeaderReader: ~Escapable {
    private var reader: ByteReader

    @_lifetime(copy bytes)
    init(_ bytes: RawSpan) { reader = ByteReader(bytes) }

    var remaining: Int { reader.remaining }

    @_lifetime(self: copy self)
    mutating func readUInt8() throws(MediaError) -> UInt8 {
        do { return try reader.readUInt8() } catch { throw MediaError(error) }
    }

    @_lifetime(self: copy self)
    mutating func readUInt16() throws(MediaError) -> UInt16 {
        do { return try reader.readUInt16() } catch { throw MediaError(error) }
    }

    @_lifetime(self: copy self)
    mutating func readUInt32() throws(MediaError) -> UInt32 {
        do { return try reader.readUInt32() } catch { throw MediaError(error) }
    }

    @_lifetime(self: copy self)
    mutating func readUInt16LittleEndian() throws(MediaError) -> UInt16 { try readUInt16().byteSwapped }

    @_lifetime(self: copy self)
    mutating func readUInt32LittleEndian() throws(MediaError) -> UInt32 { try readUInt32().byteSwapped }

    @_lifetime(copy self)
    mutating func readBytes(_ count: Int) throws(MediaError) -> RawSpan {
        do { return try reader.readBytes(count) } catch { throw MediaError(error) }
    }

    @_lifetime(copy self)
    mutating func readRest() -> RawSpan { reader.readRest() }

    /// A parameter set behind its 16-bit length.
    @_lifetime(self: copy self)
    mutating func readParameterSet(of structure: MediaStructure) throws(MediaError) -> [UInt8] {
        let count = Int(try readUInt16())
        guard count <= MediaLimits.maxParameterSetBytes else { throw .overLimit(structure) }
        return try readBytes(count).copied()
    }
}

/// `BitReader` whose failures are `MediaError`.
struct HeaderBits: ~Escapable {
    private var reader: BitReader

    @_lifetime(copy bytes)
    init(_ bytes: RawSpan, skippingEmulation: Bool = false) {
        reader = BitReader(bytes, skippingEmulation: skippingEmulation)
    }

    @_lifetime(self: copy self)
    mutating func readFlag() throws(MediaError) -> Bool {
        do { return try reader.readBit() } catch { throw MediaError(error) }
    }

    /// Up to 32 bits.
    @_lifetime(self: copy self)
    mutating func readBits(_ count: Int) throws(MediaError) -> UInt32 {
        do { return try reader.readBits(count) } catch { throw MediaError(error) }
    }

    @_lifetime(self: copy self)
    mutating func skipBits(_ count: Int) throws(MediaError) {
        do { try reader.skipBits(count) } catch { throw MediaError(error) }
    }

    /// ue(v).
    @_lifetime(self: copy self)
    mutating func readUE() throws(MediaError) -> Int {
        do { return Int(try reader.readUE()) } catch { throw MediaError(error) }
    }

    /// ue(v) that must not exceed `limit`.
    @_lifetime(self: copy self)
    mutating func readUE(upTo limit: Int, of structure: MediaStructure) throws(MediaError) -> Int {
        let value = try readUE()
        guard value <= limit else { throw .malformed(structure) }
        return value
    }

    /// se(v).
    @_lifetime(self: copy self)
    mutating func readSE() throws(MediaError) -> Int {
        do { return Int(try reader.readSE()) } catch { throw MediaError(error) }
    }
}
