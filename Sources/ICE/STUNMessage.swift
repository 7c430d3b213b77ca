import Bytes

/// A STUN message (RFC 8489) as a view of a datagram: nothing is copied and every bound is checked once, here.
///
/// Attributes after MESSAGE-INTEGRITY are not covered by it, so they are not seen, FINGERPRINT apart (section 14.5).
/// Of an attribute that occurs twice the first counts (section 14).
package struct STUNMessage: ~Escapable {
    package static let headerBytes = 20
    package static let magicCookie: UInt32 = 0x2112_A442
    static let fingerprintMask: UInt32 = 0x5354_554E
    static let integrityBytes = 20

    private let bytes: RawSpan
    package let method: STUNMethod
    package let messageClass: STUNClass
    package let transactionID: STUNTransactionID
    /// Offset behind the last attribute that counts.
    private let attributesEnd: Int
    /// Offsets of the attribute headers; nil when absent.
    private let integrityOffset: Int?
    private let fingerprintOffset: Int?

    /// The datagram must hold the message and nothing else.
    @_lifetime(copy datagram)
    package init(_ datagram: RawSpan) throws(ICEError) {
        guard datagram.byteCount >= Self.headerBytes else { throw .truncated }
        guard datagram.byteCount <= ICELimits.messageBytes else { throw .tooLarge }
        let type = datagram.bigEndian(at: 0, as: UInt16.self)
        let length = Int(datagram.bigEndian(at: 2, as: UInt16.self))
        guard type < 0x4000, length & 3 == 0, datagram.bigEndian(at: 4, as: UInt32.self) == Self.magicCookie else {
            throw .notSTUN
        }
        guard length == datagram.byteCount - Self.headerBytes else {
            throw length > datagram.byteCount - Self.headerBytes ? .truncated : .notSTUN
        }
        let layout = try Self.walk(datagram)
        bytes = datagram
        // M11…M7 C1 M6…M4 C0 M3…M0, section 5.
        method = STUNMethod(rawValue: type & 0xF | type >> 1 & 0x70 | type >> 2 & 0xF80)
        messageClass = STUNClass(rawValue: type >> 4 & 1 | type >> 7 & 2) ?? .request
        transactionID = STUNTransactionID(
            high: datagram.bigEndian(at: 8, as: UInt32.self), low: datagram.bigEndian(at: 12, as: UInt64.self))
        attributesEnd = layout.end
        integrityOffset = layout.integrity
        fingerprintOffset = layout.fingerprint
    }

    /// The type field of a message.
    static func type(_ method: STUNMethod, _ messageClass: STUNClass) -> UInt16 {
        let bits = method.rawValue
        let spread = bits & 0xF | (bits & 0x70) << 1 | (bits & 0xF80) << 2
        return spread | (messageClass.rawValue & 1) << 4 | (messageClass.rawValue & 2) << 7
    }

    private static func walk(_ bytes: RawSpan) throws(ICEError) -> (end: Int, integrity: Int?, fingerprint: Int?) {
        var offset = headerBytes
        var count = 0
        var integrity: Int?
        var fingerprint: Int?
        while offset < bytes.byteCount {
            guard bytes.byteCount - offset >= 4 else { throw .truncated }
            count += 1
            guard count <= ICELimits.attributes else { throw .tooLarge }
            // FINGERPRINT is the last attribute (section 14.7).
            if fingerprint != nil { throw .malformedAttribute(.fingerprint) }
            let attribute = STUNAttribute(rawValue: bytes.bigEndian(at: offset, as: UInt16.self))
            let length = Int(bytes.bigEndian(at: offset + 2, as: UInt16.self))
            let padded = (length + 3) & ~3
            guard padded <= bytes.byteCount - offset - 4 else { throw .truncated }
            if attribute == .messageIntegrity, integrity == nil {
                guard length == integrityBytes else { throw .malformedAttribute(.messageIntegrity) }
                integrity = offset
            } else if attribute == .fingerprint {
                guard length == 4 else { throw .malformedAttribute(.fingerprint) }
                fingerprint = offset
            }
            offset += 4 + padded
        }
        return (integrity ?? fingerprint ?? offset, integrity, fingerprint)
    }

    /// The value of the first attribute of this type, without padding; nil when absent.
    @_lifetime(copy self)
    package func value(of attribute: STUNAttribute) -> RawSpan? {
        guard let range = range(of: attribute) else { return nil }
        return bytes.extracting(range)
    }

    /// Where the value stands in the datagram.
    func range(of attribute: STUNAttribute) -> Range<Int>? {
        var offset = Self.headerBytes
        while offset < attributesEnd {
            let length = Int(bytes.bigEndian(at: offset + 2, as: UInt16.self))
            if bytes.bigEndian(at: offset, as: UInt16.self) == attribute.rawValue {
                return offset + 4..<offset + 4 + length
            }
            offset += 4 + (length + 3) & ~3
        }
        return nil
    }

    package func has(_ attribute: STUNAttribute) -> Bool { value(of: attribute) != nil }

    /// Types that a Binding request must not carry unknown, at most `ICELimits.unknownAttributesReported` of them.
    package func unknownRequiredAttributes() -> [STUNAttribute] {
        var unknown: [STUNAttribute] = []
        var offset = Self.headerBytes
        while offset < attributesEnd, unknown.count < ICELimits.unknownAttributesReported {
            let attribute = STUNAttribute(rawValue: bytes.bigEndian(at: offset, as: UInt16.self))
            if attribute.isComprehensionRequired, !attribute.isKnownInBindingRequest { unknown.append(attribute) }
            offset += 4 + (Int(bytes.bigEndian(at: offset + 2, as: UInt16.self)) + 3) & ~3
        }
        return unknown
    }
}

extension STUNMessage {
    package var hasIntegrity: Bool { integrityOffset != nil }
    package var hasFingerprint: Bool { fingerprintOffset != nil }

    /// Checks MESSAGE-INTEGRITY (section 14.5) in time that does not depend on where the digests differ.
    package func verifyIntegrity(key: [UInt8], hmac: HMACSHA1) throws(ICEError) {
        guard let integrityOffset else { throw .missingIntegrity }
        // The HMAC covers a header whose length ends with this attribute, whatever follows it on the wire.
        let length = UInt16(truncatingIfNeeded: integrityOffset + 4 + Self.integrityBytes - Self.headerBytes)
        var covered = [1_500 of UInt8](repeating: 0)
        for offset in 0..<integrityOffset { covered[offset] = bytes[offset] }
        covered[2] = UInt8(truncatingIfNeeded: length >> 8)
        covered[3] = UInt8(truncatingIfNeeded: length)
        let digest = hmac(key, covered.span.raw.extracting(0..<integrityOffset))
        var difference: UInt8 = 0
        for index in 0..<Self.integrityBytes { difference |= digest[index] ^ bytes[integrityOffset + 4 + index] }
        guard difference == 0 else { throw .badIntegrity }
    }

    /// Checks FINGERPRINT (section 14.7).
    package func verifyFingerprint() throws(ICEError) {
        guard let fingerprintOffset else { throw .missingFingerprint }
        let expected = CRC32.checksum(bytes.extracting(0..<fingerprintOffset)) ^ Self.fingerprintMask
        guard bytes.bigEndian(at: fingerprintOffset + 4, as: UInt32.self) == expected else { throw .badFingerprint }
    }
}
