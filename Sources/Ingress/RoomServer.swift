package import Bytes
import CoreMetrics
package import DTLS
package import Logging
import RTP
import Runtime
import Transcode
import WHIP

/// The whole test server: RTMP in, a local room, WHEP and a page out, in one process.
package struct RoomServer: Sendable {
    package struct Options: Sendable {
        package var bind: TransportAddress.IP
        package var rtmpPort: UInt16 = 1935
        package var rtmpsPort: UInt16?
        package var tls: TLSServerContext?
        package var httpPort: UInt16 = 8080
        package var udpPort: UInt16 = 7885
        package var room: LocalRoom.Settings
        package var demoKey: String?
        package var version: String

        package init(bind: TransportAddress.IP, room: LocalRoom.Settings, version: String) {
            self.bind = bind
            self.room = room
            self.version = version
        }
    }

    /// What was bound: ports that were given as 0 are known now.
    package struct Bound: Sendable {
        package var rtmpURL: String
        package var rtmpsURL: String?
        package var whipURL: String
        package var whepURL: String
        package var pageURL: String
    }

    private let options: Options
    private let assets: [RoomHTTPService.Asset]
    private let metrics: PrometheusRegistry
    private let log: Logger

    package init(options: Options, assets: [RoomHTTPService.Asset], metrics: PrometheusRegistry, log: Logger) {
        self.options = options
        self.assets = assets
        self.metrics = metrics
        self.log = log
    }

    /// Everything that lives on the loop.
    @MediaLoop
    private final class Parts {
        let hub = PeerHub()
        let room: LocalRoom
        let rtmp: RTMPServer
        var rtmps: RTMPServer?
        let viewers: RoomViewers
        let publications: WHIPPublications
        var demo: DemoPublisher?
        let metrics: PrometheusRegistry

        init(_ options: Options, _ metrics: PrometheusRegistry, _ log: Logger) throws {
            self.metrics = metrics
            room = LocalRoom(settings: options.room, hub: hub, log: log)
            let counters = RTMPCounters(factory: metrics)
            rtmp = RTMPServer(gate: room, slabPool: room.slabPool, counters: counters, log: log)
            try hub.open(on: options.bind, port: options.udpPort)
            try rtmp.open(on: TransportAddress(ip: options.bind, port: options.rtmpPort))
            if let port = options.rtmpsPort, let tls = options.tls {
                let server = RTMPServer(
                    gate: room, slabPool: room.slabPool, counters: counters, tls: tls, log: log)
                try server.open(on: TransportAddress(ip: options.bind, port: port))
                rtmps = server
            }
            let now = Monotonic.now
            let wall = NTPTime(unixNanoseconds: SystemClock.unixNanoseconds())
            let certificate = try Certificate.selfSigned(unixSeconds: SystemClock.unixNanoseconds() / 1_000_000_000)
            let environment = PeerEnvironment(
                dtls: try DTLSContext(certificate: certificate), clock: NTPClock(wall, at: now),
                addresses: try Self.addresses(options.bind))
            viewers = RoomViewers(room: room, environment: environment)
            var publishers = environment
            publishers.isICELite = false
            publications = WHIPPublications(
                gate: room, hub: hub, environment: publishers, slabPool: room.slabPool, log: log)
        }

        /// The bound address; for "any", those of the machine that others can reach, loopback last.
        private static func addresses(_ bind: TransportAddress.IP) throws -> [TransportAddress.IP] {
            guard bind.isAny else { return [bind] }
            let interfaces = try NetworkInterface.all().filter { $0.isUp && !$0.address.isLinkLocal }
            return interfaces.sorted { !$0.isLoopback && $1.isLoopback }.map(\.address)
        }

        func startDemo(key: String, on ip: TransportAddress.IP, log: Logger) throws(RuntimeError) {
            let demo = DemoPublisher(key: key, port: rtmp.port, log: log, at: MediaLoop.now)
            try demo.start(connectingTo: TransportAddress(ip: ip, port: rtmp.port))
            self.demo = demo
        }

        var ports: (rtmp: UInt16, rtmps: UInt16?) { (rtmp.port, rtmps?.port) }

        func onPublisherEnd(_ body: @escaping @Sendable (String) -> Void) { publications.onEnd = body }

        func onViewerEnd(_ body: @escaping @Sendable (String) -> Void) { viewers.onEnd = body }

        func stop() {
            demo?.stop()
            rtmp.close()
            rtmps?.close()
            publications.stop()
            room.stop()
            hub.close()
        }
    }

    /// Runs until SIGINT or SIGTERM; `onRunning` is called once all ports are bound.
    package func run(onRunning: @escaping @Sendable (Bound) -> Void) async throws {
        let options = options
        let log = log
        let metrics = metrics
        let parts = try await Self.make(options, metrics, log)
        let host = Self.advertised(options.bind)
        let ports = await parts.ports
        let rtmpURL = "rtmp://\(host):\(ports.rtmp)/live/KEY"
        let rtmpsURL = ports.rtmps.map { "rtmps://\(host):\($0)/live/KEY" }
        let whep = WHEPEndpoint(viewers: parts.viewers, randomBytes: { Randomness.bytes($0) })
        await parts.onViewerEnd { id in Task { await whep.viewerEnded(id) } }
        let whip = WHIPEndpoint(
            publishers: parts.publications, options: WHIPOptions(basePath: "/whip"),
            randomBytes: { Randomness.bytes($0) })
        await parts.onPublisherEnd { id in Task { await whip.publisherEnded(id) } }
        let bound = Bound(
            rtmpURL: rtmpURL, rtmpsURL: rtmpsURL, whipURL: "http://\(host):\(options.httpPort)/whip/KEY",
            whepURL: "http://\(host):\(options.httpPort)/whep/KEY",
            pageURL: "http://\(host):\(options.httpPort)/")
        let reporter = await RoomReporter(
            room: parts.room,
            addresses: RoomReporter.Addresses(
                rtmpURL: rtmpURL, rtmpsURL: rtmpsURL, whipURL: bound.whipURL, whepURL: bound.whepURL),
            version: options.version, at: Monotonic.now)
        let http = RoomHTTPService(
            assets: assets, reporter: reporter, metrics: metrics, whep: { await whep.respond(to: $0, at: $1) },
            whip: { await whip.respond(to: $0, at: $1) })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await http.run(host: "\(options.bind)", port: Int(options.httpPort)) { _ in
                    onRunning(bound)
                    guard let key = options.demoKey else { return }
                    let ip = options.bind.isAny ? TransportAddress.IP.v4(0x7F00_0001) : options.bind
                    do { try await parts.startDemo(key: key, on: ip, log: log) } catch { log.error("\(error)") }
                }
            }
            group.addTask { await Self.stopSignal() }
            // Whichever comes first: a signal, or a failure to serve.
            defer { group.cancelAll() }
            try await group.next()
        }
        await parts.stop()
    }

    @MediaLoop
    private static func make(_ options: Options, _ metrics: PrometheusRegistry, _ log: Logger) throws -> Parts {
        try Parts(options, metrics, log)
    }

    private static func stopSignal() async {
        let (signals, continuation) = AsyncStream<Void>.makeStream()
        do {
            try await watchSignals { continuation.yield() }
        } catch {
            return
        }
        for await _ in signals { return }
    }

    @MediaLoop
    private static func watchSignals(_ stop: @escaping @Sendable () -> Void) throws {
        try Signals.handle([.interrupt, .terminate]) { _ in stop() }
    }

    private static func advertised(_ ip: TransportAddress.IP) -> String {
        if ip.isAny { return "127.0.0.1" }
        if case .v6 = ip { return "[\(ip)]" }
        return "\(ip)"
    }
}
