package import Bytes
import LiveKitProtocol

/// The calls of one service that are under way, without the sockets.
///
/// Verbs: `begin`, `receive(_:at:)`, `advance(to:)`, `cancel`, `failAll`, `nextDeadline`, `pollTransmit()`, `pollEvent()`.
package struct RPCClientTable: Sendable {
    /// A payload to publish for a call; if it cannot be published, `fail` the call.
    package struct Transmit: Equatable, Sendable {
        package let requestID: String
        package let channel: String
        package let payload: [UInt8]

        package init(requestID: String, channel: String, payload: [UInt8]) {
            self.requestID = requestID
            self.channel = channel
            self.payload = payload
        }
    }

    /// A call is over.
    package struct Event: Equatable, Sendable {
        package let requestID: String
        package let outcome: RPCClientCall.Outcome

        package init(requestID: String, outcome: RPCClientCall.Outcome) {
            self.requestID = requestID
            self.outcome = outcome
        }
    }

    private struct Entry {
        var call: RPCClientCall
        let grantChannel: String
    }

    private let clientID: String
    private let limits: PSRPCLimits
    private var entries: [String: Entry] = [:]
    private var transmits: [Transmit] = []
    private var events: [Event] = []

    package init(clientID: String, limits: PSRPCLimits = PSRPCLimits()) {
        self.clientID = clientID
        self.limits = limits
    }

    package var count: Int { entries.count }

    /// Starts a call. `requestID` is new and random.
    package mutating func begin(
        _ traits: RPCMethodTraits, topic: [String], requestID: String, body: [UInt8], timeout: Interval, at now: RPCTime
    ) throws(PSRPCError) {
        guard entries.count < limits.calls else { throw .tooManyCalls }
        precondition(entries[requestID] == nil, "the identifier of a request is used twice")
        let request = Internal_Request(
            id: requestID, client: clientID, body: body, isMulti: traits.isMulti, sent: now.unixNanoseconds,
            expiry: now.unixNanoseconds &+ timeout.nanoseconds)
        let payload = Envelope.request(request).wireBytes()
        guard payload.count <= limits.messageBytes else { throw .tooLarge }
        entries[requestID] = Entry(
            call: RPCClientCall(traits, timeout: timeout, limits: limits, at: now.monotonic),
            grantChannel: traits.grantChannel(topic))
        transmits.append(
            Transmit(requestID: requestID, channel: traits.requestChannel(topic), payload: payload))
    }

    /// Takes what came on the channels of claims and responses. Anything that belongs to no call is dropped.
    package mutating func receive(_ payload: [UInt8], at now: Monotonic) {
        switch Envelope(parsing: payload, limits: limits) {
        case .claimRequest(let claim):
            perform(
                entries[claim.requestID]?.call.receiveClaim(
                    server: claim.serverID, affinity: claim.affinity, at: now), claim.requestID)
        case .response(let response):
            perform(
                entries[response.requestID]?.call.receiveResponse(server: response.serverID, response.result),
                response.requestID)
        case .request, .claimResponse, nil: break
        }
    }

    private mutating func perform(_ action: RPCClientCall.Action?, _ requestID: String) {
        switch action {
        case .nothing, nil: break
        case .grant(let server):
            guard let channel = entries[requestID]?.grantChannel else { return }
            let grant = Envelope.claimResponse(Internal_ClaimResponse(for: requestID, server: server))
            transmits.append(Transmit(requestID: requestID, channel: channel, payload: grant.wireBytes()))
        case .finish(let outcome): finish(requestID, outcome)
        }
    }

    private mutating func finish(_ requestID: String, _ outcome: RPCClientCall.Outcome) {
        guard entries.removeValue(forKey: requestID) != nil else { return }
        events.append(Event(requestID: requestID, outcome: outcome))
    }

    package var nextDeadline: Monotonic? { entries.values.lazy.map(\.call.nextDeadline).min() }

    package mutating func advance(to now: Monotonic) {
        let due = entries.filter { $0.value.call.nextDeadline <= now }.keys.sorted()
        for requestID in due { perform(entries[requestID]?.call.advance(to: now), requestID) }
    }

    /// The caller waits no longer.
    package mutating func cancel(_ requestID: String) { finish(requestID, .failed(.canceled)) }

    /// A payload of this call could not be published.
    package mutating func fail(_ requestID: String, _ error: PSRPCError) { finish(requestID, .failed(error)) }

    /// Answers can no longer come.
    package mutating func failAll(_ error: PSRPCError) {
        for requestID in entries.keys.sorted() { finish(requestID, .failed(error)) }
    }

    package mutating func pollTransmit() -> Transmit? { transmits.isEmpty ? nil : transmits.removeFirst() }

    package mutating func pollEvent() -> Event? { events.isEmpty ? nil : events.removeFirst() }
}
