package import Bytes
package import Runtime
package import ServiceConfiguration

/// Where WebRTC publishers reach the daemon.
package struct PublisherNetwork: Equatable, Sendable {
    package enum UDP: Equatable, Sendable {
        case off
        /// Each publisher is told of one of them, in turn.
        case shared(ClosedRange<UInt16>)
        /// Each publisher has one of them for itself.
        case own(ClosedRange<UInt16>)
    }

    package static let stunPort: UInt16 = 3_478

    /// To advertise as host candidates, the best first.
    package var addresses: [TransportAddress.IP]
    package var udp: UDP
    /// `stunPort` is advertised beside what `udp` says.
    package var usesSTUNPort: Bool
    /// Nil: no media over TCP.
    package var tcpPort: UInt16?
    /// Connectivity is checked by the publisher alone.
    package var isICELite: Bool
    /// Asked how they see the UDP ports, for server-reflexive candidates.
    package var stunServers: [String]

    /// What `rtc_config` says, on a machine with these interfaces.
    /// - Parameter external: as STUN servers see the machine; with `use_external_ip` only.
    /// - Parameter cpuCount: shared ports are at most as many.
    package init(
        _ rtc: RTCConfiguration, interfaces: [NetworkInterface], external: [TransportAddress.IP] = [],
        cpuCount: Int = .max
    ) {
        addresses = Self.addresses(rtc, interfaces, external)
        udp = Self.udp(rtc, cpuCount: max(1, cpuCount))
        usesSTUNPort = rtc.useSTUNPortAsICE && !rtc.forceTCP
        tcpPort = rtc.tcpPort > 0 ? UInt16(clamping: rtc.tcpPort) : nil
        isICELite = rtc.useICELite
        let knowsItsAddress = !rtc.nodeIP.isEmpty || rtc.useExternalIP
        stunServers = knowsItsAddress || rtc.useICELite || udp == .off ? [] : rtc.stunServers
    }

    private static func udp(_ rtc: RTCConfiguration, cpuCount: Int) -> UDP {
        if rtc.forceTCP { return .off }
        if rtc.portRangeStart > 0 {
            let first = UInt16(clamping: rtc.portRangeStart)
            return .own(first...max(first, UInt16(clamping: rtc.portRangeEnd)))
        }
        guard let ports = rtc.udpPorts else {
            return .shared(RTCConfiguration.defaultUDPPort...RTCConfiguration.defaultUDPPort)
        }
        let last = min(Int(ports.upperBound), Int(ports.lowerBound) + min(cpuCount, 1 << 16) - 1)
        return .shared(ports.lowerBound...UInt16(clamping: last))
    }

    /// On this machine as it is now; asks STUN servers where `rtc_config` says so.
    @MediaLoop
    static func find(_ rtc: RTCConfiguration, cpuCount: Int) async throws(StartupError) -> PublisherNetwork {
        let interfaces: [NetworkInterface]
        var external: [TransportAddress.IP] = []
        do throws(RuntimeError) {
            interfaces = try NetworkInterface.all()
        } catch {
            throw .system(error)
        }
        if rtc.useExternalIP, rtc.nodeIP.isEmpty {
            let inside = hosts(rtc, interfaces).filter { !$0.isV6 && !$0.isLoopback }
            external = await ExternalAddress.find(asking: rtc.stunServers, from: inside)
            guard !external.isEmpty else { throw .externalAddress }
        }
        return PublisherNetwork(rtc, interfaces: interfaces, external: external, cpuCount: cpuCount)
    }

    private static func addresses(
        _ rtc: RTCConfiguration, _ interfaces: [NetworkInterface], _ external: [TransportAddress.IP]
    ) -> [TransportAddress.IP] {
        let node = [rtc.nodeIP.v4, rtc.nodeIP.v6].compactMap { TransportAddress(host: $0, port: 0)?.ip }
        if !node.isEmpty { return node }
        if rtc.externalIPOnly, !external.isEmpty { return external }
        return (external + hosts(rtc, interfaces)).reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }

    private static func hosts(_ rtc: RTCConfiguration, _ interfaces: [NetworkInterface]) -> [TransportAddress.IP] {
        let included = rtc.ipsIncluded.compactMap { AddressRange($0) }
        let excluded = rtc.ipsExcluded.compactMap { AddressRange($0) }
        let usable = interfaces.filter { interface in
            let ip = interface.address
            return interface.isUp && !ip.isAny && !ip.isLinkLocal
                && (rtc.interfacesIncluded.isEmpty || rtc.interfacesIncluded.contains(interface.name))
                && !rtc.interfacesExcluded.contains(interface.name)
                && (included.isEmpty || included.contains { $0.contains(ip) })
                && !excluded.contains { $0.contains(ip) }
        }
        let others = usable.filter { !$0.isLoopback }
        // A machine without a network is somebody's test.
        return (rtc.enableLoopbackCandidate || others.isEmpty ? others + usable.filter(\.isLoopback) : others)
            .map(\.address)
    }
}

/// A network in CIDR notation (RFC 4632), or one address.
package struct AddressRange: Equatable, Sendable {
    private let isV6: Bool
    private let high: UInt64
    private let low: UInt64
    private let prefix: Int

    package init?(_ text: String) {
        let parts = text.split(separator: "/" as Character, maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let ip = TransportAddress(host: String(first), port: 0)?.ip else { return nil }
        let bits = ip.isV6 ? 128 : 32
        var prefix = bits
        if parts.count == 2 {
            guard let given = Int(parts[1]), (0...bits).contains(given) else { return nil }
            prefix = given
        }
        self.prefix = prefix
        isV6 = ip.isV6
        (high, low) = Self.bits(of: ip)
    }

    package func contains(_ ip: TransportAddress.IP) -> Bool {
        guard ip.isV6 == isV6 else { return false }
        let other = Self.bits(of: ip)
        let (highMask, lowMask) = (Self.mask(min(prefix, 64)), Self.mask(max(prefix - 64, 0)))
        return other.high & highMask == high & highMask && other.low & lowMask == low & lowMask
    }

    /// From the highest bit on.
    private static func bits(of ip: TransportAddress.IP) -> (high: UInt64, low: UInt64) {
        switch ip {
        case .v4(let address): (UInt64(address) << 32, 0)
        case .v6(let high, let low): (high, low)
        }
    }

    private static func mask(_ count: Int) -> UInt64 { count == 0 ? 0 : UInt64.max << (64 - UInt64(count)) }
}
