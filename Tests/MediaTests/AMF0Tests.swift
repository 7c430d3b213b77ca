import Bytes
import Media
import TestSupport
import Testing

@Suite struct AMF0Tests {
    static let samples: [(value: AMF0Value, wire: String)] = [
        (.number(1.5), "00 3FF8000000000000"),
        (.boolean(true), "01 01"),
        (.boolean(false), "01 00"),
        (.string("live"), "02 0004 6C697665"),
        (.string(""), "02 0000"),
        (.null, "05"),
        (.undefined, "06"),
        (.reference(0x0102), "07 0102"),
        (.longString("hi"), "0C 00000002 6869"),
        (.date(milliseconds: 0, timeZoneMinutes: -60), "0B 0000000000000000 FFC4"),
        (.object([]), "03 0000 09"),
        (.object([AMF0Property("a", .null)]), "03 0001 61 05 0000 09"),
        (.ecmaArray([AMF0Property("w", .boolean(true))]), "08 00000001 0001 77 01 01 0000 09"),
        (.strictArray([.null, .boolean(false)]), "0A 00000002 05 01 00"),
        (.typedObject(className: "C", [AMF0Property("k", .undefined)]), "10 0001 43 0001 6B 06 0000 09"),
    ]

    @Test("each type is read from and written to its specified bytes", arguments: 0..<samples.count)
    func vectors(index: Int) throws {
        let (value, wire) = Self.samples[index]
        #expect(AMF0Writer.encode([value]) == hex(wire))
        #expect(try decode(hex(wire)) == [value])
    }

    @Test("every truncation of every type is refused", arguments: 0..<samples.count)
    func truncations(index: Int) {
        let bytes = hex(Self.samples[index].wire)
        for length in 1..<bytes.count {
            let cut = Array(bytes[..<length])
            // An associative array may end with the input, so its cut after the count is a value of its own.
            if bytes[0] == 0x08, length == 5 || length == 10 { continue }
            #expect(throws: AMF0Error.self) { try decode(cut) }
        }
    }

    @Test("a value nested to the depth limit is read and one level more is refused")
    func depth() throws {
        let limit = AMF0Limits().depth
        #expect(try decode(nested(limit)).count == 1)
        #expect(throws: AMF0Error.depthExceeded(offset: limit * 5)) { try decode(nested(limit + 1)) }
    }

    @Test("values up to the node limit are read and one more is refused")
    func nodes() throws {
        let limit = AMF0Limits().nodes
        #expect(try decode([UInt8](repeating: 0x05, count: limit)).count == limit)
        #expect(throws: AMF0Error.nodesExceeded(offset: limit)) {
            try decode([UInt8](repeating: 0x05, count: limit + 1))
        }
    }

    @Test("a strict array that announces more than the limit is refused before it is read")
    func strictArrayCount() throws {
        let body = [UInt8](repeating: 0x05, count: 5000)
        #expect(throws: AMF0Error.nodesExceeded(offset: 5)) { try decode(hex("0A 00001388") + body) }
        #expect(throws: AMF0Error.truncated(offset: 5)) { try decode(hex("0A FFFFFFFF") + body) }
        #expect(try decode(hex("0A 00000000")) == [.strictArray([])])
    }

    @Test("a long string may have the limit's length and not a byte more")
    func stringLength() throws {
        let limit = AMF0Limits().stringBytes
        let text = String(repeating: "x", count: limit)
        #expect(try decode(AMF0Writer.encode([.string(text)])) == [.longString(text)])
        #expect(throws: AMF0Error.stringTooLong(offset: 5)) {
            try decode(AMF0Writer.encode([.longString(text + "x")]))
        }
        #expect(throws: AMF0Error.stringTooLong(offset: 5)) { try decode(hex("0C FFFFFFFF 61")) }
    }

    @Test("a string of 65,535 bytes stays a short one")
    func longestShortString() throws {
        let text = String(repeating: "x", count: 65_535)
        #expect(try decode(AMF0Writer.encode([.string(text)])) == [.string(text)])
    }

    @Test("types that carry foreign documents are refused by name", arguments: [0x04, 0x0E, 0x0F, 0x11, 0x12, 0xFF])
    func refusedMarkers(marker: UInt8) {
        #expect(throws: AMF0Error.unsupportedMarker(marker, offset: 1)) { try decode([0x05, marker, 0, 0, 0, 0]) }
    }

    @Test("an object end without an object is refused")
    func strayObjectEnd() {
        #expect(throws: AMF0Error.unexpectedObjectEnd(offset: 0)) { try decode([0x09]) }
    }

    @Test("the unsupported marker reads as undefined")
    func unsupported() throws {
        #expect(try decode([0x0D]) == [.undefined])
    }

    @Test("the count of an associative array is advisory")
    func ecmaCount() throws {
        #expect(try decode(hex("08 FFFFFFFF 0001 77 05 0000 09")) == [.ecmaArray([AMF0Property("w", .null)])])
        #expect(try decode(hex("08 00000000 0001 77 05 0000 09")) == [.ecmaArray([AMF0Property("w", .null)])])
    }

    @Test("an associative array may end with the input instead of a marker")
    func ecmaWithoutEnd() throws {
        #expect(try decode(hex("08 00000001 0001 77 05")) == [.ecmaArray([AMF0Property("w", .null)])])
    }

    @Test("an empty key that no end marker follows names a member")
    func emptyKey() throws {
        #expect(try decode(hex("03 0000 05 0000 09")) == [.object([AMF0Property("", .null)])])
    }

    @Test("text that is no UTF-8 is repaired, not refused")
    func invalidText() throws {
        #expect(try decode(hex("02 0002 61FF")) == [.string("a\u{FFFD}")])
    }

    @Test("values follow each other and each read ends behind its value")
    func sequence() throws {
        let bytes = hex("02 0001 61 05 01 01")
        var reader = AMF0Reader(bytes.rawSpan)
        #expect(try reader.readValue() == .string("a"))
        let marker = reader.nextMarker
        #expect(marker == .null)
        let offset = reader.offset
        #expect(offset == 4)
        #expect(try reader.readValues() == [.null, .boolean(true)])
    }

    @Test("members are found by name and values by type")
    func accessors() {
        let value = AMF0Value.ecmaArray([
            AMF0Property("width", .number(1920.9)), AMF0Property("name", .longString("n")),
            AMF0Property("stereo", .boolean(true)), AMF0Property("width", .null),
        ])
        #expect(value["width"]?.integerValue == 1920)
        #expect(value["name"]?.stringValue == "n")
        #expect(value["stereo"]?.booleanValue == true)
        #expect(value["height"] == nil)
        #expect(AMF0Value.number(.infinity).integerValue == nil)
        #expect(AMF0Value.number(1e300).integerValue == nil)
        #expect(AMF0Value.null["width"] == nil)
    }

    @Test("a key too long for its length field is cut, so that what follows stays readable")
    func longKey() throws {
        let key = String(repeating: "k", count: 70_000)
        let values = try decode(AMF0Writer.encode([.object([AMF0Property(key, .null)]), .boolean(true)]))
        #expect(values == [.object([AMF0Property(String(key.prefix(65_535)), .null)]), .boolean(true)])
    }

    private func decode(_ bytes: [UInt8]) throws(AMF0Error) -> [AMF0Value] {
        var reader = AMF0Reader(bytes.rawSpan)
        return try reader.readValues()
    }

    private func nested(_ depth: Int) -> [UInt8] {
        (0..<depth).flatMap { _ in hex("0A 00000001") } + [0x05]
    }
}
