import Bytes
import Glibc
import Ingress
import Relay
import Runtime
import Testing

extension ProcessesTests { @Suite struct RealChildTests {} }

/// A process that speaks the child's part of the relay: bash connects, says hello with the token from descriptor 3, is ready, and
/// lives until the connection ends.
private let script = """
    exec 5<>/dev/tcp/127.0.0.1/$PORT || exit 90
    { printf '\\x01\\x41\\0\\0\\0\\x20'; tail -c 32 <&3; printf '\\x01\\x42\\0\\0\\0\\0'; } >&5
    exec 3<&-
    exec cat <&5 >/dev/null
    """

@MediaLoop
private func makePool(script: String, _ change: (inout HandlerSettings) -> Void = { _ in }) throws -> HandlerPool {
    var settings = HandlerSettings()
    change(&settings)
    let pool = HandlerPool(
        settings: settings, counters: HandlerCounters(factory: PrometheusRegistry()), log: logger(to: LogLines()),
        spawn: { invitation throws(RuntimeError) in
            try ChildProcess.start(
                ChildProcess.Command(
                    executable: "/bin/bash", arguments: ["bash", "-c", script],
                    environment: ["PATH": "/usr/bin:/bin", "PORT": "\(invitation.port)"],
                    handedBytes: invitation.encoded()))
        })
    try pool.open(port: 0)
    return pool
}

/// No such process, or a stranger's.
private func isGone(_ pid: Int32) -> Bool { kill(pid, 0) == -1 }

extension ProcessesTests.RealChildTests {
    @Test("a killed process is told with its signal within a second", arguments: [SIGKILL, SIGSEGV, SIGABRT])
    func killed(signal: Int32) async throws {
        let pool = try await MediaLoop.run { try makePool(script: script) }
        let handler = try await pool.take()
        let session = Session()
        await MediaLoop.run { handler.delegate = session }
        let start = Monotonic.now
        kill(handler.pid, signal)
        #expect(await session.events.next() == .ended(.crashed(.killed(signal: signal))))
        #expect(Monotonic.now - start < .seconds(1))
        #expect(isGone(handler.pid))
        await pool.stop(code: 0)
    }

    @Test("twenty sessions one after another, and a stop, leave no process and no descriptor behind")
    func noLeak() async throws {
        await MediaLoop.run {}
        let before = ProcessStatistics.current().openDescriptors
        let pool = try await MediaLoop.run { try makePool(script: script) }
        var pids: [Int32] = []
        for _ in 0..<20 {
            let handler = try await pool.take()
            pids.append(handler.pid)
            let session = Session()
            await MediaLoop.run {
                handler.delegate = session
                handler.start(specification: [1])
                handler.kill()
            }
            #expect(await session.events.next() == .ended(.lost("was no longer wanted")))
        }
        await pool.stop(code: 0)
        #expect(Set(pids).count == 20)
        #expect(pids.allSatisfy(isGone))
        // Fewer when sockets of an earlier test were on their way out.
        #expect(ProcessStatistics.current().openDescriptors <= before)
    }

    @Test("a process that ends at once is no child to wait for")
    func endsAtOnce() async throws {
        let pool = try await MediaLoop.run { try makePool(script: "exit 5") }
        await #expect(
            throws: HandlerError.startsFailing(HandlerEnd.crashed(.exited(code: 5)).description)
        ) { _ = try await pool.take() }
        await pool.stop(code: 0)
    }

    @Test("a process that says nothing is killed")
    func saysNothing() async throws {
        let pool = try await MediaLoop.run {
            try makePool(script: "exec sleep 600") {
                $0.startTimeout = .milliseconds(50)
                $0.keepsSpare = false
            }
        }
        await #expect(throws: HandlerError.self) { _ = try await pool.take() }
        await pool.stop(code: 0)
        #expect(await pool.childCount == 0)
    }
}
