import Bytes
import Redis
import Testing

@Suite struct SessionTests {
    private typealias Session = RedisSession

    private static func setup(
        _ username: String = "", _ password: String = "", database: Int = 0, master: Bool = false
    ) -> RedisSession.Setup {
        var setup = RedisSession.Setup()
        setup.credentials = RedisCredentials(username: username, password: password)
        setup.database = database
        setup.requiresMaster = master
        return setup
    }

    /// Names of the commands that wait to be sent.
    private static func sent(_ session: inout RedisSession) throws -> [[String]] {
        let reader = RedisReplyReader()
        while let bytes = session.pollTransmit() { try reader.receive(bytes.rawSpan) }
        var commands: [[String]] = []
        while case .array(let words)? = try reader.nextReply() { commands.append(words.compactMap(\.text)) }
        return commands
    }

    private static func events(_ session: inout RedisSession) -> [RedisSession.Event] {
        var events: [RedisSession.Event] = []
        while let event = session.pollEvent() { events.append(event) }
        return events
    }

    /// A session past its set-up.
    private static func ready(
        _ purpose: RedisSession.Purpose = .commands, limits: RedisLimits = RedisLimits()
    ) throws -> RedisSession {
        var session = RedisSession(purpose, setup: setup(), limits: limits, at: at(0))
        _ = session.pollTransmit()
        try session.receive(text("+PONG\r\n").rawSpan, at: at(0))
        _ = session.pollEvent()
        return session
    }

    // MARK: Set-up

    @Test("authentication, database, role and a PING go out in one piece, and the last answer makes it ready")
    func setup() throws {
        var session = Session(.commands, setup: Self.setup("u", "p", database: 3, master: true), at: at(0))
        #expect(try Self.sent(&session) == [["AUTH", "u", "p"], ["SELECT", "3"], ["ROLE"], ["PING"]])
        try session.receive(text("+OK\r\n+OK\r\n*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n").rawSpan, at: at(1))
        #expect(Self.events(&session) == [])
        try session.receive(text("+PONG\r\n").rawSpan, at: at(2))
        #expect(Self.events(&session) == [.ready])
        let isReady = session.isReady
        #expect(isReady)
    }

    @Test("a password without a user name is sent alone")
    func passwordAlone() throws {
        var session = Session(.commands, setup: Self.setup("", "p"), at: at(0))
        #expect(try Self.sent(&session).first == ["AUTH", "p"])
    }

