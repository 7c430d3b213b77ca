import Bytes
import DTLS
import LiveKitProtocol
import Logging
import PSRPC
import RTP
import Redis
import Runtime
import ServiceConfiguration
import SwiftProtobuf

/// Everything of the service that lives on the loop, and what the signals do to it.
@MediaLoop
final class DaemonParts {
    private enum Limits {
        /// Sessions that are told to stop have this long to say goodbye to the room and the server.
        static let farewell = Interval.seconds(8)
        /// One request to the LiveKit server.
        static let request = Interval.seconds(10)
    }

    /// By then nothing is read of the program any more that only a start needs, the service's own or a session's.
    nonisolated static let settledAfter = Duration.seconds(10)

    nonisolated let nodeID: String
    nonisolated let registry: PrometheusRegistry
    nonisolated private let levels: LogLevels
    nonisolated let log: Logger
    private(set) var configuration: IngressConfiguration
    let admission: AdmissionControl
    private let monitor: CPUMonitor
    private let redis: RedisBus
    private let server: RPCServer
    private let pool: HandlerPool
    let directory: RPCDirectory
    let service: IngressService
    let slabPool: SlabPool
    let hub: PeerHub
    let webRTC: RoomPublisher.Environment
    private let counters: RTMPCounters
    private var rtmp: RTMPServer?
    private var rtmps: RTMPServer?
    var whipTLS: ReloadableTLS?
    var publications: WHIPPublications?
    private var isListening = false
    private var draining: Task<Void, Never>?
    private(set) var isDrained = false

    // MARK: - Start

    static func make(
        _ configuration: IngressConfiguration, _ levels: LogLevels, _ log: Logger
    ) async throws(StartupError) -> DaemonParts {
        let sampler = CPUSampler.system(environment: ParentProcess.environment(["LIVEKIT_CPU_REQUEST"]))
        let admission = try admission(configuration, sampler, log)
        let webRTC = try webRTC()
        let redis: RedisBus
        do throws(RedisError) {
            redis = try await RedisBus.connect(try RedisSettings(configuration.redis))
        } catch {
            throw .redis(error)
        }
        let bus = PSRPCBus(redis)
        let server = RPCServer(bus: bus)
        let directory = RPCDirectory(bus: bus, server: server)
        let registry = PrometheusRegistry()
        let pool = HandlerPool(
            counters: HandlerCounters(factory: registry), log: log,
            spawn: HandlerPool.ownProgram(ChildSession.arguments(configuration)))
        do throws(RuntimeError) {
            try pool.open(port: UInt16(clamping: configuration.httpRelayPort))
        } catch {
            redis.close()
            throw .port(key: "http_relay_port", number: configuration.httpRelayPort, error)
        }
        let parts = DaemonParts(
            configuration, levels, log, admission, sampler, redis, server, directory, pool,
            registry, webRTC)
        do throws(PSRPCError) {
            try await directory.start()
            try await parts.serveRPC()
        } catch {
            await parts.close()
            throw .rpc(error.message)
        }
        return parts
    }

    private init(
        _ configuration: IngressConfiguration, _ levels: LogLevels, _ log: Logger, _ admission: AdmissionControl,
        _ sampler: CPUSampler, _ redis: RedisBus, _ server: RPCServer, _ directory: RPCDirectory, _ pool: HandlerPool,
        _ registry: PrometheusRegistry, _ webRTC: RoomPublisher.Environment
    ) {
        self.configuration = configuration
        self.levels = levels
        self.log = log
        self.admission = admission
        self.redis = redis
        self.server = server
        self.pool = pool
        self.directory = directory
        self.webRTC = webRTC
        let (hub, slabPool) = (PeerHub(), SlabPool())
        self.hub = hub
        self.slabPool = slabPool
        let nodeID = ResourceID.make("NE_")
        self.nodeID = nodeID
        self.registry = registry
        counters = RTMPCounters(factory: registry)
        let metrics = IngressMetrics(
            registry: registry, nodeID: nodeID, load: { admission.load },
            isAvailable: { admission.isAvailable(at: Monotonic.now) })
        let figures = SessionMetrics(registry: registry, metrics: metrics)
        service = IngressService(
            settings: IngressService.Settings(
                wsURL: configuration.wsURL, apiKey: configuration.apiKey, apiSecret: configuration.apiSecret,
                grace: configuration.publisherGrace, maxThreads: max(1, Int(sampler.cpuCount.rounded(.up))),
                proxiesWHIP: configuration.whipProxyEnabled),
            directory: directory, pool: pool,
            passing: PassedSession.Shared(room: webRTC, hub: hub, slabPool: slabPool),
            http: Self.http(),
            observers: IngressService.Observers(
                admit: { kind throws(IngressError) in try Self.admit(kind, admission) },
                published: { metrics.published($0, status: $1.rawValue) },
                sessions: { info, change in
                    let kind = SessionKind(info)
                    guard change > 0 else { return metrics.sessionEnded(kind) }
                    metrics.sessionStarted(kind)
                    ResidentPages.giveBack(after: Self.settledAfter)
                },
                figures: { session, told in figures.take(told, of: session) }, over: { figures.forget($0) }), log: log)
        monitor = CPUMonitor(sampler: sampler, admission: admission)
        monitor.start()
    }

