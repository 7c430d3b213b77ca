import Bytes
import ServiceConfiguration
import Testing

@Suite struct YAMLDocumentTests {
    private func parse(_ text: String) throws(YAMLError) -> YAMLDocument { try YAMLDocument(parsing: Array(text.utf8)) }

    private func refusal(_ text: String) -> YAMLError? {
        do {
            _ = try parse(text)
            return nil
        } catch { return error }
    }

    private func at(_ line: Int, _ column: Int) -> YAMLPosition { YAMLPosition(line: line, column: column) }

    private func word(_ text: String, _ line: Int, _ column: Int, isPlain: Bool = true) -> YAMLNode {
        YAMLNode(.scalar(YAMLScalar(text, isPlain: isPlain)), at: at(line, column))
    }

    @Test("every value has its line and column, counted in characters")
    func positions() throws {
        let document = try parse("über: 1\nb:\n  - x\n  - {c: \"y\"}\n")
        let inner = YAMLNode(
            .mapping([YAMLEntry(key: "c", keyPosition: at(4, 6), value: word("y", 4, 9, isPlain: false))]), at: at(4, 5)
        )
        let list = YAMLNode(.sequence([word("x", 3, 5), inner]), at: at(3, 3))
        let expected = YAMLNode(
            .mapping([
                YAMLEntry(key: "über", keyPosition: at(1, 1), value: word("1", 1, 7)),
                YAMLEntry(key: "b", keyPosition: at(2, 1), value: list),
            ]), at: at(1, 1))
        #expect(document.root == expected)
        #expect(document.nextDocument == nil)
    }

    @Test("no text, a comment and a null have no keys", arguments: ["", "# nothing\n", "---\n", "~\n", "null"])
    func empty(text: String) throws {
        let root = try parse(text).root
        #expect(root == nil || root?.isNull == true)
    }

    @Test("the place of a second document is told")
    func twoDocuments() throws {
        let document = try parse("a: 1\n---\nb: 2\n")
        #expect(document.nextDocument == at(2, 1))
        #expect(try parse("--- {a: 1}\n...\n").nextDocument == nil)
    }

    @Test("quotes and a string tag make a text of a number")
    func plainness() throws {
        let document = try parse("[5, '5', \"5\", !!str 5, ! 5, !!int 5, |-\n 5]".replacing("|-\n 5", with: "5"))
        guard case .sequence(let items) = document.root?.content else { throw YAMLError.tooLong }
        let plain = items.map { item in
            if case .scalar(let scalar) = item.content { return scalar.isPlain }
            return false
        }
        #expect(plain == [true, false, false, false, false, true, true])
    }

    @Test("an alias stands for the value of its anchor, and keeps its place")
    func alias() throws {
        let document = try parse("a: &x [1]\nb: *x\n")
        guard case .mapping(let entries) = document.root?.content else { throw YAMLError.tooLong }
        #expect(entries[0].value == entries[1].value)
        #expect(entries[1].value.position == at(1, 4))
    }

    @Test("merged keys give way to the mapping's own, and later sources to earlier ones")
    func merge() throws {
        let document = try parse("{<<: [&p {a: 1, b: 1}, {b: 2, c: 2}], c: 3, d: {<<: *p}}")
        guard case .mapping(let entries) = document.root?.content else { throw YAMLError.tooLong }
        let values = entries.map { entry in
            if case .scalar(let scalar) = entry.value.content { return "\(entry.key)\(scalar.text)" }
            return entry.key
        }
        #expect(values == ["c3", "d", "a1", "b1"])
    }

    @Test("only mappings can be merged", arguments: ["<<: 5", "<<: [{a: 1}, 5]"])
    func badMerge(text: String) {
        guard case .badMerge = refusal(text) else {
            Issue.record("accepted")
            return
        }
    }

    @Test("a key that stands twice is an error that names both lines")
    func duplicate() {
        let error = refusal("a: 1\nb: 2\na: 3\n")
        #expect(error == .duplicateKey("a", at(3, 1), first: at(1, 1)))
        #expect(error?.text == "a is already set in line 1")
    }

    @Test("lists and mappings are no keys", arguments: ["? [a]\n: b\n", "{{a: b}: c}"])
    func complexKeys(text: String) {
        guard case .keyNotScalar = refusal(text) else {
            Issue.record("accepted")
            return
        }
    }

    @Test("an alias to nothing, or to what it is part of, is an error", arguments: ["a: *x", "a: &x [*x]"])
    func unknownAlias(text: String) {
        guard case .unknownAlias("x", _) = refusal(text) else {
            Issue.record("accepted")
            return
        }
    }

    @Test("a billion laughs are cut short")
    func laughs() {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
        for level in 1..<10 {
            let items = Array(repeating: "*a\(level - 1)", count: 9).joined(separator: ", ")
            text += "a\(level): &a\(level) [\(items)]\n"
        }
        guard case .tooMuch = refusal(text) else {
            Issue.record("accepted")
            return
        }
    }

    @Test("a long text repeated by aliases counts with its length")
    func longAliases() {
        let long = String(repeating: "x", count: 100_000)
        let text = "a: &a \(long)\nb: [" + Array(repeating: "*a", count: 100).joined(separator: ", ") + "]\n"
        guard case .tooMuch = refusal(text) else {
            Issue.record("accepted")
            return
        }
    }

