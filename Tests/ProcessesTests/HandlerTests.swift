import Bytes
import Ingress
import Media
import Relay
import Runtime
import Testing

extension ProcessesTests { @Suite struct HandlerTests {} }

/// One session with its child, both ends in this process.
private struct Pair {
    let world: World
    let child: FakeChild
    let handler: Handler
    let session: Session

    init(_ change: (inout HandlerSettings) -> Void = { _ in }) async throws {
        var settings = HandlerSettings()
        settings.keepsSpare = false
        change(&settings)
        let world = try await MediaLoop.run { [settings] in try World { $0 = settings } }
        async let taken = world.pool.take()
        child = await world.started.next()
        handler = try await taken
        session = Session()
        self.world = world
        await MediaLoop.run { [handler, session] in handler.delegate = session }
    }

    /// The session's end, which is told once and leaves no child behind.
    func end(sourceLocation: SourceLocation = #_sourceLocation) async -> HandlerEnd? {
        while true {
            guard case .ended(let end) = await session.events.next() else { continue }
            await world.wait(forChildren: 0)
            #expect(await session.ends == 1, sourceLocation: sourceLocation)
            #expect(await handler.end == end, sourceLocation: sourceLocation)
            await world.pool.stop(code: 0)
            return end
        }
    }
}

