import Bytes

/// Writes AMF0 values one after another.
package struct AMF0Writer: Sendable {
    private var writer = ByteWriter()

    package init() {}

    /// All that was written so far.
    package var bytes: [UInt8] { writer.bytes }

    /// The bytes of `values` in their order.
    package static func encode(_ values: [AMF0Value]) -> [UInt8] {
        var writer = AMF0Writer()
        for value in values { writer.write(value) }
        return writer.bytes
    }

    package mutating func write(_ value: AMF0Value) {
        switch value {
        case .number(let number):
            mark(.number)
            writer.write(number)
        case .boolean(let flag):
            mark(.boolean)
            writer.write(flag ? 1 : 0 as UInt8)
        case .string(let text): writeString(text)
        case .longString(let text): writeLongString(text)
        case .null: mark(.null)
        case .undefined: mark(.undefined)
        case .reference(let index):
            mark(.reference)
            writer.write(index)
        case .date(let milliseconds, let timeZoneMinutes):
            mark(.date)
            writer.write(milliseconds)
            writer.write(UInt16(bitPattern: timeZoneMinutes))
        case .object, .ecmaArray, .strictArray, .typedObject: writeContainer(value)
        }
    }

    private mutating func writeContainer(_ value: AMF0Value) {
        switch value {
        case .object(let members):
            mark(.object)
            writeProperties(members)
        case .ecmaArray(let members):
            mark(.ecmaArray)
            writer.write(UInt32(truncatingIfNeeded: members.count))
            writeProperties(members)
        case .strictArray(let values):
            mark(.strictArray)
            writer.write(UInt32(truncatingIfNeeded: values.count))
            for element in values { write(element) }
        case .typedObject(let className, let members):
            mark(.typedObject)
            writeShortText(className)
            writeProperties(members)
        default: preconditionFailure("only objects and arrays are containers")
        }
    }

    private mutating func writeString(_ text: String) {
        guard text.utf8.count <= Int(UInt16.max) else { return writeLongString(text) }
        mark(.string)
        writeShortText(text)
    }

    private mutating func writeLongString(_ text: String) {
        mark(.longString)
        writer.write(UInt32(truncatingIfNeeded: text.utf8.count))
        writer.write(text)
    }

    private mutating func writeProperties(_ members: [AMF0Property]) {
        for member in members {
            writeShortText(member.key)
            write(member.value)
        }
        writer.write(0 as UInt16)
        mark(.objectEnd)
    }

    /// Keys and class names have no long form, so what exceeds 65,535 bytes is cut off.
    private mutating func writeShortText(_ text: String) {
        let utf8 = text.utf8.prefix(Int(UInt16.max))
        writer.write(UInt16(truncatingIfNeeded: utf8.count))
        writer.write(Array(utf8))
    }

    private mutating func mark(_ marker: AMF0Marker) { writer.write(marker.rawValue) }
}
