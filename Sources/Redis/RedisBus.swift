package import Bytes
package import Runtime

/// Redis as a message bus: commands over one connection and channels over another, both of which come back by
/// themselves. After a reconnection every channel is subscribed again; what was published meanwhile is lost.
///
/// Keep the bus alive as long as it is used, and end it with `close()`.
@MediaLoop
package final class RedisBus {
    package typealias Completion = @MediaLoop (Result<RedisReply, RedisError>) -> Void

    /// A command that came while there was no connection, or somebody who waits until the bus is ready.
    private struct Waiting {
        /// Nil: waits for readiness.
        let command: RedisCommand?
        let deadline: Monotonic
        let completion: Completion
    }

    package nonisolated let settings: RedisSettings
    /// Why the bus is not ready, or why it was not the last time.
    package private(set) var lastError: RedisError?
    private(set) var isClosed = false
    let commands: RedisLine
    let channels: RedisLine
    let connector: RedisConnector
    private var waiting: [Waiting] = []
    private let timer = LoopTimer()
    /// The connection of now knows all channels that the one before knew.
    private var isRestored = false
    private var wasReady = false
    private var observers: [@MediaLoop (Bool) -> Void] = []
    var table: SubscriptionTable
    var subscribers: [String: [RedisSubscription]] = [:]
    var confirmations: [ChannelWaiter] = []
    /// Connections to nodes that redirections led to.
    var nodes: [RedisAddress: RedisConnection] = [:]

    /// Connects both lines. The error says what to do about it.
    package static func connect(_ settings: RedisSettings) async throws(RedisError) -> RedisBus {
        let bus = try RedisBus(settings)
        do throws(RedisError) {
            try await bus.commands.start(bus)
            try await bus.channels.start(bus)
        } catch {
            bus.close()
            throw error
        }
        return bus
    }

    private init(_ settings: RedisSettings) throws(RedisError) {
        self.settings = settings
        connector = try RedisConnector(settings)
        commands = RedisLine(.commands, connector, timing: settings.timing)
        channels = RedisLine(.subscriptions, connector, timing: settings.timing)
        table = SubscriptionTable(limits: settings.limits)
    }

    // MARK: Health

    /// Both connections stand, and every channel that was wanted when they were made is confirmed.
    package var isReady: Bool { commands.connection != nil && channels.connection != nil && isRestored }

    /// `body` is called with every change of `isReady` from here on.
    package func observeReadiness(_ body: @escaping @MediaLoop (Bool) -> Void) { observers.append(body) }

    /// Returns when the bus is ready; throws when it is not within `timeout`.
    package func waitUntilReady(within timeout: Interval) async throws(RedisError) {
        guard !isClosed else { throw .closed }
        guard !isReady else { return }
        let result = await withCheckedContinuation {
            (waiter: CheckedContinuation<Result<RedisReply, RedisError>, Never>) in
            wait(for: nil, upTo: timeout) { waiter.resume(returning: $0) }
        }
        _ = try result.get()
    }

    /// Called where a connection came or went, or a channel was confirmed.
    func updateReadiness() {
        isRestored = channels.connection != nil && (isRestored || table.isComplete)
        let isReady = isReady
        guard isReady != wasReady else { return }
        wasReady = isReady
        for observer in observers { observer(isReady) }
        if isReady { endWaiting { $0.command == nil } }
    }

    /// Whether the server answers now.
    package func ping() async throws(RedisError) { _ = try await value(of: .ping) }

    // MARK: Commands

    /// Number of clients of the node that got the message.
    @discardableResult
    package func publish(_ channel: String, _ payload: [UInt8]) async throws(RedisError) -> Int {
        guard case .integer(let count) = try await value(of: .publish(channel, payload)) else {
            throw .protocolViolated
        }
        return Int(clamping: count)
    }

    /// SET with EX and NX: whether the key was set, because it did not exist.
    package func setIfAbsent(_ key: String, _ value: String, seconds: Int) async throws(RedisError) -> Bool {
        switch try await self.value(of: .setIfAbsent(key, value, seconds: seconds)) {
        case .status("OK"): return true
        case .null: return false
        default: throw .protocolViolated
        }
    }

    /// The reply to any command; error replies are thrown as `refused`.
    package func value(of command: RedisCommand) async throws(RedisError) -> RedisReply {
        let result = await withCheckedContinuation {
            (waiter: CheckedContinuation<Result<RedisReply, RedisError>, Never>) in
            send(command) { waiter.resume(returning: $0) }
        }
        let reply = try result.get()
        if case .error(let text) = reply { throw .refused(text) }
        return reply
    }

    /// Sends a command at once when there is a connection, so that commands go out in the order of calls; otherwise it
    /// waits for one up to `RedisTiming.commandWait`. `completion` is called once; it may get an error reply.
    package func send(_ command: RedisCommand, completion: @escaping Completion) {
        guard !isClosed else { return completion(.failure(.closed)) }
        guard let connection = commands.connection else {
            return wait(for: command, upTo: settings.timing.commandWait, completion)
        }
        connection.send(command) { [weak self] result in
            guard let self, case .success(.error(let text)) = result else { return completion(result) }
            self.handleError(text, of: command, from: connection, completion)
        }
    }

    private func handleError(
        _ text: String, of command: RedisCommand, from connection: RedisConnection, _ completion: @escaping Completion
    ) {
        if case .cluster = settings.topology, let redirect = ClusterRedirect(text, answeredBy: connection.address) {
            return follow(redirect, command, completion)
        }
        completion(.success(.error(text)))
        // A master that became a replica answers this way: the next connection leads to the new one.
        if errorCode(of: text) == "READONLY", connection === commands.connection { commands.abandon(.refused(text)) }
    }

    private func wait(for command: RedisCommand?, upTo time: Interval, _ completion: @escaping Completion) {
        guard waiting.count < settings.limits.pendingCommands else {
            return completion(.failure(.limitExceeded(.pendingCommands)))
        }
        waiting.append(Waiting(command: command, deadline: MediaLoop.now + time, completion: completion))
        schedule()
    }

    func schedule() {
        let deadlines = waiting.map(\.deadline) + confirmations.compactMap(\.deadline)
        timer.schedule(at: deadlines.min(), calling: self)
    }

    /// What these waited for is there.
    private func endWaiting(_ isDue: (Waiting) -> Bool) {
        let due = waiting.filter(isDue)
        waiting.removeAll(where: isDue)
        for entry in due {
            if let command = entry.command {
                send(command, completion: entry.completion)
            } else {
                entry.completion(.success(.null))
            }
        }
    }

    /// Ends both connections. Commands and confirmations that wait fail; no handler is called any more.
    package func close() {
        guard !isClosed else { return }
        isClosed = true
        timer.cancel()
        commands.close()
        channels.close()
        for node in nodes.values { node.close() }
        nodes = [:]
        subscribers = [:]
        let failed = waiting
        waiting = []
        for entry in failed { entry.completion(.failure(.closed)) }
        failConfirmations { _ in .closed }
        updateReadiness()
        observers = []
    }
}

extension RedisBus: RedisLineHandler, Runtime.TimerHandler {
    func line(_ line: RedisLine, connected connection: RedisConnection) {
        if line === commands {
            endWaiting { $0.command != nil }
        } else {
            table.connected()
            sendSubscriptions()
        }
        updateReadiness()
    }

    func line(_ line: RedisLine, received event: RedisSession.Event) {
        guard line === channels, !isClosed else { return }
        receive(event)
    }

    func line(_ line: RedisLine, lost error: RedisError) {
        lastError = error
        if line === channels { table.disconnected() }
        updateReadiness()
    }

    package func timerFired(_ timer: LoopTimer, at now: Monotonic) {
        let late = waiting.filter { $0.deadline <= now }
        waiting.removeAll { $0.deadline <= now }
        failConfirmations { $0.deadline.map { $0 <= now } ?? false ? .notConnected : nil }
        schedule()
        for entry in late { entry.completion(.failure(.notConnected)) }
    }
}
