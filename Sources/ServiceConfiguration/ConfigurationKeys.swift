import Bytes

extension ConfigurationKey {
    /// Every key, those of one section together.
    package static let all: [ConfigurationKey] = redisKeys + serviceKeys + loggingKeys + rtcKeys + costKeys

    private static let anyPort = 0...65_535
    private static let offOrPort = -1...65_535
    private static let count = 0...1_000_000_000
    private static let day = Interval.seconds(86_400)

    private static let redisKeys: [ConfigurationKey] = [
        .init("redis.address", .text(\.redis.address), "`host:port` of a single Redis"),
        .init("redis.username", .text(\.redis.username), "user of Redis' access control"),
        .init("redis.password", .secret(\.redis.password), "its password"),
        .init("redis.db", .integer(\.redis.database, 0...65_535), "number of the database"),
        .init("redis.use_tls", .flag(\.redis.useTLS), "TLS to Redis; the same as `redis.tls.enabled`"),
        .init("redis.tls.enabled", .flag(\.redis.tls.enabled), "TLS 1.2 or later to Redis"),
        .init("redis.tls.insecure", .flag(\.redis.tls.insecure), "accept any certificate"),
        .init(
            "redis.tls.server_name", .text(\.redis.tls.serverName), "name the certificate must have",
            default: "host of the address"),
        .init(
            "redis.tls.ca_cert_file", .text(\.redis.tls.caCertificateFile), "authorities to trust, PEM",
            default: "the system's"),
        .init(
            "redis.tls.client_cert_file", .text(\.redis.tls.clientCertificateFile), "certificate to show to Redis, PEM"
        ),
        .init("redis.tls.client_key_file", .text(\.redis.tls.clientKeyFile), "its key, PEM"),
        .init(
            "redis.sentinel_master_name", .text(\.redis.sentinelMasterName), "name of the master the sentinels watch"),
        .init("redis.sentinel_username", .text(\.redis.sentinelUsername), "user at the sentinels"),
        .init("redis.sentinel_password", .secret(\.redis.sentinelPassword), "its password"),
        .init(
            "redis.sentinel_addresses", .texts(\.redis.sentinelAddresses),
            "`host:port` of the sentinels; wins over the other addresses"),
        .init(
            "redis.cluster_addresses", .texts(\.redis.clusterAddresses),
            "`host:port` of cluster nodes; wins over `redis.address`"),
        .init(
            "redis.dial_timeout", .integer(\.redis.dialTimeoutMilliseconds, count),
            "milliseconds to connect, with sentinels"),
        .init(
            "redis.read_timeout", .integer(\.redis.readTimeoutMilliseconds, count),
            "milliseconds for an answer, with sentinels"),
        .init(
            "redis.write_timeout", .integer(\.redis.writeTimeoutMilliseconds, count),
            "milliseconds to send, with sentinels"),
        .init("redis.max_redirects", .integer(\.redis.maxRedirects, 0...1_000), "redirections to follow in a cluster"),
        .init("redis.pool_timeout", .duration(\.redis.poolTimeout, upTo: day), "read, but there is no pool"),
        .init("redis.pool_size", .integer(\.redis.poolSize, count), "read, but there is no pool"),
    ]

