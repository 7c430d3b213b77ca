package import Bytes
package import Runtime
package import ServiceConfiguration

/// Where WebRTC publishers reach the daemon.
package struct PublisherNetwork: Equatable, Sendable {
    /// To advertise as host candidates, the best first.
    package var addresses: [TransportAddress.IP]
    /// Nil: nothing is advertised over UDP.
    package var udpPort: UInt16?
    /// Nil: no media over TCP.
    package var tcpPort: UInt16?
    /// Connectivity is checked by the publisher alone.
    package var isICELite: Bool

    /// What `rtc_config` says, on a machine with these interfaces.
    /// - Parameter external: as STUN servers see the machine; with `use_external_ip` only.
    package init(_ rtc: RTCConfiguration, interfaces: [NetworkInterface], external: [TransportAddress.IP] = []) {
        addresses = Self.addresses(rtc, interfaces, external)
        let range = rtc.portRangeStart > 0 ? UInt16(clamping: rtc.portRangeStart) : nil
        udpPort = rtc.forceTCP ? nil : range ?? rtc.udpPorts?.lowerBound ?? RTCConfiguration.defaultUDPPort
        tcpPort = rtc.tcpPort > 0 ? UInt16(clamping: rtc.tcpPort) : nil
        isICELite = rtc.useICELite
    }

    /// On this machine as it is now; asks STUN servers where `rtc_config` says so.
    @MediaLoop
    static func find(_ rtc: RTCConfiguration) async throws(StartupError) -> PublisherNetwork {
        let asks = rtc.useExternalIP && rtc.nodeIP.isEmpty
        let external: TransportAddress.IP?
        let interfaces: [NetworkInterface]
        do throws(RuntimeError) {
            external = asks ? try await ExternalAddress.find(asking: rtc.stunServers) : nil
            interfaces = try NetworkInterface.all()
        } catch {
            throw .system(error)
        }
        if asks, external == nil { throw .externalAddress }
        return PublisherNetwork(rtc, interfaces: interfaces, external: [external].compactMap(\.self))
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
