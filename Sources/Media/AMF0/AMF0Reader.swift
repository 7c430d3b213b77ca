import Bytes

/// Why AMF0 bytes were refused. Offsets count from the start of the reader's input.
package enum AMF0Error: Error, Equatable, Sendable {
    case truncated(offset: Int)
    /// A type that does not exist or that this reader refuses: XML documents, movie clips, record sets, AMF3 values.
    case unsupportedMarker(UInt8, offset: Int)
    /// An object-end marker where a value belongs.
    case unexpectedObjectEnd(offset: Int)
    case depthExceeded(offset: Int)
    case nodesExceeded(offset: Int)
    case stringTooLong(offset: Int)
}

/// Bounds for one reader, which means for one message: what a peer says can cost no more than this.
package struct AMF0Limits: Sendable {
    /// Objects and arrays inside each other.
    package var depth = 16
    /// Values in total, nested ones included.
    package var nodes = 4096
    /// UTF-8 bytes of one string, key or class name.
    package var stringBytes = 65_536

    package init() {}
}

/// Reads AMF0 values one after another. Text that is no valid UTF-8 is repaired with replacement characters.
package struct AMF0Reader: ~Escapable {
    private var reader: ByteReader
    private let limits: AMF0Limits
    private var nodesLeft: Int

    @_lifetime(copy bytes)
    package init(_ bytes: RawSpan, limits: AMF0Limits = AMF0Limits()) {
        reader = ByteReader(bytes)
        self.limits = limits
        nodesLeft = limits.nodes
    }

    package var isEmpty: Bool { reader.isEmpty }
    /// Bytes read so far.
    package var offset: Int { reader.offset }
    /// The type marker of the next value; nil at the end, or when the byte is no marker.
    package var nextMarker: AMF0Marker? { reader.peek().flatMap { AMF0Marker(rawValue: $0) } }

    /// The next value with all that it contains. The position after a failure means nothing: drop the reader.
    @_lifetime(self: copy self)
    package mutating func readValue() throws(AMF0Error) -> AMF0Value { try readValue(depth: 0) }

    /// All values up to the end of the input.
    @_lifetime(self: copy self)
    package mutating func readValues() throws(AMF0Error) -> [AMF0Value] {
        var values: [AMF0Value] = []
        while !isEmpty { values.append(try readValue()) }
        return values
    }

    /// Passes over `count` bytes that another notation has claimed, such as an AMF3 value behind its marker.
    @_lifetime(self: copy self)
    package mutating func skip(_ count: Int) throws(AMF0Error) {
        do { try reader.skip(count) } catch { throw .truncated(offset: error.offset) }
    }

    @_lifetime(self: copy self)
    private mutating func readValue(depth: Int) throws(AMF0Error) -> AMF0Value {
        let start = reader.offset
        guard nodesLeft > 0 else { throw .nodesExceeded(offset: start) }
        nodesLeft -= 1
        let byte = try readUInt8()
        guard let marker = AMF0Marker(rawValue: byte) else { throw .unsupportedMarker(byte, offset: start) }
        switch marker {
        case .number: return .number(try readDouble())
        case .boolean: return .boolean(try readUInt8() != 0)
        case .string: return .string(try readShortText())
        case .longString: return .longString(try readText(byteCount: Int(try readUInt32())))
        case .null: return .null
        case .undefined, .unsupported: return .undefined
        case .reference: return .reference(try readUInt16())
        case .date: return .date(milliseconds: try readDouble(), timeZoneMinutes: Int16(bitPattern: try readUInt16()))
        case .objectEnd: throw .unexpectedObjectEnd(offset: start)
        case .movieClip, .recordSet, .xmlDocument, .avmPlusObject: throw .unsupportedMarker(byte, offset: start)
        case .object, .ecmaArray, .strictArray, .typedObject:
            guard depth < limits.depth else { throw .depthExceeded(offset: start) }
            return try readContainer(marker, depth: depth + 1)
        }
    }

    @_lifetime(self: copy self)
    private mutating func readContainer(_ marker: AMF0Marker, depth: Int) throws(AMF0Error) -> AMF0Value {
        switch marker {
        case .ecmaArray:
            _ = try readUInt32()  // many encoders announce 0 or a wrong count: the end marker decides
            return .ecmaArray(try readProperties(depth: depth, mayEndWithInput: true))
        case .strictArray:
            return .strictArray(try readElements(depth: depth))
        case .typedObject:
            let name = try readShortText()
            return .typedObject(className: name, try readProperties(depth: depth, mayEndWithInput: false))
        default:
            return .object(try readProperties(depth: depth, mayEndWithInput: false))
        }
    }

    /// Members up to the end marker. Some muxers leave the marker out behind the last array of their metadata.
    @_lifetime(self: copy self)
    private mutating func readProperties(depth: Int, mayEndWithInput: Bool) throws(AMF0Error) -> [AMF0Property] {
        var members: [AMF0Property] = []
        while !(mayEndWithInput && reader.isEmpty) {
            let key = try readShortText()
            if key.isEmpty, reader.peek() == AMF0Marker.objectEnd.rawValue {
                _ = try readUInt8()
                break
            }
            members.append(AMF0Property(key, try readValue(depth: depth)))
        }
        return members
    }

    @_lifetime(self: copy self)
    private mutating func readElements(depth: Int) throws(AMF0Error) -> [AMF0Value] {
        let count = Int(try readUInt32())
        // Every element takes a byte and a node, so an announced count beyond either is refused before the loop.
        guard count <= reader.remaining else { throw .truncated(offset: reader.offset) }
        guard count <= nodesLeft else { throw .nodesExceeded(offset: reader.offset) }
        var values: [AMF0Value] = []
        for _ in 0..<count { values.append(try readValue(depth: depth)) }
        return values
    }

    @_lifetime(self: copy self)
    private mutating func readShortText() throws(AMF0Error) -> String { try readText(byteCount: Int(try readUInt16())) }

    @_lifetime(self: copy self)
    private mutating func readText(byteCount: Int) throws(AMF0Error) -> String {
        guard byteCount <= limits.stringBytes else { throw .stringTooLong(offset: reader.offset) }
        do {
            return String(decoding: try reader.readBytes(byteCount).copied(), as: UTF8.self)
        } catch { throw .truncated(offset: error.offset) }
    }

    @_lifetime(self: copy self)
    private mutating func readUInt8() throws(AMF0Error) -> UInt8 {
        do { return try reader.readUInt8() } catch { throw .truncated(offset: error.offset) }
    }

    @_lifetime(self: copy self)
    private mutating func readUInt16() throws(AMF0Error) -> UInt16 {
        do { return try reader.readUInt16() } catch { throw .truncated(offset: error.offset) }
    }

    @_lifetime(self: copy self)
    private mutating func readUInt32() throws(AMF0Error) -> UInt32 {
        do { return try reader.readUInt32() } catch { throw .truncated(offset: error.offset) }
    }

    @_lifetime(self: copy self)
    private mutating func readDouble() throws(AMF0Error) -> Double {
        do { return try reader.readDouble() } catch { throw .truncated(offset: error.offset) }
    }
}
