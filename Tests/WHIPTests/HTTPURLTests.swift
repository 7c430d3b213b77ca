import Testing
import WHIP

@Suite struct HTTPURLTests {
    @Test(
        "URLs are read and written",
        arguments: [
            ("http://h/p", "http://h/p"), ("HTTP://h", "http://h/"), ("https://h:443/a?b=c", "https://h/a?b=c"),
            ("https://h:8443/", "https://h:8443/"), ("http://[2001:db8::1]:80/x#f", "http://[2001:db8::1]/x"),
            ("http://h?q", "http://h/?q"), ("http://h:/", "http://h/"),
        ])
    func good(text: String, again: String) throws {
        let url = try #require(HTTPURL(text))
        #expect(url.text == again)
        #expect(HTTPURL(again) == url)
    }

    @Test(
        "what is none is refused",
        arguments: [
            "", "h/p", "ftp://h", "http:/h", "http://", "http:///p", "http://h:0/", "http://h:99999/", "http://h:x/",
            "http://u@h/", "http://[::1/", "http://[x]/", "http://[::1]x/", "http://h /", "http://h/\r\nx",
        ])
    func bad(text: String) { #expect(HTTPURL(text) == nil) }

    @Test(
        "references are resolved against it",
        arguments: [
            ("https://x/y", "https://x/y"), ("//x/y", "http://x/y"), ("/y?z", "http://h:1/y?z"),
            ("y", "http://h:1/a/y"), ("?z", "http://h:1/a/b?z"), ("/y?u=http://x", "http://h:1/y?u=http://x"),
            ("", nil), ("ftp://x/", nil),
        ] as [(String, String?)])
    func references(reference: String, text: String?) throws {
        let url = try #require(HTTPURL("http://h:1/a/b?q"))
        #expect(url.resolving(reference)?.text == text)
    }
}

@Suite struct HTTPAnswerReaderTests {
    private static let plain = Array("HTTP/1.1 201 Created\r\nETag: \"a\"\r\nContent-Length: 5\r\n\r\nhello".utf8)
    private static let chunked = Array(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nT: v\r\n\r\n".utf8)
    private static let interim = Array("HTTP/1.1 100 Continue\r\n\r\n".utf8) + plain

    @Test("a response is read, however it is cut", arguments: [plain, chunked, interim])
    func cuts(bytes: [UInt8]) throws {
        for cut in 0...bytes.count {
            var reader = HTTPAnswerReader(method: "POST")
            try reader.receive(Array(bytes[..<cut]))
            #expect((reader.answer != nil) == (cut == bytes.count))
            try reader.receive(Array(bytes[cut...]))
            #expect(reader.answer?.body == Array("hello".utf8))
        }
        var reader = HTTPAnswerReader(method: "POST")
        for byte in bytes { try reader.receive([byte]) }
        #expect(reader.answer?.body == Array("hello".utf8))
    }

    @Test("without a length the body ends with the connection")
    func untilEnd() throws {
        var reader = HTTPAnswerReader(method: "POST")
        try reader.receive(Array("HTTP/1.0 200 OK\nA:b\n\nbo".utf8))
        try reader.receive(Array("dy".utf8))
        #expect(reader.answer == nil)
        try reader.finish()
        #expect(reader.answer?.body == Array("body".utf8))
        #expect(reader.answer?.header("a") == "b")
    }

    @Test("HEAD, 204 and 304 have no body", arguments: [("HEAD", 200), ("GET", 204), ("GET", 304)])
    func noBody(method: String, status: Int) throws {
        var reader = HTTPAnswerReader(method: method)
        try reader.receive(Array("HTTP/1.1 \(status) X\r\nContent-Length: 9\r\n\r\n".utf8))
        #expect(reader.answer?.status == status)
    }

    @Test("an end within a response is an error")
    func cutShort() throws {
        for bytes in [Self.plain, Self.chunked] {
            for cut in 0..<bytes.count {
                var reader = HTTPAnswerReader(method: "POST")
                try reader.receive(Array(bytes[..<cut]))
                #expect(throws: HTTPAnswerReader.Failure.cutShort) { try reader.finish() }
            }
        }
    }

    @Test(
        "what is no HTTP is refused",
        arguments: [
            "SSH-2.0-x\r\n\r\n", "HTTP/2 200\r\n\r\n", "HTTP/1.1 x\r\n\r\n", "HTTP/1.1 99 x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nnocolon\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\naXY\r\n", "\r\n\r\n",
        ])
    func notHTTP(text: String) {
        var reader = HTTPAnswerReader(method: "POST")
        #expect(throws: HTTPAnswerReader.Failure.notHTTP) { try reader.receive(Array(text.utf8)) }
    }

    @Test("no response takes more than its bounds")
    func bounds() throws {
        var head = HTTPAnswerReader(method: "GET")
        let long = Array("HTTP/1.1 200 OK\r\nA: ".utf8) + Array(repeating: UInt8(ascii: "x"), count: 70_000)
        #expect(throws: HTTPAnswerReader.Failure.tooLarge) { try head.receive(long) }
        var body = HTTPAnswerReader(method: "GET")
        #expect(throws: HTTPAnswerReader.Failure.tooLarge) {
            try body.receive(Array("HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n".utf8))
        }
        var rest = HTTPAnswerReader(method: "GET")
        try rest.receive(Array("HTTP/1.1 200 OK\r\n\r\n".utf8))
        let piece = [UInt8](repeating: 0, count: 65_536)
        #expect(throws: HTTPAnswerReader.Failure.tooLarge) { for _ in 0..<20 { try rest.receive(piece) } }
        var chunks = HTTPAnswerReader(method: "GET")
        try chunks.receive(Array("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".utf8))
        #expect(throws: HTTPAnswerReader.Failure.tooLarge) {
            for _ in 0..<20 { try chunks.receive(Array("10000\r\n".utf8) + piece + Array("\r\n".utf8)) }
        }
    }

    @Test("a request is written for a connection of its own")
    func request() throws {
        let url = try #require(HTTPURL("http://h:8080/whip?x"))
        let request = ResourceRequest(
            method: "POST", target: url.target, headers: [HeaderField("Content-Type", "application/sdp")], body: [0x76])
        #expect(
            String(decoding: request.serialized(to: url), as: UTF8.self)
                == "POST /whip?x HTTP/1.1\r\nHost: h:8080\r\nConnection: close\r\ncontent-type: application/sdp\r\n"
                + "Content-Length: 1\r\n\r\nv")
        let empty = ResourceRequest(method: "GET", target: "/").serialized(to: url)
        #expect(!String(decoding: empty, as: UTF8.self).contains("Content-Length"))
    }
}
