import Bytes
import ServiceConfiguration
import Testing

@Suite struct ConfigurationKeyTests {
    /// A configuration in which no key has its default.
    private static let changed = """
        redis:
          address: a:1
          username: u
          password: "p\\"w\\\\ \\n ü"
          db: 3
          use_tls: true
          tls: {enabled: true, insecure: true, server_name: n, ca_cert_file: c, client_cert_file: d, client_key_file: e}
          sentinel_master_name: m
          sentinel_username: su
          sentinel_password: sp
          sentinel_addresses: [b:1, "c:2"]
          cluster_addresses: [d:1]
          dial_timeout: 1
          read_timeout: 2
          write_timeout: 3
          max_redirects: 4
          pool_timeout: 5s
          pool_size: 6
        api_key: k
        api_secret: s
        ws_url: wss://x
        health_port: 1
        debug_handler_port: 2
        prometheus_port: 3
        rtmp_port: 4
        rtmps_port: 5
        tls_cert: cert
        tls_key: key
        whip_port: 6
        whip_tls_cert: wcert
        whip_tls_key: wkey
        whip_public_url: https://in.example
        whip_ice_servers: ["stun:s", "turn:t?transport=udp"]
        whip_turn_username: tu
        whip_turn_password: tp
        whip_turn_secret: ts
        whip_turn_ttl: 1h
        http_relay_port: 7
        publisher_grace: 1m1s
        drain_timeout: 1h
        development: true
        whip_proxy_enabled: true
        enable_stream_latency_reduction: true
        service_name: other
        node_id: NE_x
        logging:
          json: true
          level: error
          component_levels: {a.b: debug, c: warn}
          sample: true
          sample_initial: 1
          sample_interval: 2
          item_sample_seconds: 3
          item_sample_initial: 4
          item_sample_interval: 5
        rtc_config:
          udp_port: 100-200
          tcp_port: 8
          port_range_start: 0
          port_range_end: 9
          use_stun_port_as_ice: true
          node_ip: 10.0.0.1,::1
          use_external_ip: true
          external_ip_only: true
          stun_servers: []
          use_ice_lite: true
          interfaces: {includes: [eth0], excludes: [eth1]}
          ips: {includes: [10.0.0.0/8], excludes: ["::/0"]}
          enable_loopback_candidate: true
          use_mdns: true
          batch_io: {batch_size: 1, max_flush_interval: 1500us}
          sctp_min_cwnd: 1
          sctp_fast_rtx_wnd: 2
          sctp_cwnd_ca_step: 3
          force_tcp: true
        cpu_cost:
          rtmp_cpu_cost: 3
          whip_cpu_cost: 4
          whip_bypass_transcoding_cpu_cost: 0.5
          url_cpu_cost: 6
          min_idle_ratio: 0.25
        """

    private func changed() throws -> IngressConfiguration {
        let result = ConfigurationFixture.load(Self.changed)
        #expect(result.errors.isEmpty, "\(result.errors)")
        return try #require(result.configuration)
    }

    @Test("every key is decoded into its own property")
    func everyKey() throws {
        let lines = try changed().yaml(maskingSecrets: false).split(separator: "\n")
        let defaults = IngressConfiguration().yaml(maskingSecrets: false).split(separator: "\n")
        #expect(lines.count == defaults.count)
        // `port_range_start` has to stay 0 for `udp_port` to count; it is tried by itself.
        let same = zip(lines, defaults).filter { $0 == $1 && !$0.hasSuffix(":") }.map { String($0.0) }
        #expect(same == ["  port_range_start: 0"])
        let range = ConfigurationFixture.loadBase("rtc_config: {port_range_start: 5, port_range_end: 6}\n")
        #expect(try #require(range.configuration).rtc.portRangeStart == 5)
    }

