package import Bytes

/// Where Redis is and how to speak to it. Printing it shows no secrets.
package struct RedisSettings: Equatable, Sendable {
    /// How the server is found.
    package enum Topology: Equatable, Sendable {
        case single(RedisAddress)
        /// The sentinels are asked for the master of this name before every connection.
        case sentinel(masterName: String, addresses: [RedisAddress], credentials: RedisCredentials)
        /// Any node serves; keys that live elsewhere are followed.
        case cluster([RedisAddress])
    }

    package var topology: Topology
    package var credentials = RedisCredentials()
    /// SELECT; a cluster has database 0 alone.
    package var database = 0
    package var tls: RedisTLSSettings?
    package var timing = RedisTiming()
    /// MOVED and ASK answers that one command follows.
    package var maximumRedirects = 2
    package var limits = RedisLimits()

    package init(_ topology: Topology) { self.topology = topology }

    /// Sentinels come first, then the cluster, then the single address.
    package init(
        address: String, sentinelMasterName: String = "", sentinelAddresses: [String] = [],
        sentinelCredentials: RedisCredentials = RedisCredentials(), clusterAddresses: [String] = []
    ) throws(RedisError) {
        if !sentinelAddresses.isEmpty {
            guard !sentinelMasterName.isEmpty else {
                throw .invalidSetting("sentinel_addresses are set without sentinel_master_name")
            }
            self.init(
                .sentinel(
                    masterName: sentinelMasterName,
                    addresses: try Self.addresses(sentinelAddresses, defaultPort: 26_379),
                    credentials: sentinelCredentials))
        } else if !clusterAddresses.isEmpty {
            self.init(.cluster(try Self.addresses(clusterAddresses, defaultPort: RedisAddress.defaultPort)))
        } else if !address.isEmpty {
            self.init(.single(try RedisAddress(address)))
        } else {
            throw .notConfigured
        }
    }

    private static func addresses(_ texts: [String], defaultPort: UInt16) throws(RedisError) -> [RedisAddress] {
        var addresses: [RedisAddress] = []
        for text in texts { addresses.append(try RedisAddress(text, defaultPort: defaultPort)) }
        return addresses
    }
}

/// User name and password; either may be empty. Printing it shows neither.
package struct RedisCredentials: Equatable, Sendable, CustomStringConvertible, CustomReflectable {
    package var username: String
    package var password: String

    package init(username: String = "", password: String = "") {
        self.username = username
        self.password = password
    }

    package var isEmpty: Bool { username.isEmpty && password.isEmpty }
    package var description: String { isEmpty ? "none" : "set" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// TLS 1.2 or newer.
package struct RedisTLSSettings: Equatable, Sendable {
    /// Accepts any certificate.
    package var isInsecure = false
    /// The name that the certificate must be for; empty: the host of the address.
    package var serverName = ""
    /// PEM file with the authorities to trust instead of the system's; empty: the system's.
    package var authorityFile = ""
    /// PEM files of the certificate that this client shows; both or none.
    package var certificateFile = ""
    package var keyFile = ""

    package init() {}
}

/// How long things may take.
package struct RedisTiming: Equatable, Sendable {
    /// Until a connection is made: TCP, TLS and authentication together.
    package var connect = Interval.seconds(2)
    /// Until the answer to a command, or anything else, has come. Then the connection counts as dead.
    package var reply = Interval.seconds(3)
    /// Silence after which the server is asked whether it is there.
    package var keepalive = Interval.seconds(1)
    /// How long a command waits while there is no connection.
    package var commandWait = Interval.seconds(1)
    /// The first pause between two attempts to connect; doubles up to `longestBackoff`.
    package var shortestBackoff = Interval.milliseconds(100)
    package var longestBackoff = Interval.seconds(1)

    package init() {}
}

/// The pauses between attempts to connect.
package struct ReconnectBackoff: Sendable {
    private let shortest: Interval
    private let longest: Interval
    private var upcoming: Interval

    package init(_ timing: RedisTiming) {
        shortest = timing.shortestBackoff
        longest = max(timing.shortestBackoff, timing.longestBackoff)
        upcoming = shortest
    }

    /// The pause before the next attempt.
    package mutating func next() -> Interval {
        defer { upcoming = min(upcoming * 2, longest) }
        return upcoming
    }

    /// A connection was made.
    package mutating func reset() { upcoming = shortest }
}
