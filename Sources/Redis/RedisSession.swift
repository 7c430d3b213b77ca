package import Bytes

/// The conversation on one connection, without the socket: authentication and checks, pipelined commands, channels, and
/// the watch over a peer that may be gone. RESP 2, so a connection with subscriptions carries nothing else.
///
/// Verbs: `send`, `subscribe`, `unsubscribe`, `receive(_:at:)`, `advance(to:)`, `nextDeadline`, `pollTransmit()`,
/// `pollEvent()`. After a thrown error the connection is of no use.
package struct RedisSession: ~Copyable {
    package enum Purpose: Equatable, Sendable {
        case commands
        case subscriptions
    }

    /// What is settled before the first command.
    package struct Setup: Equatable, Sendable {
        package var credentials = RedisCredentials()
        package var database = 0
        /// ROLE must say "master".
        package var requiresMaster = false

        package init() {}
    }

    package enum Event: Equatable, Sendable {
        /// Commands may come now. Always the first event.
        case ready
        /// The answer to the command of this number; error replies included.
        case replied(UInt64, RedisReply)
        case message(RedisMessage)
        case subscribed(String)
        case unsubscribed(String)
        /// The server refused to subscribe these channels, with its text.
        case subscriptionRefused([String], String)
    }

    /// What the next reply answers; replies come in the order of commands.
    private enum Expectation {
        case authentication
        case database(Int)
        case role
        /// The PING at the end of the set-up, which also tells a server that still loads its data.
        case readiness
        case keepalive
        case command(UInt64)
        /// One confirmation each is due.
        case subscriptions(ArraySlice<String>)
        case unsubscriptions(ArraySlice<String>)
    }

    private let purpose: Purpose
    private let timing: RedisTiming
    private let limits: RedisLimits
    private let reader: RedisReplyReader
    private var expectations: [(expectation: Expectation, sent: Monotonic)] = []
    private var firstExpectation = 0
    private var lastReceived: Monotonic
    private var lastNumber: UInt64 = 0
    private var output: [UInt8] = []
    private var events: [Event] = []
    private var firstEvent = 0
    package private(set) var isReady = false

    /// The set-up commands wait as bytes to transmit.
    package init(
        _ purpose: Purpose, setup: Setup, timing: RedisTiming = RedisTiming(), limits: RedisLimits = RedisLimits(),
        at now: Monotonic
    ) {
        self.purpose = purpose
        self.timing = timing
        self.limits = limits
        reader = RedisReplyReader(limits: limits)
        lastReceived = now
        if !setup.credentials.isEmpty { enqueue(.authenticate(setup.credentials), .authentication, at: now) }
        if setup.database != 0 {
            enqueue(RedisCommand("SELECT", String(setup.database)), .database(setup.database), at: now)
        }
        if setup.requiresMaster { enqueue(RedisCommand("ROLE"), .role, at: now) }
        enqueue(.ping, .readiness, at: now)
    }

    // MARK: Out

    /// Queues a command; its reply comes with the number returned.
    package mutating func send(_ command: RedisCommand, at now: Monotonic) throws(RedisError) -> UInt64 {
        precondition(purpose == .commands, "a connection with subscriptions takes no commands")
        guard pendingCount < limits.pendingCommands else { throw .limitExceeded(.pendingCommands) }
        guard command.argumentBytes <= limits.commandBytes else { throw .limitExceeded(.commandBytes) }
        lastNumber += 1
        enqueue(command, .command(lastNumber), at: now)
        return lastNumber
    }

    /// Not empty. Each channel is confirmed by an event.
    package mutating func subscribe(_ channels: [String], at now: Monotonic) {
        precondition(purpose == .subscriptions, "a connection for commands takes no subscriptions")
        enqueue(.subscribe(channels), .subscriptions(channels[...]), at: now)
    }

    /// Not empty. Each channel is confirmed by an event.
    package mutating func unsubscribe(_ channels: [String], at now: Monotonic) {
        precondition(purpose == .subscriptions, "a connection for commands takes no subscriptions")
        enqueue(.unsubscribe(channels), .unsubscriptions(channels[...]), at: now)
    }

    private mutating func enqueue(_ command: RedisCommand, _ expectation: Expectation, at now: Monotonic) {
        // Silence before this is not the silence of an answer that is due.
        if pendingCount == 0 { lastReceived = max(lastReceived, now) }
        expectations.append((expectation, now))
        output += command.encoded()
    }

    /// Bytes for the server; nil when none wait.
    package mutating func pollTransmit() -> [UInt8]? {
        guard !output.isEmpty else { return nil }
        defer { output = [] }
        return output
    }

    package mutating func pollEvent() -> Event? {
        guard firstEvent < events.count else {
            events.removeAll(keepingCapacity: true)
            firstEvent = 0
            return nil
        }
        firstEvent += 1
        return events[firstEvent - 1]
    }

    // MARK: Time

    private var pendingCount: Int { expectations.count - firstExpectation }

    /// When the answer that is due counts as missing, or the silence is to be broken.
    package var nextDeadline: Monotonic {
        guard pendingCount > 0 else { return lastReceived + timing.keepalive }
        return max(expectations[firstExpectation].sent, lastReceived) + timing.reply
    }

    package mutating func advance(to now: Monotonic) throws(RedisError) {
        guard now >= nextDeadline else { return }
        guard pendingCount == 0 else { throw .timedOut }
        enqueue(.ping, .keepalive, at: now)
    }

    // MARK: In

    package mutating func receive(_ bytes: RawSpan, at now: Monotonic) throws(RedisError) {
        lastReceived = max(lastReceived, now)
        try reader.receive(bytes)
        while let reply = try reader.nextReply() {
            if purpose == .subscriptions, case .array(let values) = reply, try receivePush(values) { continue }
            try receiveReply(reply)
        }
    }

    /// False when it is a reply after all: the PONG of a connection with subscriptions is an array too.
    private mutating func receivePush(_ values: [RedisReply]) throws(RedisError) -> Bool {
        guard values.count == 3, case .string(let kind) = values[0], case .string(let name) = values[1] else {
            return false
        }
        let channel = String(decoding: name, as: UTF8.self)
        switch String(decoding: kind, as: UTF8.self) {
        case "message":
            guard case .string(let payload) = values[2] else { throw .protocolViolated }
            events.append(.message(RedisMessage(channel: channel, payload: payload)))
        case "subscribe":
            guard case .subscriptions(let rest)? = first, rest.first == channel else { throw .protocolViolated }
            confirm(rest.count == 1 ? nil : .subscriptions(rest.dropFirst()))
            events.append(.subscribed(channel))
        case "unsubscribe":
            guard case .unsubscriptions(let rest)? = first, rest.first == channel else { throw .protocolViolated }
            confirm(rest.count == 1 ? nil : .unsubscriptions(rest.dropFirst()))
            events.append(.unsubscribed(channel))
        default: return false
        }
        return true
    }

    private var first: Expectation? { pendingCount > 0 ? expectations[firstExpectation].expectation : nil }

    /// The first expectation is met, but for what is left of it.
    private mutating func confirm(_ rest: Expectation?) {
        if let rest {
            expectations[firstExpectation].expectation = rest
            return
        }
        firstExpectation += 1
        if firstExpectation == expectations.count {
            expectations.removeAll(keepingCapacity: true)
            firstExpectation = 0
        } else if firstExpectation >= 1_024 {
            expectations.removeFirst(firstExpectation)
            firstExpectation = 0
        }
    }

    private mutating func receiveReply(_ reply: RedisReply) throws(RedisError) {
        guard let expectation = first else {
            // Said before anything was asked: "max number of clients reached" and the like.
            if case .error(let text) = reply { throw .refused(text) }
            throw .protocolViolated
        }
        confirm(nil)
        switch expectation {
        case .authentication:
            if case .error(let text) = reply { throw .authenticationRefused(errorCode(of: text)) }
        case .database(let number):
            if case .error(let text) = reply { throw Self.setupError(text) ?? .databaseRefused(number, text) }
        case .role: try checkRole(reply)
        case .readiness:
            if case .error(let text) = reply { throw Self.setupError(text) ?? .refused(text) }
            isReady = true
            events.append(.ready)
        case .keepalive:
            if case .error(let text) = reply { throw .refused(text) }
        case .command(let number): events.append(.replied(number, reply))
        case .subscriptions(let channels):
            guard case .error(let text) = reply else { throw .protocolViolated }
            events.append(.subscriptionRefused(Array(channels), text))
        case .unsubscriptions:
            if case .error(let text) = reply { throw .refused(text) }
            throw .protocolViolated
        }
    }

    private func checkRole(_ reply: RedisReply) throws(RedisError) {
        switch reply {
        case .array(let values) where values.first?.text == "master": return
        case .array: throw .notMaster
        // A user without the right to ask takes the sentinel's word.
        case .error(let text): if let error = Self.setupError(text) { throw error }
        default: throw .protocolViolated
        }
    }

    private static func setupError(_ text: String) -> RedisError? {
        errorCode(of: text) == "NOAUTH" ? .authenticationRequired : nil
    }
}
