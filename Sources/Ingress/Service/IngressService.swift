package import Bytes
package import LiveKitProtocol
package import Logging
import PSRPC
package import Runtime
import SwiftProtobuf
package import WHIP

/// All sessions of the process: decides on publishers, starts sessions, and ends them when the server or the operator says so.
@MediaLoop
package final class IngressService {
    package struct Settings: Sendable {
        package var wsURL: String
        package var apiKey: String
        package var apiSecret: String
        /// How long a broken encoder connection may take to come back.
        package var grace: Interval
        /// Threads that one codec may use.
        package var maxThreads: Int
        /// Offers of publishers that are not transcoded go to the LiveKit server, which answers them itself.
        package var proxiesWHIP: Bool

        package init(
            wsURL: String, apiKey: String, apiSecret: String, grace: Interval, maxThreads: Int, proxiesWHIP: Bool
        ) {
            self.wsURL = wsURL
            self.apiKey = apiKey
            self.apiSecret = apiSecret
            self.grace = grace
            self.maxThreads = maxThreads
            self.proxiesWHIP = proxiesWHIP
        }
    }

    /// What the service tells the rest of the process.
    package struct Observers {
        /// Throws when there is no room for another session; holds the room when there is.
        package var admit: @MediaLoop (SessionKind) throws(IngressError) -> Void
        package var published: @MediaLoop (SessionKind, PublishStatus) -> Void
        /// Sessions of a kind were begun (1) or are over (-1).
        package var sessions: @MediaLoop (Livekit_IngressInfo, Int) -> Void
        package var figures: @MediaLoop (any ServedSession, Ingress_SessionFigures) -> Void
        /// A session is over; its resource id.
        package var over: @MediaLoop (String) -> Void

        package init(
            admit: @escaping @MediaLoop (SessionKind) throws(IngressError) -> Void,
            published: @escaping @MediaLoop (SessionKind, PublishStatus) -> Void,
            sessions: @escaping @MediaLoop (Livekit_IngressInfo, Int) -> Void,
            figures: @escaping @MediaLoop (any ServedSession, Ingress_SessionFigures) -> Void,
            over: @escaping @MediaLoop (String) -> Void
        ) {
            self.admit = admit
            self.published = published
            self.sessions = sessions
            self.figures = figures
            self.over = over
        }
    }

    private enum Limits {
        /// Publishers whose keys are being looked up.
        static let lookups = 1_000
        static let keyBytes = 256
        /// How long an ending service waits for a session's last state to be taken.
        static let farewell = Interval.seconds(5)
    }

    /// One session and what belongs to it outside.
    private final class Entry {
        let session: any ServedSession
        let reporter: StateReporter
        var control: (any IngressControl)?

        init(_ session: any ServedSession, _ reporter: StateReporter) {
            self.session = session
            self.reporter = reporter
        }
    }

    let settings: Settings
    let directory: any IngressDirectory
    let pool: HandlerPool
    let passing: PassedSession.Shared
    /// How requests reach the LiveKit server.
    let http: HTTPSend
    let observers: Observers
    let log: Logger
    /// By ingress; one session each.
    private var entries: [String: Entry] = [:]
    /// Ended, but the server does not know yet.
    private var farewells = 0
    private var lookups = 0
    private var emptyWaiters: [CheckedContinuation<Void, Never>] = []
    package private(set) var isDraining = false
    /// Carries out what another process passes on to us of a WHIP session of ours: the session's id, the key, a fragment,
    /// and its condition.
    package var patchWHIP: (@Sendable (String, String, [UInt8], String) async throws(WHIPError) -> WHIPPatched)?

    package init(
        settings: Settings, directory: any IngressDirectory, pool: HandlerPool, passing: PassedSession.Shared,
        http: @escaping HTTPSend, observers: Observers, log: Logger
    ) {
        self.settings = settings
        self.directory = directory
        self.pool = pool
        self.passing = passing
        self.http = http
        self.observers = observers
        self.log = log
    }

    package var sessionCount: Int { entries.count }

    package var activeSessions: [Rpc_IngressSession] {
        entries.values.map { entry in
            .with {
                $0.ingressID = entry.session.info.ingressID
                $0.resourceID = entry.session.resourceID
            }
        }
    }

    // MARK: - The end of the service

    /// No new sessions from here on.
    package func drain() { isDraining = true }

    /// Returns when no session is left and the server knows of it.
    package func empty() async {
        guard !entries.isEmpty || farewells > 0 else { return }
        await withCheckedContinuation { emptyWaiters.append($0) }
    }

    package func stop() {
        drain()
        for entry in entries.values { entry.session.stop(.serverStopping) }
    }

    private func resumeEmptyWaiters() {
        guard entries.isEmpty, farewells == 0 else { return }
        for waiter in emptyWaiters { waiter.resume() }
        emptyWaiters = []
    }
}

