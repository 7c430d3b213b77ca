import Bytes
import DTLS
import Redis
import Runtime
import Testing

@Suite struct SettingsTests {
    @Test(
        "addresses are read as they stand in configurations",
        arguments: [
            ("redis:6380", "redis", 6380), ("10.0.0.1:1", "10.0.0.1", 1), ("redis", "redis", 6379),
            ("[::1]:65535", "::1", 65_535), ("[fe80::1%eth0]", "fe80::1%eth0", 6379),
            ("a.b-c.example:6379", "a.b-c.example", 6379),
        ] as [(String, String, UInt16)])
    func addresses(text: String, host: String, port: UInt16) throws {
        let address = try RedisAddress(text)
        #expect(address == RedisAddress(host: host, port: port))
        #expect(try RedisAddress(address.description) == address)
    }

    @Test(
        "what is no address is refused with a sentence that shows it",
        arguments: [
            "", ":6379", "redis:", "redis:0", "redis:65536", "redis:+1", "redis:-1", "redis:6379x", "[::1", "[]:1",
            "[::1]6379", "::1", "[h]:1", "[[::1]", "h]:1", "hé:1", "redis://h:6379", "user@h:1", "a b:1", "h:1\n",
        ])
    func badAddresses(text: String) {
        #expect {
            try RedisAddress(text)
        } throws: { error in
            "\(error)".contains("\"\(text)\"") && "\(error)".contains("host:port")
        }
    }

    @Test("sentinels go before a cluster, and a cluster before an address")
    func precedence() throws {
        let sentinel = RedisCredentials(username: "", password: "s")
        let all = try RedisSettings(
            address: "a:1", sentinelMasterName: "m", sentinelAddresses: ["s1", "s2:2"], sentinelCredentials: sentinel,
            clusterAddresses: ["c:3"])
        #expect(
            all.topology
                == .sentinel(
                    masterName: "m",
                    addresses: [RedisAddress(host: "s1", port: 26_379), RedisAddress(host: "s2", port: 2)],
                    credentials: sentinel))
        let cluster = try RedisSettings(address: "a:1", clusterAddresses: ["c:3", "d"])
        #expect(cluster.topology == .cluster([RedisAddress(host: "c", port: 3), RedisAddress(host: "d", port: 6379)]))
        #expect(try RedisSettings(address: "a:1").topology == .single(RedisAddress(host: "a", port: 1)))
        #expect(throws: RedisError.notConfigured) { try RedisSettings(address: "") }
        #expect(throws: RedisError.self) { try RedisSettings(address: "", sentinelAddresses: ["s"]) }
    }

    @Test("no way of printing the settings shows a password or a user")
    func secrets() throws {
        let credentials = RedisCredentials(username: "alice-user", password: "sesame-word")
        var settings = try RedisSettings(
            address: "", sentinelMasterName: "m", sentinelAddresses: ["s"], sentinelCredentials: credentials)
        settings.credentials = credentials
        var dumped = ""
        dump(settings, to: &dumped)
        for text in ["\(settings)", String(reflecting: settings), dumped, "\(credentials)"] {
            #expect(!text.contains("sesame") && !text.contains("alice"))
        }
        #expect("\(credentials)" == "set" && "\(RedisCredentials())" == "none")
    }

    @Test("errors say what to do")
    func sentences() throws {
        let address = try RedisAddress("redis:6379")
        let loopback = TransportAddress(ip: .v4(0x7F00_0001), port: 6379)
        func sentence(_ error: RedisError) -> String { "\(RedisError.unableToConnect(address, error))" }
        #expect(
            sentence(.network(.connect(loopback, .connectionRefused)))
                == "unable to connect to redis at redis:6379: connection refused; is it running?")
        #expect(sentence(.network(.connect(loopback, .timedOut))).contains("no answer in time"))
        #expect(sentence(.authenticationRefused("WRONGPASS")).contains("(WRONGPASS)"))
        #expect("\(RedisError.notConfigured)" == "redis is not configured")
        let others: [RedisError] = [
            .invalidSetting("x"), .tls(.closed), .closedByServer, .timedOut, .authenticationRequired,
            .databaseRefused(9, "ERR"), .notMaster, .masterUnknown(name: "m"), .refused("ERR"), .protocolViolated,
            .limitExceeded(.replyBytes), .notConnected, .tooManyRedirects, .closed,
            .network(.resolve(host: "redis", code: -2)),
        ]
        #expect(Set(others.map { "\($0)" }).count == others.count)
    }

    @Test("the pauses between attempts double up to the longest, and begin anew after a connection")
    func backoff() {
        var backoff = ReconnectBackoff(RedisTiming())
        #expect((0..<6).map { _ in backoff.next().milliseconds } == [100, 200, 400, 800, 1_000, 1_000])
        backoff.reset()
        #expect(backoff.next() == .milliseconds(100))
    }

    @Test("redirections of a cluster are read, and nothing else is one")
    func redirects() throws {
        let node = RedisAddress(host: "n", port: 1)
        let moved = try #require(ClusterRedirect("MOVED 3999 127.0.0.1:6381", answeredBy: node))
        #expect(moved.address == RedisAddress(host: "127.0.0.1", port: 6381) && !moved.isAsk)
        let ask = try #require(ClusterRedirect("ASK 3999 ::1:6381", answeredBy: node))
        #expect(ask.address == RedisAddress(host: "::1", port: 6381) && ask.isAsk)
        #expect(ClusterRedirect("MOVED 1 :7", answeredBy: node)?.address == RedisAddress(host: "n", port: 7))
        for text in ["MOVED", "MOVED 1", "MOVED 1 h", "MOVED 1 h:0", "MOVED 1 h:65536", "MOVED 1 ?:1", "ERR 1 h:1"] {
            #expect(ClusterRedirect(text, answeredBy: node) == nil)
        }
    }
}
