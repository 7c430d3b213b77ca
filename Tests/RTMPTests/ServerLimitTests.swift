import Bytes
import Media
import RTMP
import TestSupport
import Testing

@Suite struct ServerLimitTests {
    @Test("a handshake that does not end is given up after its time")
    func handshakeTimeout() throws {
        let connection = TestConnection()
        let deadline = try #require(connection.nextDeadline)
        #expect(deadline == connection.now + .seconds(5))
        try connection.send(Array(TestEncoder.opening.prefix(2000)))
        try connection.session.advance(to: deadline - .milliseconds(1))
        #expect(throws: RTMPError.handshakeTimeout) { try connection.session.advance(to: deadline) }
        #expect(connection.isClosing)
        #expect(!connection.hasCompletedHandshake)
    }

    @Test("a connection that publishes nothing is given up, whatever it says meanwhile")
    func publishTimeout() throws {
        let connection = TestConnection()
        try connection.connect()
        let deadline = try #require(connection.nextDeadline)
        #expect(deadline == connection.now + .seconds(10))
        connection.now += .seconds(9)
        try connection.send(connection.encoder.call("_checkbw", 9))
        #expect(connection.nextDeadline == deadline)
        #expect(throws: RTMPError.publishTimeout) { try connection.session.advance(to: deadline) }
    }

    @Test("no time runs while the driver decides")
    func noTimeWhileDeciding() throws {
        let connection = TestConnection()
        try connection.connect()
        try connection.send(connection.encoder.publish())
        #expect(connection.nextDeadline == nil)
        try connection.session.advance(to: connection.now + .seconds(100))
    }

    @Test("only media keeps a publishing connection from idling out")
    func idle() throws {
        let connection = TestConnection()
        try connection.startPublish()
        let start = connection.now
        #expect(connection.nextDeadline == start + .seconds(30))
        connection.now += .seconds(20)
        try connection.send(connection.encoder.message(9, [1]))
        #expect(connection.nextDeadline == start + .seconds(50))
        connection.now += .seconds(20)
        try connection.send(connection.encoder.message(4, RTMPControlMessage.pingRequest(1).payload, on: 2))
        #expect(connection.nextDeadline == start + .seconds(50))
        #expect(throws: RTMPError.idleTimeout) { try connection.session.advance(to: start + .seconds(50)) }
    }

    @Test("control messages beyond their budget fail and the next second's do not")
    func controlBudget() throws {
        var limits = RTMPLimits()
        limits.controlMessagesPerSecond = 5
        let connection = TestConnection(limits: limits)
        try connection.startPublish()
        connection.now += .seconds(1)
        let ping = RTMPControlMessage.pingRequest(1).payload
        for _ in 0..<5 { try connection.send(connection.encoder.message(4, ping, on: 2)) }
        connection.now += .seconds(1)
        for _ in 0..<5 { try connection.send(connection.encoder.message(4, ping, on: 2)) }
        #expect(throws: RTMPError.controlBudgetExceeded) {
            try connection.send(connection.encoder.message(4, ping, on: 2))
        }
    }

    @Test("chunks of a byte each fail by their number and not by their size")
    func chunkBudget() throws {
        var limits = RTMPLimits()
        limits.smallChunksPerSecond = 1000
        let connection = TestConnection(limits: limits)
        try connection.startPublish()
        connection.now += .seconds(1)
        try connection.send(connection.encoder.message(1, RTMPControlMessage.setChunkSize(1).payload, on: 2))
        func bytes(_ count: Int) -> [UInt8] {
            glue(hex("07 000000"), [0, UInt8(count >> 8), UInt8(count & 0xFF)], hex("09 01000000"))
                + (0..<count).flatMap { $0 == 0 ? [1] : [0xC7, 1] as [UInt8] }
        }
        try connection.send(bytes(900))
        #expect(connection.events() == ["video 0 900"])
        #expect(throws: RTMPError.smallChunkBudgetExceeded) { try connection.send(bytes(200)) }
    }

    @Test("commands beyond their size are refused, media of that size is not")
    func commandSize() throws {
        var limits = RTMPLimits()
        limits.commandBytes = 1000
        let connection = TestConnection(limits: limits)
        try connection.startPublish()
        try connection.send(connection.encoder.message(9, pattern(1001)))
        let command = connection.encoder.message(20, pattern(1001), on: 3)
        #expect(throws: RTMPError.messageTooLarge(bytes: 1001)) { try connection.send(command) }
    }

    @Test("streams up to the limit are created and one more fails")
    func streamLimit() throws {
        let connection = TestConnection()
        try connection.connect()
        for index in 1...8 {
            try connection.send(connection.encoder.call("createStream", Double(index)))
            #expect(connection.encoder.commands.last?.arguments == [.number(Double(index))])
        }
        #expect(throws: RTMPError.tooManyMessageStreams) {
            try connection.send(connection.encoder.call("createStream", 9))
        }
    }

    @Test("a malformed command ends the connection")
    func malformed() throws {
        let connection = TestConnection()
        try connection.connect()
        let bytes = connection.encoder.message(20, [2, 0, 9, 1], on: 3)
        #expect(throws: RTMPError.malformedCommand(.truncated(offset: 3))) { try connection.send(bytes) }
    }

    @Test("announced lengths cost nothing: 64 streams that promise 16 MiB each and send a byte")
    func announcedLengths() throws {
        let connection = TestConnection()
        try connection.startPublish()
        for id in 4..<64 {
            try connection.send(glue([UInt8(id)], hex("000000 FFFFFF 09 01000000 AA")))
            // Each stays unfinished, so the chunk must be filled before the next stream's header.
            try connection.send(pattern(127))
        }
        #expect(!connection.isClosing)
    }

    @Test("no byte string after the handshake crashes a session")
    func noise() throws {
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<300 {
            let connection = TestConnection()
            try connection.send(TestEncoder.opening)
            var bytes =
                connection.encoder.connect() + connection.encoder.publish()
                + connection.encoder.message(9, pattern(300))
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            do { try connection.send(bytes) } catch is RTMPError { #expect(connection.isClosing) }
        }
    }
}
