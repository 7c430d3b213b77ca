package import CoreMetrics
import RTMP

/// What the RTMP side tells Prometheus.
package struct RTMPCounters: Sendable {
    /// Why a connection ended before or without an orderly end.
    package enum CloseCause: String, Sendable, CaseIterable {
        /// Nothing but a connect and a close: a health probe.
        case probe
        case handshake
        case handshakeTimeout = "handshake_timeout"
        case publishTimeout = "publish_timeout"
        case idleTimeout = "idle_timeout"
        case protocolViolation = "protocol_violation"
        case limitExceeded = "limit_exceeded"
        case tls
        case disconnected
        case refused
        case replaced
        case finished
        case tooManyConnections = "too_many_connections"
        case serverStopping = "server_stopping"
        case failed

        init(_ error: RTMPError) {
            self =
                switch error {
                case .unsupportedVersion: .handshake
                case .handshakeTimeout: .handshakeTimeout
                case .publishTimeout: .publishTimeout
                case .idleTimeout: .idleTimeout
                case .tooManyChunkStreams, .messageTooLarge, .tooManyUnfinishedBytes, .tooManyMessageStreams,
                    .smallChunkBudgetExceeded, .controlBudgetExceeded, .heldMediaOverflow:
                    .limitExceeded
                default: .protocolViolation
                }
        }
    }

    package let connections: Recorder
    package let publishes: Counter
    private let closes: [CloseCause: Counter]
    /// FLV messages that could not be used.
    package let unusableMessages: Counter

    package init(factory: any MetricsFactory) {
        connections = Recorder(label: "ingress_rtmp_connections", dimensions: [], aggregate: false, factory: factory)
        publishes = Counter(label: "ingress_rtmp_publishes_total", dimensions: [], factory: factory)
        unusableMessages = Counter(label: "ingress_rtmp_unusable_messages_total", dimensions: [], factory: factory)
        closes = Dictionary(
            uniqueKeysWithValues: CloseCause.allCases.map { cause in
                (
                    cause,
                    Counter(
                        label: "ingress_rtmp_closes_total", dimensions: [("cause", cause.rawValue)], factory: factory)
                )
            })
    }

    package func closed(_ cause: CloseCause) { closes[cause]?.increment() }
}
