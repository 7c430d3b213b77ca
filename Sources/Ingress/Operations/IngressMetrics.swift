import Bytes
package import CoreMetrics
import Runtime

/// What the daemon tells Prometheus, under upstream's names and labels.
package struct IngressMetrics: Sendable {
    private struct Published: Hashable {
        var type: String
        var status: String
    }

    /// Values of the label `status`.
    private static let statuses = ["success", "4xx", "5xx", "internal"]

    private let registry: PrometheusRegistry
    private let node: (String, String)
    private let requests: [SessionKind: Meter]
    private let statuses: [Published: Counter]

    /// `load` (0…1) and `isAvailable` are asked at each scrape, on the scraper's thread.
    package init(
        registry: PrometheusRegistry, nodeID: String, load: @escaping @Sendable () -> Double,
        isAvailable: @escaping @Sendable () -> Bool
    ) {
        self.registry = registry
        let node = ("node_id", nodeID)
        self.node = node
        requests = Dictionary(
            uniqueKeysWithValues: SessionKind.allCases.map { kind in
                let labels = [node, ("transcoding", String(kind.isTranscoding)), ("type", kind.typeLabel)]
                return (kind, Meter(label: Self.requestsName, dimensions: labels, factory: registry))
            })
        var counters: [Published: Counter] = [:]
        for type in ["rtmp", "whip"] {
            for status in Self.statuses {
                let labels = [node, ("status", status), ("type", type)]
                counters[Published(type: type, status: status)] = Counter(
                    label: Self.statusName, dimensions: labels, factory: registry)
            }
        }
        statuses = counters
        registry.observe("livekit_node_cpu_load", [node, ("node_type", "INGRESS")], read: load)
        registry.observe("livekit_ingress_available", [node]) { isAvailable() ? 1 : 0 }
        Self.observeProcess(registry)
        Self.describe(registry)
    }

    private static let requestsName = "livekit_ingress_requests"
    private static let statusName = "livekit_ingress_publish_status"
    private static let latencyName = "livekit_ingress_packet_latency_seconds"

    package func sessionStarted(_ kind: SessionKind) { requests[kind]?.increment() }
    package func sessionEnded(_ kind: SessionKind) { requests[kind]?.decrement() }

    /// An encoder was let in or refused; `status` is one of `success`, `4xx`, `5xx` and `internal`.
    package func published(_ kind: SessionKind, status: String) {
        let known = Self.statuses.contains(status) ? status : "internal"
        statuses[Published(type: kind.typeLabel, status: known)]?.increment()
    }

    /// Takes the seconds that packets of a track needed from the socket to the room; `track` is `output.audio` or
    /// `output.video.HIGH`. To be kept by the session, because looking it up takes a lock.
    package func latency(track: String, kind: SessionKind) -> Recorder {
        Recorder(
            label: Self.latencyName, dimensions: [("ingress_type", kind.inputLabel), ("track", track)], aggregate: true,
            factory: registry)
    }

    private static func observeProcess(_ registry: PrometheusRegistry) {
        registry.observe("process_resident_memory_bytes") { Double(ProcessStatistics.current().residentBytes) }
        registry.observe("process_open_fds") { Double(ProcessStatistics.current().openDescriptors) }
        registry.observe("process_cpu_seconds_total", as: .counter) { SystemClock.processTime().seconds }
    }

    private static func describe(_ registry: PrometheusRegistry) {
        registry.describe("livekit_node_cpu_load", "Share of the processors in use.")
        registry.describe("livekit_ingress_available", "Whether another session of any kind would be taken.")
        registry.describe(requestsName, "Sessions that run.")
        registry.describe(statusName, "Publish attempts by outcome.")
        registry.describe(latencyName, "Time of packets from the encoder's socket to the room.")
        registry.describe("process_resident_memory_bytes", "Memory of the main process.")
        registry.describe("process_open_fds", "Open descriptors of the main process.")
        registry.describe("process_cpu_seconds_total", "Processor time of the main process.")
    }
}
