import Bytes
import ServiceConfiguration
import Testing

@Suite struct ConfigurationSourceTests {
    private struct NoFile: Error, CustomStringConvertible { var description: String { "no such file" } }

    private func load(
        file: String? = nil, body: String? = nil, _ environment: [String: String] = [:]
    ) -> ConfigurationLoad {
        IngressConfiguration.load(file: file, body: body, environment: environment) { path in
            guard path.hasPrefix("/") else { throw NoFile() }
            return Array((ConfigurationFixture.base + "service_name: \(path)\n").utf8)
        }
    }

    private func body(_ name: String) -> String { ConfigurationFixture.base + "service_name: \(name)\n" }

    @Test("the option's text wins over the variable's, that over the option's file, that over the variable's")
    func order() {
        let environment = ["INGRESS_CONFIG_BODY": body("b"), "INGRESS_CONFIG_FILE": "/d"]
        let onlyFile = ["INGRESS_CONFIG_FILE": "/d"]
        #expect(load(file: "/c", body: body("a"), environment).configuration?.serviceName == "a")
        #expect(load(file: "/c", environment).configuration?.serviceName == "b")
        #expect(load(file: "/c", onlyFile).configuration?.serviceName == "/c")
        #expect(load(onlyFile).configuration?.serviceName == "/d")
    }

    private func load(_ environment: [String: String]) -> ConfigurationLoad { load(file: nil, body: nil, environment) }

    @Test("the source is named for messages")
    func names() {
        #expect(load(file: "/c").source == "/c")
        #expect(load(body: body("a")).source == "--config-body")
        #expect(load(["INGRESS_CONFIG_BODY": body("a")]).source == "INGRESS_CONFIG_BODY")
    }

    @Test("no source at all, or only empty ones, is upstream's error")
    func missing() throws {
        for result in [load(), load(file: "", body: "", ["INGRESS_CONFIG_BODY": ""])] {
            #expect(result.configuration == nil)
            #expect(try #require(result.errors.first).text.hasPrefix("missing config"))
        }
    }

    @Test("a file that cannot be read is an error with the reason")
    func unreadable() {
        let result = load(file: "relative")
        #expect(result.configuration == nil)
        #expect(result.errors.map(\.text) == ["cannot read the configuration: no such file"])
    }

    @Test("the environment fills what the text leaves empty")
    func environment() throws {
        let environment = [
            "LIVEKIT_API_KEY": "envkey", "LIVEKIT_API_SECRET": "envsecret", "LIVEKIT_WS_URL": "wss://env",
        ]
        let result = ConfigurationFixture.load(
            "redis: {address: h:1}\napi_key: mine\napi_secret: ''\n", environment: environment)
        let configuration = try #require(result.configuration)
        #expect(configuration.apiKey == "mine")
        #expect(configuration.apiSecret == "envsecret")
        #expect(configuration.wsURL == "wss://env")
    }
}

@Suite struct ConfigurationLoadTests {
    @Test("the least configuration has every default")
    func defaults() throws {
        let result = ConfigurationFixture.loadBase("")
        #expect(result.diagnostics.isEmpty)
        var expected = IngressConfiguration()
        expected.redis.address = "localhost:6379"
        expected.apiKey = "key"
        expected.apiSecret = "secret"
        expected.wsURL = "ws://localhost:7880"
        expected.rtc.udpPorts = 7885...7885
        #expect(result.configuration == expected)
        #expect(expected.rtmpPort == 1935)
        #expect(expected.whipPort == 8080)
        #expect(expected.httpRelayPort == 9090)
        #expect(expected.publisherGrace == .seconds(10))
        #expect(expected.drainDeadline == nil)
        #expect(expected.rtmpsPort == 0)
        #expect(expected.cpuCost.rtmp == 2)
        #expect(expected.cpuCost.whip == 2)
        #expect(expected.cpuCost.whipBypassTranscoding == 0.1)
        #expect(expected.cpuCost.url == 2)
        #expect(expected.cpuCost.minIdleRatio == 0.3)
        #expect(expected.redis.topology == .single(address: "localhost:6379"))
    }

    @Test("zero is the default where upstream has it so")
    func zeroes() throws {
        let lines = "rtmp_port: 0\nwhip_port: 0\nhttp_relay_port: 0\ncpu_cost: {min_idle_ratio: 0}\nservice_name: ''\n"
        #expect(ConfigurationFixture.loadBase(lines).configuration == ConfigurationFixture.loadBase("").configuration)
    }

