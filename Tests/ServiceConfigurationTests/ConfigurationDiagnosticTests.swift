import ServiceConfiguration
import Testing

@Suite struct ConfigurationDiagnosticTests {
    private func remarks(_ lines: String) -> [String] {
        ConfigurationFixture.loadBase(lines).diagnostics.map(\.description)
    }

    // MARK: Unknown keys

    @Test(
        "an unknown key is a warning with its line and the nearest name",
        arguments: [
            ("rtmp_prot: 1", "5:1: warning: unknown key rtmp_prot is ignored: did you mean rtmp_port?"),
            ("RTMP_PORT: 1", "5:1: warning: unknown key RTMP_PORT is ignored: did you mean rtmp_port?"),
            (
                "logging: {levle: info}",
                "5:11: warning: unknown key logging.levle is ignored: did you mean logging.level?"
            ),
            ("loging: {}", "5:1: warning: unknown key loging is ignored: did you mean logging?"),
            ("udp_port: 1", "5:1: warning: unknown key udp_port is ignored: did you mean rtc_config.udp_port?"),
            (
                "rtc_config: {health_port: 1}",
                "5:14: warning: unknown key rtc_config.health_port is ignored: did you mean health_port?"
            ),
            ("something_else: 1", "5:1: warning: unknown key something_else is ignored"),
            ("log_level: debug", "5:1: warning: log_level is not read: use logging.level"),
            ("logging.level: debug", "5:1: warning: unknown key logging.level is ignored: did you mean logging.level?"),
        ])
    func unknown(line: String, remark: String) {
        let result = ConfigurationFixture.loadBase(line + "\n")
        #expect(result.diagnostics.map(\.description) == [remark])
        #expect(result.configuration != nil)
        #expect(result.warnings.count == 1 && result.errors.isEmpty)
    }

    @Test("a flood of unknown keys is not a flood of warnings, and hides no error")
    func flood() throws {
        let lines = (0..<5_000).map { "unknown\($0): 1\n" }.joined()
        let result = ConfigurationFixture.loadBase(lines + "rtmp_port: x\n")
        #expect(result.diagnostics.count == ConfigurationLimits.diagnostics + 1)
        #expect(result.errors.count == 1)
        #expect(result.configuration == nil)
    }

    @Test("remarks come in the order of the text, those without a place last")
    func order() {
        let result = ConfigurationFixture.load("a: 1\nws_url: x\nb: 2\n")
        #expect(result.diagnostics.map(\.line) == [1, 2, 3, nil, nil, nil])
    }

    @Test("what cannot be read hides what would be missing because of it")
    func consequences() {
        #expect(ConfigurationFixture.load("redis: {address: [x]}\n").errors.map(\.line) == [1])
    }

    @Test("a second document is a warning")
    func documents() {
        #expect(remarks("---\na: 1\n") == ["5:1: warning: only the first document of the text is read"])
    }

    // MARK: Wrong types

    @Test(
        "each key refuses what is of another type, with the place and what was expected",
        arguments: ConfigurationKey.all.map(\.name))
    func wrongTypes(name: String) throws {
        let key = try #require(ConfigurationKey.all.first { $0.name == name })
        let wrong =
            switch key.type {
            case "boolean": ["5", "maybe", "[true]", "{a: b}", "\"true\""]
            case "port", "integer": ["x", "5.5", "\"5\"", "[5]", "{}", "99999999999", "-2"]
            case "number": ["x", "\"5\"", "[5]", ".inf", "1e9"]
            case "text", "level": ["[x]", "{x: y}"]
            case "list": ["x", "{x: y}", "[[x]]", "[~]"]
            case "duration": ["10", "x", "[10s]", "-5s", "10000h"]
            case "port or range": ["x", "70000", "9-1", "1-2-3", "-1", "[1]", "0-5", "5 6"]
            case "addresses":
                ["x", "'1.2.3.4,5.6.7.8'", "\"1.2.3.4,::1,::2\"", "[1.2.3.4]", "1.2.3", "'::1,::2'", "1.2.3.4 x"]
            case "map": ["x", "[x]", "{x: [y]}"]
            default: [String]()
            }
        #expect(!wrong.isEmpty)
        for text in wrong {
            let line = nested(name, text)
            let result = ConfigurationFixture.load(line + "\n")
            let error = try #require(result.errors.first { $0.line == 1 }, "\(line) was accepted")
            #expect(error.text.hasPrefix("could not parse config: \(name)"))
            #expect(error.text.contains("expected") && error.text.contains("found"))
            let column = try #require(error.column)
            #expect(column > name.split(separator: ".").count)
            #expect(result.configuration == nil)
        }
    }