// MARK: - Publishers

/// A publisher that asks to be let in.
private struct Applicant {
    var key: String
    var input: Livekit_IngressInput
    /// What it calls itself.
    var encoder: String
    var onEnd: @MediaLoop (SessionEnd) -> Void
}

extension IngressService: PublishGate {
    package func publish(
        key: String, encoder: String, onEnd: @escaping @MediaLoop (SessionEnd) -> Void
    ) async throws(PublishRefusal) -> any MediaSink {
        let admission = try await publish(Applicant(key: key, input: .rtmpInput, encoder: encoder, onEnd: onEnd))
        guard case .here(let sink) = admission.way else { throw IngressError.invalidType.refusal }
        return sink.media
    }
}

extension IngressService: WHIPGate {
    package func publish(
        whip key: String, encoder: String, onEnd: @escaping @MediaLoop (SessionEnd) -> Void
    ) async throws(PublishRefusal) -> WHIPAdmission {
        try await publish(Applicant(key: key, input: .whipInput, encoder: encoder, onEnd: onEnd))
    }
}

extension IngressService {
    private func publish(_ applicant: Applicant) async throws(PublishRefusal) -> WHIPAdmission {
        do throws(IngressError) {
            let admission = try await admit(applicant)
            // Of those that are proxied the server decides.
            if case .here = admission.way { observers.published(SessionKind(applicant.input), .success) }
            return admission
        } catch {
            observers.published(SessionKind(applicant.input), error.publishStatus)
            throw error.refusal
        }
    }

    private func admit(_ applicant: Applicant) async throws(IngressError) -> WHIPAdmission {
        let key = applicant.key
        guard !isDraining else { throw .shuttingDown }
        guard !key.isEmpty else { throw .missingStreamKey }
        guard key.utf8.count <= Limits.keyBytes, lookups < Limits.lookups else {
            throw IngressError(.resourceExhausted, "too many publishers at once")
        }
        lookups += 1
        defer { lookups -= 1 }
        let response: Rpc_GetIngressInfoResponse
        do throws(PSRPCError) {
            response = try await directory.ingress(streamKey: key)
        } catch {
            throw IngressError(lookup: error)
        }
        guard !isDraining else { throw .shuttingDown }
        if let entry = entries[response.info.ingressID], !entry.session.isOver {
            if let admission = try takeOver(entry.session, response, applicant) { return admission }
        }
        return try await begin(response, applicant)
    }

    /// A second publisher of a live session comes into it, unless the ingress has become another one meanwhile.
    private func takeOver(
        _ session: any ServedSession, _ response: Rpc_GetIngressInfoResponse, _ applicant: Applicant
    ) throws(IngressError) -> WHIPAdmission? {
        try check(response.info, applicant)
        guard response.info.isSameOrder(as: session.info) else {
            session.stop(.replaced)
            return nil
        }
        return session.join(encoder: applicant.encoder, onEnd: applicant.onEnd)
    }

    private func check(_ info: Livekit_IngressInfo, _ applicant: Applicant) throws(IngressError) {
        guard info.isEnabled else { throw .disabled }
        guard info.inputType == applicant.input else { throw .invalidType }
        _ = try SessionSpecification(info)
    }

