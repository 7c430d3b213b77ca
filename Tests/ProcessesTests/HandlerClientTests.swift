import Bytes
import Ingress
import Media
import Relay
import Runtime
import Testing

extension ProcessesTests { @Suite struct HandlerClientTests {} }

/// A main process that takes what comes and says what the test wants.
@MediaLoop
private final class Main: TCPListenerHandler, TCPStreamHandler {
    nonisolated let totals = Events<[UInt8]>()
    private(set) var listener: TCPListener?
    private(set) var stream: TCPStream?
    private var received: [UInt8] = []

    init() throws { listener = try TCPListener(on: TransportAddress(ip: .v4(0x7F00_0001), port: 0), handler: self) }

    var port: UInt16 { listener?.address.port ?? 1 }

    func listener(_ listener: TCPListener, accepted stream: TCPStream, at now: Monotonic) {
        self.stream = stream
        try? stream.start(handler: self)
    }
    func listener(
        _ listener: TCPListener, exhausted errno: Errno, restingFor pause: Interval, at now: Monotonic
    ) {}
    func stream(_ stream: TCPStream, received bytes: RawSpan, at now: Monotonic) {
        received += bytes.copied()
        totals.send(received)
    }
    func streamEnded(_ stream: TCPStream, at now: Monotonic) { stream.close() }
    func stream(_ stream: TCPStream, failed error: RuntimeError, at now: Monotonic) {}

    func say(_ bytes: [UInt8]) { _ = stream?.write(bytes.rawSpan) }
    func close() {
        stream?.close()
        listener?.close()
    }

    nonisolated func wait(for bytes: [UInt8]) async {
        while await totals.next() != bytes {}
    }
}

private let token = RelayToken([UInt8](repeating: 7, count: RelayToken.byteCount))

@MediaLoop
private func child(of main: Main) -> FakeChild {
    FakeChild(RelayInvitation(parent: ParentProcess.ownPID, port: main.port, token: token), pid: 1)
}

extension ProcessesTests.HandlerClientTests {
    @Test("the hello is the first that is said, even when reports follow at once")
    func hello() async throws {
        let main = try await MediaLoop.run { try Main() }
        let child = await child(of: main)
        await MediaLoop.run {
            child.connect()
            child.client?.ready()
            child.client?.report(kind: 2, [3])
        }
        await main.wait(for: bytes(of: .hello(token), .ready, .report(kind: 2, [3])))
        await main.close()
        #expect(await child.losses.next() == HandlerClient.ExitCode.closed)
    }

    @Test("what is no message ends the child with a code that says so, after what came before it")
    func garbage() async throws {
        let main = try await MediaLoop.run { try Main() }
        let child = await child(of: main)
        await child.connect()
        await main.wait(for: bytes(of: .hello(token)))
        await main.say([1, 8, 0, 0, 0, 1, 5] + [1, 66, 0, 0, 0, 0])
        guard case .setLogLevel(5) = await child.commands.next() else {
            Issue.record("no level")
            return
        }
        #expect(await child.losses.next() == HandlerClient.ExitCode.failed)
        await MediaLoop.run {
            // There is nobody any more.
            child.client?.ready()
            main.close()
        }
    }

    @Test("without a main process the child ends")
    func nobody() async throws {
        let main = try await MediaLoop.run { try Main() }
        let child = await child(of: main)
        await MediaLoop.run {
            main.close()
            child.connect()
        }
        #expect(await child.losses.next() == HandlerClient.ExitCode.failed)
    }

    @Test("figures are left out while earlier ones wait; a main process that reads nothing at all ends the child")
    func congestion() async throws {
        let main = try await MediaLoop.run { try Main() }
        let child = await child(of: main)
        await child.connect()
        await main.wait(for: bytes(of: .hello(token)))
        await MediaLoop.run {
            main.stream?.pauseReading()
            guard let client = child.client else { return }
            // Many times what fits: only left out, never refused.
            for _ in 0..<1_000 { client.statistics([UInt8](repeating: 0, count: 100_000)) }
            #expect(!child.hasExited)
            for _ in 0..<100 { client.report(kind: 0, [UInt8](repeating: 0, count: 100_000)) }
        }
        #expect(await child.losses.next() == HandlerClient.ExitCode.failed)
        await main.close()
    }

    @Test("a process that was not started as a child says so")
    func notInvited() async {
        // The test's own descriptor 3 is no pipe with an invitation.
        await #expect(throws: HandlerClientError.self) {
            try await MediaLoop.run {
                let delegate = FakeChild(RelayInvitation(parent: 1, port: 1, token: token), pid: 1)
                _ = try HandlerClient.answerInvitation(slabPool: SlabPool(), delegate: delegate)
            }
        }
    }
}
