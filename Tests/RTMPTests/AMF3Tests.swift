import Bytes
import Media
import RTMP
import TestSupport
import Testing

@Suite struct AMF3Tests {
    static let samples: [(wire: String, value: AMF0Value)] = [
        ("00", .undefined), ("01", .null), ("02", .boolean(false)), ("03", .boolean(true)),
        ("04 00", .number(0)), ("04 7F", .number(127)), ("04 8100", .number(128)), ("04 FFFFFFFF", .number(-1)),
        ("04 BFFFFFFF", .number(268_435_455)), ("04 C0808000", .number(-268_435_456)),
        ("05 3FF8000000000000", .number(1.5)),
        ("06 01", .string("")), ("06 09 6C697665", .string("live")),
        ("08 01 0000000000000000", .date(milliseconds: 0, timeZoneMinutes: 0)),
        ("09 05 01 03 01", .strictArray([.boolean(true), .null])),
        ("09 03 03 61 03 01 01", .ecmaArray([AMF0Property("a", .boolean(true)), AMF0Property("0", .null)])),
        ("0A 0B 01 03 61 03 01", .object([AMF0Property("a", .boolean(true))])),
        ("0A 13 03 43 03 61 01", .typedObject(className: "C", [AMF0Property("a", .null)])),
        ("0C 05 0102", .undefined),
    ]

    @Test("each type of the subset is read in AMF0's terms", arguments: 0..<samples.count)
    func vectors(index: Int) throws {
        let bytes = hex(Self.samples[index].wire)
        let read = try decode(bytes)
        #expect(read.value == Self.samples[index].value)
        #expect(read.used == bytes.count)
    }

    @Test("every truncation is refused", arguments: 0..<samples.count)
    func truncations(index: Int) {
        let bytes = hex(Self.samples[index].wire)
        for length in 0..<bytes.count {
            #expect(throws: AMF3Error.self) { try decode(Array(bytes[..<length])) }
        }
    }

    @Test("strings, objects and traits are found again by reference")
    func references() throws {
        // [{a: "b"} of inline traits, the same object, one of the same traits with "b" by reference]
        let bytes = hex("09 07 01  0A 13 01 03 61 06 03 62  0A 02  0A 01 06 02")
        let object = AMF0Value.object([AMF0Property("a", .string("b"))])
        #expect(try decode(bytes).value == .strictArray([object, object, object]))
    }

