import Bytes
import Ingress
import Logging
import Relay
import Runtime
import Testing

extension ProcessesTests { @Suite struct HandlerPoolTests {} }

extension ProcessesTests.HandlerPoolTests {
    @Test("a spare waits from the start, is given out at once, and is followed by another")
    func spare() async throws {
        let world = try await MediaLoop.run { try World() }
        let first = await world.started.next()
        await world.waitForSpare()
        let handler = try await world.pool.take()
        #expect(handler.pid == first.pid)
        let second = await world.started.next()
        await world.waitForSpare()
        #expect(await world.pool.childCount == 2)
        #expect(try await world.pool.take().pid == second.pid)
        #expect(await world.metric("ingress_handler_starts_total") == 3)
        #expect(await world.metric("ingress_handlers") == 3)
        await world.pool.stopAtOnce()
    }

    @Test("without a spare, each taker waits for a child of its own")
    func noSpare() async throws {
        let world = try await MediaLoop.run { try World({ $0.keepsSpare = false }) }
        #expect(await world.pool.childCount == 0)
        async let first = world.pool.take().pid
        async let second = world.pool.take().pid
        #expect(Set([try await first, try await second]) == [1, 2])
        #expect(await world.pool.childCount == 2)
        #expect(await !world.pool.hasSpare)
        await world.pool.stopAtOnce()
    }

    @Test("a token that nobody was given is turned away and counted, and the awaited child still comes in")
    func wrongToken() async throws {
        let world = try await MediaLoop.run { try World(begin: { _ in }) }
        let child = await world.started.next()
        let stranger = try await MediaLoop.run {
            try Stranger(
                port: world.pool.port,
                saying: bytes(of: .hello(RelayToken(Randomness.bytes(RelayToken.byteCount))), .ready))
        }
        #expect(await stranger.events.next() == .connected)
        #expect(await stranger.events.next() != .connected)
        #expect(await world.metric("ingress_relay_rejections_total{cause=\"token\"}") == 1)
        #expect(await !world.pool.hasSpare)
        await MediaLoop.run {
            child.connect()
            child.client?.ready()
        }
        await world.waitForSpare()
        await world.pool.stopAtOnce()
    }

    @Test("a token is good for one connection")
    func usedToken() async throws {
        let world = try await MediaLoop.run { try World() }
        let child = await world.started.next()
        await world.waitForSpare()
        let stranger = try await MediaLoop.run {
            try Stranger(port: world.pool.port, saying: bytes(of: .hello(child.invitation.token)))
        }
        #expect(await stranger.events.next() == .connected)
        #expect(await stranger.events.next() != .connected)
        #expect(await world.metric("ingress_relay_rejections_total{cause=\"token\"}") == 1)
        #expect(await world.pool.hasSpare)
        await world.pool.stopAtOnce()
    }

    @Test("who says nothing is turned away in time")
    func silence() async throws {
        let world = try await MediaLoop.run { try World({ $0.helloTimeout = .milliseconds(10) }) }
        let stranger = try await MediaLoop.run { try Stranger(port: world.pool.port) }
        #expect(await stranger.events.next() == .connected)
        #expect(await stranger.events.next() == .ended)
        #expect(await world.metric("ingress_relay_rejections_total{cause=\"timeout\"}") == 1)
        await world.pool.stopAtOnce()
    }

    @Test(
        "who says something else than hello is turned away",
        arguments: [bytes(of: .ready), Array("GET / HTTP/1.1".utf8)])
    func noHello(said: [UInt8]) async throws {
        let world = try await MediaLoop.run { try World() }
        let stranger = try await MediaLoop.run { try Stranger(port: world.pool.port, saying: said) }
        #expect(await stranger.events.next() == .connected)
        #expect(await stranger.events.next() != .connected)
        #expect(await world.metric("ingress_relay_rejections_total{cause=\"malformed\"}") == 1)
        await world.pool.stopAtOnce()
    }

    @Test("a crowd of strangers is turned away, and when it has gone there is room again")
    func crowd() async throws {
        let world = try await MediaLoop.run {
            try World({
                $0.maxStrangers = 2
                $0.keepsSpare = false
            })
        }
        let strangers = try await MediaLoop.run { try (0..<2).map { _ in try Stranger(port: world.pool.port) } }
        for stranger in strangers { #expect(await stranger.events.next() == .connected) }
        let third = try await MediaLoop.run { try Stranger(port: world.pool.port) }
        #expect(await third.events.next() == .connected)
        #expect(await third.events.next() != .connected)
        #expect(await world.metric("ingress_relay_rejections_total{cause=\"crowd\"}") == 1)
        await MediaLoop.run { for stranger in strangers { stranger.close() } }
        while await world.metric("ingress_relay_rejections_total{cause=\"gone\"}") != 2 { await Task.yield() }
        _ = try await world.pool.take()
        await world.pool.stopAtOnce()
    }

    @Test("a child that never reports is killed, and after three of them takers are refused and the log says so once")
    func silentChildren() async throws {
        let world = try await MediaLoop.run {
            try World({ $0.startTimeout = .milliseconds(5) }, begin: { _ in })
        }
        await #expect(throws: HandlerError.startsFailing(HandlerEnd.lost("did not report in time").description)) {
            _ = try await world.pool.take()
        }
        #expect(await world.pool.isFailing)
        await #expect(throws: HandlerError.self) { _ = try await world.pool.take() }
        #expect(world.log.count(of: .error) == 1)
        #expect(await world.started.next().isKilled)
        await world.wait(forChildren: 0)
        await world.pool.stopAtOnce()
    }