    /// One certificate and one clock for all peer connections of the process.
    private static func webRTC() throws(StartupError) -> RoomPublisher.Environment {
        let unix = SystemClock.unixNanoseconds()
        do throws(DTLSError) {
            let certificate = try Certificate.selfSigned(unixSeconds: unix / 1_000_000_000)
            return RoomPublisher.Environment(
                dtls: try DTLSContext(certificate: certificate),
                clock: NTPClock(NTPTime(unixNanoseconds: unix), at: Monotonic.now))
        } catch {
            throw .webRTC(error)
        }
    }

    /// How requests reach the LiveKit server.
    private static func http() -> HTTPSend {
        let http = HTTPClient(timeout: Limits.request)
        return { request, url throws(HTTPClientError) in try await http.send(request, to: url) }
    }

    private static func admission(
        _ configuration: IngressConfiguration, _ sampler: CPUSampler, _ log: Logger
    ) throws(StartupError) -> AdmissionControl {
        let costs = configuration.cpuCost.fitting(cpuCount: sampler.cpuCount)
        let budget = CPUBudget(cpuCount: sampler.cpuCount, costs: costs)
        if let shortage = budget.shortage {
            let text = shortage.text(cpuCount: sampler.cpuCount)
            if case .none = shortage { throw .capacity(text) }
            log.warning("\(text)")
        }
        if !budget.neverAccepted.isEmpty {
            let kinds = budget.neverAccepted.map(\.rawValue).joined(separator: ", ")
            log.warning(
                "sessions of kind \(kinds) will never be accepted: their cpu_cost is more than this machine can spare")
        }
        return AdmissionControl(budget: budget)
    }

    private static func admit(_ kind: SessionKind, _ admission: AdmissionControl) throws(IngressError) {
        do throws(AdmissionRefusal) {
            try admission.accept(kind, at: MediaLoop.now)
        } catch {
            throw error == .shuttingDown ? .shuttingDown : .capacityExceeded
        }
    }

    private func serveRPC() async throws(PSRPCError) {
        _ = try await server.register(IngressInternal.listActiveIngress) { [weak self] _, _ in
            let sessions = self?.service.activeSessions ?? []
            return .with {
                $0.ingressIds = sessions.map(\.ingressID)
                $0.ingressSessions = sessions
            }
        }
    }

    /// Opens the encoders' ports: the last step, when all else is ready.
    func listen() throws(StartupError) {
        if configuration.rtmpPort > 0 {
            let server = RTMPServer(gate: service, slabPool: slabPool, counters: counters, log: log)
            try open(server, key: "rtmp_port", configuration.rtmpPort)
            rtmp = server
        }
        if configuration.rtmpsPort > 0 {
            let server = RTMPServer(
                gate: service, slabPool: slabPool, counters: counters, tls: try Self.tls(configuration), log: log)
            try open(server, key: "rtmps_port", configuration.rtmpsPort)
            rtmps = server
        }
        isListening = true
    }

    private func open(_ server: RTMPServer, key: String, _ port: Int) throws(StartupError) {
        try bind(key, port) { ip throws(RuntimeError) in
            try server.open(on: TransportAddress(ip: ip, port: UInt16(clamping: port)))
        }
    }

    func bind(
        _ key: String, _ port: Int, to open: @MediaLoop (TransportAddress.IP) throws(RuntimeError) -> Void
    ) throws(StartupError) {
        do throws(RuntimeError) {
            do throws(RuntimeError) {
                try open(.v6(0, 0))
            } catch  where error.errno != .addressInUse {
                // Machines without IPv6.
                try open(.v4(0))
            }
        } catch {
            throw .port(key: key, number: port, error)
        }
    }

    private static func tls(_ configuration: IngressConfiguration) throws(StartupError) -> TLSServerContext {
        guard !configuration.tlsCertificate.isEmpty, !configuration.tlsKey.isEmpty else { throw .certificateMissing }
        do throws(DTLSError) {
            return try TLSServerContext(certificateFile: configuration.tlsCertificate, keyFile: configuration.tlsKey)
        } catch {
            throw .certificate(error)
        }
    }

    // MARK: - While it runs

    var health: ServiceHealth {
        var missing: [String] = []
        if !redis.isReady { missing.append("redis is not reachable") }
        if !isListening { missing.append("the encoders' ports are not open") }
        if service.isDraining { missing.append("the server is shutting down") }
        return ServiceHealth(missing: missing, isAvailable: admission.isAvailable(at: Monotonic.now))
    }

