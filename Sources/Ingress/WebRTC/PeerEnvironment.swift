package import Bytes
package import DTLS
import ICE
import Media
package import RTP
import Runtime
import SDP
import WebRTC

/// What all peers of the process share that come to us: viewers, and publishers over WHIP.
package struct PeerEnvironment: Sendable {
    package var dtls: DTLSContext
    package var clock: NTPClock
    /// Advertised as host candidates, with the hub's ports.
    package var addresses: [TransportAddress.IP]
    /// What of the hub's ports is advertised; nil is all, with TCP on the number of the first.
    package var advertised: Advertised?
    /// Others check us and we answer. Otherwise we check them too, and nothing is sent to an address that did not answer.
    package var isICELite = true

    package struct Advertised: Sendable {
        package var udp: Bool
        /// Nil is no media over TCP.
        package var tcp: UInt16?

        package init(udp: Bool, tcp: UInt16?) {
            self.udp = udp
            self.tcp = tcp
        }
    }

    /// Checks at once to addresses that did not answer yet; browsers name ten or so, each of which is asked a few times.
    private static let strangerChecks = 100
    /// How long a peer that has its answer may take to reach us, and a lost one to come back.
    private static let pathPatience = Interval.seconds(30)
    static let cname = InlineBytes("ingress") ?? InlineBytes()

    package init(dtls: DTLSContext, clock: NTPClock, addresses: [TransportAddress.IP]) {
        self.dtls = dtls
        self.clock = clock
        self.addresses = addresses
    }

    /// An agent behind the hub's ports. The other side has its description by now, so it begins at once.
    @MediaLoop
    func agent(_ credentials: ICECredentials, remote: RemoteTransport? = nil, on hub: PeerHub) -> ICEAgent.Configuration
    {
        // Of a full and a lite agent the full one controls (RFC 8445 section 6.1.1).
        let role: ICEAgent.Role = remote?.isICELite ?? false ? .controlling : .controlled
        var ice = ICEAgent.Configuration(
            mode: isICELite ? .lite : .full, role: role, credentials: credentials, seed: Randomness.bytes(32),
            hmac: { HMAC.sha1Tag(key: $0, $1) })
        ice.timing.patience = Self.pathPatience
        ice.strangerChecks = Self.strangerChecks
        ice.mediaProvesConsent = true
        ice.transactionTag = hub.unusedTag()
        return ice
    }

    /// What an answer says of us.
    @MediaLoop
    func transport(_ credentials: ICECredentials, on ports: PeerPorts) -> LocalTransport {
        let fingerprint = dtls.certificate.fingerprint()
        return LocalTransport(
            sessionID: UInt64.random(in: 0..<(1 << 62)), iceUfrag: credentials.fragment, icePwd: credentials.password,
            isICELite: isICELite,
            fingerprints: [SDP.Fingerprint(algorithm: fingerprint.algorithm.name, bytes: fingerprint.bytes)],
            candidates: candidates(on: ports), endOfCandidates: true)
    }

    /// UDP first, and TCP passive for those whose networks pass nothing else.
    @MediaLoop
    func candidates(on ports: PeerPorts) -> [String] {
        let tcpPort = advertised == nil ? ports.all.first?.number : advertised?.tcp
        let tcp = addresses.enumerated().compactMap { index, ip in
            tcpPort.map {
                ICECandidate.host(
                    TransportAddress(ip: ip, port: $0), transport: .tcp, tcpType: .passive,
                    localPreference: UInt16.max - UInt16(truncatingIfNeeded: index))
            }
        }
        let found = hosts(on: ports)
        return (found.map(\.candidate) + reflexive(on: ports, found.map(\.candidate)) + tcp).map(\.description)
    }

    /// Where checks go out from.
    @MediaLoop
    func hosts(on ports: PeerPorts) -> [(candidate: ICECandidate, socket: ICESocket)] {
        guard advertised?.udp ?? true else { return [] }
        var preference = UInt16.max
        return ports.all.flatMap { port in
            addresses.map { ip in
                defer { preference &-= 1 }
                let address = TransportAddress(ip: ip, port: port.number)
                return (ICECandidate.host(address, localPreference: preference), port.id)
            }
        }
    }

    @MediaLoop
    private func reflexive(on ports: PeerPorts, _ hosts: [ICECandidate]) -> [ICECandidate] {
        guard advertised?.udp ?? true else { return [] }
        return ports.all.enumerated().compactMap { index, port in
            guard let outside = port.reflexive, !hosts.contains(where: { $0.address == outside }),
                let base = addresses.first(where: { $0.isV6 == outside.ip.isV6 })
            else { return nil }
            let inside = TransportAddress(ip: base, port: port.number)
            return ICECandidate(
                kind: .serverReflexive, endpoint: .address(outside),
                priority: ICECandidate.priority(
                    .serverReflexive, localPreference: UInt16.max - UInt16(truncatingIfNeeded: index)),
                foundation: ICECandidate.foundation(.serverReflexive, base: inside, transport: .udp, server: outside),
                related: inside)
        }
    }
}