    @Test("ports can be turned off")
    func off() throws {
        let configuration = try #require(ConfigurationFixture.loadBase("rtmp_port: -1\nwhip_port: -1\n").configuration)
        #expect(configuration.rtmpPort == -1)
        #expect(configuration.whipPort == -1)
    }

    @Test("nulls and empty sections leave the defaults")
    func nulls() throws {
        let result = ConfigurationFixture.loadBase(
            "rtmp_port:\nlogging:\nrtc_config: ~\ncpu_cost: {rtmp_cpu_cost: null}\n")
        #expect(result.diagnostics.isEmpty)
        #expect(result.configuration == ConfigurationFixture.loadBase("").configuration)
    }

    @Test("UDP ports: one, a range in quotes or not, or sessions' own")
    func udpPorts() throws {
        func rtc(_ text: String) throws -> RTCConfiguration {
            try #require(ConfigurationFixture.loadBase("rtc_config: {\(text)}\n").configuration).rtc
        }
        #expect(try rtc("udp_port: 7000").udpPorts == 7000...7000)
        #expect(try rtc("udp_port: '7000'").udpPorts == 7000...7000)
        #expect(try rtc("udp_port: \"7885-7888\"").udpPorts == 7885...7888)
        #expect(try rtc("udp_port: 7885 - 7888").udpPorts == 7885...7888)
        #expect(try rtc("udp_port: 0").udpPorts == 7885...7885)
        #expect(try rtc("udp_port: 7000, port_range_start: 100, port_range_end: 200").udpPorts == nil)
    }

    @Test("node addresses: one family or both, in any order")
    func nodeAddresses() throws {
        func addresses(_ text: String) throws -> NodeAddresses {
            try #require(ConfigurationFixture.loadBase("rtc_config: {node_ip: \"\(text)\"}\n").configuration).rtc.nodeIP
        }
        #expect(try addresses("10.0.0.1") == NodeAddresses(v4: "10.0.0.1"))
        #expect(try addresses("2001:DB8::1") == NodeAddresses(v6: "2001:db8::1"))
        #expect(try addresses("10.0.0.1,2001:db8::1") == NodeAddresses(v4: "10.0.0.1", v6: "2001:db8::1"))
        #expect(try addresses("2001:db8::1, 10.0.0.1") == NodeAddresses(v4: "10.0.0.1", v6: "2001:db8::1"))
        #expect(try addresses("").isEmpty)
    }

    @Test("sentinels win over a cluster, a cluster over an address")
    func topology() throws {
        var redis = RedisConfiguration()
        #expect(redis.topology == nil)
        redis.address = "a:1"
        redis.clusterAddresses = ["b:1"]
        #expect(redis.topology == .cluster(addresses: ["b:1"]))
        redis.sentinelAddresses = ["c:1"]
        redis.sentinelMasterName = "m"
        #expect(redis.topology == .sentinel(master: "m", addresses: ["c:1"]))
        #expect(!redis.usesTLS)
        redis.useTLS = true
        #expect(redis.usesTLS)
    }

    @Test("numbers are texts where texts are wanted, as in Go")
    func numbersAsTexts() throws {
        let configuration = try #require(
            ConfigurationFixture.load(
                "redis: {address: h:1, password: 123}\napi_key: 007\napi_secret: true\nws_url: ws://x\n"
            )
            .configuration)
        #expect(configuration.apiKey == "007")
        #expect(configuration.apiSecret == "true")
        #expect(configuration.redis.password == "123")
    }

    @Test("levels of loggers, in any case; a word that is none costs a warning")
    func levels() throws {
        let result = ConfigurationFixture.loadBase(
            "logging: {level: WARN, component_levels: {psrpc: Debug, sfu: fatal, x: loud}}\n")
        let logging = try #require(result.configuration).logging
        #expect(logging.level == .warn)
        #expect(logging.componentLevels == ["psrpc": .debug, "sfu": .error])
        #expect(
            result.diagnostics.map(\.description) == [
                "5:72: warning: logging.component_levels.x: expected debug, info, warn or error, found \"loud\"; "
                    + "it is ignored"
            ])
        #expect(ConfiguredLogLevel.debug < .info && ConfiguredLogLevel.warn < .error)
    }

    @Test("aliases and merge keys work in a configuration")
    func aliases() throws {
        let text = "x: &tls {enabled: true}\nredis: {address: h:1, tls: {<<: *tls, insecure: yes}}\nws_url: ws://x\n"
        let result = ConfigurationFixture.load(text + "api_key: &k name\napi_secret: *k\n")
        let configuration = try #require(result.configuration)
        #expect(configuration.redis.tls.enabled)
        #expect(configuration.redis.tls.insecure)
        #expect(configuration.apiSecret == "name")
    }
}
