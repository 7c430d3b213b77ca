package import Bytes

/// Everything the daemon can be told, with the defaults of what the file leaves out.
///
/// Each property is one key of `ConfigurationKey.all`, which says what it means; only what is not plain stands here.
package struct IngressConfiguration: Equatable, Sendable {
    package var redis = RedisConfiguration()
    package var apiKey = ""
    package var apiSecret = ""
    /// `ws`, `wss`, `http` or `https`.
    package var wsURL = ""
    /// Ports: 0 is off.
    package var healthPort = 0
    package var debugHandlerPort = 0
    package var prometheusPort = 0
    /// −1 is off.
    package var rtmpPort = 1935
    /// 0 is off.
    package var rtmpsPort = 0
    package var tlsCertificate = ""
    package var tlsKey = ""
    /// −1 is off.
    package var whipPort = 8080
    package var whipTLSCertificate = ""
    package var whipTLSKey = ""
    /// Scheme and authority, without a slash at the end; empty: what requests say.
    package var whipPublicURL = ""
    /// `stun:`, `turn:` and `turns:` URLs.
    package var whipICEServers: [String] = []
    package var whipTURNUsername = ""
    package var whipTURNPassword = ""
    /// Goes before user name and password: credentials are made of it, which end after `whipTURNLifetime`.
    package var whipTURNSecret = ""
    package var whipTURNLifetime = Interval.seconds(86_400)
    package var httpRelayPort = 9090
    /// Zero is off: an encoder that breaks off has ended.
    package var publisherGrace = Interval.seconds(10)
    /// Zero is none.
    package var drainTimeout = Interval.zero
    package var logging = LoggingConfiguration()
    package var development = false
    package var whipProxyEnabled = false
    package var rtc = RTCConfiguration()
    package var cpuCost = CPUCostConfiguration()
    package var enableStreamLatencyReduction = false
    package var serviceName = "ingress"
    /// Only read so that it is no unknown key: each start draws its own.
    package var nodeID = ""

    package init() {}

    /// How long a drain may last; nil waits for the last session.
    package var drainDeadline: Interval? { drainTimeout == .zero ? nil : drainTimeout }
}

package struct RedisConfiguration: Equatable, Sendable {
    package enum Topology: Equatable, Sendable {
        case single(address: String)
        case sentinel(master: String, addresses: [String])
        case cluster(addresses: [String])
    }

    package var address = ""
    package var username = ""
    package var password = ""
    package var database = 0
    package var useTLS = false
    package var tls = RedisTLSConfiguration()
    package var sentinelMasterName = ""
    package var sentinelUsername = ""
    package var sentinelPassword = ""
    package var sentinelAddresses: [String] = []
    package var clusterAddresses: [String] = []
    package var dialTimeoutMilliseconds = 2_000
    package var readTimeoutMilliseconds = 200
    package var writeTimeoutMilliseconds = 200
    package var maxRedirects = 2
    package var poolTimeout = Interval.zero
    package var poolSize = 0

    package init() {}

    /// Sentinels go before a cluster, a cluster before a single address; nil when none is named.
    package var topology: Topology? {
        if !sentinelAddresses.isEmpty { return .sentinel(master: sentinelMasterName, addresses: sentinelAddresses) }
        if !clusterAddresses.isEmpty { return .cluster(addresses: clusterAddresses) }
        return address.isEmpty ? nil : .single(address: address)
    }

    package var usesTLS: Bool { useTLS || tls.enabled }
}

package struct RedisTLSConfiguration: Equatable, Sendable {
    package var enabled = false
    package var insecure = false
    package var serverName = ""
    package var caCertificateFile = ""
    package var clientCertificateFile = ""
    package var clientKeyFile = ""

    package init() {}
}

/// As in upstream's logger; what zap calls dpanic, panic and fatal is `error` here.
package enum ConfiguredLogLevel: String, CaseIterable, Sendable, Comparable {
    case debug
    case info
    case warn
    case error

    /// Case does not matter.
    package init?(name: String) {
        switch name.lowercased() {
        case "debug": self = .debug
        case "info": self = .info
        case "warn", "warning": self = .warn
        case "error", "dpanic", "panic", "fatal": self = .error
        default: return nil
        }
    }

    package static func < (a: ConfiguredLogLevel, b: ConfiguredLogLevel) -> Bool { a.rank < b.rank }

    private var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}

package struct LoggingConfiguration: Equatable, Sendable {
    package var json = false
    package var level = ConfiguredLogLevel.info
    /// Logger name (or its beginning up to a dot) to level.
    package var componentLevels: [String: ConfiguredLogLevel] = [:]
    package var sample = false
    package var sampleInitial = 0
    package var sampleInterval = 0
    package var itemSampleSeconds = 0
    package var itemSampleInitial = 0
    package var itemSampleInterval = 0

    package init() {}
}

/// CPUs that one session of a kind is expected to need.
package struct CPUCostConfiguration: Equatable, Sendable {
    package var rtmp = 2.0
    package var whip = 2.0
    package var whipBypassTranscoding = 0.1
    package var url = 2.0
    /// Share of all CPUs that stays idle.
    package var minIdleRatio = 0.3

    package init() {}
}

/// Addresses to advertise, at most one a family, each empty or valid.
package struct NodeAddresses: Equatable, Sendable {
    package var v4 = ""
    package var v6 = ""

    package init(v4: String = "", v6: String = "") {
        self.v4 = v4
        self.v6 = v6
    }

    package var isEmpty: Bool { v4.isEmpty && v6.isEmpty }
}

/// The WebRTC listener for WHIP.
package struct RTCConfiguration: Equatable, Sendable {
    package static let defaultUDPPort: UInt16 = 7885

    /// Nil where `portRangeStart` rules.
    package var udpPorts: ClosedRange<UInt16>?
    /// 0 is off.
    package var tcpPort = 0
    package var portRangeStart = 0
    package var portRangeEnd = 0
    package var useSTUNPortAsICE = false
    package var nodeIP = NodeAddresses()
    package var useExternalIP = false
    package var externalIPOnly = false
    package var stunServers = [
        "global.stun.twilio.com:3478", "stun.l.google.com:19302", "stun1.l.google.com:19302",
    ]
    package var useICELite = false
    package var interfacesIncluded: [String] = []
    package var interfacesExcluded: [String] = []
    package var ipsIncluded: [String] = []
    package var ipsExcluded: [String] = []
    package var enableLoopbackCandidate = false
    package var useMDNS = false
    package var batchSize = 0
    package var maxFlushInterval = Interval.zero
    package var sctpMinCwnd = 0
    package var sctpFastRtxWnd = 0
    package var sctpCwndCAStep = 0
    package var forceTCP = false

    package init() {}
}