    /// `{a: {b: text}}` for `a.b`.
    private func nested(_ name: String, _ text: String) -> String {
        name.split(separator: ".").reversed().reduce(text) { "{\($1): \($0)}" }
    }

    @Test("a type error reads as a sentence")
    func sentence() {
        #expect(
            remarks("rtmp_port: abc\nhealth_port: 70000\npublisher_grace: 10\n") == [
                "5:12: error: could not parse config: rtmp_port: expected a port, or -1 for off, found \"abc\"",
                "6:14: error: could not parse config: health_port: expected a value from 0 to 65535, found \"70000\"",
                "7:18: error: could not parse config: publisher_grace: expected a duration such as 10s or 500ms, found \"10\"",
            ])
    }

    @Test("a section that is none is an error", arguments: ["logging: 5", "cpu_cost: [1]", "rtc_config: {ips: x}"])
    func sections(line: String) throws {
        let error = try #require(ConfigurationFixture.loadBase(line + "\n").errors.first)
        #expect(error.text.contains("expected keys with values"))
    }

    @Test("a text that is no mapping is an error")
    func noMapping() {
        let result = ConfigurationFixture.load("just words")
        #expect(
            result.errors.first?.description
                == "1:1: error: could not parse config: the configuration: expected keys with values, found \"just words\""
        )
    }

    @Test("broken YAML is an error with its place")
    func broken() throws {
        let result = ConfigurationFixture.loadBase("rtmp_port: [1\n")
        let error = try #require(result.errors.first)
        #expect(result.diagnostics.count == 1)
        #expect(error.text.hasPrefix("could not parse config: "))
        #expect(try #require(error.line) >= 5)
    }

    @Test("a duplicate key is an error")
    func duplicate() {
        #expect(
            remarks("rtmp_port: 1\nrtmp_port: 2\n") == [
                "6:1: error: could not parse config: rtmp_port is already set in line 5"
            ])
    }

    @Test("every beginning of a configuration is accepted or refused with a reason")
    func truncated() {
        let text = Array(
            (ConfigurationFixture.base + "logging: {level: debug}\nrtc_config: {udp_port: '1-2', stun_servers: [a:1]}\n")
                .utf8)
        for count in 0..<text.count {
            let result = IngressConfiguration.load(Array(text.prefix(count)), environment: [:])
            #expect((result.configuration == nil) == !result.errors.isEmpty)
        }
    }

    @Test("long texts are cut in messages, secrets never shown")
    func quoting() {
        let long = String(repeating: "x", count: 1_000)
        #expect(remarks("rtmp_port: \(long)\n\(long): 1\n").allSatisfy { $0.utf8.count < 200 })
        let result = ConfigurationFixture.load("redis: {password: [hush]}\napi_secret: {hush: hush}\n")
        #expect(!result.diagnostics.contains { $0.text.contains("hush") })
    }
}

@Suite struct ConfigurationCheckTests {
    private func errors(_ text: String) -> [String] { ConfigurationFixture.load(text).errors.map(\.description) }
    private func remarks(_ lines: String) -> [String] {
        ConfigurationFixture.loadBase(lines).diagnostics.map(\.description)
    }

