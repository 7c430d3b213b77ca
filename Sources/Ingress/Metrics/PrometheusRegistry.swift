package import CoreMetrics
import Synchronization

/// The backend of swift-metrics that answers `GET /metrics` in Prometheus' text format.
///
/// Counting takes no lock: each series is one atomic, looked up once when the counter is made.
package final class PrometheusRegistry: MetricsFactory, Sendable {
    private struct Key: Hashable, Comparable {
        var name: String
        var labels: String

        static func < (a: Key, b: Key) -> Bool { (a.name, a.labels) < (b.name, b.labels) }
    }

    private enum Series {
        case counter(Cell)
        case gauge(Cell)
        case histogram(Histogram)
        case observed(Observation, read: @Sendable () -> Double)
    }

    /// What a series that is read at each scrape is for Prometheus.
    package enum Observation: Sendable {
        case gauge
        /// Never falls while the process lives.
        case counter
    }

    private struct State {
        var series: [Key: Series] = [:]
        var help: [String: String] = [:]
    }

    private let state = Mutex(State())
    /// Upper bounds of every histogram's buckets, in seconds.
    private let bucketBounds: [Double]

    /// The default bounds double from 5 ms, twelve times.
    package init(bucketBounds: [Double] = (0..<12).map { 0.005 * Double(1 << $0) }) {
        self.bucketBounds = bucketBounds
    }

    /// A sentence that `/metrics` shows above the series of `name`.
    package func describe(_ name: String, _ text: String) {
        state.withLock { $0.help[Self.sanitised(name)] = text }
    }

    /// A series whose value is asked for at each scrape, on the scraper's thread and outside of the registry's lock.
    package func observe(
        _ name: String, _ dimensions: [(String, String)] = [], as observation: Observation = .gauge,
        read: @escaping @Sendable () -> Double
    ) {
        let key = Self.key(name, dimensions)
        state.withLock { $0.series[key] = .observed(observation, read: read) }
    }

    // MARK: swift-metrics

    package func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        cell(label, dimensions) { .counter($0) }
    }

    package func makeFloatingPointCounter(label: String, dimensions: [(String, String)])
        -> any FloatingPointCounterHandler
    {
        cell(label, dimensions) { .counter($0) }
    }

    package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        cell(label, dimensions) { .gauge($0) }
    }

    package func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        if aggregate { return histogram(label, dimensions) }
        return cell(label, dimensions) { .gauge($0) }
    }

    package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        histogram(label, dimensions)
    }

    package func destroyCounter(_ handler: any CounterHandler) { remove(handler) }
    package func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) { remove(handler) }
    package func destroyMeter(_ handler: any MeterHandler) { remove(handler) }
    package func destroyRecorder(_ handler: any RecorderHandler) { remove(handler) }
    package func destroyTimer(_ handler: any TimerHandler) { remove(handler) }

    private func cell(_ label: String, _ dimensions: [(String, String)], _ wrap: (Cell) -> Series) -> Cell {
        let key = Self.key(label, dimensions)
        return state.withLock { state in
            switch state.series[key] {
            case .counter(let cell), .gauge(let cell): return cell
            default:
                let cell = Cell()
                state.series[key] = wrap(cell)
                return cell
            }
        }
    }

    private func histogram(_ label: String, _ dimensions: [(String, String)]) -> Histogram {
        let key = Self.key(label, dimensions)
        return state.withLock { state in
            if case .histogram(let histogram) = state.series[key] { return histogram }
            let histogram = Histogram(bounds: bucketBounds)
            state.series[key] = .histogram(histogram)
            return histogram
        }
    }

    private func remove(_ handler: AnyObject) {
        state.withLock { state in
            state.series = state.series.filter { _, series in
                switch series {
                case .counter(let cell), .gauge(let cell): cell !== handler
                case .histogram(let histogram): histogram !== handler
                case .observed: true
                }
            }
        }
    }

    // MARK: Text

    /// All series in the exposition format, version 0.0.4, ordered by name.
    package func exposition() -> String {
        // Only the list is copied under the lock: observed series may take as long as they like.
        let state = state.withLock { $0 }
        var text = ""
        var previous = ""
        for (key, series) in state.series.sorted(by: { $0.key < $1.key }) {
            if key.name != previous {
                previous = key.name
                if let help = state.help[key.name] { text += "# HELP \(key.name) \(help)\n" }
                text += "# TYPE \(key.name) \(Self.typeName(series))\n"
            }
            switch series {
            case .counter(let cell), .gauge(let cell):
                text += "\(key.name)\(Self.braced(key.labels)) \(Self.number(cell.value))\n"
            case .histogram(let histogram):
                histogram.append(to: &text, name: key.name, labels: key.labels)
            case .observed(_, let read):
                text += "\(key.name)\(Self.braced(key.labels)) \(Self.number(read()))\n"
            }
        }
        return text
    }

    private static func typeName(_ series: Series) -> String {
        switch series {
        case .counter, .observed(.counter, _): "counter"
        case .gauge, .observed(.gauge, _): "gauge"
        case .histogram: "histogram"
        }
    }

    private static func key(_ label: String, _ dimensions: [(String, String)]) -> Key {
        let labels = dimensions.map { name, value in
            "\(sanitised(name))=\"\(escaped(value))\""
        }
        return Key(name: sanitised(label), labels: labels.joined(separator: ","))
    }

    private static func escaped(_ value: String) -> String {
        var bytes: [UInt8] = []
        for byte in value.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): bytes += "\\\\".utf8
            case UInt8(ascii: "\""): bytes += "\\\"".utf8
            case UInt8(ascii: "\n"): bytes += "\\n".utf8
            default: bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func sanitised(_ name: String) -> String {
        let bytes = name.utf8.map { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): byte
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: ":"): byte
            default: UInt8(ascii: "_")
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    fileprivate static func braced(_ labels: String) -> String { labels.isEmpty ? "" : "{\(labels)}" }

    fileprivate static func number(_ value: Double) -> String {
        if !value.isFinite { return value.isNaN ? "NaN" : value < 0 ? "-Inf" : "+Inf" }
        return value == value.rounded() && abs(value) < 1e15 ? String(Int64(value)) : String(value)
    }
}

