package import Bytes
import CoreMetrics
package import Logging
import Relay
package import Runtime

/// The children of the main process: starts them, lets them in on the relay's port, keeps one warm, and gives them out.
///
/// A child proves itself by the token that it was handed on a pipe; a token is good for one connection. Children that die at
/// their start are replaced at once at first and then at growing intervals.
@MediaLoop
package final class HandlerPool {
    package let settings: HandlerSettings
    let counters: HandlerCounters
    private let log: Logger
    private let spawn: HandlerSpawn
    private var listener: TCPListener?
    private var handlers: [ObjectIdentifier: Handler] = [:]
    private var spare: Handler?
    /// Connections that have not proven themselves.
    private var strangers: [ObjectIdentifier: HandlerLink] = [:]
    private var waiting: [CheckedContinuation<Result<Handler, HandlerError>, Never>] = []
    private var stopWaiting: [CheckedContinuation<Void, Never>] = []
    private var backoff: StartBackoff
    private var lastFailure = ""
    private let timer = LoopTimer()
    private var logLevel: UInt8?
    private var isStopping = false

    package init(
        settings: HandlerSettings = HandlerSettings(), counters: HandlerCounters, log: Logger,
        spawn: @escaping HandlerSpawn = HandlerPool.ownProgram()
    ) {
        self.settings = settings
        self.counters = counters
        self.log = log
        self.spawn = spawn
        backoff = StartBackoff(shortestRest: settings.shortestRest, longestRest: settings.longestRest)
    }

    /// Listens on 127.0.0.1 (0: a port that the system chooses) and starts the spare child.
    package func open(port: UInt16) throws(RuntimeError) {
        var options = TCPListener.Options()
        options.stream = settings.streamOptions
        listener = try TCPListener(
            on: TransportAddress(ip: .v4(0x7F00_0001), port: port), options: options, handler: self)
        balance(at: MediaLoop.now)
    }

    /// The relay's port; 0 when closed.
    package var port: UInt16 { listener?.address.port ?? 0 }
    /// Children that run, the spare and those that start included.
    package var childCount: Int { handlers.count }
    package var hasSpare: Bool { spare != nil }
    /// Sessions that wait for a child.
    package var waitingCount: Int { waiting.count }
    /// Children die at their start: a new session would most likely not find one.
    package var isFailing: Bool { backoff.hasRested && spare == nil }

    /// A child for a session: the spare at once, or a new one as soon as it is ready.
    package func take() async throws(HandlerError) -> Handler {
        guard listener != nil, !isStopping else { throw .closed }
        let now = MediaLoop.now
        if let handler = spare.take() {
            startsSucceed()
            handler.taken()
            balance(at: now)
            return handler
        }
        guard !backoff.isResting(at: now) else { throw .startsFailing(lastFailure) }
        guard waiting.count < settings.maxWaiting else { throw .busy }
        let result = await withCheckedContinuation { continuation in
            waiting.append(continuation)
            balance(at: now)
        }
        return try result.get()
    }

    /// Tells all children, and those to come; the level's number is the two services' own.
    package func setLogLevel(_ level: UInt8) {
        logLevel = level
        for handler in handlers.values { handler.setLogLevel(level) }
    }

    /// Asks all sessions to end, kills the children that do not in time, and returns when none is left. No child is given out
    /// from here on.
    package func stop(code: UInt8) async {
        isStopping = true
        listener?.close()
        timer.cancel()
        let refused = waiting
        waiting = []
        for continuation in refused { continuation.resume(returning: .failure(.closed)) }
        spare = nil
        for handler in Array(handlers.values) {
            if handler.phase == .taken { handler.stop(code: code) } else { handler.kill() }
        }
        for link in Array(strangers.values) { link.close() }
        guard !handlers.isEmpty else { return }
        await withCheckedContinuation { stopWaiting.append($0) }
    }

    /// Kills all children now, sessions and all.
    package func killAll() {
        for handler in Array(handlers.values) { handler.kill() }
    }

    // MARK: - Starting children

    /// Starts as many children as are waited for, and the spare.
    private func balance(at now: Monotonic) {
        guard listener != nil, !isStopping else { return }
        while !backoff.isResting(at: now) {
            let starting = handlers.values.count { $0.phase == .starting || $0.phase == .greeted }
            let wanted = waiting.count + (settings.keepsSpare && spare == nil ? 1 : 0)
            guard starting < min(wanted, backoff.maxStarting) else { break }
            startChild(at: now)
        }
        timer.schedule(at: nextLook(at: now), calling: self)
    }

    private func nextLook(at now: Monotonic) -> Monotonic? {
        if backoff.isResting(at: now) { return backoff.restsUntil }
        guard let spare, backoff.hasDeaths else { return nil }
        return spare.readyAt + settings.quickDeath
    }

    /// A child has shown that children can live.
    private func startsSucceed() {
        if backoff.hasRested { log.notice("processes for sessions can be started again") }
        backoff.succeeded()
    }

    private func startChild(at now: Monotonic) {
        let token = RelayToken(Randomness.bytes(RelayToken.byteCount))
        do throws(RuntimeError) {
            let invitation = RelayInvitation(parent: ParentProcess.ownPID, port: port, token: token)
            let handler = Handler(try spawn(invitation), token: token, pool: self, at: now)
            handlers[ObjectIdentifier(handler)] = handler
            counters.starts.increment()
            counters.children.record(handlers.count)
        } catch {
            startFailed("\(error)", at: now)
        }
    }

    private func startFailed(_ reason: String, at now: Monotonic) {
        counters.startFailures.increment()
        let isFirstRest = !backoff.hasRested
        lastFailure = reason
        guard backoff.died(at: now) else { return }
        if isFirstRest {
            log.error("processes for sessions cannot be started: \(reason); trying again at growing intervals")
        }
        let refused = waiting
        waiting = []
        for continuation in refused { continuation.resume(returning: .failure(.startsFailing(reason))) }
    }

    // MARK: - Children

    /// The child that has this token and is awaited; nil for any other.
    func welcome(_ link: HandlerLink, _ token: RelayToken, at now: Monotonic) -> Handler? {
        var found: Handler?
        // No early end: the time tells nothing of which child matched.
        for handler in handlers.values where handler.phase == .starting && handler.token.matches(token) {
            found = handler
        }
        guard let found, !isStopping else { return nil }
        strangers[ObjectIdentifier(link)] = nil
        found.greeted(by: link, at: now)
        return found
    }

    func handlerIsReady(_ handler: Handler, at now: Monotonic) {
        if let logLevel { handler.setLogLevel(logLevel) }
        if !waiting.isEmpty {
            startsSucceed()
            handler.taken()
            waiting.removeFirst().resume(returning: .success(handler))
        } else if spare == nil, settings.keepsSpare {
            spare = handler
        } else {
            // Whoever waited for it has given up.
            handler.kill()
        }
        balance(at: now)
    }

    /// `phase`: where it stood before.
    func handlerEnded(_ handler: Handler, after phase: Handler.Phase, _ end: HandlerEnd, at now: Monotonic) {
        if spare === handler { spare = nil }
        guard !isStopping else { return }
        switch phase {
        case .starting, .greeted: startFailed("\(end)", at: now)
        case .idle where now - handler.readyAt < settings.quickDeath: startFailed("\(end)", at: now)
        case .idle:
            startsSucceed()
            log.warning("the spare process has ended: \(end)")
        case .taken, .ended: break
        }
        balance(at: now)
    }

    func handlerIsGone(_ handler: Handler) {
        guard handlers.removeValue(forKey: ObjectIdentifier(handler)) != nil else { return }
        counters.children.record(handlers.count)
        guard handlers.isEmpty else { return }
        let done = stopWaiting
        stopWaiting = []
        for continuation in done { continuation.resume() }
    }

    func forget(_ link: HandlerLink) { strangers[ObjectIdentifier(link)] = nil }
}

extension HandlerPool: TCPListenerHandler, Runtime.TimerHandler {
    package func listener(_ listener: TCPListener, accepted stream: TCPStream, at now: Monotonic) {
        guard strangers.count < settings.maxStrangers else {
            counters.rejected(.crowd)
            return stream.close()
        }
        let link = HandlerLink(stream, pool: self, limits: settings.limits)
        strangers[ObjectIdentifier(link)] = link
        link.start(helloDeadline: now + settings.helloTimeout)
    }

    package func listener(
        _ listener: TCPListener, exhausted errno: Errno, restingFor pause: Interval, at now: Monotonic
    ) {
        log.error("sessions' processes cannot connect for now: the process is out of file descriptors (\(errno))")
    }

    package func timerFired(_ timer: LoopTimer, at now: Monotonic) {
        if let spare, now - spare.readyAt >= settings.quickDeath { startsSucceed() }
        balance(at: now)
    }
}
