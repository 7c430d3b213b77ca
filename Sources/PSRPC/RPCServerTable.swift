package import Bytes
import DTLS
import LiveKitProtocol

/// The methods that one server has registered and the requests that are under way, without the sockets.
///
/// A request goes through: lock (queued methods), assessment by the method, claim and grant (methods that need one), the
/// handler, the response. What fails before the handler runs ends without a word, but for a malformed request.
///
/// Verbs: `register`, `unregister`, `receive(_:on:at:)`, `lockDecided`, `assessed`, `finished`, `advance(to:)`,
/// `nextDeadline`, `pollTransmit()`, `pollEvent()`.
package struct RPCServerTable: Sendable {
    package typealias RegistrationID = UInt64
    package typealias Token = UInt64

    package enum Event: Equatable, Sendable {
        /// Take the lock of this name for 5 seconds, then call `lockDecided`.
        case lock(Token, key: String)
        /// Decode the request and ask the method how well this server suits, then call `assessed`.
        case assess(Token, RegistrationID, [UInt8])
        /// Run the handler, then call `finished`.
        case run(Token, RPCDeadline)
        /// An assessed request will not run.
        case dropped(Token)
        /// An unregistered method has no request left.
        case drained(RegistrationID)
    }

    package enum Assessment: Equatable, Sendable {
        /// Below 0, or not a number: somebody else may take it.
        case affinity(Float)
        case malformed(String)
    }

    package struct Transmit: Equatable, Sendable {
        package let channel: String
        package let payload: [UInt8]

        package init(channel: String, payload: [UInt8]) {
            self.channel = channel
            self.payload = payload
        }
    }

    private struct Registration {
        let traits: RPCMethodTraits
        let requestChannel: String
        let grantChannel: String
        var isDraining = false
        var requests = 0
    }

    private enum Step {
        case locking, assessing, claimed, running
    }

    private struct Request {
        let registration: RegistrationID
        let id: String
        let client: String
        var body: [UInt8]
        let deadline: RPCDeadline
        var step: Step
    }

    private let serverID: String
    private let limits: PSRPCLimits
    private var registrations: [RegistrationID: Registration] = [:]
    /// Who hears a request channel, and who is next when only one may.
    private var listeners: [String: (members: [RegistrationID], next: Int)] = [:]
    private var requests: [Token: Request] = [:]
    /// Requests that wait for a grant, by their identifiers.
    private var claimed: [String: [Token]] = [:]
    private var lastNumber: UInt64 = 0
    private var transmits: [Transmit] = []
    private var events: [Event] = []

    package init(serverID: String, limits: PSRPCLimits = PSRPCLimits()) {
        self.serverID = serverID
        self.limits = limits
    }

    package var requestCount: Int { requests.count }
    package var registrationCount: Int { registrations.count }

    // MARK: Registrations

    /// The method counts from here on; subscribe its channels.
    package mutating func register(
        _ traits: RPCMethodTraits, topic: [String]
    ) throws(PSRPCError) -> RegistrationID {
        guard registrations.count < limits.registrations else {
            throw PSRPCError(.resourceExhausted, "too many methods are registered")
        }
        lastNumber += 1
        let registration = Registration(
            traits: traits, requestChannel: traits.requestChannel(topic), grantChannel: traits.grantChannel(topic))
        registrations[lastNumber] = registration
        listeners[registration.requestChannel, default: ([], 0)].members.append(lastNumber)
        return lastNumber
    }

    /// Takes no more requests; `drained` comes when those under way are over.
    package mutating func unregister(_ id: RegistrationID) {
        guard let registration = registrations[id], !registration.isDraining else { return }
        registrations[id]?.isDraining = true
        listeners[registration.requestChannel]?.members.removeAll { $0 == id }
        if listeners[registration.requestChannel]?.members.isEmpty ?? false {
            listeners[registration.requestChannel] = nil
        }
        endDraining(id)
    }

    private mutating func endDraining(_ id: RegistrationID) {
        guard let registration = registrations[id], registration.isDraining, registration.requests == 0 else { return }
        registrations[id] = nil
        events.append(.drained(id))
    }

    // MARK: In

    /// Takes what came on a request or grant channel. Anything that does not belong there is dropped.
    package mutating func receive(_ payload: [UInt8], on channel: String, at now: RPCTime) {
        switch Envelope(parsing: payload, limits: limits) {
        case .request(let request):
            guard
                let deadline = RPCDeadline(
                    expiry: request.expiry, at: now, longest: .seconds(limits.longestRequestSeconds))
            else { return }
            for id in takers(of: channel) { begin(request, deadline, for: id, payload) }
        case .claimResponse(let grant): receiveGrant(grant, on: channel)
        case .response, .claimRequest, nil: break
        }
    }

    /// One after another for queued methods, all for others.
    private mutating func takers(of channel: String) -> [RegistrationID] {
        guard let (members, next) = listeners[channel], let first = members.first else { return [] }
        guard registrations[first]?.traits.isQueued ?? false else { return members }
        listeners[channel]?.next = (next + 1) % members.count
        return [members[next % members.count]]
    }

    private mutating func begin(
        _ message: Internal_Request, _ deadline: RPCDeadline, for id: RegistrationID, _ payload: [UInt8]
    ) {
        guard requests.count < limits.requests, let traits = registrations[id]?.traits else { return }
        lastNumber += 1
        let token = lastNumber
        requests[token] = Request(
            registration: id, id: message.requestID, client: message.clientID, body: message.body, deadline: deadline,
            step: traits.isQueued ? .locking : .assessing)
        registrations[id]?.requests += 1
        if traits.isQueued {
            // Over the bytes as they came: all members of the queue must come to the same name.
            events.append(.lock(token, key: String(base64: Digest.sha256(payload))))
        } else {
            events.append(.assess(token, id, message.body))
        }
    }

    package mutating func lockDecided(_ token: Token, isOurs: Bool) {
        guard let request = requests[token], request.step == .locking else { return }
        guard isOurs else { return forget(token) }
        requests[token]?.step = .assessing
        events.append(.assess(token, request.registration, request.body))
    }

    package mutating func assessed(_ token: Token, _ assessment: Assessment, at now: RPCTime) {
        guard let request = requests[token], request.step == .assessing,
            let traits = registrations[request.registration]?.traits
        else { return }
        requests[token]?.body = []
        switch assessment {
        case .malformed(let text):
            respond(to: request, .failure(PSRPCError(.malformedRequest, text)), at: now)
            forget(token)
        case .affinity where !traits.requiresClaim: run(token, request)
        case .affinity(let affinity) where affinity >= 0: claim(token, request, affinity)
        case .affinity: drop(token)
        }
    }

    private mutating func claim(_ token: Token, _ request: Request, _ affinity: Float) {
        guard let service = registrations[request.registration]?.traits.service else { return }
        requests[token]?.step = .claimed
        claimed[request.id, default: []].append(token)
        let claim = Internal_ClaimRequest(for: request.id, server: serverID, affinity: affinity)
        transmits.append(
            Transmit(
                channel: ChannelName.claim(service, client: request.client),
                payload: Envelope.claimRequest(claim).wireBytes()))
    }

    private mutating func receiveGrant(_ grant: Internal_ClaimResponse, on channel: String) {
        guard let tokens = claimed[grant.requestID] else { return }
        var isGiven = false
        for token in tokens {
            guard let request = requests[token], registrations[request.registration]?.grantChannel == channel else {
                continue
            }
            claimed[grant.requestID]?.removeAll { $0 == token }
            if grant.serverID == serverID, !isGiven {
                isGiven = true
                run(token, request)
            } else {
                drop(token)
            }
        }
        if claimed[grant.requestID]?.isEmpty ?? false { claimed[grant.requestID] = nil }
    }

    private mutating func run(_ token: Token, _ request: Request) {
        requests[token]?.step = .running
        events.append(.run(token, request.deadline))
    }

    /// The handler is done; its answer goes out even when it is late.
    package mutating func finished(_ token: Token, _ result: Result<[UInt8], PSRPCError>, at now: RPCTime) {
        guard let request = requests[token], request.step == .running else { return }
        respond(to: request, result, at: now)
        forget(token)
    }

    private mutating func respond(
        to request: Request, _ result: Result<[UInt8], PSRPCError>, at now: RPCTime
    ) {
        guard let service = registrations[request.registration]?.traits.service else { return }
        var payload = response(to: request, result, at: now)
        if payload.count > limits.messageBytes { payload = response(to: request, .failure(.tooLarge), at: now) }
        transmits.append(Transmit(channel: ChannelName.response(service, client: request.client), payload: payload))
    }

    private func response(to request: Request, _ result: Result<[UInt8], PSRPCError>, at now: RPCTime) -> [UInt8] {
        Envelope.response(
            Internal_Response(to: request.id, server: serverID, sent: now.unixNanoseconds, result)
        ).wireBytes()
    }

    // MARK: Time and end

    package var nextDeadline: Monotonic? {
        requests.values.lazy.filter { $0.step != .running }.map(\.deadline.monotonic).min()
    }

    /// Forgets requests that nobody waits for any more; handlers that run are left to finish.
    package mutating func advance(to now: Monotonic) {
        let due = requests.filter { $0.value.step != .running && $0.value.deadline.monotonic <= now }
        for token in due.keys.sorted() { drop(token) }
    }

    /// Forgets a request that the driver may hold something for.
    private mutating func drop(_ token: Token) {
        if let step = requests[token]?.step, step != .locking { events.append(.dropped(token)) }
        forget(token)
    }

    private mutating func forget(_ token: Token) {
        guard let request = requests.removeValue(forKey: token) else { return }
        if request.step == .claimed {
            claimed[request.id]?.removeAll { $0 == token }
            if claimed[request.id]?.isEmpty ?? false { claimed[request.id] = nil }
        }
        registrations[request.registration]?.requests -= 1
        endDraining(request.registration)
    }

    package mutating func pollTransmit() -> Transmit? { transmits.isEmpty ? nil : transmits.removeFirst() }

    package mutating func pollEvent() -> Event? { events.isEmpty ? nil : events.removeFirst() }
}
