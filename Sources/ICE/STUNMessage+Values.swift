package import Bytes

// Typed readers. Each gives nil when the attribute is absent and throws when its value has the wrong form.
extension STUNMessage {
    /// A 16-bit value at the start of four bytes: CHANNEL-NUMBER (RFC 8656 section 18.1).
    package func uint16(_ attribute: STUNAttribute) throws(ICEError) -> UInt16? {
        guard let value = value(of: attribute) else { return nil }
        guard value.byteCount == 4 else { throw .malformedAttribute(attribute) }
        return value.bigEndian(at: 0, as: UInt16.self)
    }

    /// PRIORITY, LIFETIME (seconds).
    package func uint32(_ attribute: STUNAttribute) throws(ICEError) -> UInt32? {
        guard let value = value(of: attribute) else { return nil }
        guard value.byteCount == 4 else { throw .malformedAttribute(attribute) }
        return value.bigEndian(at: 0, as: UInt32.self)
    }

    /// ICE-CONTROLLED, ICE-CONTROLLING.
    package func uint64(_ attribute: STUNAttribute) throws(ICEError) -> UInt64? {
        guard let value = value(of: attribute) else { return nil }
        guard value.byteCount == 8 else { throw .malformedAttribute(attribute) }
        return value.bigEndian(at: 0, as: UInt64.self)
    }

    /// REALM, NONCE, SOFTWARE, DATA: the bytes as they are.
    package func copiedBytes(_ attribute: STUNAttribute) -> [UInt8]? { value(of: attribute)?.copied() }

    /// Code (300…699) of ERROR-CODE; the reason phrase is not read (section 14.8).
    package func errorCode() throws(ICEError) -> Int? {
        guard let value = value(of: .errorCode) else { return nil }
        guard value.byteCount >= 4 else { throw .malformedAttribute(.errorCode) }
        let hundreds = Int(value[2] & 7)
        let rest = Int(value[3])
        guard (3...6).contains(hundreds), rest < 100 else { throw .malformedAttribute(.errorCode) }
        return hundreds * 100 + rest
    }

    /// XOR-MAPPED-ADDRESS, XOR-PEER-ADDRESS, XOR-RELAYED-ADDRESS (section 14.2).
    package func xorAddress(_ attribute: STUNAttribute) throws(ICEError) -> TransportAddress? {
        guard let value = value(of: attribute) else { return nil }
        guard value.byteCount >= 4 else { throw .malformedAttribute(attribute) }
        let port = value.bigEndian(at: 2, as: UInt16.self) ^ UInt16(truncatingIfNeeded: Self.magicCookie >> 16)
        switch (value[1], value.byteCount) {
        case (1, 8):
            return TransportAddress(ip: .v4(value.bigEndian(at: 4, as: UInt32.self) ^ Self.magicCookie), port: port)
        case (2, 20):
            let mask = transactionID.xorMask
            let high = value.bigEndian(at: 4, as: UInt64.self) ^ mask.0
            let low = value.bigEndian(at: 12, as: UInt64.self) ^ mask.1
            return TransportAddress(ip: .v6(high, low), port: port)
        default: throw .malformedAttribute(attribute)
        }
    }
}

extension STUNTransactionID {
    /// Magic cookie and transaction id, with which IPv6 addresses are hidden.
    var xorMask: (UInt64, UInt64) { (UInt64(STUNMessage.magicCookie) << 32 | UInt64(high), low) }
}

/// CRC-32 of ITU-T V.42, as FINGERPRINT and foundations use it.
enum CRC32 {
    private static let table: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { value, _ in value & 1 == 1 ? 0xEDB8_8320 ^ value >> 1 : value >> 1 }
    }

    static func checksum(_ bytes: RawSpan) -> UInt32 {
        let table = table
        var value: UInt32 = 0xFFFF_FFFF
        for offset in 0..<bytes.byteCount {
            value = table[Int((value ^ UInt32(bytes[offset])) & 0xFF)] ^ value >> 8
        }
        return ~value
    }
}
