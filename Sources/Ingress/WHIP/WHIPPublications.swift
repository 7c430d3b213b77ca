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
    private var sources: [String: WHIPSource] = [:]
    /// Those whose gate has not answered yet.
    private var opening: Set<String> = []
    /// Called with the resource of a publisher that went away by itself, or was sent away.
    package var onEnd: (@Sendable (String) -> Void)?

    package init(
        gate: any WHIPGate, hub: PeerHub, environment: PeerEnvironment, slabPool: SlabPool, log: Logger,
        capabilities: ReceiveCapabilities = ReceiveCapabilities()
    ) {
        self.gate = gate
        self.hub = hub
        self.environment = environment
        self.slabPool = slabPool
        self.log = log
        self.capabilities = capabilities
    }

    package var count: Int { sources.count }

    package func open(_ opening: WHIPOpening) async throws(WHIPError) -> WHIPAccepted {
        let id = opening.resourceID
        let credentials = ICECredentials(random: Randomness.bytes(ICECredentials.randomBytes))
        let plan: ReceivePlan
        do throws(MediaPlanError) {
            plan = try ReceivePlan.answer(
                to: opening.offer, accepting: capabilities,
                local: environment.transport(credentials, port: hub.port))
        } catch {
            throw .unusableOffer(error)
        }
        self.opening.insert(id)
        defer { self.opening.remove(id) }
        let encoder = opening.userAgent ?? "a WHIP client"
        let sink: WHIPSink
        do throws(PublishRefusal) {
            sink = try await gate.publish(whip: opening.key, encoder: encoder) { [weak self] reason in
                self?.ended(id, reason)
            }
        } catch {
            log.info("a WHIP publisher is refused: \(error.sentence)", metadata: ["encoder": "\(encoder)"])
            throw WHIPError(error)
        }
        let now = MediaLoop.now
        do throws(WHIPSourceError) {
            guard self.opening.contains(id) else { throw .connection }
            sources[id] = try WHIPSource(
                plan: plan, to: sink, slabPool: slabPool, hub: hub, environment: environment,
                credentials: credentials, at: now
            ) { [weak self] reason in self?.left(id, reason) }
        } catch {
            sink.media.sourceEnded(.disconnected, at: now)
            throw .internalFault
        }
        log.info(
            "a WHIP publisher is in",
            metadata: ["encoder": "\(encoder)", "codecs": "\(plan.sections.map { "\($0.codec)" })"])
        return WHIPAccepted(answer: plan.localDescription.serialized())
    }

    package func trickle(_ fragment: TrickleFragment, resourceID: String) async throws(WHIPError) {
        guard let source = sources[resourceID] else { throw .notFound }
        source.trickle(fragment.candidates.map(\.candidate), at: MediaLoop.now)
    }

    package func restart(
        _ fragment: TrickleFragment, resourceID: String
    ) async throws(WHIPError) -> TrickleFragment {
        guard let source = sources[resourceID] else { throw .notFound }
        let transports = [fragment.transport] + fragment.media.map { $0.transport.filled(from: fragment.transport) }
        guard let said = transports.first(where: { $0.iceUfrag != nil && $0.icePwd != nil }),
            let remote = try? ICECredentials(fragment: said.iceUfrag ?? "", password: said.icePwd ?? "")
        else { throw .unusableFragment(.halfCredentials) }
        guard
            let credentials = source.restart(
                remote, candidates: fragment.candidates.map(\.candidate), at: MediaLoop.now)
        else { throw .restartUnsupported }
        let local = environment.transport(credentials, port: hub.port)
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
    }

    /// Ends all.
    package func stop() {
        for source in sources.values { source.end(.serverStopping, at: MediaLoop.now) }
        sources = [:]
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
        guard let source = sources.removeValue(forKey: id) else { return }
        source.end(reason, at: MediaLoop.now)
        log.info("a WHIP publisher was sent away", metadata: ["why": "\(reason)"])
        onEnd?(id)
    }
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
