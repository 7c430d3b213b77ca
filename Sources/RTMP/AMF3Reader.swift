import Bytes
package import Media

/// Reads one AMF3 value, as it stands behind an AMF0 switch marker in messages of types 15 and 17, into AMF0's terms.
///
/// The subset that commands and metadata need: no XML, vectors, dictionaries or externalizable classes; byte arrays are read
/// and become `undefined`. References are resolved, and each use pays again for what it brings in, so that a small message
/// cannot unfold into a large one.
package struct AMF3Reader: ~Escapable {
    private var reader: ByteReader
    private let limits: AMF0Limits
    private var nodesLeft: Int
    private var textBytesLeft: Int
    private var strings: [String] = []
    private var objects: [Shared] = []
    private var traits: [Traits] = []

    /// A value that references can name; nil while it is being read.
    private struct Shared {
        var value: AMF0Value?
        var nodes = 1
        var textBytes = 0
        var height = 0
    }

    private struct Traits {
        var className: String
        var members: [String]
        var isDynamic: Bool
    }

    @_lifetime(copy bytes)
    package init(_ bytes: RawSpan, limits: AMF0Limits) {
        reader = ByteReader(bytes)
        self.limits = limits
        nodesLeft = limits.nodes
        textBytesLeft = limits.stringBytes * 16
    }

    /// Bytes read so far.
    package var offset: Int { reader.offset }
    /// Values read so far, those behind references counted again.
    package var nodesUsed: Int { limits.nodes - nodesLeft }

    @_lifetime(self: copy self)
    package mutating func readValue() throws(AMF3Error) -> AMF0Value {
        var height = 0
        return try readValue(depth: 0, height: &height)
    }

    /// `height` rises to the levels of containers in the value.
    @_lifetime(self: copy self)
    private mutating func readValue(depth: Int, height: inout Int) throws(AMF3Error) -> AMF0Value {
        let start = offset
        try spendNodes(1)
        let marker = try readUInt8()
        switch marker {
        case 0x00: return .undefined
        case 0x01: return .null
        case 0x02: return .boolean(false)
        case 0x03: return .boolean(true)
        case 0x04: return .number(Double(Self.signed(try readUInt29())))
        case 0x05: return .number(try readDouble())
        case 0x06: return .string(try readText())
        case 0x08, 0x09, 0x0A, 0x0C: return try readShared(marker, depth: depth, height: &height)
        default: throw .unsupportedMarker(marker, offset: start)
        }
    }

    /// Integers have 29 bits and are signed.
    private static func signed(_ value: UInt32) -> Int32 { Int32(bitPattern: value << 3) >> 3 }

    /// A date, array, object or byte array: it opens with a reference or with a count, and the latter enters the table.
    @_lifetime(self: copy self)
    private mutating func readShared(_ marker: UInt8, depth: Int, height: inout Int) throws(AMF3Error) -> AMF0Value {
        let start = offset
        let head = try readUInt29()
        guard head & 1 == 1 else { return try resolve(Int(head >> 1), depth: depth, height: &height, offset: start) }
        let isContainer = marker == 0x09 || marker == 0x0A
        guard depth < limits.depth || !isContainer else { throw .depthExceeded(offset: start) }
        let index = objects.count
        objects.append(Shared())
        let nodesBefore = nodesLeft
        let textBefore = textBytesLeft
        var inner = 0
        let value =
            switch marker {
            case 0x08: AMF0Value.date(milliseconds: try readDouble(), timeZoneMinutes: 0)
            case 0x09: try readArray(head >> 1, depth: depth + 1, height: &inner)
            case 0x0A: try readObject(head >> 1, depth: depth + 1, height: &inner)
            default: try skipByteArray(head >> 1)
            }
        let own = isContainer ? inner + 1 : 0
        objects[index] = Shared(
            value: value, nodes: nodesBefore - nodesLeft, textBytes: textBefore - textBytesLeft, height: own)
        height = max(height, own)
        return value
    }

    @_lifetime(self: copy self)
    private mutating func resolve(
        _ index: Int, depth: Int, height: inout Int, offset: Int
    ) throws(AMF3Error) -> AMF0Value {
        guard index < objects.count, let value = objects[index].value else { throw .invalidReference(offset: offset) }
        let shared = objects[index]
        guard depth + shared.height <= limits.depth else { throw .depthExceeded(offset: offset) }
        try spendNodes(shared.nodes)
        try spendText(shared.textBytes)
        height = max(height, shared.height)
        return value
    }

    @_lifetime(self: copy self)
    private mutating func skipByteArray(_ head: UInt32) throws(AMF3Error) -> AMF0Value {
        do { try reader.skip(Int(head)) } catch { throw .truncated(offset: error.offset) }
        return .undefined
    }

    @_lifetime(self: copy self)
    private mutating func readArray(_ head: UInt32, depth: Int, height: inout Int) throws(AMF3Error) -> AMF0Value {
        let count = Int(head)
        guard count <= nodesLeft else { throw .nodesExceeded(offset: offset) }
        var members = try readDynamicMembers(depth: depth, height: &height)
        var elements: [AMF0Value] = []
        for _ in 0..<count { elements.append(try readValue(depth: depth, height: &height)) }
        if members.isEmpty { return .strictArray(elements) }
        for (index, element) in elements.enumerated() { members.append(AMF0Property(String(index), element)) }
        return .ecmaArray(members)
    }

    @_lifetime(self: copy self)
    private mutating func readObject(_ head: UInt32, depth: Int, height: inout Int) throws(AMF3Error) -> AMF0Value {
        let traits = try readTraits(head)
        var members: [AMF0Property] = []
        for name in traits.members {
            members.append(AMF0Property(name, try readValue(depth: depth, height: &height)))
        }
        if traits.isDynamic { members += try readDynamicMembers(depth: depth, height: &height) }
        return traits.className.isEmpty ? .object(members) : .typedObject(className: traits.className, members)
    }

    /// Names and values up to an empty name.
    @_lifetime(self: copy self)
    private mutating func readDynamicMembers(depth: Int, height: inout Int) throws(AMF3Error) -> [AMF0Property] {
        var members: [AMF0Property] = []
        while true {
            let name = try readText()
            if name.isEmpty { return members }
            members.append(AMF0Property(name, try readValue(depth: depth, height: &height)))
        }
    }

    /// `head` has lost the bit that tells objects from references (AMF3 section 3.12).
    @_lifetime(self: copy self)
    private mutating func readTraits(_ head: UInt32) throws(AMF3Error) -> Traits {
        let start = offset
        guard head & 1 == 1 else {
            let index = Int(head >> 1)
            guard index < traits.count else { throw .invalidReference(offset: start) }
            // Member names come again with each use.
            try spendText(traits[index].members.reduce(0) { $0 + $1.utf8.count })
            return traits[index]
        }
        guard head & 2 == 0 else { throw .externalizableClass(offset: start) }
        let count = Int(head >> 3)
        guard count <= nodesLeft else { throw .nodesExceeded(offset: start) }
        var entry = Traits(className: try readText(), members: [], isDynamic: head & 4 != 0)
        for _ in 0..<count { entry.members.append(try readText()) }
        traits.append(entry)
        return entry
    }

    @_lifetime(self: copy self)
    private mutating func readText() throws(AMF3Error) -> String {
        let start = offset
        let head = try readUInt29()
        if head & 1 == 0 {
            guard Int(head >> 1) < strings.count else { throw .invalidReference(offset: start) }
            let text = strings[Int(head >> 1)]
            try spendText(text.utf8.count)
            return text
        }
        let count = Int(head >> 1)
        guard count <= limits.stringBytes else { throw .stringTooLong(offset: start) }
        let text: String
        do { text = String(decoding: try reader.readBytes(count).copied(), as: UTF8.self) } catch {
            throw .truncated(offset: error.offset)
        }
        try spendText(text.utf8.count)
        if count > 0 { strings.append(text) }
        return text
    }

    @_lifetime(self: copy self)
    private mutating func spendNodes(_ count: Int) throws(AMF3Error) {
        guard count <= nodesLeft else { throw .nodesExceeded(offset: offset) }
        nodesLeft -= count
    }

    @_lifetime(self: copy self)
    private mutating func spendText(_ count: Int) throws(AMF3Error) {
        guard count <= textBytesLeft else { throw .stringTooLong(offset: offset) }
        textBytesLeft -= count
    }

    @_lifetime(self: copy self)
    private mutating func readUInt8() throws(AMF3Error) -> UInt8 {
        do { return try reader.readUInt8() } catch { throw .truncated(offset: error.offset) }
    }

    @_lifetime(self: copy self)
    private mutating func readDouble() throws(AMF3Error) -> Double {
        do { return try reader.readDouble() } catch { throw .truncated(offset: error.offset) }
    }

    /// One to four bytes, 7 bits each and 8 in the fourth (section 1.3.1).
    @_lifetime(self: copy self)
    private mutating func readUInt29() throws(AMF3Error) -> UInt32 {
        var value: UInt32 = 0
        for index in 0..<4 {
            let byte = try readUInt8()
            if index == 3 { return value << 8 | UInt32(byte) }
            value = value << 7 | UInt32(byte & 0x7F)
            if byte & 0x80 == 0 { break }
        }
        return value
    }
}
