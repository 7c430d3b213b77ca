import Bytes

// What single values cannot tell: what is missing, and what does not fit together.
extension ConfigurationDecoder {
    mutating func check() {
        checkProject()
        checkRedis()
        checkListeners()
        checkTLS()
        checkWHIP()
        if configuration.whipPort > 0 { checkRTC() }
        checkCosts()
    }

    private mutating func error(_ name: String, _ text: String) {
        report(.init(.error, at: places[name], text))
    }

    private mutating func warning(_ name: String, _ text: String) {
        report(.init(.warning, at: places[name], text))
    }

    private mutating func checkProject() {
        if configuration.apiKey.isEmpty {
            error("api_key", "api_key is required: set it in the configuration or as LIVEKIT_API_KEY")
        }
        if configuration.apiSecret.isEmpty {
            error("api_secret", "api_secret is required: set it in the configuration or as LIVEKIT_API_SECRET")
        }
        let url = configuration.wsURL
        let schemes = ["ws://", "wss://", "http://", "https://"]
        if url.isEmpty {
            error("ws_url", "ws_url is required: set it in the configuration or as LIVEKIT_WS_URL")
        } else if !schemes.contains(where: { url.lowercased().hasPrefix($0) && url.count > $0.count }) {
            error("ws_url", "ws_url has to begin with ws:// or wss:// and name the LiveKit server")
        }
    }

    private mutating func checkRedis() {
        let redis = configuration.redis
        guard places["redis"] != nil else {
            return error("redis", "redis configuration is required: add `redis:` with `address: host:port`")
        }
        switch redis.topology {
        case nil:
            error("redis", "redis is not configured: set redis.address to host:port")
        case .single(let address):
            checkHostAndPort([address], "redis.address")
        case .sentinel(let master, let addresses):
            checkHostAndPort(addresses, "redis.sentinel_addresses")
            if master.isEmpty {
                error(
                    "redis.sentinel_addresses", "redis.sentinel_master_name is required with redis.sentinel_addresses")
            }
        case .cluster(let addresses):
            checkHostAndPort(addresses, "redis.cluster_addresses")
        }
        if redis.tls.clientCertificateFile.isEmpty != redis.tls.clientKeyFile.isEmpty {
            error("redis.tls", "redis.tls.client_cert_file and redis.tls.client_key_file need each other: set both")
        }
    }

    private mutating func checkHostAndPort(_ addresses: [String], _ name: String) {
        for address in addresses where !Self.isHostAndPort(address) {
            error(name, "\(name): expected host:port, found \(ConfigurationKey.quoted(address.shortened))")
        }
    }

