import Bytes
import CoreMetrics
import Ingress
import Logging
import Media
import Relay
import Runtime
import Synchronization
import Testing

/// All suites with sockets hang below this one, which runs them one after another: they share the loop.
@Suite(.serialized, .timeLimit(.minutes(2))) enum ProcessesTests {}

/// What happens, awaited by a test in order.
final class Events<Value: Sendable>: Sendable {
    private let stream: AsyncStream<Value>
    private let continuation: AsyncStream<Value>.Continuation

    init() { (stream, continuation) = AsyncStream.makeStream() }

    func send(_ value: Value) { continuation.yield(value) }

    func next() async -> Value {
        for await value in stream { return value }
        preconditionFailure("events end with the test only")
    }
}

/// Keeps what is logged.
final class LogLines: Sendable {
    private let lines = Mutex<[String]>([])

    func add(_ line: String) { lines.withLock { $0.append(line) } }
    func count(of level: Logger.Level) -> Int { lines.withLock { $0.count { $0.hasPrefix("\(level) ") } } }
}

private struct LineHandler: LogHandler {
    let lines: LogLines
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }
    func log(event: LogEvent) { lines.add("\(event.level) \(event.message)") }
}

func logger(to lines: LogLines) -> Logger { Logger(label: "test") { _ in LineHandler(lines: lines) } }

/// Says yes a number of times.
final class Counter: Sendable {
    private let left: Mutex<Int>

    init(_ count: Int) { left = Mutex(count) }

    func takeOne() -> Bool {
        left.withLock { left in
            left -= 1
            return left >= 0
        }
    }
}

extension HandlerPool {
    /// For the end of a test: sessions are not asked.
    func stopAtOnce() async {
        killAll()
        await stop(code: 0)
    }
}

/// A child that lives in this process: the client's end of the relay, and a process that is none.
@MediaLoop
final class FakeChild: HandlerProcess, HandlerClientDelegate {
    let pid: Int32
    let invitation: RelayInvitation
    var onExit: (@MediaLoop (ChildExit, Monotonic) -> Void)?
    /// SIGKILL does its work.
    var diesWhenKilled = true
    /// The end of the connection ends it.
    var leavesWhenLost = true
    private(set) var isKilled = false
    private(set) var hasExited = false
    private(set) var client: HandlerClient?
    nonisolated let commands = Events<RelayCommand>()
    nonisolated let kills = Events<Void>()
    nonisolated let losses = Events<Int32>()

    init(_ invitation: RelayInvitation, pid: Int32) {
        self.invitation = invitation
        self.pid = pid
    }

    func connect() {
        client = try? HandlerClient(invitation, slabPool: SlabPool(), delegate: self) { [weak self] code in
            guard let self else { return }
            losses.send(code)
            if leavesWhenLost { exit(.exited(code: code)) }
        }
    }

    /// The process ends; its end is noticed in a later turn, as it is on a real loop.
    func exit(_ exit: ChildExit, closing: Bool = true) {
        guard !hasExited else { return }
        hasExited = true
        if closing { client?.close() }
        Task { @MediaLoop in onExit.take()?(exit, MediaLoop.now) }
    }

    func kill() {
        isKilled = true
        kills.send(())
        if diesWhenKilled { exit(.killed(signal: 9)) }
    }

    func handlerClient(_ client: HandlerClient, received command: RelayCommand, at now: Monotonic) {
        commands.send(command)
    }
}

/// A session in the main process.
@MediaLoop
final class Session: HandlerDelegate {
    enum Event: Equatable, Sendable {
        case started, keyFrameWanted
        case report(UInt8, [UInt8])
        case statistics([UInt8])
        case refused(String)
        case ended(HandlerEnd)
    }

    nonisolated let events = Events<Event>()
    private(set) var ends = 0

    nonisolated init() {}

    func handlerStarted(_ handler: Handler, at now: Monotonic) { events.send(.started) }
    func handler(_ handler: Handler, reported kind: UInt8, _ bytes: [UInt8], at now: Monotonic) {
        events.send(.report(kind, bytes))
    }
    func handler(_ handler: Handler, statistics bytes: [UInt8], at now: Monotonic) { events.send(.statistics(bytes)) }
    func handlerWantsKeyFrame(_ handler: Handler, at now: Monotonic) { events.send(.keyFrameWanted) }
    func handler(_ handler: Handler, refusedSource text: String, at now: Monotonic) { events.send(.refused(text)) }
    func handler(_ handler: Handler, ended end: HandlerEnd, at now: Monotonic) {
        ends += 1
        events.send(.ended(end))
    }
}