    private static let serviceKeys: [ConfigurationKey] = [
        .init("api_key", .text(\.apiKey), "key of the LiveKit project", default: "`LIVEKIT_API_KEY`; required"),
        .init("api_secret", .secret(\.apiSecret), "its secret", default: "`LIVEKIT_API_SECRET`; required"),
        .init(
            "ws_url", .text(\.wsURL), "address of the LiveKit server: `ws://`, `wss://`",
            default: "`LIVEKIT_WS_URL`; required"),
        .init("health_port", .integer(\.healthPort, anyPort), "port of `/health` and `/availability`; 0 is off"),
        .init("debug_handler_port", .integer(\.debugHandlerPort, anyPort), "read, but nothing is served there"),
        .init("prometheus_port", .integer(\.prometheusPort, anyPort), "port of the metrics; 0 is off"),
        .init("rtmp_port", .integer(\.rtmpPort, offOrPort), "port for RTMP; -1 is off"),
        .init("rtmps_port", .integer(\.rtmpsPort, anyPort), "port for RTMP over TLS; 0 is off"),
        .init(
            "tls_cert", .text(\.tlsCertificate), "file with the certificate chain for RTMPS, PEM", reloadable: true),
        .init("tls_key", .text(\.tlsKey), "file with its key, PEM", reloadable: true),
        .init("whip_port", .integer(\.whipPort, offOrPort), "port for WHIP; -1 is off"),
        .init(
            "whip_tls_cert", .text(\.whipTLSCertificate),
            "file with the certificate chain of `whip_port`, PEM: makes it HTTPS", reloadable: true),
        .init("whip_tls_key", .text(\.whipTLSKey), "file with its key, PEM", reloadable: true),
        .init(
            "whip_public_url", .text(\.whipPublicURL),
            "scheme and host that encoders reach `whip_port` by, such as `https://ingest.example.com`",
            default: "what their requests say"),
        .init(
            "whip_ice_servers", .texts(\.whipICEServers),
            "STUN and TURN servers that encoders are told of: `stun:host:port`, `turn:host:port?transport=udp`"),
        .init("whip_turn_username", .text(\.whipTURNUsername), "user at the TURN servers among them"),
        .init("whip_turn_password", .secret(\.whipTURNPassword), "its password"),
        .init(
            "whip_turn_secret", .secret(\.whipTURNSecret),
            "secret shared with the TURN servers: each encoder gets a user name and password of its own, which end"),
        .init(
            "whip_turn_ttl", .duration(\.whipTURNLifetime, upTo: .seconds(30 * 86_400)),
            "how long these are good"),
        .init(
            "http_relay_port", .integer(\.httpRelayPort, anyPort), "loopback port between the daemon and its sessions"),
        .init(
            "publisher_grace", .duration(\.publisherGrace, upTo: .seconds(3_600)),
            "how long a session waits for an encoder that broke off; 0 ends it at once"),
        .init(
            "drain_timeout", .duration(\.drainTimeout, upTo: .seconds(30 * 86_400)),
            "how long SIGTERM waits for running sessions; 0 waits for the last", default: "none"),
        .init("development", .flag(\.development), "no complaint about small UDP buffers"),
        .init(
            "whip_proxy_enabled", .flag(\.whipProxyEnabled), "hand WHIP without transcoding on to the LiveKit server"),
        .init(
            "enable_stream_latency_reduction", .flag(\.enableStreamLatencyReduction),
            "read, but latency is always bounded"),
        .init("service_name", .text(\.serviceName), "name of the logger"),
        .init("node_id", .text(\.nodeID), "read, but drawn anew at each start", default: "`NE_…`"),
    ]

    private static let loggingKeys: [ConfigurationKey] = [
        .init("logging.json", .flag(\.logging.json), "one JSON object a line instead of text"),
        .init(
            "logging.level", .level(\.logging.level), "lowest level shown: `debug`, `info`, `warn`, `error`",
            reloadable: true),
        .init(
            "logging.component_levels", .levels(\.logging.componentLevels), "levels of single loggers by name",
            reloadable: true),
        .init("logging.sample", .flag(\.logging.sample), "read, but no line is left out"),
        .init("logging.sample_initial", .integer(\.logging.sampleInitial, count), "read, without effect"),
        .init("logging.sample_interval", .integer(\.logging.sampleInterval, count), "read, without effect"),
        .init("logging.item_sample_seconds", .integer(\.logging.itemSampleSeconds, count), "read, without effect"),
        .init("logging.item_sample_initial", .integer(\.logging.itemSampleInitial, count), "read, without effect"),
        .init("logging.item_sample_interval", .integer(\.logging.itemSampleInterval, count), "read, without effect"),
    ]