    @Test(
        "references to nothing or into an unfinished value are refused",
        arguments: ["06 00", "0A 00", "0A 01", "09 03 01 09 00"])
    func badReferences(wire: String) {
        let error = #expect(throws: AMF3Error.self) { try decode(hex(wire)) }
        guard case .invalidReference = error else { return #expect(Bool(false), "\(String(describing: error))") }
    }

    @Test(
        "XML, vectors, dictionaries and unknown types are refused",
        arguments: [0x07, 0x0B, 0x0D, 0x10, 0x11, 0x12, 0xFF])
    func refused(marker: UInt8) {
        #expect(throws: AMF3Error.unsupportedMarker(marker, offset: 0)) { try decode([marker, 1, 1, 1]) }
    }

    @Test("externalizable classes are refused")
    func externalizable() {
        #expect(throws: AMF3Error.externalizableClass(offset: 2)) { try decode(hex("0A 07 03 43")) }
    }

    @Test("nesting to the limit is read and a level more is refused")
    func depth() throws {
        func nested(_ levels: Int) -> [UInt8] { (0..<levels).flatMap { _ in hex("09 03 01") } + [0x01] }
        let limit = AMF0Limits().depth
        _ = try decode(nested(limit))
        #expect(throws: AMF3Error.depthExceeded(offset: limit * 3 + 1)) { try decode(nested(limit + 1)) }
    }

    @Test("doubling by references meets the node limit")
    func bomb() {
        // Each array holds the one before it twice, by reference: 2^15 nodes from a few bytes.
        var bytes = hex("09 1F 01")
        bytes += hex("09 05 01 01 01")
        for index in 1..<14 { bytes += [0x09, 0x05, 0x01, 0x09, UInt8(index) << 1, 0x09, UInt8(index) << 1] }
        bytes += [0x01]
        #expect(throws: AMF3Error.self) { try decode(bytes) }
    }

    @Test("a chain of references cannot nest deeper than the limit")
    func referenceDepth() {
        var bytes = hex("09 29 01") + hex("09 01 01")
        for index in 1..<20 { bytes += [0x09, 0x03, 0x01, 0x09, UInt8(index) << 1] }
        let error = #expect(throws: AMF3Error.self) { try decode(bytes) }
        guard case .depthExceeded = error else { return #expect(Bool(false), "\(String(describing: error))") }
    }

    @Test("a long string used over and over meets the text limit")
    func textBomb() {
        let length = 60_000
        let head = UInt32(length) << 1 | 1
        var bytes = hex("09 8149 01 06")
        bytes += [UInt8(head >> 14) | 0x80, UInt8(truncatingIfNeeded: head >> 7) | 0x80, UInt8(head & 0x7F)]
        bytes += [UInt8](repeating: 0x61, count: length)
        for _ in 0..<99 { bytes += [0x06, 0x00] }
        let error = #expect(throws: AMF3Error.self) { try decode(bytes) }
        guard case .stringTooLong = error else { return #expect(Bool(false), "\(String(describing: error))") }
    }

    @Test("announced counts beyond the node limit are refused before the loop")
    func counts() {
        #expect(throws: AMF3Error.nodesExceeded(offset: 5)) { try decode(hex("09 FFFFFFFF 01")) }
        #expect(throws: AMF3Error.nodesExceeded(offset: 5)) { try decode(hex("0A FFFFFFF3 01")) }
    }

    private func decode(_ bytes: [UInt8]) throws(AMF3Error) -> (value: AMF0Value, used: Int) {
        var reader = AMF3Reader(bytes.rawSpan, limits: AMF0Limits())
        let value = try reader.readValue()
        return (value, reader.offset)
    }
}

@Suite struct CommandTests {
    @Test("a command is read with its name, transaction, object and arguments")
    func amf0() throws {
        let command = RTMPCommand("publish", transactionID: 5, arguments: [.string("key"), .string("live")])
        #expect(try read(AMF0Writer.encode(command.values)) == command)
    }

    @Test("missing trailing fields have defaults and a nameless message is no command")
    func defaults() throws {
        #expect(try read(AMF0Writer.encode([.string("x")])) == RTMPCommand("x", transactionID: 0))
        #expect(try read(AMF0Writer.encode([.number(1)])) == nil)
        #expect(try read([]) == nil)
    }

    @Test("AMF3 commands carry a selector and switch notation for single values")
    func amf3() throws {
        let bytes = glue(
            [0], AMF0Writer.encode([.string("connect"), .number(1)]), hex("11 0A 0B 01 07 617070 06 09 6C697665 01"),
            AMF0Writer.encode([.boolean(true)]))
        let command = try #require(try read(bytes, isAMF3: true))
        #expect(command.object["app"] == .string("live"))
        #expect(command.arguments == [.boolean(true)])
    }

    @Test("an AMF3 command without a selector is read as well")
    func noSelector() throws {
        #expect(try read(AMF0Writer.encode([.string("x")]), isAMF3: true)?.name == "x")
    }

    @Test("AMF3 values share one node budget in a command")
    func sharedBudget() {
        var bytes: [UInt8] = [0]
        for _ in 0...AMF0Limits().nodes { bytes += [0x11, 0x01] }
        #expect(throws: RTMPError.self) { try read(bytes, isAMF3: true) }
    }

    @Test("AMF3 has no place in AMF0 commands")
    func switchInAMF0() {
        #expect(throws: RTMPError.malformedCommand(.unsupportedMarker(0x11, offset: 0))) { try read([0x11, 0x01]) }
    }

    private func read(_ bytes: [UInt8], isAMF3: Bool = false) throws(RTMPError) -> RTMPCommand? {
        RTMPCommand(try RTMPCommand.readValues(bytes.rawSpan, isAMF3: isAMF3, limits: AMF0Limits()))
    }
}
