import Bytes
import CoreMetrics
import Ingress
import Testing

@Suite struct RateMeterTests {
    private func at(_ milliseconds: Int64) -> Monotonic {
        Monotonic(nanoseconds: 5_000_000_000 + milliseconds * 1_000_000)
    }

    @Test("a steady source is measured over two seconds")
    func steady() {
        var meter = RateMeter()
        for frame in 0..<120 { meter.add(bytes: 1_000, at: at(Int64(frame) * 1000 / 30)) }
        #expect(abs(meter.eventsPerSecond(at: at(3_999)) - 30) < 1)
        #expect(abs(meter.bitsPerSecond(at: at(3_999)) - 240_000) < 8_000)
        #expect(meter.totalEvents == 120)
        #expect(meter.totalBytes == 120_000)
    }

    @Test("whatever the moment that it is asked at, the rate is the source's")
    func anyMoment() {
        var meter = RateMeter()
        var rates: [Double] = []
        for millisecond in 0..<9_000 {
            if millisecond % 20 == 0 { meter.add(bytes: 1_000, at: at(Int64(millisecond))) }
            if millisecond > 3_000 { rates.append(meter.eventsPerSecond(at: at(Int64(millisecond)))) }
        }
        #expect(rates.allSatisfy { abs($0 - 50) <= 0.6 }, "\(rates.min() ?? 0) to \(rates.max() ?? 0)")
    }

    @Test("the first moments are not diluted by the time before them")
    func start() {
        var meter = RateMeter()
        for frame in 0..<15 { meter.add(bytes: 100, at: at(Int64(frame) * 1000 / 30)) }
        #expect(abs(meter.eventsPerSecond(at: at(499)) - 30) < 1)
    }

    @Test("a source that stopped falls to nothing")
    func stopped() {
        var meter = RateMeter()
        for frame in 0..<60 { meter.add(bytes: 1_000, at: at(Int64(frame) * 33)) }
        #expect(meter.eventsPerSecond(at: at(2_980)) < 20)
        #expect(meter.eventsPerSecond(at: at(10_000)) == 0)
        #expect(meter.bitsPerSecond(at: at(3_600_000)) == 0)
    }
}

@Suite struct DelayWindowTests {
    @Test("percentiles are those of the last three hundred samples")
    func window() {
        var window = DelayWindow()
        #expect(window.percentiles([0.5, 0.99]) == [.zero, .zero])
        for sample in 0..<1_000 { window.add(.milliseconds(Int64(sample))) }
        #expect(
            window.percentiles([0, 0.5, 0.99, 1]) == [
                .milliseconds(700), .milliseconds(849), .milliseconds(996), .milliseconds(999),
            ])
    }
}

@Suite struct PrometheusRegistryTests {
    @Test("counters, gauges and histograms are written in the text format, ordered and escaped")
    func exposition() {
        let registry = PrometheusRegistry(bucketBounds: [0.1, 1])
        registry.describe("jobs_total", "Jobs done.")
        Counter(label: "jobs_total", dimensions: [("kind", "a\"b\\c\nd")], factory: registry).increment(by: 3)
        Counter(label: "jobs_total", dimensions: [("kind", "a\"b\\c\nd")], factory: registry).increment()
        Recorder(label: "queue.length", dimensions: [], aggregate: false, factory: registry).record(2.5)
        let timer = Timer(label: "wait_seconds", dimensions: [("track", "x")], factory: registry)
        timer.recordNanoseconds(50_000_000)
        timer.recordNanoseconds(500_000_000)
        timer.recordNanoseconds(5_000_000_000)
        #expect(
            registry.exposition() == """
                # HELP jobs_total Jobs done.
                # TYPE jobs_total counter
                jobs_total{kind="a\\"b\\\\c\\nd"} 4
                # TYPE queue_length gauge
                queue_length 2.5
                # TYPE wait_seconds histogram
                wait_seconds_bucket{track="x",le="0.1"} 1
                wait_seconds_bucket{track="x",le="1"} 2
                wait_seconds_bucket{track="x",le="+Inf"} 3
                wait_seconds_sum{track="x"} 5.55
                wait_seconds_count{track="x"} 3

                """)
    }

    @Test("a series that is destroyed is not shown any more")
    func destroyed() {
        let registry = PrometheusRegistry()
        let counter = Counter(label: "gone_total", dimensions: [], factory: registry)
        counter.increment()
        #expect(registry.exposition().contains("gone_total 1"))
        counter.destroy()
        #expect(!registry.exposition().contains("gone_total"))
    }
}
