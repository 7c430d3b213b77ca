import Bytes
import Redis
import Runtime
import TestSupport
import Testing

/// Suites with a server hang below this one, which runs them one after another.
@Suite(.serialized, .timeLimit(.minutes(2))) enum RedisServerTests {}

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
}

extension RedisSettings {
    /// Settings of a server of the test.
    init(_ server: RedisServer) throws { self.init(.single(try RedisAddress(server.address))) }
}

extension RedisBus {
    /// The changes of readiness from now on.
    func readiness() -> Reports<Bool> {
        let reports = Reports<Bool>()
        observeReadiness { reports.send($0) }
        return reports
    }
}

func at(_ milliseconds: Int64) -> Monotonic { Monotonic(nanoseconds: milliseconds * 1_000_000) }

func text(_ string: String) -> [UInt8] { Array(string.utf8) }
