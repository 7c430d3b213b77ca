import Bytes
import Glibc
import Runtime
import Synchronization
import Testing

extension RuntimeTests { @Suite struct LoopTests {} }

extension RuntimeTests.LoopTests {
    @Test("code of the actor runs on the loop's thread, which other code is not on")
    func isolation() async {
        let name = await MediaLoop.run {
            MediaLoop.shared.preconditionIsolated()
            return MediaLoop.assumeIsolated { threadName() }
        }
        #expect(name == "media-loop")
        #expect(threadName() != "media-loop")
    }

    @Test("jobs of one task run in the order in which they were sent")
    func jobOrder() async {
        let reports = Reports<Int>()
        for index in 0..<1000 { Task { @MediaLoop in reports.send(index) } }
        #expect(await reports.next(1000) == Array(0..<1000))
    }

    @Test("jobs from many threads all run, and never two at a time")
    func manyThreads() async {
        let total = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    var last = 0
                    for _ in 0..<2000 { last = await Counter.increment() }
                    return last
                }
            }
            return await group.reduce(0) { max($0, $1) }
        }
        #expect(total == 16_000)
    }

    @Test("the time stands still within a turn and does not go back between turns")
    func time() async {
        let (first, second) = await MediaLoop.run {
            let first = MediaLoop.now
            while Monotonic.now == first {}
            return (first, MediaLoop.now)
        }
        #expect(first == second)
        #expect(await MediaLoop.now >= first)
    }

    @Test("a ready descriptor calls its handler with the isolation of the actor, and every turn until it is read")
    func readiness() async throws {
        let pipe = try Pipe()
        let probe = ReadinessProbe()
        let registration = try await MediaLoop.run {
            probe.onReady = {
                MediaLoop.shared.preconditionIsolated()
                MediaLoop.assumeIsolated { MediaLoop.shared.assertIsolated() }
            }
            return try MediaLoop.register(descriptor: pipe.readEnd, interest: .readable, handler: probe)
        }
        pipe.write()
        #expect(await probe.reports.next(2) == [.readable, .readable])
        await MediaLoop.run { MediaLoop.deregister(registration) }
        pipe.close()
    }

    @Test("an empty interest silences even a hang-up, and interest brings it back")
    func emptyInterest() async throws {
        let pipe = try Pipe()
        let probe = ReadinessProbe()
        let registration = try await MediaLoop.run {
            try MediaLoop.register(descriptor: pipe.readEnd, interest: [], handler: probe)
        }
        pipe.closeWriteEnd()
        let before = await MediaLoop.statistics.events
        for _ in 0..<10 { await MediaLoop.run {} }
        #expect(await MediaLoop.statistics.events == before)
        await MediaLoop.run { MediaLoop.setInterest(.readable, of: registration) }
        #expect(await probe.reports.next().contains(.failed))
        await MediaLoop.run { MediaLoop.deregister(registration) }
        pipe.closeReadEnd()
    }

    @Test("an event of a descriptor closed earlier in the turn reaches nobody, not even who took its number and place")
    func staleEvent() async throws {
        let pipes = [try Pipe(), try Pipe()]
        let newcomer = ReadinessProbe()
        let called = Reports<Int>()
        try await MediaLoop.run {
            // Whichever is called first closes the other and gives its number and its slot to the newcomer.
            var registrations: [LoopRegistration] = []
            let probes = [ReadinessProbe(), ReadinessProbe()]
            for (index, probe) in probes.enumerated() {
                probe.onReady = {
                    for registration in registrations { MediaLoop.deregister(registration) }
                    let other = pipes[1 - index]
                    other.closeReadEnd()
                    let taken = dup(pipes[index].writeEnd)
                    #expect(taken == other.readEnd)
                    registrations = [try! MediaLoop.register(descriptor: taken, interest: .readable, handler: newcomer)]
                    called.send(index)
                }
                registrations.append(
                    try MediaLoop.register(descriptor: pipes[index].readEnd, interest: .readable, handler: probe))
                pipes[index].write()
            }
            newcomer.cleanUp = { for registration in registrations { MediaLoop.deregister(registration) } }
        }
        let first = await called.next()
        for _ in 0..<5 { await MediaLoop.run {} }
        #expect(await MediaLoop.run { newcomer.calls } == 0)
        await MediaLoop.run { newcomer.cleanUp?() }
        Glibc.close(pipes[1 - first].readEnd)
        pipes[1 - first].closeWriteEnd()
        pipes[first].close()
    }

    @Test("doing anything with a registration that is over is harmless")
    func oldRegistration() async throws {
        let pipe = try Pipe()
        let probe = ReadinessProbe()
        let counts = try await MediaLoop.run {
            let before = MediaLoop.statistics.registrations
            let registration = try MediaLoop.register(descriptor: pipe.readEnd, interest: .readable, handler: probe)
            let during = MediaLoop.statistics.registrations
            MediaLoop.deregister(registration)
            MediaLoop.deregister(registration)
            MediaLoop.setInterest(.writable, of: registration)
            return [before, during, MediaLoop.statistics.registrations]
        }
        #expect(counts[1] == counts[0] + 1)
        #expect(counts[2] == counts[0])
        pipe.close()
    }

    @Test("a handler is let go when its descriptor is deregistered")
    func letGo() async throws {
        let pipe = try Pipe()
        let watch = Watch<ReadinessProbe>()
        let registration = try await MediaLoop.run {
            let probe = ReadinessProbe()
            watch.object = probe
            return try MediaLoop.register(descriptor: pipe.readEnd, interest: .readable, handler: probe)
        }
        #expect(await watch.isAlive)
        await MediaLoop.run { MediaLoop.deregister(registration) }
        #expect(await !watch.isAlive)
        pipe.close()
    }
}

private enum Counter {
    @MediaLoop private static var value = 0

    @MediaLoop static func increment() -> Int {
        value += 1
        return value
    }
}

@MediaLoop
private final class ReadinessProbe: EventHandler {
    nonisolated let reports = Reports<Readiness>()
    var onReady: (@MediaLoop () -> Void)?
    var cleanUp: (@MediaLoop () -> Void)?
    var calls = 0

    nonisolated init() {}

    func ready(_ readiness: Readiness, at now: Monotonic) {
        calls += 1
        onReady?()
        reports.send(readiness)
    }
}

private struct Pipe: Sendable {
    let readEnd: Int32
    let writeEnd: Int32

    init() throws {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        (readEnd, writeEnd) = (ends[0], ends[1])
    }

    func write() { _ = Glibc.write(writeEnd, "x", 1) }
    func closeReadEnd() { Glibc.close(readEnd) }
    func closeWriteEnd() { Glibc.close(writeEnd) }
    func close() {
        closeReadEnd()
        closeWriteEnd()
    }
}

func threadName() -> String {
    var name = [CChar](repeating: 0, count: 16)
    let file = fopen("/proc/thread-self/comm", "r")
    defer { fclose(file) }
    fgets(&name, 16, file)
    return String(decoding: name.prefix { $0 != 0 && $0 != 10 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
