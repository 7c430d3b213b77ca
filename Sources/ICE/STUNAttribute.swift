/// Attribute type of RFC 8489 section 14, RFC 8445 section 16 and RFC 8656 section 18.
package struct STUNAttribute: RawRepresentable, Hashable, Sendable {
    package let rawValue: UInt16

    package init(rawValue: UInt16) { self.rawValue = rawValue }

    package static let mappedAddress = STUNAttribute(rawValue: 0x0001)
    package static let username = STUNAttribute(rawValue: 0x0006)
    package static let messageIntegrity = STUNAttribute(rawValue: 0x0008)
    package static let errorCode = STUNAttribute(rawValue: 0x0009)
    package static let unknownAttributes = STUNAttribute(rawValue: 0x000A)
    package static let channelNumber = STUNAttribute(rawValue: 0x000C)
    package static let lifetime = STUNAttribute(rawValue: 0x000D)
    package static let xorPeerAddress = STUNAttribute(rawValue: 0x0012)
    package static let data = STUNAttribute(rawValue: 0x0013)
    package static let realm = STUNAttribute(rawValue: 0x0014)
    package static let nonce = STUNAttribute(rawValue: 0x0015)
    package static let xorRelayedAddress = STUNAttribute(rawValue: 0x0016)
    package static let requestedTransport = STUNAttribute(rawValue: 0x0019)
    package static let messageIntegritySHA256 = STUNAttribute(rawValue: 0x001C)
    package static let xorMappedAddress = STUNAttribute(rawValue: 0x0020)
    package static let priority = STUNAttribute(rawValue: 0x0024)
    package static let useCandidate = STUNAttribute(rawValue: 0x0025)
    package static let software = STUNAttribute(rawValue: 0x8022)
    package static let fingerprint = STUNAttribute(rawValue: 0x8028)
    package static let iceControlled = STUNAttribute(rawValue: 0x8029)
    package static let iceControlling = STUNAttribute(rawValue: 0x802A)
    /// Sent by browsers; read by nobody here.
    package static let networkCost = STUNAttribute(rawValue: 0xC057)

    /// A receiver that does not know the type must refuse the request (RFC 8489 section 14).
    package var isComprehensionRequired: Bool { rawValue < 0x8000 }

    /// Types that a Binding request may carry without being refused, of those that must be understood.
    var isKnownInBindingRequest: Bool {
        switch self {
        case .username, .messageIntegrity, .messageIntegritySHA256, .priority, .useCandidate, .xorMappedAddress,
            .mappedAddress, .realm, .nonce, .errorCode, .unknownAttributes:
            true
        default: false
        }
    }
}

/// The two class bits of a message type (RFC 8489 section 5).
package enum STUNClass: UInt16, Sendable {
    case request = 0
    case indication = 1
    case success = 2
    case error = 3
}

/// A method, 12 bits.
package struct STUNMethod: RawRepresentable, Hashable, Sendable {
    package let rawValue: UInt16

    package init(rawValue: UInt16) { self.rawValue = rawValue & 0xFFF }

    package static let binding = STUNMethod(rawValue: 0x001)
    package static let allocate = STUNMethod(rawValue: 0x003)
    package static let refresh = STUNMethod(rawValue: 0x004)
    package static let send = STUNMethod(rawValue: 0x006)
    package static let data = STUNMethod(rawValue: 0x007)
    package static let createPermission = STUNMethod(rawValue: 0x008)
    package static let channelBind = STUNMethod(rawValue: 0x009)
}

/// 96 random bits that tie a response to its request.
package struct STUNTransactionID: Hashable, Sendable {
    /// The first four and the last eight bytes, host byte order.
    package var high: UInt32
    package var low: UInt64

    package init(high: UInt32, low: UInt64) {
        self.high = high
        self.low = low
    }
}

/// MD5 (RFC 1321), for the key of long-term credentials (RFC 8489 section 9.2.2); nil where it is not to be had.
package typealias MD5Hash = @Sendable (_ message: RawSpan) -> [16 of UInt8]?

/// What makes MESSAGE-INTEGRITY: HMAC-SHA1 (RFC 2104) of `message`, which must not be kept after the call.
package typealias HMACSHA1 = @Sendable (_ key: [UInt8], _ message: RawSpan) -> [20 of UInt8]