extension ProcessesTests.HandlerTests {
    @Test("all that a source gives reaches the child, in order and whole")
    func commands() async throws {
        let pair = try await Pair()
        await MediaLoop.run {
            let handler = pair.handler
            handler.start(specification: [1, 2])
            handler.sourceBegan(encoder: "OBS")
            handler.configure(VideoConfiguration(codec: .hevc, record: SlabSlice(copying: [5, 6])))
            handler.configure(AudioConfiguration(codec: .aac, record: nil, sampleRate: 44_100, channels: 1))
            handler.receive(frame(70_000, isKey: true, salt: 9), at: Monotonic(nanoseconds: 77))
            handler.sourceEnded(.disconnected)
            handler.setLogLevel(2)
            handler.stop(code: 4)
        }
        let commands = pair.child.commands
        if case .start(let bytes) = await commands.next() { #expect(bytes == [1, 2]) } else { Issue.record("start") }
        if case .sourceBegan(let name) = await commands.next() { #expect(name == "OBS") } else { Issue.record("began") }
        if case .videoConfiguration(let video) = await commands.next() {
            #expect(video.codec == .hevc && video.record?.copied() == [5, 6])
        } else {
            Issue.record("video")
        }
        if case .audioConfiguration(let audio) = await commands.next() {
            #expect(audio.codec == .aac && audio.record == nil && audio.sampleRate == 44_100 && audio.channels == 1)
        } else {
            Issue.record("audio")
        }
        if case .frame(let read, let arrivedAt) = await commands.next() {
            #expect(read.codec == .video(.h264) && read.isKey && read.dts == 1_000 && read.pts == 2_000)
            #expect(read.payload.count == 70_000 && read.payload.endsAtPadding && read.payload.bytes[69_999] == 9)
            #expect(arrivedAt == Monotonic(nanoseconds: 77))
        } else {
            Issue.record("frame")
        }
        if case .sourceEnded(let end) = await commands.next() {
            #expect(end == .disconnected)
        } else {
            Issue.record("end")
        }
        if case .setLogLevel(let level) = await commands.next() { #expect(level == 2) } else { Issue.record("level") }
        if case .requestStop(let code) = await commands.next() { #expect(code == 4) } else { Issue.record("stop") }
        #expect(await pair.handler.statistics == Handler.Statistics(sentFrames: 1, droppedFrames: 0))
        await MediaLoop.run { pair.child.client?.end(.finished) }
        #expect(await pair.end() == .finished)
    }

    @Test("all that a child says reaches the session, in order, and the child leaves after its last word")
    func reports() async throws {
        let pair = try await Pair()
        await MediaLoop.run {
            let client = pair.child.client
            client?.started()
            client?.report(kind: 3, [4, 5])
            client?.statistics([6])
            client?.wantKeyFrame()
            client?.refuseSource("no picture")
            client?.end(.failed("the room is gone", isRetryable: true))
        }
        let events = pair.session.events
        #expect(await events.next() == .started)
        #expect(await events.next() == .report(3, [4, 5]))
        #expect(await events.next() == .statistics([6]))
        #expect(await events.next() == .keyFrameWanted)
        #expect(await events.next() == .refused("no picture"))
        #expect(await pair.end() == .failed("the room is gone", isRetryable: true))
        #expect(await pair.child.losses.next() == 0)
        #expect(await !pair.child.isKilled)
        #expect(await pair.world.metric("ingress_handler_ends_total{how=\"failed\"}") == 1)
    }

    @Test("a crash is told with its signal, whichever of its two signs comes first", arguments: [true, false])
    func crash(closesFirst: Bool) async throws {
        let pair = try await Pair()
        await MediaLoop.run {
            if closesFirst {
                pair.child.client?.close()
                Task { @MediaLoop in pair.child.exit(.killed(signal: 11)) }
            } else {
                pair.child.exit(.killed(signal: 11), closing: false)
                Task { @MediaLoop in
                    await Task.yield()
                    pair.child.client?.close()
                }
            }
        }
        #expect(await pair.end() == .crashed(.killed(signal: 11)))
        #expect(HandlerEnd.crashed(.killed(signal: 11)).description.hasSuffix("(signal SIGSEGV)"))
        #expect(await pair.world.metric("ingress_handler_ends_total{how=\"crashed\"}") == 1)
    }

    @Test("last words count even when the process's end is noticed before them")
    func lastWords() async throws {
        let pair = try await Pair()
        await MediaLoop.run {
            pair.child.leavesWhenLost = false
            pair.child.client?.end(.failed("out of memory", isRetryable: false))
            pair.child.exit(.exited(code: 1), closing: false)
        }
        #expect(await pair.end() == .failed("out of memory", isRetryable: false))
    }

    @Test("a process that ended while its connection stays open is given up soon")
    func heldConnection() async throws {
        let pair = try await Pair { $0.endTimeout = .milliseconds(10) }
        await pair.child.exit(.exited(code: 3), closing: false)
        #expect(await pair.end() == .crashed(.exited(code: 3)))
    }

    @Test("killing a process that has ended already does not change how it ended")
    func killedLate() async throws {
        let pair = try await Pair()
        await MediaLoop.run {
            pair.child.exit(.killed(signal: 6), closing: false)
            Task { @MediaLoop in pair.handler.kill() }
        }
        #expect(await pair.end() == .crashed(.killed(signal: 6)))
        #expect(await !pair.child.isKilled)
    }

    @Test("a process that closed its connection and stays is killed")
    func closedConnection() async throws {
        let pair = try await Pair { $0.endTimeout = .milliseconds(10) }
        await pair.child.client?.close()
        #expect(await pair.end() == .lost("closed its connection"))
        #expect(await pair.child.isKilled)
    }

    @Test("a process that cannot be killed is given up all the same")
    func immortal() async throws {
        let pair = try await Pair { $0.endTimeout = .milliseconds(10) }
        await MediaLoop.run {
            pair.child.diesWhenKilled = false
            pair.child.leavesWhenLost = false
            pair.handler.kill()
        }
        #expect(await pair.session.events.next() == .ended(.lost("was no longer wanted")))
        #expect(await pair.world.pool.childCount == 1)
        await pair.child.exit(.killed(signal: 9))
        await pair.world.wait(forChildren: 0)
        #expect(await pair.session.ends == 1)
        await pair.world.pool.stop(code: 0)
    }

    @Test("a child that sends what is no message is killed")
    func garbage() async throws {
        let pair = try await ProxyPair()
        await pair.stranger.say([1, 70, 0, 0, 0, 1, 0])
        let end = await pair.end()
        #expect(end == .lost("sent what is no message (\(RelayError.overLimit(.keyFrameWanted, bytes: 1)))"))
        #expect(await pair.child.isKilled)
    }

    @Test("a child that does not stop when asked is killed, and asked once")
    func doesNotStop() async throws {
        let pair = try await Pair { $0.stopTimeout = .milliseconds(10) }
        await MediaLoop.run {
            pair.handler.stop(code: 1)
            pair.handler.stop(code: 2)
        }
        guard case .requestStop(1) = await pair.child.commands.next() else {
            Issue.record("not asked")
            return
        }
        #expect(await pair.end() == .lost("did not stop in time"))
        #expect(await pair.child.isKilled)
    }

    @Test("a child that said its end and stays is killed, and its end remains what it said")
    func doesNotLeave() async throws {
        let pair = try await Pair { $0.stopTimeout = .milliseconds(10) }
        await MediaLoop.run {
            pair.child.leavesWhenLost = false
            pair.child.client?.end(.finished)
        }
        #expect(await pair.end() == .finished)
        #expect(await pair.child.isKilled)
    }

    @Test("an end that comes before there is anyone to tell is told to the first that asks")
    func lateDelegate() async throws {
        let pair = try await Pair()
        await MediaLoop.run { pair.handler.delegate = nil }
        await pair.child.exit(.exited(code: 4))
        await pair.world.wait(forChildren: 0)
        await MediaLoop.run { pair.handler.delegate = pair.session }
        #expect(await pair.end() == .crashed(.exited(code: 4)))
        await MediaLoop.run {
            // After the end nothing is done, and nothing is told again.
            pair.handler.receive(frame(1), at: .zero)
            pair.handler.stop(code: 1)
            pair.handler.kill()
            pair.handler.delegate = pair.session
        }
        #expect(await pair.session.ends == 1)
    }

    @Test("a specification that the child would refuse ends it with a sentence")
    func tooLarge() async throws {
        let pair = try await Pair { $0.limits.specificationBytes = 2 }
        await pair.handler.start(specification: [1, 2, 3])
        let end = await pair.end()
        #expect(end == .lost("cannot be told all that it needs to know (\(RelayError.overLimit(.start, bytes: 3)))"))
    }

    @Test("a frame above the relay's bound is dropped with those that build on it")
    func largeFrame() async throws {
        let pair = try await Pair { $0.limits.frameBytes = 10 }
        await MediaLoop.run {
            for (count, isKey) in [(10, true), (11, false), (1, false), (2, true)] {
                pair.handler.receive(frame(count, isKey: isKey), at: .zero)
            }
            #expect(pair.handler.statistics == Handler.Statistics(sentFrames: 2, droppedFrames: 2))
        }
        for count in [10, 2] {
            guard case .frame(let read, _) = await pair.child.commands.next() else {
                Issue.record("no frame")
                return
            }
            #expect(read.payload.count == count)
        }
        #expect(await pair.world.metric("ingress_handler_dropped_frames_total") == 2)
        await pair.handler.kill()
        _ = await pair.end()
    }
}

/// A session whose child's end of the relay is in the test's hands.
struct ProxyPair {
    let world: World
    let child: FakeChild
    let stranger: Stranger
    let handler: Handler
    let session = Session()

    init(_ change: (inout HandlerSettings) -> Void = { _ in }) async throws {
        var settings = HandlerSettings()
        settings.keepsSpare = false
        change(&settings)
        let world = try await MediaLoop.run { [settings] in try World({ $0 = settings }, begin: { _ in }) }
        self.world = world
        async let taken = world.pool.take()
        let child = await world.started.next()
        self.child = child
        stranger = try await MediaLoop.run {
            try Stranger(port: world.pool.port, saying: bytes(of: .hello(child.invitation.token), .ready))
        }
        handler = try await taken
        await MediaLoop.run { [handler, session] in handler.delegate = session }
    }

    func end() async -> HandlerEnd? {
        guard case .ended(let end) = await session.events.next() else { return nil }
        await world.wait(forChildren: 0)
        await world.pool.stop(code: 0)
        return end
    }
}

extension ProcessesTests.HandlerTests {
    @Test("a child that stops reading costs frames, not memory, and goes on with a key frame")
    func stalled() async throws {
        let bound = 300_000
        let pair = try await ProxyPair { $0.backlogBytes = bound }
        await pair.stranger.pause()
        var sent = 0
        // The kernel takes some before anything waits here.
        while await pair.handler.statistics.droppedFrames == 0 {
            await pair.handler.receive(frame(100_000, isKey: sent == 0), at: .zero)
            sent += 1
            try #require(sent < 1_000)
        }
        // 100,000 bytes of payload and 32 of header; the last of them stands on top of the bound.
        #expect(await pair.handler.queuedBytes <= bound + 100_032)
        await MediaLoop.run { for _ in 0..<50 { pair.handler.receive(frame(100_000), at: .zero) } }
        let before = await pair.handler.statistics
        #expect(before.droppedFrames == 51 && before.sentFrames == UInt64(sent - 1))
        #expect(await pair.handler.queuedBytes <= bound + 100_032)
        await pair.stranger.resume()
        let expected = (sent - 1) * 100_032
        while await pair.stranger.totals.next() < expected {}
        await MediaLoop.run {
            pair.handler.receive(frame(100_000), at: .zero)
            pair.handler.receive(frame(200, isKey: true), at: .zero)
            pair.handler.receive(frame(100), at: .zero)
        }
        while await pair.stranger.totals.next() < expected + 232 + 132 {}
        #expect(await pair.handler.statistics.sentFrames == before.sentFrames + 2)
        await pair.child.exit(.exited(code: 0))
        await pair.stranger.close()
        #expect(await pair.end() == .crashed(.exited(code: 0)))
    }

    @Test("a child that takes nothing any more is killed")
    func stuck() async throws {
        let pair = try await ProxyPair {
            $0.backlogBytes = 100_000
            $0.stallTimeout = .milliseconds(10)
        }
        await pair.stranger.pause()
        while await pair.handler.end == nil { await pair.handler.receive(frame(100_000), at: .zero) }
        #expect(await pair.end() == .lost("stopped taking frames"))
        #expect(await pair.child.isKilled)
    }

    @Test("what is said before the session, or twice, is no news")
    func outOfTurn() async throws {
        let world = try await MediaLoop.run { try World(begin: { _ in }) }
        let child = await world.started.next()
        let stranger = try await MediaLoop.run {
            try Stranger(
                port: world.pool.port,
                saying: bytes(of: .hello(child.invitation.token), .started, .report(kind: 1, []), .ready, .ready))
        }
        await world.waitForSpare()
        let handler = try await world.pool.take()
        let session = Session()
        await MediaLoop.run {
            handler.delegate = session
            stranger.say(bytes(of: .ready, .statistics([1])))
        }
        #expect(await session.events.next() == .statistics([1]))
        await world.pool.stopAtOnce()
    }

    @Test("a spare that says its end before it had a session failed at its start")
    func earlyEnd() async throws {
        let world = try await MediaLoop.run {
            try World(begin: { child in
                child.connect()
                child.client?.ready()
                child.client?.end(.failed("no codec", isRetryable: false))
            })
        }
        for _ in 0..<3 { _ = await world.started.next() }
        while await !world.pool.isFailing { await Task.yield() }
        await #expect(throws: HandlerError.startsFailing("no codec")) { _ = try await world.pool.take() }
        await world.pool.stopAtOnce()
    }
}
