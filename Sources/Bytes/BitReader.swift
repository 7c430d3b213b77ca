/// Reads bits, most significant first, from borrowed bytes; with Exp-Golomb codes (ITU-T H.264 section 9.1).
///
/// With `skippingEmulation`, the third byte of every 00 00 03 is passed over (H.264 section 7.4.1), as inside a NAL unit.
public struct BitReader: ~Escapable {
    private let bytes: RawSpan
    private let skipsEmulation: Bool
    private var byteOffset = 0
    private var bitsLeft: UInt8 = 0
    private var current: UInt8 = 0
    private var zeroRun = 0

    @_lifetime(copy bytes)
    public init(_ bytes: RawSpan, skippingEmulation: Bool = false) {
        self.bytes = bytes
        skipsEmulation = skippingEmulation
    }

    @_lifetime(self: copy self)
    public mutating func readBit() throws(Truncated) -> Bool {
        if bitsLeft == 0 { try loadByte() }
        bitsLeft -= 1
        return current >> bitsLeft & 1 == 1
    }

    /// Up to 32 bits.
    @_lifetime(self: copy self)
    public mutating func readBits(_ count: Int) throws(Truncated) -> UInt32 {
        precondition(count >= 0 && count <= 32)
        var value: UInt32 = 0
        for _ in 0..<count { value = value << 1 | (try readBit() ? 1 : 0) }
        return value
    }

    @_lifetime(self: copy self)
    public mutating func skipBits(_ count: Int) throws(Truncated) {
        for _ in 0..<count { _ = try readBit() }
    }

    /// ue(v). More than 31 leading zeroes cannot be a 32-bit code and count as truncated.
    @_lifetime(self: copy self)
    public mutating func readUE() throws(Truncated) -> UInt32 {
        var zeroes = 0
        while try !readBit() {
            zeroes += 1
            if zeroes > 31 { throw Truncated(offset: byteOffset) }
        }
        return (UInt32(1) << UInt32(zeroes)) - 1 + (try readBits(zeroes))
    }

    /// se(v).
    @_lifetime(self: copy self)
    public mutating func readSE() throws(Truncated) -> Int32 {
        let code = Int64(try readUE())
        return Int32(truncatingIfNeeded: code & 1 == 1 ? (code + 1) / 2 : -(code / 2))
    }

    @_lifetime(self: copy self)
    private mutating func loadByte() throws(Truncated) {
        guard byteOffset < bytes.byteCount else { throw Truncated(offset: byteOffset) }
        if skipsEmulation, zeroRun >= 2, bytes[byteOffset] == 3 {
            byteOffset += 1
            zeroRun = 0
            guard byteOffset < bytes.byteCount else { throw Truncated(offset: byteOffset) }
        }
        current = bytes[byteOffset]
        zeroRun = current == 0 ? zeroRun + 1 : 0
        byteOffset += 1
        bitsLeft = 8
    }
}
