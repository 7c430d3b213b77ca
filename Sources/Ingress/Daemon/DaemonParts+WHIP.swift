import Bytes
import Logging
import Runtime
import ServiceConfiguration
import WHIP

extension DaemonParts {
    /// Opens the ports of WHIP publishers' media, and makes what answers their requests; nil while WHIP is off.
    func openWHIP() async throws(StartupError) -> WHIPHTTPService? {
        guard configuration.whipPort > 0 else { return nil }
        let network = try await PublisherNetwork.find(configuration.rtc)
        if let port = network.tcpPort {
            try bind("rtc_config.tcp_port", Int(port)) { ip throws(RuntimeError) in
                try hub.openTCP(on: ip, port: port)
            }
        }
        // What goes over TCP alone needs the socket as well; nobody is told of it then.
        let port = network.udpPort ?? 0
        try bind("rtc_config.udp_port", Int(port)) { ip throws(RuntimeError) in try hub.openUDP(on: ip, port: port) }
        log.info(
            "WHIP media",
            metadata: [
                "udp": "\(network.udpPort ?? 0)", "tcp": "\(network.tcpPort ?? 0)",
                "addresses": "\(network.addresses)",
            ])
        var environment = PeerEnvironment(dtls: webRTC.dtls, clock: webRTC.clock, addresses: network.addresses)
        environment.ports = PeerEnvironment.Ports(udp: network.udpPort, tcp: network.tcpPort)
        return try serve(
            WHIPPublications(
                gate: service, hub: hub, environment: environment, slabPool: slabPool, log: log, directory: directory,
                passesOffersOn: configuration.whipProxyEnabled))
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
