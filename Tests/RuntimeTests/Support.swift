import Bytes
import Glibc
import Runtime
import Testing

/// All suites of this module hang below this one, which runs them one after another: they share the loop and count
/// descriptors.
@Suite(.serialized, .timeLimit(.minutes(2))) enum RuntimeTests {}

/// What handlers report, awaited by a test in order.
final class Reports<Value: Sendable>: Sendable {
    private let stream: AsyncStream<Value>
    private let continuation: AsyncStream<Value>.Continuation

    init() { (stream, continuation) = AsyncStream.makeStream() }

    func send(_ value: Value) { continuation.yield(value) }

    /// The next report; one caller at a time.
    func next() async -> Value {
        for await value in stream { return value }
        preconditionFailure("reports end with the test only")
    }

    func next(_ count: Int) async -> [Value] {
        var values: [Value] = []
        while values.count < count { values.append(await next()) }
        return values
    }
}

let loopback = TransportAddress(ip: .v4(0x7F00_0001), port: 0)

/// A prime number of bytes, so that no power of two repeats them.
private let row = (0..<1021).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }

/// `count` bytes that differ from place to place, and from `salt` to `salt`.
func pattern(_ count: Int, salt: Int = 0) -> [UInt8] {
    let turned = row[(salt % row.count)...] + row[..<(salt % row.count)]
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count + row.count)
    while bytes.count < count { bytes += turned }
    bytes.removeLast(bytes.count - count)
    return bytes
}

/// Compares without the search for the differences, which takes for ever on a megabyte.
func expectSame(_ bytes: [UInt8], _ expected: [UInt8], sourceLocation: SourceLocation = #_sourceLocation) {
    let isSame = bytes == expected
    #expect(isSame, "\(bytes.count) bytes against \(expected.count)", sourceLocation: sourceLocation)
}

/// Sockets that this process has open.
func openSockets() -> Int {
    guard let directory = opendir("/proc/self/fd") else { return 0 }
    defer { closedir(directory) }
    var count = 0
    while let entry = readdir(directory) {
        let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        var target = [CChar](repeating: 0, count: 64)
        let length = readlink("/proc/self/fd/" + name, &target, target.count)
        if length > 7, String(decoding: target.prefix(7).map { UInt8(bitPattern: $0) }, as: UTF8.self) == "socket:" {
            count += 1
        }
    }
    return count
}

/// What happened to a stream.
enum StreamEvent: Equatable, Sendable {
    case connected, ended, writable
    case failed(RuntimeError)
}

/// A stream's handler that keeps all bytes and reports events; `onBytes` may act on the stream.
@MediaLoop
final class StreamProbe: TCPStreamHandler {
    nonisolated let events = Reports<StreamEvent>()
    /// Total received so far, reported after each read.
    nonisolated let totals = Reports<Int>()
    var received: [UInt8] = []
    var onBytes: (@MediaLoop (TCPStream, RawSpan) -> Void)?

    nonisolated init() {}

    func streamConnected(_ stream: TCPStream, at now: Monotonic) { events.send(.connected) }
    func stream(_ stream: TCPStream, received bytes: RawSpan, at now: Monotonic) {
        received += bytes.copied()
        onBytes?(stream, bytes)
        totals.send(received.count)
    }
    func streamEnded(_ stream: TCPStream, at now: Monotonic) { events.send(.ended) }
    func streamWritable(_ stream: TCPStream, at now: Monotonic) { events.send(.writable) }
    func stream(_ stream: TCPStream, failed error: RuntimeError, at now: Monotonic) { events.send(.failed(error)) }

    /// Returns when `count` bytes have come.
    nonisolated func wait(forBytes count: Int) async {
        while await totals.next() < count {}
    }
}

/// A listener whose streams are started with handlers that `makeHandler` gives.
@MediaLoop
final class ListenerProbe: TCPListenerHandler {
    nonisolated let accepted = Reports<TransportAddress>()
    nonisolated let exhausted = Reports<Errno>()
    var streams: [TCPStream] = []
    private let makeHandler: @MediaLoop () -> (any TCPStreamHandler)?
    private(set) var listener: TCPListener?

    init(
        options: TCPListener.Options = TCPListener.Options(), on address: TransportAddress = loopback,
        makeHandler: @escaping @MediaLoop () -> (any TCPStreamHandler)?
    ) throws {
        self.makeHandler = makeHandler
        listener = try TCPListener(on: address, options: options, handler: self)
    }

    var address: TransportAddress { listener?.address ?? loopback }

    func listener(_ listener: TCPListener, accepted stream: TCPStream, at now: Monotonic) {
        accepted.send(stream.peerAddress)
        guard let handler = makeHandler() else { return }
        streams.append(stream)
        try? stream.start(handler: handler)
    }

    func listener(_ listener: TCPListener, exhausted errno: Errno, restingFor pause: Interval, at now: Monotonic) {
        exhausted.send(errno)
    }

    func close() {
        listener?.close()
        for stream in streams { stream.close() }
        streams = []
    }
}

// `#expect` cannot take spans.
extension TCPStream {
    func put(_ bytes: [UInt8]) -> Bool { write(bytes.rawSpan) }
}

extension UDPSocket {
    func put(_ bytes: [UInt8], to address: TransportAddress) -> Bool { send(bytes.rawSpan, to: address) }
}

/// Sees whether an object of the loop still lives.
@MediaLoop
final class Watch<Object: AnyObject> {
    weak var object: Object?
    var isAlive: Bool { object != nil }

    nonisolated init() {}
}
