import CoreMetrics
import Ingress
import Synchronization
import Testing

@Suite struct ObservedSeriesTests {
    @Test("an observed series is asked at each scrape, with its labels, type and help")
    func observed() {
        let registry = PrometheusRegistry()
        let value = Atomic<Int>(0)
        let box = Box(value)
        registry.describe("x_total", "Help.")
        registry.observe("x_total", [("a", "1"), ("b", "q\"")], as: .counter) { Double(box.next()) }
        registry.observe("y") { .nan }
        #expect(
            registry.exposition()
                == "# HELP x_total Help.\n# TYPE x_total counter\nx_total{a=\"1\",b=\"q\\\"\"} 1\n# TYPE y gauge\ny NaN\n"
        )
        #expect(registry.exposition().contains("} 2\n"))
    }

    private final class Box: Sendable {
        private let value: Atomic<Int>
        init(_ value: consuming Atomic<Int>) { self.value = value }
        func next() -> Int { value.add(1, ordering: .relaxed).newValue }
    }

    @Test("what a series asks may itself use the registry")
    func reentrant() {
        let registry = PrometheusRegistry()
        registry.observe("x") {
            Counter(label: "y_total", dimensions: [], factory: registry).increment()
            return 0.5
        }
        #expect(registry.exposition() == "# TYPE x gauge\nx 0.5\n")
        #expect(registry.exposition().contains("y_total 2\n"))
    }
}

@Suite struct IngressMetricsTests {
    private let registry = PrometheusRegistry()

    private func metrics(isAvailable: Bool = true) -> IngressMetrics {
        IngressMetrics(registry: registry, nodeID: "NE_1", load: { 0.25 }, isAvailable: { isAvailable })
    }

    private func lines() -> [Substring] { registry.exposition().split(separator: "\n") }

    @Test("load and availability, asked at the scrape")
    func gauges() {
        _ = metrics()
        #expect(lines().contains("livekit_node_cpu_load{node_id=\"NE_1\",node_type=\"INGRESS\"} 0.25"))
        #expect(lines().contains("livekit_ingress_available{node_id=\"NE_1\"} 1"))
        _ = metrics(isAvailable: false)
        #expect(lines().contains("livekit_ingress_available{node_id=\"NE_1\"} 0"))
    }

    @Test("running sessions by type and transcoding, from zero on")
    func requests() {
        let metrics = metrics()
        metrics.sessionStarted(.rtmp)
        metrics.sessionStarted(.rtmp)
        metrics.sessionStarted(.whipBypass)
        metrics.sessionEnded(.rtmp)
        let found = lines().filter { $0.hasPrefix("livekit_ingress_requests") }
        #expect(
            found == [
                "livekit_ingress_requests{node_id=\"NE_1\",transcoding=\"false\",type=\"whip\"} 1",
                "livekit_ingress_requests{node_id=\"NE_1\",transcoding=\"true\",type=\"rtmp\"} 1",
                "livekit_ingress_requests{node_id=\"NE_1\",transcoding=\"true\",type=\"url\"} 0",
                "livekit_ingress_requests{node_id=\"NE_1\",transcoding=\"true\",type=\"whip\"} 0",
            ])
        #expect(lines().contains("# TYPE livekit_ingress_requests gauge"))
    }

    @Test("publish attempts by type and outcome; an unknown outcome is internal")
    func statuses() {
        let metrics = metrics()
        metrics.published(.rtmp, status: "success")
        metrics.published(.whipBypass, status: "4xx")
        metrics.published(.whip, status: "4xx")
        metrics.published(.rtmp, status: "odd")
        let found = lines().filter { $0.hasPrefix("livekit_ingress_publish_status") }
        #expect(found.count == 8)
        #expect(found.contains("livekit_ingress_publish_status{node_id=\"NE_1\",status=\"success\",type=\"rtmp\"} 1"))
        #expect(found.contains("livekit_ingress_publish_status{node_id=\"NE_1\",status=\"4xx\",type=\"whip\"} 2"))
        #expect(found.contains("livekit_ingress_publish_status{node_id=\"NE_1\",status=\"internal\",type=\"rtmp\"} 1"))
        #expect(lines().contains("# TYPE livekit_ingress_publish_status counter"))
    }

    @Test("packet latencies in upstream's buckets")
    func latency() {
        let recorder = metrics().latency(track: "output.video.HIGH", kind: .rtmp)
        recorder.record(0.02)
        recorder.record(20.0)
        let labels = "ingress_type=\"RTMP_INPUT\",track=\"output.video.HIGH\""
        let name = "livekit_ingress_packet_latency_seconds"
        let buckets = lines().filter { $0.hasPrefix(name + "_bucket") }
        #expect(buckets.count == 13)
        #expect(buckets.first == "\(name)_bucket{\(labels),le=\"0.005\"} 0")
        #expect(buckets[2] == "\(name)_bucket{\(labels),le=\"0.02\"} 1")
        #expect(buckets[11] == "\(name)_bucket{\(labels),le=\"10.24\"} 1")
        #expect(buckets[12] == "\(name)_bucket{\(labels),le=\"+Inf\"} 2")
        #expect(lines().contains("\(name)_count{\(labels)} 2"))
    }

    @Test("figures of the process")
    func process() throws {
        _ = metrics()
        for name in ["process_resident_memory_bytes", "process_open_fds", "process_cpu_seconds_total"] {
            let line = try #require(lines().first { $0.hasPrefix(name + " ") })
            let value = try #require(Double(line.dropFirst(name.count + 1)))
            #expect(value > 0)
        }
        #expect(lines().contains("# TYPE process_cpu_seconds_total counter"))
    }
}

@Suite struct ServiceHealthTests {
    @Test(
        "answers to probes",
        arguments: [
            ("/", true, 200, "Healthy"), ("/x", true, 200, "Healthy"), ("/health", true, 200, "Healthy"),
            ("/availability", true, 200, "Available"), ("/availability", false, 503, "Not available"),
            ("/health", false, 200, "Healthy"),
        ])
    func well(path: String, isAvailable: Bool, status: Int, body: String) {
        #expect(ServiceHealth(isAvailable: isAvailable).answer(to: path) == .init(status: status, body: body))
    }

    @Test(
        "what is missing makes the service unready and unavailable, but it still runs",
        arguments: [
            ("/", 200, "Healthy"), ("/health", 503, "Not ready: Redis does not answer; the RTMP port is not open"),
            ("/availability", 503, "Not available"),
        ])
    func unready(path: String, status: Int, body: String) {
        let health = ServiceHealth(missing: ["Redis does not answer", "the RTMP port is not open"], isAvailable: true)
        #expect(health.answer(to: path) == .init(status: status, body: body))
    }
}
