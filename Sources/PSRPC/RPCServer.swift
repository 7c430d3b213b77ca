package import Bytes
import LiveKitProtocol
import Redis
package import Runtime
package import SwiftProtobuf

/// Serves methods: claims requests, runs handlers, one task each, and answers. What is registered keeps the server alive
/// until it is unregistered or the bus is closed.
@MediaLoop
package final class RPCServer {
    /// One registered method and topic.
    package final class Registration: Sendable {
        let id: RPCServerTable.RegistrationID
        let channels: [String]

        init(_ id: RPCServerTable.RegistrationID, _ channels: [String]) {
            self.id = id
            self.channels = channels
        }
    }

    /// One subscription for all registrations that hear a channel, so that the table sees each message once.
    private struct Channel {
        var users: Int
        let subscription: Task<Result<RedisSubscription, RedisError>, Never>
    }

    private static let lockSeconds = 5

    private let bus: PSRPCBus
    private var table: RPCServerTable
    private var methods: [RPCServerTable.RegistrationID: any ServedMethod] = [:]
    /// Decoded requests that wait for their grant.
    private var prepared: [RPCServerTable.Token: any PreparedRequest] = [:]
    private var draining: [RPCServerTable.RegistrationID: CheckedContinuation<Void, Never>] = [:]
    private var channels: [String: Channel] = [:]
    private let timer = LoopTimer()

    package init(bus: PSRPCBus) {
        self.bus = bus
        table = RPCServerTable(serverID: bus.serverID, limits: bus.limits)
    }

    /// Requests under way.
    package var requestCount: Int { table.requestCount }
    package var registrationCount: Int { table.registrationCount }

    /// Serves a method, on a topic where it has one; returns when Redis has confirmed the channels, so that it may be
    /// announced. `affinity` says how well this server suits: above 0 to be chosen, below 0 to leave it to others.
    /// A handler that takes longer than its deadline answers nobody.
    package func register<Request: Message, Response: Message>(
        _ method: RPCMethod<Request, Response>, topic: [String] = [], affinity: (@MediaLoop (Request) -> Float)? = nil,
        handler: @escaping @MediaLoop (Request, RPCDeadline) async throws(PSRPCError) -> Response
    ) async throws(PSRPCError) -> Registration {
        let id = try table.register(method.traits, topic: topic)
        methods[id] = TypedMethod(affinity: affinity, handler: handler)
        // Grants first: a request that comes at once is claimed at once.
        let names =
            (method.traits.requiresClaim ? [method.traits.grantChannel(topic)] : [])
            + [method.traits.requestChannel(topic)]
        let registration = Registration(id, names)
        for (index, name) in names.enumerated() {
            do throws(RedisError) {
                try await subscribe(name)
            } catch {
                table.unregister(id)
                settle()
                methods[id] = nil
                for name in names.prefix(index) { await unsubscribe(name) }
                throw PSRPCError(error)
            }
        }
        return registration
    }

    /// Takes no more requests and returns when those under way are answered. Twice is harmless.
    package func unregister(_ registration: Registration) async {
        guard methods[registration.id] != nil, draining[registration.id] == nil else { return }
        let names = registration.channels
        table.unregister(registration.id)
        if let name = names.last { await unsubscribe(name) }
        if methods[registration.id] != nil {
            await withCheckedContinuation { waiter in
                draining[registration.id] = waiter
                settle()
            }
        }
        for name in names.dropLast() { await unsubscribe(name) }
    }

    // MARK: Channels

    private func subscribe(_ name: String) async throws(RedisError) {
        if channels[name] == nil {
            let timeout = bus.redis.settings.timing.reply
            channels[name] = Channel(
                users: 0,
                subscription: Task { [bus] in
                    do throws(RedisError) {
                        return .success(
                            try await bus.redis.subscribe(name, within: timeout) { self.receive($0) })
                    } catch {
                        return .failure(error)
                    }
                })
        }
        channels[name]?.users += 1
        guard let subscription = channels[name]?.subscription else { return }
        if case .failure(let error) = await subscription.value {
            if channels[name]?.subscription == subscription { channels[name] = nil }
            throw error
        }
    }

    private func unsubscribe(_ name: String) async {
        guard let channel = channels[name] else { return }
        channels[name]?.users -= 1
        guard channel.users == 1 else { return }
        channels[name] = nil
        if case .success(let subscription) = await channel.subscription.value {
            await bus.redis.unsubscribe(subscription)
        }
    }

    // MARK: Driving

    private func receive(_ message: RedisMessage) {
        table.receive(message.payload, on: message.channel, at: bus.now)
        settle()
    }

    private func settle() {
        while true {
            if let transmit = table.pollTransmit() {
                bus.publish(transmit.channel, transmit.payload)
            } else if let event = table.pollEvent() {
                handle(event)
            } else {
                break
            }
        }
        timer.schedule(at: table.nextDeadline, calling: self)
    }

    private func handle(_ event: RPCServerTable.Event) {
        switch event {
        case .lock(let token, let key):
            bus.redis.send(.setIfAbsent(key, "1", seconds: Self.lockSeconds)) { [weak self] result in
                self?.table.lockDecided(token, isOurs: result == .success(.status("OK")))
                self?.settle()
            }
        case .assess(let token, let id, let body): assess(token, id, body)
        case .run(let token, let deadline):
            guard let request = prepared.removeValue(forKey: token) else { return }
            Task {
                let result = await request.run(until: deadline)
                table.finished(token, result, at: bus.now)
                settle()
            }
        case .dropped(let token): prepared[token] = nil
        case .drained(let id):
            methods[id] = nil
            draining.removeValue(forKey: id)?.resume()
        }
    }

    private func assess(_ token: RPCServerTable.Token, _ id: RPCServerTable.RegistrationID, _ body: [UInt8]) {
        guard let method = methods[id] else { return }
        do throws(LiveKitProtocolError) {
            let request = try method.prepare(body)
            prepared[token] = request
            table.assessed(token, .affinity(request.affinity), at: bus.now)
        } catch {
            table.assessed(token, .malformed("the request cannot be decoded"), at: bus.now)
        }
    }
}

extension RPCServer: Runtime.TimerHandler {
    package func timerFired(_ timer: LoopTimer, at now: Monotonic) {
        table.advance(to: now)
        settle()
    }
}