    private static func isHostAndPort(_ text: String) -> Bool {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]), port > 0 else {
            return false
        }
        let host = text[..<colon]
        if host.hasPrefix("[") { return host.hasSuffix("]") && TransportAddress.IP(host.dropFirst().dropLast()) != nil }
        return !host.isEmpty && !host.contains { $0 == ":" || $0 == "/" || $0 == " " }
    }

    /// Two listeners cannot have one port.
    private mutating func checkListeners() {
        let configuration = configuration
        var listeners = [
            ("rtmp_port", configuration.rtmpPort), ("rtmps_port", configuration.rtmpsPort),
            ("whip_port", configuration.whipPort), ("http_relay_port", configuration.httpRelayPort),
            ("health_port", configuration.healthPort), ("prometheus_port", configuration.prometheusPort),
        ]
        if configuration.whipPort > 0 { listeners.append(("rtc_config.tcp_port", configuration.rtc.tcpPort)) }
        var owners: [Int: String] = [:]
        for (name, port) in listeners where port > 0 {
            if let other = owners[port] {
                let place = places[name] == nil ? other : name
                error(place, "\(other) and \(name) are both \(port): give one of them another port")
            } else {
                owners[port] = name
            }
        }
    }

    private mutating func checkTLS() {
        let (certificate, key) = (configuration.tlsCertificate, configuration.tlsKey)
        if configuration.rtmpsPort > 0 && (certificate.isEmpty || key.isEmpty) {
            error("rtmps_port", "rtmps_port needs tls_cert and tls_key: set both to PEM files")
        } else if certificate.isEmpty != key.isEmpty {
            error(certificate.isEmpty ? "tls_key" : "tls_cert", "tls_cert and tls_key need each other: set both")
        } else if configuration.rtmpsPort == 0 && !certificate.isEmpty {
            warning("tls_cert", "tls_cert has no use while rtmps_port is off")
        }
    }

    private mutating func checkWHIP() {
        let (certificate, key) = (configuration.whipTLSCertificate, configuration.whipTLSKey)
        if certificate.isEmpty != key.isEmpty {
            let name = certificate.isEmpty ? "whip_tls_key" : "whip_tls_cert"
            error(name, "whip_tls_cert and whip_tls_key need each other: set both")
        } else if configuration.whipPort <= 0 && !certificate.isEmpty {
            warning("whip_tls_cert", "whip_tls_cert has no use while whip_port is off")
        }
        let url = configuration.whipPublicURL
        if !url.isEmpty && !Self.isOrigin(url) {
            error("whip_public_url", "whip_public_url: expected http:// or https://, a host, and no path")
        }
        for server in configuration.whipICEServers where !Self.isICEServer(server) {
            let found = ConfigurationKey.quoted(server.shortened)
            error("whip_ice_servers", "whip_ice_servers: expected stun:host, turn:host or turns:host, found \(found)")
        }
        checkTURN()
    }

    private mutating func checkTURN() {
        let usesTURN = configuration.whipICEServers.contains { $0.hasPrefix("turn") }
        let hasPassword = !configuration.whipTURNUsername.isEmpty && !configuration.whipTURNPassword.isEmpty
        let hasSecret = !configuration.whipTURNSecret.isEmpty
        if usesTURN && !hasPassword && !hasSecret {
            error(
                "whip_ice_servers",
                "whip_ice_servers: a TURN server needs whip_turn_secret, or whip_turn_username and whip_turn_password")
        } else if hasSecret && hasPassword {
            warning("whip_turn_password", "whip_turn_password has no use beside whip_turn_secret")
        }
    }

    private static func isOrigin(_ text: String) -> Bool {
        guard let scheme = ["http://", "https://"].first(where: text.hasPrefix) else { return false }
        let authority = text.dropFirst(scheme.count)
        return !authority.isEmpty && authority.allSatisfy { $0.isASCII && !"/?#\\\"<> ".contains($0) }
    }

    private static func isICEServer(_ text: String) -> Bool {
        guard let scheme = ["stun:", "stuns:", "turn:", "turns:"].first(where: text.hasPrefix) else { return false }
        let rest = text.dropFirst(scheme.count)
        return !rest.isEmpty && !rest.hasPrefix("//") && rest.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x3E }
    }

    private mutating func checkRTC() {
        let rtc = configuration.rtc
        if rtc.forceTCP && rtc.tcpPort == 0 {
            error("rtc_config.force_tcp", "TCP is forced but not configured: set rtc_config.tcp_port")
        }
        if rtc.portRangeStart > 0 && rtc.portRangeEnd < rtc.portRangeStart {
            let text = "rtc_config.port_range_end has to be set, and not below rtc_config.port_range_start"
            error(rtc.portRangeEnd > 0 ? "rtc_config.port_range_end" : "rtc_config.port_range_start", text)
        }
        if rtc.portRangeStart == 0 && rtc.portRangeEnd > 0 {
            warning("rtc_config.port_range_end", "rtc_config.port_range_end has no use without port_range_start")
        }
        for (name, networks) in [("includes", rtc.ipsIncluded), ("excludes", rtc.ipsExcluded)] {
            for network in networks where !Self.isNetwork(network) {
                let found = ConfigurationKey.quoted(network.shortened)
                error(
                    "rtc_config.ips.\(name)",
                    "rtc_config.ips.\(name): expected a network such as 10.0.0.0/8, found \(found)")
            }
        }
    }

    private static func isNetwork(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let ip = TransportAddress.IP(parts[0]), let bits = UInt8(parts[1]) else { return false }
        return switch ip {
        case .v4: bits <= 32
        case .v6: bits <= 128
        }
    }

    /// Below these, sessions are taken that the machine cannot carry.
    private mutating func checkCosts() {
        let costs = configuration.cpuCost
        let least = [
            ("rtmp_cpu_cost", costs.rtmp, 1.0, 2.0), ("whip_cpu_cost", costs.whip, 1.0, 2.0),
            ("whip_bypass_transcoding_cpu_cost", costs.whipBypassTranscoding, 0.05, 0.1),
            ("url_cpu_cost", costs.url, 1.0, 2.0),
        ]
        for (name, cost, minimum, recommended) in least where cost < minimum {
            let text =
                "cpu_cost.\(name) is \(cost), below the least that is sound (\(minimum)); \(recommended) is recommended"
            warning("cpu_cost.\(name)", text)
        }
    }
}
