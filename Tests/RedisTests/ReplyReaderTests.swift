import Bytes
import Redis
import TestSupport
import Testing

@Suite struct ReplyReaderTests {
    private static func read(_ bytes: [UInt8], limits: RedisLimits = RedisLimits()) throws(RedisError) -> [RedisReply] {
        let reader = RedisReplyReader(limits: limits)
        try reader.receive(bytes.rawSpan)
        return try drain(reader)
    }

    private static func drain(_ reader: RedisReplyReader) throws(RedisError) -> [RedisReply] {
        var replies: [RedisReply] = []
        while let reply = try reader.nextReply() { replies.append(reply) }
        return replies
    }

    private static let samples: [(wire: String, reply: RedisReply)] = [
        ("+OK\r\n", .status("OK")), ("+\r\n", .status("")), ("-ERR no\r\n", .error("ERR no")), (":0\r\n", .integer(0)),
        (":-9223372036854775808\r\n", .integer(.min)), (":9223372036854775807\r\n", .integer(.max)),
        ("$0\r\n\r\n", .string([])), ("$4\r\na\r\nb\r\n", .string(text("a\r\nb"))), ("$-1\r\n", .null),
        ("*-1\r\n", .null), ("*0\r\n", .array([])),
        ("*2\r\n$1\r\na\r\n:1\r\n", .array([.string([0x61]), .integer(1)])),
        ("*3\r\n*0\r\n$-1\r\n*1\r\n-E\r\n", .array([.array([]), .null, .array([.error("E")])])),
    ]

    @Test("each kind of reply is read", arguments: samples)
    func kinds(wire: String, reply: RedisReply) throws {
        #expect(try Self.read(text(wire)) == [reply])
    }

    @Test("replies cut at any byte are the same replies")
    func cuts() throws {
        let wire = text(Self.samples.map(\.wire).joined())
        for (head, tail) in splits(of: wire) {
            let reader = RedisReplyReader()
            try reader.receive(head.rawSpan)
            var replies = try Self.drain(reader)
            try reader.receive(tail.rawSpan)
            replies += try Self.drain(reader)
            #expect(replies == Self.samples.map(\.reply))
            #expect(reader.waitingBytes == 0)
        }
    }

    @Test("a truncated reply is none", arguments: samples.map(\.wire))
    func truncations(wire: String) throws {
        for count in 0..<wire.utf8.count { #expect(try Self.read(Array(text(wire).prefix(count))) == []) }
    }

    @Test(
        "what is no reply is refused, for good",
        arguments: [
            "HTTP/1.1 400 Bad Request\r\n", ":x\r\n", ":\r\n", ":99999999999999999999\r\n", "$x\r\n", "$-2\r\n",
            "*-2\r\n",
            "*x\r\n", "\u{16}\u{3}\u{1}", "$9223372036854775807\r\nx\r\n",
        ])
    func garbage(wire: String) throws {
        let reader = RedisReplyReader()
        // Some of these are refused, the last only waits for bytes that cannot come.
        do throws(RedisError) {
            try reader.receive(text(wire).rawSpan)
            let reply = try reader.nextReply()
            #expect(reply == nil && wire.hasPrefix("$9"))
        } catch {
            #expect(error == .protocolViolated)
            #expect(throws: RedisError.protocolViolated) { try reader.nextReply() }
            #expect(throws: RedisError.protocolViolated) { try reader.receive(text("+OK\r\n").rawSpan) }
        }
    }

    @Test("strings of one reply count together against the limit")
    func replyBytes() throws {
        var limits = RedisLimits()
        limits.replyBytes = 10
        #expect(try Self.read(text("$10\r\n0123456789\r\n"), limits: limits) == [.string(text("0123456789"))])
        #expect(try Self.read(text("$10\r\n0123456789\r\n+0123456789\r\n"), limits: limits).count == 2)
        for wire in ["$11\r\n01234567890\r\n", "+01234567890\r\n", "*2\r\n$5\r\n01234\r\n$6\r\n012345\r\n"] {
            #expect(throws: RedisError.limitExceeded(.replyBytes)) { try Self.read(text(wire), limits: limits) }
        }
    }

    @Test("bytes that wait for the rest of a reply are bounded, whatever was announced")
    func waitingBytes() throws {
        var limits = RedisLimits()
        limits.replyBytes = 100
        for head in ["$1000000\r\n", "+", "*1\r\n+"] {
            let reader = RedisReplyReader(limits: limits)
            try reader.receive((text(head) + Array(repeating: 0x78, count: 50)).rawSpan)
            #expect(try reader.nextReply() == nil)
            try reader.receive(Array(repeating: 0x78, count: 100).rawSpan)
            #expect(throws: RedisError.limitExceeded(.replyBytes)) { try reader.nextReply() }
        }
    }

    @Test("values of one reply are bounded before they are kept")
    func replyValues() throws {
        var limits = RedisLimits()
        limits.replyValues = 4
        #expect(try Self.read(text("*3\r\n:1\r\n:2\r\n:3\r\n*3\r\n:1\r\n:2\r\n:3\r\n"), limits: limits).count == 2)
        for wire in ["*5\r\n", "*2147483647\r\n", "*3\r\n:1\r\n*1\r\n:2\r\n:3\r\n"] {
            #expect(throws: RedisError.limitExceeded(.replyValues)) { try Self.read(text(wire), limits: limits) }
        }
    }

    @Test("arrays within arrays are bounded")
    func depth() throws {
        var limits = RedisLimits()
        limits.replyDepth = 3
        #expect(try Self.read(text("*1\r\n*1\r\n*1\r\n:1\r\n"), limits: limits).count == 1)
        #expect(throws: RedisError.limitExceeded(.replyDepth)) {
            try Self.read(text("*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n"), limits: limits)
        }
        #expect(throws: RedisError.self) { try Self.read(text(String(repeating: "*1\r\n", count: 9) + ":1\r\n")) }
    }

    @Test("replies that are no UTF-8 are read all the same")
    func notText() throws {
        #expect(try Self.read([0x2B, 0xFF, 0x0D, 0x0A]) == [.status("\u{FFFD}")])
        #expect(try Self.read([0x24, 0x31, 0x0D, 0x0A, 0xFF, 0x0D, 0x0A]) == [.string([0xFF])])
    }
}
