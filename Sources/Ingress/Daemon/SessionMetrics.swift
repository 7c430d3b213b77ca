import Bytes
import CoreMetrics
import LiveKitProtocol
import Runtime

/// What sessions tell of themselves each second, for Prometheus: LiveKit's latency histogram, and figures of our own for each session.
@MediaLoop
final class SessionMetrics {
    private let registry: PrometheusRegistry
    private let metrics: IngressMetrics
    private var latencies: [String: Recorder] = [:]
    private var sessions: [String: [Gauge]] = [:]

    init(registry: PrometheusRegistry, metrics: IngressMetrics) {
        self.registry = registry
        self.metrics = metrics
        registry.describe("ingress_session_layer_bitrate", "Bits a second of a layer, as sent to the room.")
        registry.describe("ingress_session_layer_frame_rate", "Frames a second of a layer, as sent to the room.")
        registry.describe("ingress_session_delay_seconds", "Last byte of a frame in to its first packet out, median.")
        registry.describe("ingress_session_estimate", "Bits a second that the path to the room carries; 0 is unknown.")
    }

    func take(_ figures: Ingress_SessionFigures, of session: any ServedSession) {
        let kind = SessionKind(session.info)
        for latency in figures.latencies {
            let recorder =
                latencies[kind.rawValue + latency.track] ?? metrics.latency(track: latency.track, kind: kind)
            latencies[kind.rawValue + latency.track] = recorder
            for (bucket, count) in zip(LatencyHistogram.bounds + [.infinity], latency.counts) where count > 0 {
                // The middle of its bucket stands for each packet; sums are near enough, counts are exact.
                let value = bucket.isFinite ? bucket * 0.75 : (LatencyHistogram.bounds.last ?? 10) * 1.5
                for _ in 0..<count { recorder.record(value) }
            }
        }
        let id = session.resourceID
        var gauges: [Gauge] = []
        func set(_ name: String, _ value: Double, _ labels: [(String, String)] = []) {
            let gauge = Gauge(label: name, dimensions: [("resource_id", id)] + labels, factory: registry)
            gauge.record(value)
            gauges.append(gauge)
        }
        for layer in figures.layers {
            let labels = [("quality", Livekit_VideoQuality(rawValue: Int(layer.quality)).map { "\($0)" } ?? "")]
            set("ingress_session_layer_bitrate", Double(layer.bitrate), labels)
            set("ingress_session_layer_frame_rate", layer.frameRate, labels)
        }
        set("ingress_session_audio_bitrate", Double(figures.audioBitrate))
        set("ingress_session_delay_seconds", figures.delaySeconds)
        set("ingress_session_estimate", Double(figures.estimate))
        set("ingress_session_frames_dropped", Double(figures.framesDropped))
        set("ingress_session_packets_sent", Double(figures.packetsSent))
        set("ingress_session_packets_nacked", Double(figures.packetsNacked))
        set("ingress_session_reconnects", Double(figures.reconnects))
        sessions[id] = gauges
    }

    /// Series of a session that is over would stand still for ever.
    func forget(_ resourceID: String) {
        for gauge in sessions.removeValue(forKey: resourceID) ?? [] { gauge.destroy() }
    }
}