    private func begin(
        _ response: Rpc_GetIngressInfoResponse, _ applicant: Applicant
    ) async throws(IngressError) -> WHIPAdmission {
        let info = response.info
        do throws(IngressError) {
            try check(info, applicant)
            try observers.admit(SessionKind(info))
        } catch {
            reportRefusal(of: info, error)
            throw error
        }
        if info.state.isLive {
            // Another process has a session of this ingress, or died with one: two in the room would fight.
            try? await directory.endElsewhere(info.ingressID)
        }
        return try await open(response, applicant)
    }

    /// Refusals are told to the server, unless that would overwrite the state of a session that is running.
    private func reportRefusal(of info: Livekit_IngressInfo, _ error: IngressError) {
        guard entries[info.ingressID] == nil, !info.state.isLive else { return }
        var machine = SessionMachine(
            info: info, resourceID: ResourceID.make(info.resourcePrefix), grace: .zero, at: MediaLoop.now,
            unixNow: SystemClock.unixNanoseconds())
        machine.fail(error, unixNow: SystemClock.unixNanoseconds())
        let reporter = reporter(of: info.ingressID) { _ in }
        while let command = machine.pollCommand() {
            if case .report(let state) = command { reporter.report(state) }
        }
    }
}

// MARK: - Sessions

extension IngressService {
    private func open(
        _ response: Rpc_GetIngressInfoResponse, _ applicant: Applicant
    ) async throws(IngressError) -> WHIPAdmission {
        let info = response.info
        let id = info.ingressID
        let order = order(response, resourceID: ResourceID.make(info.resourcePrefix))
        let reporter = reporter(of: id) { [weak self] error in self?.disowned(id, order.resourceID, error) }
        let session = try makeSession(info, order, reporter)
        let entry = Entry(session, reporter)
        // The place is taken before anything is waited for, so that two publishers at once make one session.
        let previous = entries.updateValue(entry, forKey: id)
        observers.sessions(info, 1)
        let admission = session.join(encoder: applicant.encoder, onEnd: applicant.onEnd)
        do throws(PSRPCError) {
            await previous?.control.take()?.close()
            entry.control = try await directory.openControl(controls(of: session))
        } catch {
            if entries[id] === entry { entries[id] = nil }
            observers.sessions(info, -1)
            resumeEmptyWaiters()
            let failure = IngressError(lookup: error)
            session.abandon(.failed(failure.advice))
            throw failure
        }
        log.info(
            "session begins",
            metadata: [
                "ingress": "\(info.redacted)", "resourceID": "\(order.resourceID)",
                "identity": "\(Redacted(info.participantIdentity))",
            ])
        session.start()
        return admission
    }

    func ended(_ session: any ServedSession) {
        let id = session.info.ingressID
        observers.sessions(session.info, -1)
        observers.over(session.resourceID)
        guard let entry = entries[id], entry.session === session else { return }
        farewells += 1
        Task { @MediaLoop in
            await Self.firstOf({ await entry.reporter.drained() }, or: Limits.farewell, isBounded: isDraining)
            if let control = entry.control.take() { await control.close() }
            if entries[id] === entry { entries[id] = nil }
            farewells -= 1
            resumeEmptyWaiters()
        }
    }

    /// Waits for `work`; a service that is about to end waits no longer than `limit`, for Redis may be gone for good.
    private static func firstOf(
        _ work: @escaping @MediaLoop () async -> Void, or limit: Interval, isBounded: Bool
    ) async {
        guard isBounded else { return await work() }
        let (over, continuation) = AsyncStream<Void>.makeStream()
        Task { @MediaLoop in
            await work()
            continuation.finish()
        }
        Task {
            try? await Task.sleep(for: .nanoseconds(limit.nanoseconds))
            continuation.finish()
        }
        for await _ in over {}
    }

    /// The server does not know the ingress any more, or a newer session of it runs elsewhere.
    private func disowned(_ id: String, _ resourceID: String, _ error: PSRPCError) {
        guard let session = entries[id]?.session, session.resourceID == resourceID, !session.isOver else { return }
        log.notice("the server disowned the session: \(error.message)", metadata: ["resourceID": "\(resourceID)"])
        session.stop(.finished)
    }
}
