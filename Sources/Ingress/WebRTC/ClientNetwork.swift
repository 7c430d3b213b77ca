package import Bytes
package import DTLS
package import ICE
package import Runtime

/// What a client peer has to find a path with.
package struct ClientNetwork: Sendable {
    package enum Limits {
        /// Addresses of this machine that are offered.
        package static let addresses = 10
        /// STUN servers asked, and TURN servers used, of those that signalling names.
        package static let stunServers = 4
        package static let turnServers = 4
    }

    /// Of this machine, from `NetworkInterface.all()`.
    package var interfaces: [NetworkInterface]
    /// Offers loopback addresses and allows paths to such of the other side. Without any other address they are used
    /// anyway.
    package var includesLoopback: Bool
    /// Dials the other side's passive TCP candidates.
    package var usesTCP = true
    /// Nothing but TURN.
    package var forcesRelay = false
    package var servers: [ICEServer]
    /// For `turns:`; nil trusts the system's authorities.
    package var tls: TLSClientContext?

    package init(interfaces: [NetworkInterface], servers: [ICEServer] = [], includesLoopback: Bool = false) {
        self.interfaces = interfaces
        self.servers = servers
        self.includesLoopback = includesLoopback
    }

    /// The machine as it is now. `remote`: an address of the other side, as of its signalling; loopback is included when
    /// it is one.
    package static func current(
        reaching remote: TransportAddress.IP? = nil, servers: [ICEServer] = []
    ) throws(RuntimeError) -> ClientNetwork {
        ClientNetwork(
            interfaces: try NetworkInterface.all(), servers: servers,
            includesLoopback: remote?.unmapped.isLoopback ?? false)
    }

    /// Those to offer, in the system's order. Link-local ones would need a zone.
    var addresses: [TransportAddress.IP] {
        var seen: Set<TransportAddress.IP> = []
        let usable = interfaces.filter { interface in
            interface.isUp && !interface.address.isAny && !interface.address.isLinkLocal
                && seen.insert(interface.address).inserted
        }
        let others = usable.filter { !$0.address.isLoopback }
        let loopback = usable.filter(\.address.isLoopback)
        let chosen = includesLoopback || others.isEmpty ? others + loopback : others
        return chosen.prefix(Limits.addresses).map(\.address)
    }
}