    @Test(
        "each refusal of the set-up has its own error, without the server's echo of a password",
        arguments: [
            ("-WRONGPASS invalid username-password pair\r\n", .authenticationRefused("WRONGPASS")),
            ("-ERR unknown command `AUTH`, with args beginning with: `p`, \r\n", .authenticationRefused("ERR")),
            ("+OK\r\n-ERR DB index is out of range\r\n", .databaseRefused(3, "ERR DB index is out of range")),
            ("+OK\r\n-NOAUTH Authentication required.\r\n", .authenticationRequired),
            ("+OK\r\n+OK\r\n*5\r\n$5\r\nslave\r\n$1\r\nh\r\n:1\r\n$9\r\nconnected\r\n:0\r\n", .notMaster),
            ("+OK\r\n+OK\r\n*1\r\n$8\r\nsentinel\r\n", .notMaster), ("+OK\r\n+OK\r\n:1\r\n", .protocolViolated),
            ("+OK\r\n+OK\r\n-NOPERM no\r\n-LOADING Redis is loading\r\n", .refused("LOADING Redis is loading")),
            ("+OK\r\n+OK\r\n-NOPERM no\r\n-NOAUTH x\r\n", .authenticationRequired), ("HTTP/1.1\r\n", .protocolViolated),
        ] as [(String, RedisError)])
    func refusals(wire: String, error: RedisError) {
        #expect(throws: error) {
            var session = Session(.commands, setup: Self.setup("", "p", database: 3, master: true), at: at(0))
            try session.receive(text(wire).rawSpan, at: at(1))
        }
    }

    // MARK: Commands

    @Test("replies come in the order of commands, errors included")
    func pipeline() throws {
        var session = try Self.ready()
        let numbers = try (0..<3).map { try session.send(RedisCommand("GET", "\($0)"), at: at(1)) }
        #expect(try Self.sent(&session) == [["GET", "0"], ["GET", "1"], ["GET", "2"]])
        try session.receive(
            text("$1\r\na\r\n-ERR x\r\n*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\np\r\n").rawSpan, at: at(2))
        #expect(
            Self.events(&session) == [
                .replied(numbers[0], .string(text("a"))), .replied(numbers[1], .error("ERR x")),
                .replied(numbers[2], .array([.string(text("message")), .string(text("c")), .string(text("p"))])),
            ])
    }

    @Test("a reply that nobody asked for ends the connection, and an error tells why")
    func unasked() throws {
        #expect(throws: RedisError.protocolViolated) {
            var session = try Self.ready()
            try session.receive(text("+OK\r\n").rawSpan, at: at(1))
        }
        #expect(throws: RedisError.refused("ERR bye")) {
            var session = try Self.ready()
            try session.receive(text("-ERR bye\r\n").rawSpan, at: at(1))
        }
    }

    @Test("commands that wait are bounded, and so is one command")
    func limits() throws {
        var limits = RedisLimits()
        limits.pendingCommands = 2
        limits.commandBytes = 10
        var session = try Self.ready(limits: limits)
        _ = try session.send(RedisCommand("GET", "1234567"), at: at(1))
        #expect(throws: RedisError.limitExceeded(.commandBytes)) {
            try session.send(RedisCommand("GET", "12345678"), at: at(1))
        }
        _ = try session.send(.ping, at: at(1))
        #expect(throws: RedisError.limitExceeded(.pendingCommands)) { try session.send(.ping, at: at(1)) }
        try session.receive(text(":1\r\n").rawSpan, at: at(2))
        _ = try session.send(.ping, at: at(2))
    }

    @Test("thousands of replies keep their numbers")
    func long() throws {
        var session = try Self.ready()
        var expected: [Session.Event] = []
        for index in 0..<3_000 {
            expected.append(.replied(try session.send(.ping, at: at(1)), .integer(Int64(index))))
        }
        var events: [Session.Event] = []
        for index in 0..<3_000 {
            try session.receive(text(":\(index)\r\n").rawSpan, at: at(2))
            events += Self.events(&session)
        }
        let isSame = events == expected
        #expect(isSame)
    }

    // MARK: Channels

    @Test("messages and confirmations are told apart from answers")
    func pushes() throws {
        var session = try Self.ready(.subscriptions)
        session.subscribe(["a", "b"], at: at(1))
        session.unsubscribe(["a"], at: at(1))
        #expect(try Self.sent(&session) == [["SUBSCRIBE", "a", "b"], ["UNSUBSCRIBE", "a"]])
        try session.receive(
            text(
                "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n"
                    + "*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:1\r\n"
            ).rawSpan, at: at(2))
        #expect(
            Self.events(&session) == [
                .subscribed("a"), .message(RedisMessage(channel: "a", payload: text("hi"))), .subscribed("b"),
                .unsubscribed("a"),
            ])
    }

    @Test("a refused subscription names its channels, and the connection goes on")
    func refusedChannels() throws {
        var session = try Self.ready(.subscriptions)
        session.subscribe(["a", "b"], at: at(1))
        session.subscribe(["c"], at: at(1))
        try session.receive(text("-NOPERM no\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n").rawSpan, at: at(2))
        #expect(Self.events(&session) == [.subscriptionRefused(["a", "b"], "NOPERM no"), .subscribed("c")])
    }

    @Test(
        "a confirmation or message that cannot be ends the connection",
        arguments: [
            "*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n", "*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:1\r\n",
            "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n:1\r\n", "+OK\r\n", "*3\r\n$8\r\npmessage\r\n$1\r\na\r\n:1\r\n",
            "*0\r\n",
        ])
    func impossible(wire: String) throws {
        #expect(throws: RedisError.protocolViolated) {
            var session = try Self.ready(.subscriptions)
            session.subscribe(["a"], at: at(1))
            try session.receive(text(wire).rawSpan, at: at(2))
        }
    }

    @Test(
        "the PONG of a connection with subscriptions may be an array",
        arguments: ["*2\r\n$4\r\npong\r\n$0\r\n\r\n", "+PONG\r\n"])
    func pong(wire: String) throws {
        var session = try Self.ready(.subscriptions)
        try session.advance(to: at(1_000))
        #expect(try Self.sent(&session) == [["PING"]])
        try session.receive(text(wire).rawSpan, at: at(1_001))
        #expect(Self.events(&session) == [])
        let deadline = session.nextDeadline
        #expect(deadline == at(2_001))
    }

    // MARK: Time

    @Test("silence is broken by PING, and silence after that is the end")
    func keepalive() throws {
        var session = try Self.ready()
        try session.advance(to: at(999))
        #expect(try Self.sent(&session) == [])
        try session.advance(to: at(1_000))
        #expect(try Self.sent(&session) == [["PING"]])
        try session.advance(to: at(3_999))
        #expect(throws: RedisError.timedOut) { try session.advance(to: at(4_000)) }
    }

    @Test("an answer that is due and does not come is the end, but not while bytes come")
    func replyTimeout() throws {
        var session = try Self.ready()
        _ = try session.send(.ping, at: at(500))
        var deadline = session.nextDeadline
        #expect(deadline == at(3_500))
        try session.receive(text("$5\r\nab").rawSpan, at: at(3_000))
        deadline = session.nextDeadline
        #expect(deadline == at(6_000))
        try session.receive(text("cde\r\n").rawSpan, at: at(5_000))
        deadline = session.nextDeadline
        #expect(deadline == at(6_000))
    }

    @Test("a command after a long silence has its whole time")
    func lateCommand() throws {
        var session = try Self.ready()
        _ = try session.send(.ping, at: at(900))
        let deadline = session.nextDeadline
        #expect(deadline == at(3_900))
    }

    @Test("a server that says nothing during the set-up is given up")
    func silentSetup() throws {
        var session = Session(.commands, setup: Self.setup(), at: at(0))
        let deadline = session.nextDeadline
        #expect(deadline == at(3_000))
        #expect(throws: RedisError.timedOut) { try session.advance(to: at(3_000)) }
    }
}