    @Test("depth is bounded, also where aliases make it")
    func depth() {
        func nested(_ count: Int) -> String {
            String(repeating: "[", count: count) + String(repeating: "]", count: count)
        }
        #expect(refusal(nested(ConfigurationLimits.depth)) == nil)
        #expect(refusal(nested(ConfigurationLimits.depth + 1)) == .tooDeep(at(1, ConfigurationLimits.depth + 1)))
        var chain = "a0: &a0 []\n"
        for level in 1..<40 { chain += "a\(level): &a\(level) [*a\(level - 1)]\n" }
        guard case .tooDeep = refusal(chain) else {
            Issue.record("accepted")
            return
        }
        #expect(refusal(String(repeating: "[", count: 100_000)) == .tooDeep(at(1, ConfigurationLimits.depth + 1)))
    }

    @Test("length is bounded")
    func length() {
        #expect(refusal(String(repeating: "\n", count: ConfigurationLimits.bytes)) == nil)
        #expect(refusal(String(repeating: "\n", count: ConfigurationLimits.bytes + 1)) == .tooLong)
        #expect(refusal(String(repeating: "- a\n", count: 131_072)) == .tooMuch(at(131_072, 3)))
    }

    @Test(
        "broken text is an error with a place",
        arguments: ["a: [1", "a: \"x", "a:\n\t- b", "a: b: c", "%X", "a: @b", "{"])
    func broken(text: String) throws {
        let error = try #require(refusal(text))
        guard case .syntax(let problem, let position) = error else {
            Issue.record("another error: \(error)")
            return
        }
        #expect(!problem.isEmpty)
        #expect(position.line >= 1 && position.column >= 1)
    }

    @Test("bytes that are no text are an error")
    func encoding() {
        for bytes: [UInt8] in [[0x61, 0x3A, 0x20, 0xFF], [0xC3], [0x61, 0x00], [0xFF, 0xFE, 0x00]] {
            #expect(throws: YAMLError.self) { try YAMLDocument(parsing: bytes) }
        }
    }

    @Test("every beginning of a document parses or is refused")
    func truncated() {
        let text = Array("a: &x {b: [1, \"two\", 'three'], c: |\n    block\n}\nd: *x\n? e\n: >-\n  f\n".utf8)
        var refused = 0
        for count in 0...text.count where (try? YAMLDocument(parsing: Array(text.prefix(count)))) == nil {
            refused += 1
        }
        #expect(refused > 10)
    }
}

@Suite struct YAMLScalarTests {
    @Test(
        "whole numbers as Go reads them",
        arguments: [
            ("0", 0), ("7885", 7885), ("-1", -1), ("+5", 5), ("0x1F", 31), ("08", 8), ("0X1f", 31), ("0o17", 15),
            ("017", 15),
            ("0b101", 5), ("1_000", 1000), ("1e3", 1000), ("5.0", 5), ("-0x10", -16), ("9223372036854775807", Int.max),
        ])
    func integers(text: String, value: Int) { #expect(YAMLScalar(text).integer == value) }

    @Test(
        "what is no whole number",
        arguments: [
            "", "x", "5x", "5.5", "9223372036854775808", "0x", "0x-5", "--5", "-", "1e99", "١", "e5", "nan",
        ])
    func noIntegers(text: String) { #expect(YAMLScalar(text).integer == nil) }

    @Test("quotes make a number a text")
    func quoted() {
        let scalar = YAMLScalar("5", isPlain: false)
        #expect(scalar.integer == nil)
        #expect(scalar.number == nil)
        #expect(YAMLScalar("true", isPlain: false).boolean == nil)
        #expect(YAMLScalar("yes", isPlain: false).boolean == true)
        #expect(!YAMLScalar("null", isPlain: false).isNull)
    }

    @Test(
        "numbers",
        arguments: [("2", 2.0), ("2.5", 2.5), (".5", 0.5), ("-1", -1), ("1e-1", 0.1), ("+3.", 3), ("0x10", 16)])
    func numbers(text: String, value: Double) { #expect(YAMLScalar(text).number == value) }

    @Test("what is no number", arguments: ["", ".inf", "inf", "nan", ".nan", "0x1p3", "1.2.3", "1e400", "e", "-"])
    func noNumbers(text: String) { #expect(YAMLScalar(text).number == nil) }

    @Test("truth values of YAML 1.1 and 1.2")
    func booleans() {
        for text in ["true", "True", "TRUE", "y", "Y", "yes", "Yes", "YES", "on", "On", "ON"] {
            #expect(YAMLScalar(text).boolean == true)
        }
        for text in ["false", "False", "FALSE", "n", "N", "no", "No", "NO", "off", "Off", "OFF"] {
            #expect(YAMLScalar(text).boolean == false)
        }
        for text in ["", "1", "0", "t", "enabled", "tRUE"] { #expect(YAMLScalar(text).boolean == nil) }
    }

    @Test(
        "durations in Go's notation",
        arguments: [
            ("10s", 10_000_000_000), ("500ms", 500_000_000), ("1m30s", 90_000_000_000), ("1.5h", 5_400_000_000_000),
            ("0", 0), ("0s", 0), ("3us", 3_000), ("3µs", 3_000), ("7ns", 7), (".5s", 500_000_000),
            ("-2s", -2_000_000_000),
            ("+1s", 1_000_000_000),
        ] as [(String, Int64)])
    func durations(text: String, nanoseconds: Int64) { #expect(YAMLScalar(text).duration?.nanoseconds == nanoseconds) }

    @Test(
        "what is no duration",
        arguments: ["", "10", "s", "10 s", "10x", "1.2.3s", "10s5", "-", "1e3s", "9999999999h", ".s", "10S"])
    func noDurations(text: String) { #expect(YAMLScalar(text).duration == nil) }
}