    @Test("some of the values, by hand")
    func values() throws {
        let configuration = try changed()
        #expect(configuration.redis.password == "p\"w\\ \n ü")
        #expect(configuration.redis.topology == .sentinel(master: "m", addresses: ["b:1", "c:2"]))
        #expect(configuration.redis.tls.clientKeyFile == "e")
        #expect(configuration.publisherGrace == .seconds(61))
        #expect(configuration.drainDeadline == .seconds(3_600))
        #expect(configuration.logging.componentLevels == ["a.b": .debug, "c": .warn])
        #expect(configuration.rtc.udpPorts == 100...200)
        #expect(configuration.rtc.maxFlushInterval == .microseconds(1_500))
        #expect(configuration.rtc.stunServers == [])
        #expect(configuration.cpuCost.minIdleRatio == 0.25)
        #expect(configuration.enableStreamLatencyReduction)
    }

    @Test("the printed configuration reads back as the same")
    func roundTrip() throws {
        for configuration in [try changed(), try #require(ConfigurationFixture.loadBase("").configuration)] {
            let again = ConfigurationFixture.load(configuration.yaml(maskingSecrets: false))
            #expect(again.configuration == configuration)
        }
    }

    @Test("secrets are masked, paths and user names are not; what is not set shows as empty")
    func masked() throws {
        let text = try changed().yaml()
        #expect(text.contains("api_secret: \"***\""))
        #expect(text.contains("  password: \"***\""))
        #expect(text.contains("  sentinel_password: \"***\""))
        #expect(text.contains("tls_key: \"key\""))
        #expect(text.contains("  username: \"u\""))
        #expect(text.contains("whip_turn_secret: \"***\"") && text.contains("whip_turn_password: \"***\""))
        #expect(!text.contains("\"sp\"") && !text.contains("\"ts\"") && !text.contains("\"tp\""))
        #expect(IngressConfiguration().yaml().contains("api_secret: \"\""))
    }

    @Test("names are unique, and no key is also a section")
    func unique() {
        let names = ConfigurationKey.all.map(\.name)
        #expect(Set(names).count == names.count)
        for name in names { #expect(!names.contains { $0.hasPrefix(name + ".") }) }
    }

    @Test("each key says what it means, in a table that Markdown can hold")
    func meanings() {
        for key in ConfigurationKey.all {
            #expect(!key.meaning.isEmpty)
            #expect(!(key.meaning + key.defaultText + key.type).contains { $0 == "|" || $0 == "\n" })
        }
    }

    @Test("the reference has one line a key between its marks")
    func reference() {
        let text = ConfigurationReference.markdown()
        let lines = text.split(separator: "\n")
        #expect(lines.first == "<!-- configuration keys -->")
        #expect(lines.last == "<!-- end of configuration keys -->")
        #expect(lines.count == ConfigurationKey.all.count + 4)
        #expect(text.contains("| `rtmp_port` | port | `1935` | port for RTMP; -1 is off |\n"))
        #expect(
            text.contains(
                "| `cpu_cost.rtmp_cpu_cost` | number | `2.0` | CPUs set aside for an RTMP session (SIGHUP) |\n"))
        #expect(text.contains("| `publisher_grace` | duration | `10s` |"))
    }

    @Test("a reload takes what may change and names what needs a restart")
    func reload() throws {
        let old = try #require(ConfigurationFixture.loadBase("").configuration)
        var new = old
        new.logging.level = .debug
        new.cpuCost.rtmp = 3
        new.tlsCertificate = "c"
        #expect(old.reloading(new).0 == new)
        #expect(old.reloading(new).needingRestart.isEmpty)
        let (merged, names) = old.reloading(try changed())
        #expect(merged.cpuCost.url == 6)
        #expect(merged.rtmpPort == old.rtmpPort)
        #expect(names.contains("rtmp_port") && names.contains("redis.address"))
        #expect(!names.contains("logging.level"))
        let reloadable = ConfigurationKey.all.filter(\.isReloadable).map(\.name)
        #expect(
            reloadable == [
                "tls_cert", "tls_key", "whip_tls_cert", "whip_tls_key", "logging.level", "logging.component_levels",
                "cpu_cost.rtmp_cpu_cost",
                "cpu_cost.whip_cpu_cost", "cpu_cost.whip_bypass_transcoding_cpu_cost", "cpu_cost.url_cpu_cost",
                "cpu_cost.min_idle_ratio",
            ])
    }
}