    @Test("each missing key is one sentence that says what to do")
    func missing() {
        #expect(
            errors("") == [
                "error: api_key is required: set it in the configuration or as LIVEKIT_API_KEY",
                "error: api_secret is required: set it in the configuration or as LIVEKIT_API_SECRET",
                "error: ws_url is required: set it in the configuration or as LIVEKIT_WS_URL",
                "error: redis configuration is required: add `redis:` with `address: host:port`",
            ])
    }

    private let rest = "api_key: k\napi_secret: s\nws_url: ws://x\n"

    @Test(
        "Redis needs addresses that can be reached",
        arguments: [
            ("redis: {}", "4:8: error: redis is not configured: set redis.address to host:port"),
            ("redis: {db: 1}", "4:8: error: redis is not configured: set redis.address to host:port"),
            ("redis: {address: x}", "4:18: error: redis.address: expected host:port, found \"x\""),
            ("redis: {address: 'x:0'}", "4:18: error: redis.address: expected host:port, found \"x:0\""),
            ("redis: {address: ':1'}", "4:18: error: redis.address: expected host:port, found \":1\""),
            ("redis: {address: '::1:1'}", "4:18: error: redis.address: expected host:port, found \"::1:1\""),
            ("redis: {address: redis://x:1}", "4:18: error: redis.address: expected host:port, found \"redis://x:1\""),
            (
                "redis: {sentinel_addresses: ['a:1']}",
                "4:29: error: redis.sentinel_master_name is required with redis.sentinel_addresses"
            ),
            (
                "redis: {cluster_addresses: [a]}",
                "4:28: error: redis.cluster_addresses: expected host:port, found \"a\""
            ),
            (
                "redis: {address: 'a:1', tls: {client_key_file: k}}",
                "4:30: error: redis.tls.client_cert_file and redis.tls.client_key_file need each other: set both"
            ),
        ])
    func redis(line: String, error: String) { #expect(errors(rest + line + "\n") == [error]) }

    @Test("addresses with names, IPv4 and IPv6 are fine", arguments: ["redis.local:6379", "10.0.0.1:1", "[::1]:65535"])
    func goodAddresses(address: String) { #expect(errors(rest + "redis: {address: '\(address)'}\n").isEmpty) }

    @Test("the server's address needs a scheme", arguments: ["localhost:7880", "ftp://x", "ws://", "//x"])
    func urls(url: String) {
        let text = "redis: {address: h:1}\napi_key: k\napi_secret: s\nws_url: \(url)\n"
        #expect(errors(text) == ["4:9: error: ws_url has to begin with ws:// or wss:// and name the LiveKit server"])
    }

    @Test(
        "two listeners cannot have one port",
        arguments: [
            ("whip_port: 1935", "5:12: error: rtmp_port and whip_port are both 1935: give one of them another port"),
            (
                "health_port: 1935",
                "5:14: error: rtmp_port and health_port are both 1935: give one of them another port"
            ),
            (
                "rtmp_port: 9090",
                "5:12: error: rtmp_port and http_relay_port are both 9090: give one of them another port"
            ),
            (
                "rtc_config: {tcp_port: 8080}",
                "5:24: error: whip_port and rtc_config.tcp_port are both 8080: give one of them another port"
            ),
        ])
    func ports(line: String, error: String) { #expect(remarks(line + "\n") == [error]) }

    @Test(
        "RTMPS needs a certificate and its key",
        arguments: [
            ("rtmps_port: 1936", "5:13: error: rtmps_port needs tls_cert and tls_key: set both to PEM files"),
            (
                "{rtmps_port: 1936, tls_cert: a}",
                "5:14: error: rtmps_port needs tls_cert and tls_key: set both to PEM files"
            ),
            ("tls_cert: a", "5:11: error: tls_cert and tls_key need each other: set both"),
            ("tls_key: a", "5:10: error: tls_cert and tls_key need each other: set both"),
            ("{tls_cert: a, tls_key: b}", "5:12: warning: tls_cert has no use while rtmps_port is off"),
        ])
    func tls(line: String, error: String) {
        let lines = line.hasPrefix("{") ? String(line.dropFirst().dropLast()).replacing(", ", with: "\n") : line
        let found = ConfigurationFixture.loadBase(lines + "\n").diagnostics
        #expect(found.map(\.text) == [String(error.drop { $0 != " " }.dropFirst().drop { $0 != " " }.dropFirst())])
        #expect(found.first?.line == 5)
    }

    @Test("RTMPS with both is fine")
    func goodTLS() { #expect(remarks("rtmps_port: 1936\ntls_cert: a\ntls_key: b\n").isEmpty) }

    @Test(
        "what WHIP tells its encoders has to be whole",
        arguments: [
            ("whip_tls_cert: a", "error: whip_tls_cert and whip_tls_key need each other: set both"),
            ("whip_tls_key: a", "error: whip_tls_cert and whip_tls_key need each other: set both"),
            (
                "whip_tls_cert: a\nwhip_tls_key: b\nwhip_port: -1",
                "warning: whip_tls_cert has no use while whip_port is off"
            ),
            (
                "whip_public_url: in.example",
                "error: whip_public_url: expected http:// or https://, a host, and no path"
            ),
            (
                "whip_public_url: https://in.example/whip",
                "error: whip_public_url: expected http:// or https://, a host, and no path"
            ),
            ("whip_public_url: https://", "error: whip_public_url: expected http:// or https://, a host, and no path"),
            (
                "whip_ice_servers: ['stun://s']",
                "error: whip_ice_servers: expected stun:host, turn:host or turns:host, found \"stun://s\""
            ),
            (
                "whip_ice_servers: ['stun:a>b']",
                "error: whip_ice_servers: expected stun:host, turn:host or turns:host, found \"stun:a>b\""
            ),
            (
                "whip_ice_servers: ['turn:t']",
                "error: whip_ice_servers: a TURN server needs whip_turn_secret, or whip_turn_username and "
                    + "whip_turn_password"
            ),
            (
                "whip_ice_servers: ['turns:t']\nwhip_turn_username: u",
                "error: whip_ice_servers: a TURN server needs whip_turn_secret, or whip_turn_username and "
                    + "whip_turn_password"
            ),
            (
                "whip_turn_secret: s\nwhip_turn_username: u\nwhip_turn_password: p",
                "warning: whip_turn_password has no use beside whip_turn_secret"
            ),
        ])
    func whip(lines: String, remark: String) {
        let found = remarks(lines + "\n")
        #expect(found.count == 1 && found[0].hasSuffix(" " + remark))
    }

    @Test("WHIP with all of it is fine")
    func goodWHIP() {
        let lines = """
            whip_tls_cert: a
            whip_tls_key: b
            whip_public_url: https://[2001:db8::1]:8443
            whip_ice_servers: ['stun:s:3478', 'turn:t?transport=tcp', 'turns:[::1]:5349']
            whip_turn_secret: s
            """
        #expect(remarks(lines + "\n").isEmpty)
    }

    @Test(
        "WHIP's ports and networks have to fit together",
        arguments: [
            ("force_tcp: true", "TCP is forced but not configured: set rtc_config.tcp_port"),
            (
                "port_range_start: 5",
                "rtc_config.port_range_end has to be set, and not below rtc_config.port_range_start"
            ),
            (
                "port_range_start: 5, port_range_end: 4",
                "rtc_config.port_range_end has to be set, and not below rtc_config.port_range_start"
            ),
            ("port_range_end: 4", "rtc_config.port_range_end has no use without port_range_start"),
            (
                "ips: {includes: [10.0.0.0]}",
                "rtc_config.ips.includes: expected a network such as 10.0.0.0/8, found \"10.0.0.0\""
            ),
            (
                "ips: {excludes: [10.0.0.0/8, 10.0.0.0/33]}",
                "rtc_config.ips.excludes: expected a network such as 10.0.0.0/8, found \"10.0.0.0/33\""
            ),
        ])
    func rtc(text: String, remark: String) {
        #expect(ConfigurationFixture.loadBase("rtc_config: {\(text)}\n").diagnostics.map(\.text) == [remark])
        #expect(remarks("rtc_config: {\(text)}\nwhip_port: -1\n").isEmpty)
    }

    @Test("costs below the least that is sound are warnings, and stay")
    func costs() throws {
        let result = ConfigurationFixture.loadBase("cpu_cost: {rtmp_cpu_cost: 0.5, url_cpu_cost: 0}\n")
        #expect(
            result.diagnostics.map(\.description) == [
                "5:27: warning: cpu_cost.rtmp_cpu_cost is 0.5, below the least that is sound (1.0); 2.0 is recommended",
                "5:46: warning: cpu_cost.url_cpu_cost is 0.0, below the least that is sound (1.0); 2.0 is recommended",
            ])
        #expect(try #require(result.configuration).cpuCost.rtmp == 0.5)
    }
}