    /// Takes over what can change at run time, and says what cannot.
    func reload(_ load: ConfigurationLoad) {
        for diagnostic in load.diagnostics { log.warning("configuration: \(diagnostic)") }
        guard let new = load.configuration else {
            return log.error("the configuration was not reloaded: mend it and send SIGHUP again")
        }
        let (merged, stale) = configuration.reloading(new)
        configuration = merged
        levels.update(merged.logging)
        pool.setLogLevel(UInt8(ConfiguredLogLevel.allCases.firstIndex(of: merged.logging.level) ?? 0))
        admission.update(costs: merged.cpuCost.fitting(cpuCount: admission.cpuCount))
        if let rtmps {
            do throws(StartupError) { rtmps.tls = try Self.tls(merged) } catch { log.error("\(error)") }
        }
        do throws(StartupError) { try whipTLS?.reloadForWHIP(merged) } catch { log.error("\(error)") }
        log.info("configuration reloaded")
        if !stale.isEmpty {
            log.warning("these keys change with the next start only: \(stale.joined(separator: ", "))")
        }
    }

    // MARK: - The end

    static func signals() throws -> AsyncStream<ProcessSignal> {
        let (stream, continuation) = AsyncStream<ProcessSignal>.makeStream()
        try Signals.handle([.hangUp, .interrupt, .quit, .terminate]) { continuation.yield($0) }
        // A drain that is over ends the wait for signals as a signal does.
        finished = continuation
        return stream
    }

    private static var finished: AsyncStream<ProcessSignal>.Continuation?

    /// Takes no more sessions; over when the last has ended, or been ended at the deadline. The ports stay open and say so.
    func drain(within limit: Interval?) {
        guard draining == nil else { return }
        log.info("draining", metadata: ["sessions": "\(service.sessionCount)"])
        admission.shutDown()
        service.drain()
        draining = Task { @MediaLoop in
            if let limit {
                Task { @MediaLoop in
                    try? await Task.sleep(for: .nanoseconds(limit.nanoseconds))
                    service.stop()
                }
            }
            await service.empty()
            isDrained = true
            Self.finished?.finish()
        }
    }

    /// Ends all sessions and returns when the server knows, or soon after.
    func stop() async {
        admission.shutDown()
        service.stop()
        let (over, continuation) = AsyncStream<Void>.makeStream()
        Task { @MediaLoop in
            await service.empty()
            continuation.finish()
        }
        Task {
            try? await Task.sleep(for: .nanoseconds(Limits.farewell.nanoseconds))
            continuation.finish()
        }
        for await _ in over {}
    }

    func close() async {
        monitor.stop()
        rtmp?.close()
        rtmps?.close()
        publications?.stop()
        hub.close()
        await pool.stop(code: 0)
        redis.close()
    }
}

extension CPUCostConfiguration {
    /// The default cost of a transcoding session is meant for large machines; on a small one it would keep even the first session
    /// out, so there it is a share of what the machine has.
    func fitting(cpuCount: Double) -> CPUCostConfiguration {
        let defaults = CPUCostConfiguration()
        var fitting = self
        let largest = cpuCount * 0.4
        if rtmp == defaults.rtmp { fitting.rtmp = min(rtmp, largest) }
        if whip == defaults.whip { fitting.whip = min(whip, largest) }
        if url == defaults.url { fitting.url = min(url, largest) }
        return fitting
    }
}

extension SessionKind {
    init(_ input: Livekit_IngressInput) {
        self =
            switch input {
            case .whipInput: .whip
            case .urlInput: .url
            default: .rtmp
            }
    }

    init(_ info: Livekit_IngressInfo) {
        self = info.inputType == .whipInput && !info.isTranscoded ? .whipBypass : SessionKind(info.inputType)
    }
}

extension RedisSettings {
    init(_ configuration: RedisConfiguration) throws(RedisError) {
        try self.init(
            address: configuration.address, sentinelMasterName: configuration.sentinelMasterName,
            sentinelAddresses: configuration.sentinelAddresses,
            sentinelCredentials: RedisCredentials(
                username: configuration.sentinelUsername, password: configuration.sentinelPassword),
            clusterAddresses: configuration.clusterAddresses)
        credentials = RedisCredentials(username: configuration.username, password: configuration.password)
        database = configuration.database
        maximumRedirects = configuration.maxRedirects
        guard configuration.usesTLS else { return }
        var tls = RedisTLSSettings()
        tls.isInsecure = configuration.tls.insecure
        tls.serverName = configuration.tls.serverName
        tls.authorityFile = configuration.tls.caCertificateFile
        tls.certificateFile = configuration.tls.clientCertificateFile
        tls.keyFile = configuration.tls.clientKeyFile
        self.tls = tls
    }
}