    private static let rtcKeys: [ConfigurationKey] = [
        .init(
            "rtc_config.udp_port", .ports(\.rtc.udpPorts),
            "UDP port that all sessions share, or a range (`7885-7888`) that they are spread over, at most one per CPU",
            default: "7885, unless `port_range_start` is set"),
        .init("rtc_config.tcp_port", .integer(\.rtc.tcpPort, anyPort), "port for media over TCP; 0 is off"),
        .init(
            "rtc_config.port_range_start", .integer(\.rtc.portRangeStart, anyPort),
            "first of the UDP ports that sessions have for themselves; wins over `udp_port`"),
        .init("rtc_config.port_range_end", .integer(\.rtc.portRangeEnd, anyPort), "last of them"),
        .init("rtc_config.use_stun_port_as_ice", .flag(\.rtc.useSTUNPortAsICE), "listen on UDP 3478 as well"),
        .init(
            "rtc_config.node_ip", .addresses(\.rtc.nodeIP),
            "address to advertise: IPv4, IPv6, or both with a comma between", default: "found out"),
        .init(
            "rtc_config.use_external_ip", .flag(\.rtc.useExternalIP),
            "ask a STUN server for the outer address of each inner one"),
        .init("rtc_config.external_ip_only", .flag(\.rtc.externalIPOnly), "advertise nothing but the outer address"),
        .init(
            "rtc_config.stun_servers", .texts(\.rtc.stunServers),
            "`host:port` of STUN servers; asked while nothing else says how this machine is seen"),
        .init("rtc_config.use_ice_lite", .flag(\.rtc.useICELite), "leave connectivity checks to the encoder (WHIP)"),
        .init("rtc_config.interfaces.includes", .texts(\.rtc.interfacesIncluded), "network interfaces to use"),
        .init("rtc_config.interfaces.excludes", .texts(\.rtc.interfacesExcluded), "network interfaces not to use"),
        .init("rtc_config.ips.includes", .texts(\.rtc.ipsIncluded), "networks (`10.0.0.0/8`) to use"),
        .init("rtc_config.ips.excludes", .texts(\.rtc.ipsExcluded), "networks not to use"),
        .init(
            "rtc_config.enable_loopback_candidate", .flag(\.rtc.enableLoopbackCandidate),
            "advertise loopback addresses"),
        .init("rtc_config.use_mdns", .flag(\.rtc.useMDNS), "read, without effect"),
        .init("rtc_config.batch_io.batch_size", .integer(\.rtc.batchSize, count), "read, without effect"),
        .init(
            "rtc_config.batch_io.max_flush_interval", .duration(\.rtc.maxFlushInterval, upTo: day),
            "read, without effect"),
        .init("rtc_config.sctp_min_cwnd", .integer(\.rtc.sctpMinCwnd, count), "read, without effect"),
        .init("rtc_config.sctp_fast_rtx_wnd", .integer(\.rtc.sctpFastRtxWnd, count), "read, without effect"),
        .init("rtc_config.sctp_cwnd_ca_step", .integer(\.rtc.sctpCwndCAStep, count), "read, without effect"),
        .init("rtc_config.force_tcp", .flag(\.rtc.forceTCP), "no media over UDP; needs `tcp_port`"),
    ]

    private static let cpus = 0.0...1_024.0
    private static let costKeys: [ConfigurationKey] = [
        .init(
            "cpu_cost.rtmp_cpu_cost", .number(\.cpuCost.rtmp, cpus), "CPUs set aside for an RTMP session",
            reloadable: true),
        .init("cpu_cost.whip_cpu_cost", .number(\.cpuCost.whip, cpus), "for a WHIP session", reloadable: true),
        .init(
            "cpu_cost.whip_bypass_transcoding_cpu_cost", .number(\.cpuCost.whipBypassTranscoding, cpus),
            "for a WHIP session without transcoding", reloadable: true),
        .init(
            "cpu_cost.url_cpu_cost", .number(\.cpuCost.url, cpus), "for a session that pulls a URL", reloadable: true),
        .init(
            "cpu_cost.min_idle_ratio", .number(\.cpuCost.minIdleRatio, -1...1),
            "share of all CPUs to keep idle; 0 or less is the default", reloadable: true),
    ]
}
