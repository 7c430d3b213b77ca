import LiveKit
import Testing

@Suite struct CandidateInitTests {
    private static let sample =
        #"{"candidate":"candidate:1 1 udp 2130706431 10.0.0.5 50000 typ host","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":null}"#

    @Test("what a server sends is read")
    func reads() throws {
        let candidate = try CandidateInit(parsing: Self.sample)
        #expect(candidate.candidate == "candidate:1 1 udp 2130706431 10.0.0.5 50000 typ host")
        #expect(candidate.mid == "0")
        #expect(candidate.sectionIndex == 0)
        #expect(candidate.fragment == nil)
        #expect(candidate.text == Self.sample)
    }

    @Test(
        "what is written can be read again",
        arguments: [
            CandidateInit(candidate: ""), CandidateInit(candidate: "a\"b\\c\u{1}é😀", mid: "x", sectionIndex: .max),
            CandidateInit(candidate: "c", fragment: "\n\r\t"),
        ])
    func roundTrip(candidate: CandidateInit) throws {
        #expect(try CandidateInit(parsing: candidate.text) == candidate)
    }

    @Test("members may be missing, in any order, and of unknown names with anything in them")
    func tolerance() throws {
        let text =
            " { \"x\" : [1, -2.5e+3, {\"y\": [true, false, null, []]}, {}] , \"candidate\":\"c\\u0041\\ud83d\\ude00\\/\" } "
        #expect(try CandidateInit(parsing: text) == CandidateInit(candidate: "cA😀/"))
        #expect(try CandidateInit(parsing: "{}") == CandidateInit(candidate: ""))
    }

    @Test("every truncation is refused")
    func truncations() {
        for length in 0..<Self.sample.count {
            #expect(throws: JSONError.malformed) { try CandidateInit(parsing: String(Self.sample.prefix(length))) }
        }
    }

    @Test(
        "what is not JSON, or of the wrong type, is refused",
        arguments: [
            "[]", "1", "{}x", "{\"a\":01}", "{\"a\":1.}", "{\"a\":+1}", "{\"a\":.5}", "{\"a\":1e}", "{a:1}",
            "{\"a\":1,}",
            "{\"a\":\"\u{1}\"}", "{\"a\":\"\\x\"}", "{\"a\":\"\\u12\"}", "{\"a\":\"\\ud800\"}", "{\"a\":\"\\udc00\"}",
            "{\"a\":\"\\ud800\\u0041\"}", "{\"a\":tru}", "{\"candidate\":1}", "{\"sdpMid\":0}",
            "{\"sdpMLineIndex\":\"0\"}", "{\"sdpMLineIndex\":-1}", "{\"sdpMLineIndex\":65536}",
        ])
    func malformed(text: String) {
        #expect(throws: JSONError.malformed) { try CandidateInit(parsing: text) }
    }

    @Test("size, depth and number of members are bounded")
    func bounds() {
        let deep = { (depth: Int) in
            "{\"a\":" + String(repeating: "[", count: depth) + String(repeating: "]", count: depth) + "}"
        }
        #expect(throws: Never.self) { try CandidateInit(parsing: deep(7)) }
        #expect(throws: JSONError.tooDeep) { try CandidateInit(parsing: deep(8)) }
        #expect(throws: JSONError.tooDeep) { try CandidateInit(parsing: deep(3_000)) }
        let wide = { (count: Int) in "{" + (0..<count).map { "\"\($0)\":0" }.joined(separator: ",") + "}" }
        #expect(throws: Never.self) { try CandidateInit(parsing: wide(64)) }
        #expect(throws: JSONError.tooLarge) { try CandidateInit(parsing: wide(65)) }
        let long = { (count: Int) in "{\"candidate\":\"" + String(repeating: "c", count: count - 16) + "\"}" }
        #expect(throws: Never.self) { try CandidateInit(parsing: long(8_192)) }
        #expect(throws: JSONError.tooLarge) { try CandidateInit(parsing: long(8_193)) }
    }
}
