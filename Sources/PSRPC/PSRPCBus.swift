package import Redis
package import Runtime

/// What clients and servers of a process share: Redis, their names, the clocks and the limits.
@MediaLoop
package final class PSRPCBus {
    package nonisolated let redis: RedisBus
    package nonisolated let clientID: String
    package nonisolated let serverID: String
    package nonisolated let limits: PSRPCLimits
    private let unixNanoseconds: @Sendable () -> Int64

    /// The wall clock decides what has expired: hosts whose clocks differ by more than a call's time-out do not hear
    /// each other.
    package init(
        _ redis: RedisBus, limits: PSRPCLimits = PSRPCLimits(),
        unixNanoseconds: @escaping @Sendable () -> Int64 = { SystemClock.unixNanoseconds() }
    ) {
        self.redis = redis
        self.limits = limits
        self.unixNanoseconds = unixNanoseconds
        clientID = RPCIdentifier.make("CLI_", random: Randomness.bytes(RPCIdentifier.randomBytes))
        serverID = RPCIdentifier.make("SRV_", random: Randomness.bytes(RPCIdentifier.randomBytes))
    }

    var now: RPCTime { RPCTime(monotonic: MediaLoop.now, unixNanoseconds: unixNanoseconds()) }

    func makeRequestID() -> String {
        RPCIdentifier.make("REQ_", random: Randomness.bytes(RPCIdentifier.randomBytes))
    }

    /// Publishes at once when there is a connection, so that payloads leave in the order of calls.
    func publish(_ channel: String, _ payload: [UInt8], onFailure: (@MediaLoop (PSRPCError) -> Void)? = nil) {
        redis.send(.publish(channel, payload)) { result in
            switch result {
            case .success(.error(let text)): onFailure?(PSRPCError(.unavailable, "redis refused to publish: \(text)"))
            case .success: break
            case .failure(let error): onFailure?(PSRPCError(error))
            }
        }
    }
}

extension PSRPCError {
    /// Whatever is wrong with Redis makes the call impossible now, not for ever.
    init(_ error: RedisError) { self.init(.unavailable, "\(error)") }
}