/// One number that any thread may move.
private final class Cell: CounterHandler, FloatingPointCounterHandler, MeterHandler, RecorderHandler, Sendable {
    private let bits = Atomic<UInt64>(0)

    var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }

    private func update(_ change: (Double) -> Double) {
        var seen = bits.load(ordering: .relaxed)
        while true {
            let (done, now) = bits.compareExchange(
                expected: seen, desired: change(Double(bitPattern: seen)).bitPattern, ordering: .relaxed)
            if done { return }
            seen = now
        }
    }

    func increment(by amount: Int64) { update { $0 + Double(amount) } }
    func increment(by amount: Double) { update { $0 + amount } }
    func decrement(by amount: Double) { update { $0 - amount } }
    func set(_ value: Int64) { update { _ in Double(value) } }
    func set(_ value: Double) { update { _ in value } }
    func record(_ value: Int64) { set(value) }
    func record(_ value: Double) { set(value) }
    func reset() { set(0.0) }
}

private final class Histogram: RecorderHandler, TimerHandler, Sendable {
    private struct State {
        var buckets: [UInt64]
        var sum = 0.0
        var count: UInt64 = 0
    }

    private let bounds: [Double]
    private let state: Mutex<State>

    init(bounds: [Double]) {
        self.bounds = bounds
        state = Mutex(State(buckets: Array(repeating: 0, count: bounds.count)))
    }

    func record(_ value: Int64) { record(Double(value)) }
    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }

    func record(_ value: Double) {
        state.withLock { state in
            if let bucket = bounds.firstIndex(where: { value <= $0 }) { state.buckets[bucket] += 1 }
            state.sum += value
            state.count += 1
        }
    }

    func append(to text: inout String, name: String, labels: String) {
        let state = state.withLock { $0 }
        let prefix = labels.isEmpty ? "" : labels + ","
        var cumulative: UInt64 = 0
        for (bound, count) in zip(bounds, state.buckets) {
            cumulative += count
            text += "\(name)_bucket{\(prefix)le=\"\(PrometheusRegistry.number(bound))\"} \(cumulative)\n"
        }
        text += "\(name)_bucket{\(prefix)le=\"+Inf\"} \(state.count)\n"
        text += "\(name)_sum\(PrometheusRegistry.braced(labels)) \(PrometheusRegistry.number(state.sum))\n"
        text += "\(name)_count\(PrometheusRegistry.braced(labels)) \(state.count)\n"
    }
}
