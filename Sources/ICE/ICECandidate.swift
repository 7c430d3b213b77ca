package import Bytes

package enum ICETransport: String, Hashable, Sendable {
    case udp
    case tcp
}

/// Which end of a TCP candidate opens the connection (RFC 6544 section 4.5).
package enum ICETCPType: String, Hashable, Sendable {
    case active
    case passive
    case simultaneousOpen = "so"
}

package enum ICECandidateKind: String, Hashable, Sendable {
    case host
    case serverReflexive = "srflx"
    case peerReflexive = "prflx"
    case relayed = "relay"

    /// Recommended type preferences (RFC 8445 section 5.1.2.2).
    var preference: UInt32 {
        switch self {
        case .host: 126
        case .peerReflexive: 110
        case .serverReflexive: 100
        case .relayed: 0
        }
    }
}

/// A transport address at which a peer may be reached (RFC 8445 section 5.1), with its text form (RFC 8839 section
/// 5.1).
package struct ICECandidate: Hashable, Sendable {
    package enum Endpoint: Hashable, Sendable {
        case address(TransportAddress)
        /// A host name, as browsers hide addresses behind mDNS; nobody checks it until a driver resolves it.
        case name(String, port: UInt16)
    }

    /// Same for candidates of one kind, base, server and transport; 1 to 32 ice-chars.
    package var foundation: String
    /// 1 to 256. With RTCP multiplexed, which is all that this agent does, always 1.
    package var component: UInt16
    package var transport: ICETransport
    package var tcpType: ICETCPType?
    package var priority: UInt32
    package var endpoint: Endpoint
    package var kind: ICECandidateKind
    /// The base of a reflexive candidate, when told.
    package var related: TransportAddress?
    /// The fragment of the generation that the candidate belongs to, when told (RFC 8838 section 6).
    package var fragment: String?

    package init(
        kind: ICECandidateKind, endpoint: Endpoint, transport: ICETransport = .udp, tcpType: ICETCPType? = nil,
        priority: UInt32, foundation: String, component: UInt16 = 1, related: TransportAddress? = nil,
        fragment: String? = nil
    ) {
        self.foundation = foundation
        self.component = component
        self.transport = transport
        self.tcpType = tcpType
        self.priority = priority
        self.endpoint = endpoint
        self.kind = kind
        self.related = related
        self.fragment = fragment
    }

    /// A local host candidate with computed priority and foundation.
    ///
    /// `localPreference` (0…65535) ranks a host's own addresses; over TCP the direction preference of RFC 6544
    /// section 4.2 takes its upper three bits, so that UDP comes first.
    package static func host(
        _ address: TransportAddress, transport: ICETransport = .udp, tcpType: ICETCPType? = nil,
        localPreference: UInt16 = 65_535
    ) -> ICECandidate {
        ICECandidate(
            kind: .host, endpoint: .address(address), transport: transport, tcpType: tcpType,
            priority: priority(.host, localPreference: preference(localPreference, transport, tcpType)),
            foundation: foundation(.host, base: address, transport: transport, server: nil))
    }

    /// Nil while the host name is not resolved.
    package var address: TransportAddress? {
        if case .address(let address) = endpoint { address } else { nil }
    }

    /// RFC 8445 section 5.1.2.1.
    package static func priority(
        _ kind: ICECandidateKind, localPreference: UInt16, component: UInt16 = 1
    ) -> UInt32 {
        kind.preference << 24 | UInt32(localPreference) << 8 | (256 &- UInt32(component)) & 0xFF
    }

    /// A number in text that two candidates share exactly when RFC 8445 section 5.1.1.3 says so, collisions of CRC-32
    /// apart.
    package static func foundation(
        _ kind: ICECandidateKind, base: TransportAddress, transport: ICETransport, server: TransportAddress?
    ) -> String {
        let text = "\(kind.rawValue)|\(base.host)|\(transport.rawValue)|\(server?.host ?? "")"
        return String(CRC32.checksum(Array(text.utf8).rawSpan))
    }

    private static func preference(_ local: UInt16, _ transport: ICETransport, _ type: ICETCPType?) -> UInt16 {
        guard transport == .tcp else { return local }
        let direction: UInt16 =
            switch type {
            case .active: 6
            case .passive: 4
            default: 2
            }
        return direction << 13 | local & 0x1FFF
    }
}
