package import CoreMetrics

/// What the pool tells Prometheus.
package struct HandlerCounters: Sendable {
    /// Why a connection to the relay's port was closed before its hello was accepted.
    enum Rejection: String, CaseIterable {
        /// No child that is awaited has this token, or it was used.
        case token
        case malformed
        case timeout
        /// Too many connections without a hello.
        case crowd
        /// Closed by the other end.
        case gone
    }

    let children: Recorder
    let starts: Counter
    let startFailures: Counter
    let droppedFrames: Counter
    private let ends: [String: Counter]
    private let rejections: [Rejection: Counter]

    package init(factory: any MetricsFactory) {
        children = Recorder(label: "ingress_handlers", dimensions: [], aggregate: false, factory: factory)
        starts = Counter(label: "ingress_handler_starts_total", dimensions: [], factory: factory)
        startFailures = Counter(label: "ingress_handler_start_failures_total", dimensions: [], factory: factory)
        droppedFrames = Counter(label: "ingress_handler_dropped_frames_total", dimensions: [], factory: factory)
        ends = Dictionary(
            uniqueKeysWithValues: ["finished", "failed", "crashed", "lost"].map { how in
                (how, Counter(label: "ingress_handler_ends_total", dimensions: [("how", how)], factory: factory))
            })
        rejections = Dictionary(
            uniqueKeysWithValues: Rejection.allCases.map { cause in
                (
                    cause,
                    Counter(
                        label: "ingress_relay_rejections_total", dimensions: [("cause", cause.rawValue)],
                        factory: factory)
                )
            })
    }

    func ended(_ end: HandlerEnd) {
        let how =
            switch end {
            case .finished: "finished"
            case .failed: "failed"
            case .crashed: "crashed"
            case .lost: "lost"
            }
        ends[how]?.increment()
    }

    func rejected(_ cause: Rejection) { rejections[cause]?.increment() }
}
