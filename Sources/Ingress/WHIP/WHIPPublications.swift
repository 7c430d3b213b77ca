package import Bytes
import ICE
package import Logging
import Media
package import Runtime
package import SDP
package import WHIP
package import WebRTC

/// Binds WHIP's resources to publications: each has a peer connection of its own behind the hub's port.
@MediaLoop
package final class WHIPPublications: WHIPPublishers {
    private let gate: any WHIPGate
    private let hub: PeerHub
    private let environment: PeerEnvironment
    private let slabPool: SlabPool
    private let log: Logger
    private let capabilities: ReceiveCapabilities
    /// Other processes, that have sessions of their own; nil: there are none.
    private let directory: (any IngressDirectory)?
    /// The gate may have offers answered elsewhere, so that those count as well which cannot be answered here.
    private let passesOffersOn: Bool
    private var sources: [String: WHIPSource] = [:]
    private var proxied: [String: ProxiedSource] = [:]
    /// Those whose gate has not answered yet.
    private var opening: Set<String> = []
    /// Called with the resource of a publisher that went away by itself, or was sent away.
    package var onEnd: (@Sendable (String) -> Void)?

    package init(
        gate: any WHIPGate, hub: PeerHub, environment: PeerEnvironment, slabPool: SlabPool, log: Logger,
        capabilities: ReceiveCapabilities = ReceiveCapabilities(), directory: (any IngressDirectory)? = nil,
        passesOffersOn: Bool = false
    ) {
        self.gate = gate
        self.hub = hub
        self.environment = environment
        self.slabPool = slabPool
        self.log = log
        self.capabilities = capabilities
        self.directory = directory
        self.passesOffersOn = passesOffersOn
    }

    package var count: Int { sources.count + proxied.count }

    package func open(_ opening: WHIPOpening) async throws(WHIPError) -> WHIPAccepted {
        let id = opening.resourceID
        let ports = try await takePorts()
        var isTaken = false
        defer { if !isTaken { hub.giveBack(ports, at: MediaLoop.now) } }
        let credentials = ICECredentials(random: Randomness.bytes(ICECredentials.randomBytes))
        // Before the gate is asked: an offer that is no use must not make a session.
        let plan = Result { () throws(MediaPlanError) in
            try ReceivePlan.answer(
                to: opening.offer, accepting: capabilities, local: environment.transport(credentials, on: ports))
        }
        if case .failure(let error) = plan, !passesOffersOn { throw .unusableOffer(error) }
        self.opening.insert(id)
        defer { self.opening.remove(id) }
        let admission = try await admit(opening)
        switch admission.way {
        case .here(let sink):
            let answer = try answer(plan, sink, credentials, ports, isTaken: &isTaken, opening)
            return WHIPAccepted(answer: answer, sessionID: admission.sessionID)
        case .proxied(let source): return try await answer(source, opening)
        }
    }

    private func admit(_ opening: WHIPOpening) async throws(WHIPError) -> WHIPAdmission {
        let id = opening.resourceID
        do throws(PublishRefusal) {
            return try await gate.publish(whip: opening.key, encoder: opening.encoder) { [weak self] reason in
                self?.ended(id, reason)
            }
        } catch {
            log.info(
                "a WHIP publisher is refused: \(error.sentence)", metadata: ["encoder": "\(opening.encoder)"])
            throw WHIPError(error)
        }
    }

    private func answer(
        _ plan: Result<ReceivePlan, MediaPlanError>, _ sink: WHIPSink, _ credentials: ICECredentials,
        _ ports: PeerPorts, isTaken: inout Bool, _ opening: WHIPOpening
    ) throws(WHIPError) -> [UInt8] {
        let id = opening.resourceID
        let now = MediaLoop.now
        let usable: ReceivePlan
        do throws(MediaPlanError) { usable = try plan.get() } catch {
            sink.media.sourceEnded(.failed(error.description), at: now)
            throw .unusableOffer(error)
        }
        do throws(WHIPSourceError) {
            guard self.opening.contains(id) else { throw .connection }
            sources[id] = try WHIPSource(
                plan: usable, to: sink, slabPool: slabPool, hub: hub, ports: ports, environment: environment,
                credentials: credentials, at: now
            ) { [weak self] reason in self?.left(id, reason) }
            isTaken = true
        } catch {
            sink.media.sourceEnded(.disconnected, at: now)
            throw .internalFault
        }
        log.info(
            "a WHIP publisher is in",
            metadata: ["encoder": "\(opening.encoder)", "codecs": "\(usable.sections.map { "\($0.codec)" })"])
        return usable.localDescription.serialized()
    }

    private func answer(_ source: ProxiedSource, _ opening: WHIPOpening) async throws(WHIPError) -> WHIPAccepted {
        let accepted = try await source.open(offer: opening.offerText, userAgent: opening.userAgent)
        guard self.opening.contains(opening.resourceID) else {
            source.sourceEnded(.disconnected, at: MediaLoop.now)
            throw .unavailable
        }
        proxied[opening.resourceID] = source
        log.info("a WHIP publisher is in the LiveKit server's hands", metadata: ["encoder": "\(opening.encoder)"])
        return accepted
    }

    private func takePorts() async throws(WHIPError) -> PeerPorts {
        let ports: PeerPorts
        do throws(RuntimeError) {
            ports = try hub.takePorts()
        } catch {
            log.warning("no UDP port for a WHIP publisher: \(error)")
            throw .unavailable
        }
        await hub.learnReflexive(ports, at: MediaLoop.now)
        return ports
    }

    package func trickle(_ fragment: TrickleFragment, resourceID: String) async throws(WHIPError) {
        if let source = proxied[resourceID] { return try await source.trickle(fragment) }
        guard let source = sources[resourceID] else { throw .notFound }
        source.trickle(fragment.candidates.map(\.candidate), at: MediaLoop.now)
    }

    package func restart(
        _ fragment: TrickleFragment, resourceID: String
    ) async throws(WHIPError) -> TrickleFragment {
        if let source = proxied[resourceID] { return try await source.restart(fragment) }
        guard let source = sources[resourceID] else { throw .notFound }
        let transports = [fragment.transport] + fragment.media.map { $0.transport.filled(from: fragment.transport) }
        guard let said = transports.first(where: { $0.iceUfrag != nil && $0.icePwd != nil }),
            let remote = try? ICECredentials(fragment: said.iceUfrag ?? "", password: said.icePwd ?? "")
        else { throw .unusableFragment(.halfCredentials) }
        guard
            let credentials = source.restart(
                remote, candidates: fragment.candidates.map(\.candidate), at: MediaLoop.now)
        else { throw .restartUnsupported }
        guard let ports = source.ports else { throw .notFound }
        let local = environment.transport(credentials, on: ports)
        var answer = TrickleFragment(
            transport: TransportAttributes(iceUfrag: local.iceUfrag, icePwd: local.icePwd))
        answer.isICELite = local.isICELite
        answer.endOfCandidates = local.endOfCandidates
        if var section = fragment.media.first {
            section.transport = TransportAttributes()
            section.candidates = local.candidates
            answer.media = [section]
        }
        return answer
    }

    package func close(resourceID: String) async {
        opening.remove(resourceID)
        sources.removeValue(forKey: resourceID)?.end(.finished, at: MediaLoop.now)
        proxied.removeValue(forKey: resourceID)?.sourceEnded(.finished, at: MediaLoop.now)
    }

    package func closeElsewhere(sessionID: String, key: String) async throws(WHIPError) {
        guard let directory else { throw .notFound }
        try await directory.close(whip: sessionID, key: key)
    }

    package func patchElsewhere(
        _ fragment: [UInt8], ifMatch: String, sessionID: String, key: String
    ) async throws(WHIPError) -> WHIPPatched {
        guard let directory else { throw .notFound }
        return try await directory.patch(whip: sessionID, key: key, fragment, ifMatch: ifMatch)
    }

    /// Ends all.
    package func stop() {
        for source in sources.values { source.end(.serverStopping, at: MediaLoop.now) }
        sources = [:]
        for source in proxied.values { source.sourceEnded(.serverStopping, at: MediaLoop.now) }
        proxied = [:]
    }

    /// The publisher went away by itself.
    private func left(_ id: String, _ reason: SessionEnd) {
        guard sources.removeValue(forKey: id) != nil else { return }
        log.info("a WHIP publisher left", metadata: ["how": "\(reason)"])
        onEnd?(id)
    }

    /// The room ended the session.
    private func ended(_ id: String, _ reason: SessionEnd) {
        opening.remove(id)
        if let source = sources.removeValue(forKey: id) {
            source.end(reason, at: MediaLoop.now)
        } else if proxied.removeValue(forKey: id) == nil {
            return
        }
        log.info("a WHIP publisher was sent away", metadata: ["why": "\(reason)"])
        onEnd?(id)
    }
}

extension WHIPOpening {
    fileprivate var encoder: String { userAgent ?? "a WHIP client" }
}

extension WHIPSink {
    /// For those that have nothing but frames, or nothing more to say but that they end.
    package var media: any MediaSink {
        switch self {
        case .transcoded(let sink): sink
        case .passed(let sink): sink
        }
    }
}

extension WHIPError {
    init(_ refusal: PublishRefusal) {
        switch refusal.fault {
        case .key: self = .refused(status: 404, sentence: refusal.sentence)
        case .taken: self = .conflict
        case .denied: self = .refused(status: 403, sentence: refusal.sentence)
        case .capacity: self = .refused(status: 429, sentence: refusal.sentence)
        case .stopping, .server: self = .refused(status: 503, sentence: refusal.sentence)
        }
    }
}
