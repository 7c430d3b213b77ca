package import Bytes

/// One call from the client's side: which server gets it, and which answer counts.
package struct RPCClientCall: Sendable {
    /// How long servers have to claim a request.
    package static let selectionTime = Interval.seconds(1)
    /// How long other servers have to claim it too, after the first.
    package static let shortCircuitTime = Interval.milliseconds(200)

    package enum Outcome: Equatable, Sendable {
        case answered([UInt8])
        case failed(PSRPCError)
        /// Of a multi call, by order of arrival.
        case gathered([Result<[UInt8], PSRPCError>])
    }

    package enum Action: Equatable, Sendable {
        case nothing
        /// Tell the servers that this one is chosen.
        case grant(server: String)
        case finish(Outcome)
    }

    private enum Step {
        case choosing
        case waiting(server: String)
        /// Any server's answer counts.
        case waitingForAny
        case gathering
    }

    private let traits: RPCMethodTraits
    private let limits: PSRPCLimits
    private let deadline: Monotonic
    private var selectionDeadline: Monotonic
    private var step: Step
    private var claims = 0
    private var best: (server: String, affinity: Float)?
    /// An error that came before any claim; the answer if nobody claims.
    private var earlyError: PSRPCError?
    private var answers: [(server: String, result: Result<[UInt8], PSRPCError>)] = []
    private var answerBytes = 0

    package init(
        _ traits: RPCMethodTraits, timeout: Interval, limits: PSRPCLimits = PSRPCLimits(), at now: Monotonic
    ) {
        self.traits = traits
        self.limits = limits
        deadline = now + timeout
        selectionDeadline = now + Self.selectionTime
        step = traits.isMulti ? .gathering : traits.requiresClaim ? .choosing : .waitingForAny
    }

    package var nextDeadline: Monotonic {
        if case .choosing = step { return min(selectionDeadline, deadline) }
        return deadline
    }

    /// A server would take the request.
    package mutating func receiveClaim(server: String, affinity: Float, at now: Monotonic) -> Action {
        guard case .choosing = step else { return .nothing }
        claims += 1
        guard traits.hasAffinity else { return choose(server) }
        // Not a number is not above anything.
        guard affinity > best?.affinity ?? 0 else { return .nothing }
        if best == nil { selectionDeadline = min(selectionDeadline, now + Self.shortCircuitTime) }
        best = (server, affinity)
        return .nothing
    }

    private mutating func choose(_ server: String) -> Action {
        step = .waiting(server: server)
        return .grant(server: server)
    }

    package mutating func receiveResponse(server: String, _ result: Result<[UInt8], PSRPCError>) -> Action {
        switch (step, result) {
        case (.gathering, _):
            gather(server, result)
            return .nothing
        // Whoever answers has done the work; also newer servers, which need no grant.
        case (_, .success(let body)): return .finish(.answered(body))
        case (.choosing, .failure(let error)):
            if earlyError == nil { earlyError = error }
            return .nothing
        // Another server's trouble with a request that it was not given.
        case (.waiting(let chosen), .failure) where server != chosen: return .nothing
        case (.waiting, .failure(let error)), (.waitingForAny, .failure(let error)): return .finish(.failed(error))
        }
    }

    private mutating func gather(_ server: String, _ result: Result<[UInt8], PSRPCError>) {
        guard answers.count < limits.gatheredAnswers, !answers.contains(where: { $0.server == server }) else { return }
        if case .success(let body) = result {
            guard body.count <= limits.messageBytes - answerBytes else { return }
            answerBytes += body.count
        }
        answers.append((server, result))
    }

    package mutating func advance(to now: Monotonic) -> Action {
        guard now >= nextDeadline else { return .nothing }
        switch step {
        case .gathering: return .finish(.gathered(answers.map(\.result)))
        case .waiting, .waitingForAny: return .finish(.failed(.timedOut))
        case .choosing:
            if let best, now < deadline { return choose(best.server) }
            if let earlyError { return .finish(.failed(earlyError)) }
            if now >= deadline { return .finish(.failed(.timedOut)) }
            guard claims > 0 else { return .finish(.failed(.noResponse)) }
            return .finish(
                .failed(PSRPCError(.unavailable, "no servers available (received \(claims) responses)")))
        }
    }
}
