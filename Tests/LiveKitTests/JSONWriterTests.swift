import LiveKit
import Testing

struct JSONWriterTests {
    @Test("an object without members")
    func empty() { #expect(JSONWriter.object { _ in } == "{}") }

    @Test("members stand in the order given, with commas between")
    func order() {
        let json = JSONWriter.object {
            $0.member("b", "x")
            $0.member("a", Int64.min)
            $0.member("yes", true)
            $0.member("no", false)
            $0.memberNull("nothing")
            $0.member("inner") { $0.member("c", 1) }
            $0.member("none") { _ in }
            $0.member("texts", ["z": "1", "y": "2"])
        }
        #expect(
            json == """
                {"b":"x","a":-9223372036854775808,"yes":true,"no":false,"nothing":null,"inner":{"c":1},"none":{},\
                "texts":{"y":"2","z":"1"}}
                """)
    }

    @Test(
        "what may not stand inside of quotes is escaped",
        arguments: [
            ("\"", "\\\""), ("\\", "\\\\"), ("/", "/"), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t"),
            ("\u{0}", "\\u0000"), ("\u{8}", "\\u0008"), ("\u{1f}", "\\u001f"), ("\u{7f}", "\u{7f}"), ("é", "é"),
            ("🎥", "🎥"), ("\u{2028}", "\u{2028}"), ("{", "{"),
        ])
    func escapes(text: String, escaped: String) {
        #expect(JSONWriter.object { $0.member(text, text) } == "{\"\(escaped)\":\"\(escaped)\"}")
    }

    @Test("a text that ends like an empty object does not swallow a comma")
    func braces() {
        let json = JSONWriter.object {
            $0.member("a", "{")
            $0.member("b", "{")
        }
        #expect(json == "{\"a\":\"{\",\"b\":\"{\"}")
    }
}