/// A pool whose children live in this process.
@MediaLoop
final class World {
    let pool: HandlerPool
    nonisolated let started = Events<FakeChild>()
    nonisolated let log = LogLines()
    nonisolated let registry = PrometheusRegistry()

    /// - Parameter begin: what each new child does in its first turn; by default the child connects and is ready.
    init(
        _ change: (inout HandlerSettings) -> Void = { _ in },
        begin: @escaping @MediaLoop (FakeChild) -> Void = { child in
            child.connect()
            child.client?.ready()
        }
    ) throws {
        var settings = HandlerSettings()
        change(&settings)
        let log = log, started = started
        let children = Children(begin: begin, started: started)
        pool = HandlerPool(
            settings: settings, counters: HandlerCounters(factory: registry),
            log: logger(to: log), spawn: { children.spawn($0) })
        try pool.open(port: 0)
    }

    /// The value of a series, by its name and labels as `/metrics` shows them.
    func metric(_ name: String) -> Int? {
        registry.exposition().split(separator: "\n").first { $0.hasPrefix(name + " ") }
            .flatMap { Double($0.dropFirst(name.count + 1)) }.map { Int($0) }
    }

    /// Returns when the pool's children are `count`; each turn of the loop looks again.
    nonisolated func wait(forChildren count: Int) async {
        while await pool.childCount != count { await Task.yield() }
    }

    nonisolated func waitForSpare() async {
        while await !pool.hasSpare { await Task.yield() }
    }
}

@MediaLoop
private final class Children {
    private let begin: @MediaLoop (FakeChild) -> Void
    private let started: Events<FakeChild>
    private var count: Int32 = 0

    init(begin: @escaping @MediaLoop (FakeChild) -> Void, started: Events<FakeChild>) {
        self.begin = begin
        self.started = started
    }

    func spawn(_ invitation: RelayInvitation) -> FakeChild {
        count += 1
        let child = FakeChild(invitation, pid: count)
        Task { @MediaLoop in
            begin(child)
            started.send(child)
        }
        return child
    }
}

/// A connection to the relay's port that says what the test wants.
@MediaLoop
final class Stranger: TCPStreamHandler {
    enum Event: Sendable { case connected, ended, failed }
    nonisolated let events = Events<Event>()
    private(set) var stream: TCPStream?
    private(set) var receivedBytes = 0
    nonisolated let totals = Events<Int>()

    init(port: UInt16, saying bytes: [UInt8] = []) throws {
        var options = TCPStream.Options()
        options.kernelReceiveBytes = 64 * 1024
        stream = try TCPStream.connect(
            to: TransportAddress(ip: .v4(0x7F00_0001), port: port), options: options, handler: self)
        say(bytes)
    }

    func say(_ bytes: [UInt8]) { _ = stream?.write(bytes.rawSpan) }
    func close() { stream?.close() }
    func pause() { stream?.pauseReading() }
    func resume() { stream?.resumeReading() }

    func streamConnected(_ stream: TCPStream, at now: Monotonic) { events.send(.connected) }
    func stream(_ stream: TCPStream, received bytes: RawSpan, at now: Monotonic) {
        receivedBytes += bytes.byteCount
        totals.send(receivedBytes)
    }
    func streamEnded(_ stream: TCPStream, at now: Monotonic) {
        stream.close()
        events.send(.ended)
    }
    func stream(_ stream: TCPStream, failed error: RuntimeError, at now: Monotonic) { events.send(.failed) }
}

/// The bytes of reports, for children that are made by hand.
func bytes(of reports: RelayReport...) -> [UInt8] {
    reports.flatMap { report -> [UInt8] in
        guard let count = try? report.encodedByteCount() else { return [] }
        return [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            var output = OutputRawSpan(buffer: UnsafeMutableRawBufferPointer(buffer), initializedCount: 0)
            report.write(into: &output)
            filled = output.finalize(for: UnsafeMutableRawBufferPointer(buffer))
        }
    }
}

func frame(_ count: Int, isKey: Bool = false, salt: UInt8 = 0) -> EncodedFrame {
    EncodedFrame(
        codec: .video(.h264), pts: 2_000, dts: 1_000, isKey: isKey,
        payload: SlabSlice(copying: [UInt8](repeating: salt, count: count)))
}
