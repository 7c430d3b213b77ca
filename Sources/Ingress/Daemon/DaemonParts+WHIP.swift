import Bytes
import Logging
import Runtime
import ServiceConfiguration
import WHIP

extension DaemonParts {
    /// Opens the ports of WHIP publishers' media, and makes what answers their requests; nil while WHIP is off.
    func openWHIP() async throws(StartupError) -> WHIPHTTPService? {
        guard configuration.whipPort > 0 else { return nil }
        let network = try await PublisherNetwork.find(
            configuration.rtc, cpuCount: Int(admission.cpuCount.rounded(.up)))
        try openPorts(network)
        log.info(
            "WHIP media",
            metadata: [
                "udp": "\(network.udp)", "tcp": "\(network.tcpPort ?? 0)", "addresses": "\(network.addresses)",
                "ice": network.isICELite ? "lite" : "full",
            ])
        var environment = PeerEnvironment(dtls: webRTC.dtls, clock: webRTC.clock, addresses: network.addresses)
        environment.advertised = PeerEnvironment.Advertised(udp: network.udp != .off, tcp: network.tcpPort)
        environment.isICELite = network.isICELite
        askSTUN(network.stunServers)
        return try serve(
            WHIPPublications(
                gate: service, hub: hub, environment: environment, slabPool: slabPool, log: log, directory: directory,
                passesOffersOn: configuration.whipProxyEnabled))
    }

    private func openPorts(_ network: PublisherNetwork) throws(StartupError) {
        if let port = network.tcpPort {
            try bind("rtc_config.tcp_port", Int(port)) { ip throws(RuntimeError) in
                try hub.openTCP(on: ip, port: port)
            }
        }
        switch network.udp {
        case .shared(let ports):
            for port in ports {
                try bind("rtc_config.udp_port", Int(port)) { ip throws(RuntimeError) in
                    try hub.openUDP(on: ip, port: port)
                }
            }
        case .own(let range):
            try bind("rtc_config.port_range_start", Int(range.lowerBound)) { ip throws(RuntimeError) in
                try hub.openRange(range, on: ip)
            }
        case .off:
            // What goes over TCP alone needs a socket as well; nobody is told of it.
            try bind("rtc_config.udp_port", 0) { ip throws(RuntimeError) in try hub.openUDP(on: ip, port: 0) }
        }
        guard network.usesSTUNPort else { return }
        try bind("rtc_config.use_stun_port_as_ice", Int(PublisherNetwork.stunPort)) { ip throws(RuntimeError) in
            try hub.openCommonUDP(on: ip, port: PublisherNetwork.stunPort)
        }
    }

    /// Nothing waits for the answers: until they come, and when none does, publishers are told host candidates alone.
    private func askSTUN(_ servers: [String]) {
        guard !servers.isEmpty else { return }
        let hub = hub
        Task { @MediaLoop in
            var found: [TransportAddress] = []
            for server in servers.prefix(ExternalAddress.Limits.servers) {
                let (host, port) = ExternalAddress.split(server)
                let addresses = try? await Resolver.resolve(host, port: port)
                if let address = addresses?.first(where: { !$0.ip.isV6 }) { found.append(address) }
            }
            hub.askSTUN(found, at: MediaLoop.now)
        }
    }

    private func serve(_ publications: WHIPPublications) throws(StartupError) -> WHIPHTTPService {
        whipTLS = try ReloadableTLS.forWHIP(configuration)
        let endpoint = WHIPEndpoint(
            publishers: publications, options: WHIPOptions(configuration), randomBytes: { Randomness.bytes($0) })
        service.patchWHIP = { session, key, fragment, ifMatch throws(WHIPError) in
            try await endpoint.patch(session: session, key: key, (fragment, ifMatch))
        }
        publications.onEnd = { id in Task { await endpoint.publisherEnded(id) } }
        self.publications = publications
        return WHIPHTTPService(
            respond: { await endpoint.respond(to: $0, at: $1) },
            health: { [weak self] in await self?.health ?? ServiceHealth(isAvailable: false) }, tls: whipTLS)
    }
}
