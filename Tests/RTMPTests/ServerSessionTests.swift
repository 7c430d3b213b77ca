import Bytes
import Media
import RTMP
import TestSupport
import Testing

@Suite struct ServerSessionTests {
    @Test("an encoder connects, publishes and sends, and the driver sees it in order")
    func wholeLife() throws {
        let connection = TestConnection()
        try connection.connect()
        #expect(connection.hasCompletedHandshake)
        let encoder = connection.encoder
        #expect(
            encoder.controls == [
                .windowAcknowledgementSize(2_500_000), .setPeerBandwidth(2_500_000, limitType: 2), .setChunkSize(4096),
            ])
        #expect(encoder.commands.map(\.name) == ["_result"])
        #expect(encoder.commands[0].arguments[0]["code"] == .string("NetConnection.Connect.Success"))
        try connection.send(connection.encoder.call("releaseStream", 2, [.string("key")]))
        try connection.send(connection.encoder.call("FCPublish", 3, [.string("key")]))
        try connection.send(connection.encoder.call("createStream", 4))
        #expect(connection.encoder.commands.suffix(4).map(\.name) == ["_result", "_result", "onFCPublish", "_result"])
        #expect(connection.encoder.commands.last?.arguments == [.number(1)])
        try connection.send(connection.encoder.publish("key?token=t"))
        #expect(connection.events() == ["publish live/key?token=t"])
        #expect(connection.encoder.statusCodes().isEmpty)
        connection.session.acceptPublish(at: connection.now)
        try connection.drain()
        #expect(connection.encoder.statusCodes() == ["NetStream.Publish.Start"])
        #expect(connection.encoder.controls.last == .streamBegin(1))
        try connection.send(connection.encoder.message(9, [0x17, 0], time: 0))
        try connection.send(connection.encoder.message(8, [0xAF, 0], time: 21))
        try connection.send(connection.encoder.call("FCUnpublish", 6, [.string("key")]))
        #expect(connection.events() == ["video 0 2", "audio 21 2", "end"])
        #expect(!connection.isClosing)
        try connection.send(connection.encoder.call("deleteStream", 7, [.number(1)]))
        #expect(connection.isClosing)
        #expect(connection.encoder.statusCodes().last == "NetStream.Unpublish.Success")
    }

    @Test("the whole life reads the same cut at any byte and byte by byte")
    func splitAnywhere() throws {
        let encoder = TestEncoder()
        let bytes = glue(
            TestEncoder.opening, encoder.connect(), encoder.call("createStream", 2), encoder.publish(),
            encoder.message(9, pattern(300), time: 5), encoder.message(8, pattern(10), time: 6))
        let end = encoder.call("deleteStream", 7, [.number(1)])
        let whole = try play([bytes, end])
        #expect(whole.events == ["publish live/key?", "video 5 300", "audio 6 10", "end"])
        for cut in stride(from: 3000, to: bytes.count, by: 3) {
            let parts = try play([Array(bytes[..<cut]), Array(bytes[cut...]), end])
            #expect(parts == whole)
        }
        #expect(try play((bytes + end).map { [$0] }) == whole)
    }

    @Test("media before the decision is held in order and follows the acceptance")
    func held() throws {
        let connection = TestConnection()
        try connection.connect()
        try connection.send(connection.encoder.publish())
        try connection.send(connection.encoder.message(9, pattern(5), time: 1))
        try connection.send(connection.encoder.message(18, AMF0Writer.encode([.string("onMetaData")]), time: 0))
        #expect(connection.events() == ["publish live/key?"])
        try connection.send(connection.encoder.message(8, pattern(6), time: 2))
        #expect(connection.events().isEmpty)
        connection.session.acceptPublish(at: connection.now)
        try connection.send(connection.encoder.message(9, pattern(7), time: 3))
        #expect(connection.events() == ["video 1 5", "data 0 13", "audio 2 6", "video 3 7"])
    }

    @Test("held media asks for a pause first and fails past its limit")
    func heldLimit() throws {
        var limits = RTMPLimits()
        limits.heldBytesPause = 1000
        limits.heldBytes = 3000
        let connection = TestConnection(limits: limits)
        try connection.connect()
        try connection.send(connection.encoder.publish())
        try connection.send(connection.encoder.message(9, pattern(600)))
        #expect(connection.wantsBytes)
        try connection.send(connection.encoder.message(9, pattern(600)))
        #expect(!connection.wantsBytes)
        let more = connection.encoder.message(9, pattern(2000))
        #expect(throws: RTMPError.heldMediaOverflow) { try connection.send(more) }
        #expect(connection.events() == ["publish live/key?"])
    }

    @Test("a refused publish tells the encoder why and closes; held media is gone")
    func rejected() throws {
        let connection = TestConnection()
        try connection.connect()
        try connection.send(connection.encoder.publish())
        try connection.send(connection.encoder.message(9, pattern(5)))
        #expect(connection.events() == ["publish live/key?"])
        connection.session.rejectPublish(.denied, description: "No ingress has this key.")
        try connection.drain()
        let status = try #require(connection.encoder.commands.last?.arguments.first)
        #expect(status["level"] == .string("error"))
        #expect(status["code"] == .string("NetStream.Publish.Denied"))
        #expect(status["description"] == .string("No ingress has this key."))
        #expect(connection.isClosing)
        #expect(connection.events().isEmpty)
        try connection.send(connection.encoder.message(9, pattern(5)))
        connection.session.acceptPublish(at: connection.now)
        #expect(connection.events().isEmpty)
    }

    @Test("an encoder that leaves before the decision leaves no media behind")
    func leftEarly() throws {
        let connection = TestConnection()
        try connection.connect()
        try connection.send(connection.encoder.publish())
        try connection.send(connection.encoder.message(9, pattern(5)))
        try connection.send(connection.encoder.call("closeStream", 0, stream: 1))
        #expect(connection.events() == ["publish live/key?", "end"])
        #expect(connection.isClosing)
    }

    @Test("an encoder that unpublishes and says no more is let go after a while")
    func linger() throws {
        let connection = TestConnection()
        try connection.startPublish()
        try connection.send(connection.encoder.call("FCUnpublish", 6, [.string("key")]))
        try connection.send(connection.encoder.message(9, [1]))
        #expect(connection.events() == ["end"])
        #expect(connection.nextDeadline == connection.now + .seconds(2))
        try connection.session.advance(to: connection.now + .seconds(2))
        #expect(connection.isClosing)
    }

    @Test("deleting another stream does not end the published one")
    func deleteOther() throws {
        let connection = TestConnection()
        try connection.startPublish()
        try connection.send(connection.encoder.call("deleteStream", 7, [.number(2)]))
        #expect(!connection.isClosing)
        try connection.send(connection.encoder.call("deleteStream", 8, [.number(1)]))
        #expect(connection.isClosing)
    }

    @Test("a second publish is refused and the first goes on")
    func secondPublish() throws {
        let connection = TestConnection()
        try connection.startPublish()
        try connection.send(connection.encoder.publish("other"))
        #expect(connection.encoder.statusCodes().last == "NetStream.Publish.BadName")
        try connection.send(connection.encoder.message(9, pattern(5)))
        #expect(connection.events() == ["video 0 5"])
    }

    @Test("unknown calls fail when an answer is expected and are passed over when not")
    func unknownCalls() throws {
        let connection = TestConnection()
        try connection.connect()
        let before = connection.encoder.commands.count
        try connection.send(connection.encoder.call("whatever", 0))
        try connection.send(connection.encoder.call("_result", 3))
        #expect(connection.encoder.commands.count == before)
        try connection.send(connection.encoder.call("whatever", 9))
        let error = try #require(connection.encoder.commands.last)
        #expect(error.name == "_error")
        #expect(error.transactionID == 9)
        #expect(error.arguments.first?["code"] == .string("NetConnection.Call.Failed"))
    }

    @Test("play is refused by a status and nothing breaks")
    func playRefused() throws {
        let connection = TestConnection()
        try connection.connect()
        try connection.send(connection.encoder.call("play", 0, [.string("key")], stream: 1))
        #expect(connection.encoder.statusCodes() == ["NetStream.Play.StreamNotFound"])
        #expect(!connection.isClosing)
    }

    @Test(
        "side calls of encoders are answered", arguments: ["releaseStream", "_checkbw", "getStreamLength", "FCPublish"])
    func sideCalls(name: String) throws {
        let connection = TestConnection()
        try connection.connect()
        try connection.send(connection.encoder.call(name, 8, [.string("key")]))
        let answers = connection.encoder.commands.filter { $0.transactionID == 8 }
        #expect(answers.map(\.name) == ["_result"])
    }

    @Test("a command before connect is an error")
    func beforeConnect() throws {
        let connection = TestConnection()
        try connection.send(TestEncoder.opening)
        let bytes = connection.encoder.publish()
        #expect(throws: RTMPError.commandBeforeConnect) { try connection.send(bytes) }
        #expect(throws: RTMPError.closed) { try connection.send([0]) }
        #expect(connection.isClosing)
        #expect(connection.nextDeadline == nil)
    }

    @Test("enhanced encoders learn what the server takes and others get the short answer")
    func enhanced() throws {
        let plain = TestConnection()
        try plain.connect()
        #expect(plain.encoder.commands[0].arguments[0]["capsEx"] == nil)
        let connection = TestConnection()
        try connection.connect(more: [
            AMF0Property("fourCcList", .strictArray([.string("av01"), .string("hvc1")])),
            AMF0Property(
                "videoFourCcInfoMap", .object([AMF0Property("hvc1", .number(2)), AMF0Property("*", .number(4))])),
            AMF0Property("capsEx", .number(3)),
        ])
        let information = connection.encoder.commands[0].arguments[0]
        #expect(information["capsEx"] == .number(15))
        #expect(information["videoFourCcInfoMap"]?["hvc1"] == .number(5))
        #expect(information["audioFourCcInfoMap"]?["Opus"] == .number(5))
        #expect(information["fourCcList"]?.elements?.contains(.string("av01")) == true)
        #expect(connection.encoder.commands[0].object["capsEx"] == .number(15))
        try connection.send(connection.encoder.publish())
        guard case .publishRequested(let request)? = connection.session.pollEvent() else {
            Issue.record("no publish request")
            return
        }
        #expect(request.connect.fourCCs == ["av01", "hvc1", "*"])
        #expect(request.connect.extendedCapabilities == 3)
    }

    @Test("AMF3 connections are answered in their encoding and their metadata comes as AMF0")
    func amf3() throws {
        let connection = TestConnection()
        try connection.send(TestEncoder.opening)
        let connect = glue(
            [0], AMF0Writer.encode([.string("connect"), .number(1)]),
            hex("11 0A 0B 01 07 617070 06 09 6C697665 1D 6F626A656374456E636F64696E67 04 03 01"))
        try connection.send(connection.encoder.message(17, connect, stream: 0, on: 3))
        #expect(connection.encoder.commands[0].arguments[0]["objectEncoding"] == .number(3))
        let publish = [0] + AMF0Writer.encode([.string("publish"), .number(2), .null, .string("key")])
        try connection.send(connection.encoder.message(17, publish, stream: 1, on: 3))
        #expect(connection.events() == ["publish live/key?"])
        connection.session.acceptPublish(at: connection.now)
        let data = glue([0], AMF0Writer.encode([.string("onMetaData")]), hex("11 0A 0B 01 03 77 04 05 01"))
        try connection.send(connection.encoder.message(15, data))
        guard case .data(_, let payload)? = connection.session.pollEvent() else {
            Issue.record("no data")
            return
        }
        var reader = AMF0Reader(payload.bytes)
        #expect(try reader.readValues() == [.string("onMetaData"), .object([AMF0Property("w", .number(5))])])
    }

    @Test("the frame call is stripped from metadata, and metadata sent as a command is data too")
    func metadata() throws {
        let connection = TestConnection()
        try connection.startPublish()
        let values: [AMF0Value] = [.string("onMetaData"), .ecmaArray([AMF0Property("width", .number(1))])]
        let bare = AMF0Writer.encode(values)
        let wrapped = AMF0Writer.encode([.string("@setDataFrame")]) + bare
        try connection.send(connection.encoder.message(18, bare))
        try connection.send(connection.encoder.message(18, wrapped))
        try connection.send(connection.encoder.message(20, wrapped))
        try connection.send(connection.encoder.message(18, AMF0Writer.encode([.string("@clearDataFrame")])))
        for _ in 0..<3 {
            guard case .data(_, let payload)? = connection.session.pollEvent() else {
                Issue.record("no data")
                return
            }
            #expect(payload.copied() == bare)
        }
        #expect(connection.events().isEmpty)
    }

    @Test("pings are answered, bandwidth is answered by a window, chunk sizes and aborts are followed")
    func controls() throws {
        let connection = TestConnection()
        try connection.startPublish()
        try connection.send(connection.encoder.message(4, RTMPControlMessage.pingRequest(77).payload, on: 2))
        #expect(connection.encoder.controls.last == .pingResponse(77))
        try connection.send(
            connection.encoder.message(6, RTMPControlMessage.setPeerBandwidth(9, limitType: 0).payload, on: 2))
        #expect(connection.encoder.controls.last == .windowAcknowledgementSize(9))
        let begun = Array(connection.encoder.message(9, pattern(200), on: 6).prefix(140))
        try connection.send(begun)
        try connection.send(connection.encoder.message(2, RTMPControlMessage.abort(6).payload, on: 2))
        try connection.send(connection.encoder.message(1, RTMPControlMessage.setChunkSize(4096).payload, on: 2))
        try connection.send(hex("07 000000 0000C8 09 01000000") + pattern(200))
        #expect(connection.events() == ["video 0 200"])
    }

    @Test("the encoder's window is acknowledged with the count of its bytes")
    func acknowledgement() throws {
        let connection = TestConnection()
        try connection.startPublish()
        try connection.send(
            connection.encoder.message(5, RTMPControlMessage.windowAcknowledgementSize(1000).payload, on: 2))
        try connection.send(connection.encoder.message(9, pattern(600)))
        let counts = connection.encoder.controls.compactMap { control -> UInt32? in
            if case .acknowledgement(let count) = control { count } else { nil }
        }
        #expect(counts.count == 2)
        #expect(counts.last ?? 0 > 3073 + 600)
    }

    @Test("aggregates come apart, their times moved to the aggregate's")
    func aggregate() throws {
        let connection = TestConnection()
        try connection.startPublish()
        func tag(_ type: UInt8, _ time: String, _ body: [UInt8]) -> [UInt8] {
            glue([type, 0, 0, UInt8(body.count)], hex(time), hex("000000"), body, hex("00000000"))
        }
        let body = glue(
            tag(8, "00000A 01", [1]), tag(9, "000014 01", [1, 2]),
            tag(18, "00001E 01", AMF0Writer.encode([.string("x")])),
            tag(99, "000000 00", [1]))
        try connection.send(connection.encoder.message(22, body, time: 1000))
        #expect(connection.events() == ["audio 1000 1", "video 1010 2", "data 1020 4"])
        try connection.send(connection.encoder.message(22, Array(body.prefix(12)), time: 2000))
        #expect(connection.events() == ["audio 2000 1"])
        let cut = connection.encoder.message(22, Array(body.prefix(11)), time: 2000)
        #expect(throws: RTMPError.malformedAggregate) { try connection.send(cut) }
    }

    @Test("empty media, unknown types and media before a publish are passed over")
    func ignored() throws {
        let connection = TestConnection()
        try connection.connect()
        try connection.send(connection.encoder.message(9, pattern(4)))
        try connection.send(connection.encoder.publish())
        _ = connection.events()
        connection.session.acceptPublish(at: connection.now)
        try connection.send(connection.encoder.message(9, []))
        try connection.send(connection.encoder.message(19, pattern(4)))
        try connection.send(connection.encoder.message(200, pattern(4)))
        #expect(connection.events().isEmpty)
    }

    @Test("times of audio and video run on past the 31-bit wrap")
    func timestampWrap() throws {
        let connection = TestConnection()
        try connection.startPublish()
        for (type, time) in [(9, 0x7FFF_FFFF), (8, 0x7FFF_FFF0), (9, 0), (8, 5)] as [(UInt8, UInt32)] {
            try connection.send(connection.encoder.message(type, [1], time: time, on: Int(type)))
        }
        #expect(
            connection.events() == [
                "video 2147483647 1", "audio 2147483632 1", "video 2147483648 1", "audio 2147483653 1",
            ])
    }

    @Test("closing says why, and a reconnect is asked of those that know how")
    func goodbye() throws {
        let connection = TestConnection()
        try connection.startPublish()
        let asked = connection.session.requestReconnect(tcURL: nil, description: "x")
        #expect(!asked)
        connection.session.close(description: "The server goes down.")
        try connection.drain()
        #expect(connection.encoder.statusCodes().last == "NetConnection.Connect.AppShutdown")
        #expect(connection.isClosing)
        let enhanced = TestConnection()
        try enhanced.connect(more: [AMF0Property("capsEx", .number(1))])
        try enhanced.send(enhanced.encoder.publish())
        enhanced.session.acceptPublish(at: enhanced.now)
        let known = enhanced.session.requestReconnect(tcURL: "rtmp://b/live", description: "Moving.")
        #expect(known)
        try enhanced.drain()
        #expect(enhanced.encoder.commands.last?.arguments.first?["tcUrl"] == .string("rtmp://b/live"))
        #expect(!enhanced.isClosing)
    }

    private struct Outcome: Equatable {
        var events: [String] = []
        var names: [String] = []
    }

    /// Accepts at once.
    private func play(_ pieces: [[UInt8]]) throws -> Outcome {
        let connection = TestConnection()
        var outcome = Outcome()
        for piece in pieces {
            try connection.send(piece)
            for name in connection.events() {
                outcome.events.append(name)
                if name.hasPrefix("publish") { connection.session.acceptPublish(at: connection.now) }
            }
            outcome.events += connection.events()
        }
        outcome.names = connection.encoder.commands.map(\.name).filter { $0 != "onStatus" }
        return outcome
    }
}
