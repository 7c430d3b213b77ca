/// One value of Action Message Format 0 (AMF0 specification, section 2), the notation of RTMP commands and FLV script data.
package indirect enum AMF0Value: Equatable, Sendable {
    case number(Double)
    case boolean(Bool)
    /// At most 65,535 UTF-8 bytes on the wire; the writer turns a longer one into a long string.
    case string(String)
    case object([AMF0Property])
    case null
    case undefined
    /// An index into the complex values of the same message. Kept as it is and never followed, so that no chain of references
    /// can blow a small message up.
    case reference(UInt16)
    /// The associative array that metadata usually comes in. The announced count is advisory on the wire and not kept.
    case ecmaArray([AMF0Property])
    case strictArray([AMF0Value])
    /// Milliseconds since 1970-01-01 UTC. The time zone is reserved by the specification and should be 0.
    case date(milliseconds: Double, timeZoneMinutes: Int16)
    case longString(String)
    case typedObject(className: String, [AMF0Property])
}

/// One named member of an object or associative array. Order and duplicates are those of the wire.
package struct AMF0Property: Equatable, Sendable {
    package var key: String
    package var value: AMF0Value

    package init(_ key: String, _ value: AMF0Value) {
        self.key = key
        self.value = value
    }
}

extension AMF0Value {
    package var numberValue: Double? {
        if case .number(let value) = self { value } else { nil }
    }

    package var booleanValue: Bool? {
        if case .boolean(let value) = self { value } else { nil }
    }

    /// The text of a string or long string.
    package var stringValue: String? {
        switch self {
        case .string(let value), .longString(let value): value
        default: nil
        }
    }

    /// The number as an integer, rounded toward zero; nil when it is no number or does not fit.
    package var integerValue: Int? {
        guard let value = numberValue, value.isFinite else { return nil }
        return Int(exactly: value.rounded(.towardZero))
    }

    /// The members of an object, typed object or associative array.
    package var properties: [AMF0Property]? {
        switch self {
        case .object(let members), .ecmaArray(let members), .typedObject(_, let members): members
        default: nil
        }
    }

    /// The elements of a strict array.
    package var elements: [AMF0Value]? {
        if case .strictArray(let values) = self { values } else { nil }
    }

    /// The first member called `key`; nil when there is none or the value has no members.
    package subscript(_ key: String) -> AMF0Value? {
        properties?.first { $0.key == key }?.value
    }
}

/// Type markers (AMF0 specification, section 2.1).
package enum AMF0Marker: UInt8, Sendable {
    case number = 0x00
    case boolean = 0x01
    case string = 0x02
    case object = 0x03
    case movieClip = 0x04
    case null = 0x05
    case undefined = 0x06
    case reference = 0x07
    case ecmaArray = 0x08
    case objectEnd = 0x09
    case strictArray = 0x0A
    case date = 0x0B
    case longString = 0x0C
    case unsupported = 0x0D
    case recordSet = 0x0E
    case xmlDocument = 0x0F
    case typedObject = 0x10
    /// The value that follows is written in AMF3; the caller reads it.
    case avmPlusObject = 0x11
}
