package import Bytes
import LiveKitProtocol
import Redis
package import Runtime
package import SwiftProtobuf

/// Calls the methods of one service. Its channels are subscribed with the first call, or by `start()`, and stay so until
/// `close()`.
///
/// When the connection to Redis is lost, calls under way fail with `unavailable` at once, because their answers may have
/// been lost too.
@MediaLoop
package final class RPCClient {
    package nonisolated let service: String
    private let bus: PSRPCBus
    private var table: RPCClientTable
    private var waiters: [String: CheckedContinuation<RPCClientCall.Outcome, Never>] = [:]
    private var subscriptions: [RedisSubscription] = []
    private var starting: Task<Result<Void, PSRPCError>, Never>?
    private var isClosed = false
    private let timer = LoopTimer()

    package init(bus: PSRPCBus, service: String) {
        self.bus = bus
        self.service = service
        table = RPCClientTable(clientID: bus.clientID, limits: bus.limits)
        bus.redis.observeReadiness { [weak self] isReady in
            guard !isReady else { return }
            self?.table.failAll(.connectionLost)
            self?.settle()
        }
    }

    /// Subscribes the channels of answers, so that the first call need not wait for them.
    package func start() async throws(PSRPCError) {
        guard !isClosed else { throw .canceled }
        let task = starting ?? Task { await self.subscribe() }
        starting = task
        let result = await task.value
        if case .failure = result, starting == task { starting = nil }
        try result.get()
    }

    private func subscribe() async -> Result<Void, PSRPCError> {
        for channel in [
            ChannelName.response(service, client: bus.clientID), ChannelName.claim(service, client: bus.clientID),
        ] where !subscriptions.contains(where: { $0.channel == channel }) {
            do throws(RedisError) {
                subscriptions.append(
                    try await bus.redis.subscribe(channel, within: bus.redis.settings.timing.commandWait) {
                        [weak self] message in
                        self?.table.receive(message.payload, at: MediaLoop.now)
                        self?.settle()
                    })
            } catch {
                return .failure(PSRPCError(error))
            }
        }
        return .success(())
    }

    /// The answer of the one server that handles the request.
    package func call<Request: Message, Response: Message>(
        _ method: RPCMethod<Request, Response>, topic: [String] = [], _ request: Request,
        timeout: Interval = .seconds(3)
    ) async throws(PSRPCError) -> Response {
        precondition(!method.traits.isMulti, "a multi method has many answers: gather them")
        switch try await outcome(method.traits, topic, request, timeout) {
        case .answered(let body): return try Self.decode(body)
        case .failed(let error): throw error
        case .gathered: throw PSRPCError(.internal, "a call for one answer gathered many")
        }
    }

    /// The answers of all servers, after the whole of `timeout`; none is no error.
    package func gather<Request: Message, Response: Message>(
        _ method: RPCMethod<Request, Response>, topic: [String] = [], _ request: Request,
        timeout: Interval = .seconds(3)
    ) async throws(PSRPCError) -> [Result<Response, PSRPCError>] {
        precondition(method.traits.isMulti, "only a multi method has many answers")
        switch try await outcome(method.traits, topic, request, timeout) {
        case .gathered(let answers):
            return answers.map { answer in
                answer.flatMap { body in
                    Result { () throws(PSRPCError) in try Self.decode(body) }
                }
            }
        case .failed(let error): throw error
        case .answered: throw PSRPCError(.internal, "a call for many answers got one")
        }
    }

    private static func decode<Response: Message>(_ body: [UInt8]) throws(PSRPCError) -> Response {
        do throws(LiveKitProtocolError) {
            return try Response(parsing: body)
        } catch {
            throw PSRPCError(.malformedResult, "the answer is not a \(Response.protoMessageName)")
        }
    }

    private func outcome(
        _ traits: RPCMethodTraits, _ topic: [String], _ request: some Message, _ timeout: Interval
    ) async throws(PSRPCError) -> RPCClientCall.Outcome {
        precondition(traits.service == service, "the method belongs to another service")
        let deadline = MediaLoop.now + timeout
        do throws(RedisError) {
            try await bus.redis.waitUntilReady(within: min(timeout, bus.redis.settings.timing.commandWait))
        } catch {
            throw PSRPCError(error)
        }
        try await start()
        guard !Task.isCancelled else { throw .canceled }
        guard MediaLoop.now < deadline else { throw .timedOut }
        let requestID = bus.makeRequestID()
        try table.begin(
            traits, topic: topic, requestID: requestID, body: request.wireBytes(), timeout: deadline - MediaLoop.now,
            at: bus.now)
        return await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                waiters[requestID] = waiter
                settle()
            }
        } onCancel: {
            Task { @MediaLoop in
                self.table.cancel(requestID)
                self.settle()
            }
        }
    }

    private func settle() {
        while let transmit = table.pollTransmit() {
            bus.publish(transmit.channel, transmit.payload) { [weak self] error in
                self?.table.fail(transmit.requestID, error)
                self?.settle()
            }
        }
        while let event = table.pollEvent() {
            waiters.removeValue(forKey: event.requestID)?.resume(returning: event.outcome)
        }
        timer.schedule(at: table.nextDeadline, calling: self)
    }

    /// Calls under way are cancelled.
    package func close() async {
        isClosed = true
        table.failAll(.canceled)
        settle()
        _ = await starting?.value
        let subscriptions = subscriptions
        self.subscriptions = []
        for subscription in subscriptions { await bus.redis.unsubscribe(subscription) }
    }
}

extension RPCClient: Runtime.TimerHandler {
    package func timerFired(_ timer: LoopTimer, at now: Monotonic) {
        table.advance(to: now)
        settle()
    }
}