    @Test("a child that says hello but is never ready is killed too")
    func neverReady() async throws {
        let world = try await MediaLoop.run {
            try World(
                {
                    $0.startTimeout = .milliseconds(20)
                    $0.keepsSpare = false
                }, begin: { $0.connect() })
        }
        await #expect(throws: HandlerError.self) { _ = try await world.pool.take() }
        #expect(await world.started.next().isKilled)
        await world.pool.stopAtOnce()
    }

    @Test(
        "children that die at their start are replaced twice at once, then after a rest, and one that lives ends the worry"
    )
    func recovery() async throws {
        let deaths = Counter(3)
        let world = try await MediaLoop.run {
            try World(
                {
                    $0.shortestRest = .milliseconds(20)
                    $0.quickDeath = .milliseconds(20)
                },
                begin: { child in
                    if deaths.takeOne() { return child.exit(.killed(signal: 11)) }
                    child.connect()
                    child.client?.ready()
                })
        }
        await world.waitForSpare()
        #expect(await !world.pool.isFailing)
        #expect(await world.metric("ingress_handler_start_failures_total") == 3)
        #expect(await world.metric("ingress_handler_starts_total") == 4)
        #expect(world.log.count(of: .error) == 1)
        while world.log.count(of: .notice) == 0 { await Task.yield() }
        #expect(world.log.count(of: .notice) == 1)
        _ = try await world.pool.take()
        await world.pool.stopAtOnce()
    }

    @Test("a program that cannot be started at all is tried three times before the rest")
    func noProgram() async throws {
        let log = LogLines()
        let pool = try await MediaLoop.run {
            let pool = HandlerPool(
                counters: HandlerCounters(factory: PrometheusRegistry()), log: logger(to: log),
                spawn: { _ throws(RuntimeError) in throw .system(.posixSpawn, .accessDenied) })
            try pool.open(port: 0)
            return pool
        }
        #expect(await pool.isFailing)
        await #expect(throws: HandlerError.startsFailing("posixSpawn failed: Permission denied")) {
            _ = try await pool.take()
        }
        #expect(log.count(of: .error) == 1)
        await pool.stopAtOnce()
    }

    @Test("a spare that dies later is replaced without a worry")
    func spareDies() async throws {
        let world = try await MediaLoop.run { try World({ $0.quickDeath = .zero }) }
        for _ in 0..<5 {
            let child = await world.started.next()
            await world.waitForSpare()
            await child.exit(.killed(signal: 9))
        }
        let last = await world.started.next()
        #expect(last.pid == 6)
        #expect(await world.metric("ingress_handler_start_failures_total") == 0)
        await world.waitForSpare()
        await world.pool.stopAtOnce()
    }

    @Test("too many takers at once are refused")
    func busy() async throws {
        let world = try await MediaLoop.run { try World({ $0.maxWaiting = 1 }, begin: { _ in }) }
        let first = Task { try await world.pool.take() }
        while await world.pool.waitingCount == 0 { await Task.yield() }
        await #expect(throws: HandlerError.busy) { _ = try await world.pool.take() }
        await world.pool.stopAtOnce()
        await #expect(throws: HandlerError.closed) { try await first.value }
    }

    @Test("at the stop, sessions are asked to end, others are killed, and no child is given out any more")
    func stop() async throws {
        let world = try await MediaLoop.run { try World() }
        let child = await world.started.next()
        let handler = try await world.pool.take()
        let session = Session()
        await MediaLoop.run { handler.delegate = session }
        let spare = await world.started.next()
        await world.waitForSpare()
        let stopped = Task { await world.pool.stop(code: 7) }
        guard case .requestStop(7) = await child.commands.next() else {
            Issue.record("no request to stop")
            return
        }
        await spare.kills.next()
        await #expect(throws: HandlerError.closed) { _ = try await world.pool.take() }
        #expect(await !child.isKilled)
        await MediaLoop.run { child.client?.end(.finished) }
        await stopped.value
        #expect(await session.events.next() == .ended(.finished))
        #expect(await child.losses.next() == 0)
        #expect(await world.pool.childCount == 0)
        #expect(await world.metric("ingress_handlers") == 0)
        // Once more, with nothing left.
        await world.pool.stop(code: 7)
    }

    @Test("the log level reaches the spare, sessions, and children to come")
    func logLevel() async throws {
        let world = try await MediaLoop.run { try World() }
        let first = await world.started.next()
        await world.waitForSpare()
        _ = try await world.pool.take()
        let second = await world.started.next()
        await world.waitForSpare()
        await world.pool.setLogLevel(3)
        for child in [first, second] {
            guard case .setLogLevel(3) = await child.commands.next() else {
                Issue.record("no level")
                return
            }
        }
        _ = try await world.pool.take()
        let third = await world.started.next()
        guard case .setLogLevel(3) = await third.commands.next() else {
            Issue.record("no level")
            return
        }
        await world.pool.stopAtOnce()
    }

    @Test("what a child needs is inherited, and no variable of the service")
    func environment() {
        #expect(HandlerPool.inheritedVariables.contains("PATH"))
        #expect(!HandlerPool.inheritedVariables.contains { $0.hasPrefix("LIVEKIT") || $0.hasPrefix("INGRESS") })
    }
}
