import Bytes
import Redis
import Testing

@Suite struct CommandTests {
    @Test("a command goes out as an array of strings")
    func encoding() {
        #expect(RedisCommand.ping.encoded() == text("*1\r\n$4\r\nPING\r\n"))
        #expect(
            RedisCommand.setIfAbsent("k=", "1", seconds: 5).encoded()
                == text("*6\r\n$3\r\nSET\r\n$2\r\nk=\r\n$1\r\n1\r\n$2\r\nEX\r\n$1\r\n5\r\n$2\r\nNX\r\n"))
    }

    @Test("arguments may be empty and may hold any bytes")
    func anyBytes() {
        #expect(
            RedisCommand.publish("", [0, 13, 10, 255]).encoded()
                == text("*3\r\n$7\r\nPUBLISH\r\n$0\r\n\r\n$4\r\n") + [0, 13, 10, 255, 13, 10])
        #expect(RedisCommand([[]]).encoded() == text("*1\r\n$0\r\n\r\n"))
    }

    @Test("what is written is read back", arguments: [0, 1, 9, 10, 65_535, 1 << 17])
    func roundTrip(count: Int) throws {
        let payload = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let reader = RedisReplyReader()
        try reader.receive(RedisCommand.publish("c|d", payload).encoded().rawSpan)
        let reply = try reader.nextReply()
        let isSame = reply == .array([.string(text("PUBLISH")), .string(text("c|d")), .string(payload)])
        #expect(isSame)
    }
}
