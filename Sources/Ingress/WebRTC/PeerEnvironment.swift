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
    /// Advertised as host candidates.
    package var addresses: [TransportAddress.IP]
    /// Advertised with them; nil is the hub's port, for both.
    package var ports: Ports?

    /// Nil is a transport that nobody is told of.
    package struct Ports: Sendable {
        package var udp: UInt16?
        package var tcp: UInt16?

        package init(udp: UInt16?, tcp: UInt16?) {
            self.udp = udp
            self.tcp = tcp
        }
    }

    /// How long a peer that has its answer may take to reach us, and a lost one to come back.
    private static let pathPatience = Interval.seconds(30)
    static let cname = InlineBytes("ingress") ?? InlineBytes()

    package init(dtls: DTLSContext, clock: NTPClock, addresses: [TransportAddress.IP]) {
        self.dtls = dtls
        self.clock = clock
        self.addresses = addresses
    }

    /// We only answer checks: others seek us.
    @MediaLoop
    func agent(_ credentials: ICECredentials) -> ICEAgent.Configuration {
        var ice = ICEAgent.Configuration(
            mode: .lite, credentials: credentials, seed: Randomness.bytes(32),
            hmac: { HMAC.sha1Tag(key: $0, $1) })
        ice.timing.patience = Self.pathPatience
        return ice
    }

    /// What an answer says of us.
    func transport(_ credentials: ICECredentials, port: UInt16) -> LocalTransport {
        let fingerprint = dtls.certificate.fingerprint()
        return LocalTransport(
            sessionID: UInt64.random(in: 0..<(1 << 62)), iceUfrag: credentials.fragment, icePwd: credentials.password,
            isICELite: true,
            fingerprints: [SDP.Fingerprint(algorithm: fingerprint.algorithm.name, bytes: fingerprint.bytes)],
            candidates: candidates(port: port), endOfCandidates: true)
    }

    /// UDP first, and TCP passive for those whose networks pass nothing else.
    func candidates(port: UInt16) -> [String] {
        let ports = ports ?? Ports(udp: port, tcp: port)
        return addresses.enumerated().flatMap { index, ip in
            let preference = UInt16.max - UInt16(truncatingIfNeeded: index)
            let udp = ports.udp.map {
                ICECandidate.host(TransportAddress(ip: ip, port: $0), localPreference: preference)
            }
            let tcp = ports.tcp.map {
                ICECandidate.host(
                    TransportAddress(ip: ip, port: $0), transport: .tcp, tcpType: .passive, localPreference: preference)
            }
            return [udp, tcp].compactMap { $0?.description }
        }
    }
}
