package import Bytes

/// The one thread that carries all sockets of the media plane, as a global actor: what is `@MediaLoop` runs there and
/// nowhere else, and the compiler proves it.
///
/// One turn of the loop: wait for readiness or the next deadline; read the clock once; call the handlers of ready
/// descriptors; call the timers that are due; run what other threads sent (handoffs, then jobs of tasks); flush what
/// was written. All of it is synchronous, so a handler that blocks stops every session. Other threads come in by
/// `await`, or through a `Handoff`.
///
/// The thread starts at the first use and lives as long as the process.
@globalActor
package actor MediaLoop {
    package static let shared = MediaLoop()

    private nonisolated let executor = LoopExecutor()

    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private init() { executor.start() }

    /// For those who have to reach the mailbox from any thread.
    static var executor: LoopExecutor { shared.executor }

    @MediaLoop static let core = Loop()

    /// The time of this wake-up: read once, the same for all that happens in one turn.
    @MediaLoop package static var now: Monotonic { core.now }

    @MediaLoop package static var statistics: LoopStatistics { core.statistics }

    /// The longest turn since the last call: how late a packet may have been because of this process.
    @MediaLoop package static func takeLongestTurn() -> Interval { core.takeLongestTurn() }

    /// Runs `body` on the loop and waits for it.
    @MediaLoop
    package static func run<Result: Sendable, Failure: Error>(
        _ body: @MediaLoop () throws(Failure) -> Result
    ) async throws(Failure) -> Result {
        try body()
    }

    /// Runs `body` here and now, on the loop's thread; traps on any other. For callbacks of C libraries that the loop
    /// drives.
    package static func assumeIsolated<Result>(_ body: @MediaLoop () throws -> Result) rethrows -> Result {
        precondition(executor.isOnLoopThread, "not on the loop's thread")
        return try withoutActuallyEscaping(body) { body in
            // SAFETY: the types differ in isolation only, and the line above made sure of it; MainActor does the same.
            try unsafeBitCast(body, to: (() throws -> Result).self)()
        }
    }

    /// Calls `handler` when `descriptor` is ready, until deregistered; the loop keeps `handler` alive that long.
    /// Level-triggered. The descriptor stays the caller's and must not be closed before `deregister`. For sockets of
    /// other libraries.
    @MediaLoop
    package static func register(
        descriptor: Int32, interest: Readiness, handler: any EventHandler
    ) throws(RuntimeError) -> LoopRegistration {
        try core.register(descriptor, interest: interest, handler: handler)
    }

    /// An empty interest means that nothing is reported, not even errors.
    @MediaLoop
    package static func setInterest(_ interest: Readiness, of registration: LoopRegistration) {
        core.setInterest(interest, of: registration)
    }

    /// From here on `handler` is not called, not even for readiness of the same turn. Doing it twice is harmless.
    @MediaLoop
    package static func deregister(_ registration: LoopRegistration) { core.deregister(registration) }
}

/// What a descriptor is ready for, or should be watched for.
package struct Readiness: OptionSet, Hashable, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Bytes, datagrams, connections or the end of the stream wait.
    package static let readable = Readiness(rawValue: 1)
    package static let writable = Readiness(rawValue: 2)
    /// An error waits, or both directions are shut. Reported without being asked for.
    package static let failed = Readiness(rawValue: 4)
}

/// Whoever owns a descriptor that the loop watches.
@MediaLoop
package protocol EventHandler: AnyObject {
    /// `now` is the time of this wake-up.
    func ready(_ readiness: Readiness, at now: Monotonic)
}

/// A watched descriptor. A value that outlives its registration is recognised by the generation and does nothing.
package struct LoopRegistration: Hashable, Sendable {
    let slot: UInt32
    let generation: UInt32

    var token: UInt64 { UInt64(generation) << 32 | UInt64(slot) }
}

/// Counters of the loop since its start, and what it holds now.
package struct LoopStatistics: Equatable, Sendable {
    package var turns: UInt64 = 0
    package var events: UInt64 = 0
    package var timersFired: UInt64 = 0
    package var jobs: UInt64 = 0
    /// Descriptors watched now.
    package var registrations = 0
    /// Timers armed now.
    package var timers = 0
    /// Time spent awake.
    package var busy: Interval = .zero
}
