import Bytes
import LiveKitProtocol
import PSRPC
import Redis
import Runtime
import TestSupport
import Testing

/// Suites with a server hang below this one, which runs them one after another.
@Suite(.serialized, .timeLimit(.minutes(2))) enum PSRPCServerTests {}

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

    /// All reports so far; nothing can be awaited after this.
    func all() async -> [Value] {
        continuation.finish()
        var values: [Value] = []
        for await value in stream { values.append(value) }
        return values
    }
}

/// One process of the exchange: a bus of its own on the test's server.
struct Peer {
    let bus: PSRPCBus
    var redis: RedisBus { bus.redis }

    init(_ server: RedisServer) async throws {
        try await self.init(RedisSettings(.single(try RedisAddress(server.address))))
    }

    init(_ settings: RedisSettings) async throws {
        bus = await PSRPCBus(try await RedisBus.connect(settings))
    }

    func end() async { await redis.close() }
}

extension Rpc_GetIngressInfoRequest {
    init(key: String) {
        self.init()
        streamKey = key
    }
}

extension Rpc_GetIngressInfoResponse {
    init(id: String) {
        self.init()
        info.ingressID = id
    }
}

/// Virtual time: milliseconds after a start of both clocks.
func at(_ milliseconds: Int64) -> RPCTime {
    RPCTime(
        monotonic: Monotonic(nanoseconds: milliseconds * 1_000_000),
        unixNanoseconds: 1_760_000_000_000_000_000 + milliseconds * 1_000_000)
}

extension RedisBus {
    /// The changes of readiness from now on.
    func readiness() -> Reports<Bool> {
        let reports = Reports<Bool>()
        observeReadiness { reports.send($0) }
        return reports
    }
}
