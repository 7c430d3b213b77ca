import Bytes
import RTP
import TestSupport
import Testing

/// An estimator whose packets leave every 4 ms and arrive as the test says.
private struct Feed {
    var estimator: BandwidthEstimator
    var now = Monotonic.ms(1_000)
    var number: UInt16
    /// The receiver's clock, 250 µs.
    var clock: Int64

    init(wanted: Int = 2_000_000, firstNumber: UInt16 = 0, clock: Int64 = 40_000) {
        estimator = BandwidthEstimator(wantedBitrate: wanted)
        number = firstNumber
        self.clock = clock
    }

    /// 25 packets of 1,000 bytes in 100 ms: 2 Mbit/s. `delay`: of each packet, ms; nil loses it.
    mutating func burst(_ delay: (Int) -> Int64? = { _ in 20 }) -> [SentPacketHistory.Outcome] {
        (0..<25).map { index in
            estimator.recordSent(byteCount: 1_000, at: now)
            let outcome = SentPacketHistory.Outcome(
                sequenceNumber: number, byteCount: 1_000, sentAt: now,
                arrival: delay(index).map { clock + (now.nanoseconds / 1_000_000 + $0) * 4 })
            number &+= 1
            now += .milliseconds(4)
            return outcome
        }
    }

    mutating func run(bursts: Int, _ delay: (Int) -> Int64? = { _ in 20 }) {
        for _ in 0..<bursts {
            let outcomes = burst(delay)
            estimator.receive(outcomes, roundTrip: .milliseconds(40), at: now)
        }
    }

    /// A queue that grows by `slope` ms in each burst of 100 ms.
    mutating func overuse(bursts: Int, slope: Int64 = 40) {
        for burst in 0..<Int64(bursts) { run(bursts: 1) { 20 + slope * burst + slope * Int64($0) / 25 } }
    }
}

@Suite struct BandwidthEstimatorTests {
    @Test("nothing is estimated before feedback; then all that is wanted")
    func start() {
        var feed = Feed()
        _ = feed.burst()
        feed.estimator.receive([], roundTrip: nil, at: feed.now)
        #expect(feed.estimator.estimate == nil)
        feed.run(bursts: 1)
        #expect(feed.estimator.estimate == 2_000_000)
        #expect(!feed.estimator.isLimited)
    }

    @Test("steady delay changes nothing, whatever the clocks show", arguments: [0, 1 << 32, -(1 << 40)] as [Int64])
    func steady(clock: Int64) {
        var feed = Feed(firstNumber: 65_500, clock: clock)
        feed.run(bursts: 50)
        #expect(feed.estimator.estimate == 2_000_000)
        #expect(feed.estimator.standingQueue == .zero)
    }

    @Test("clocks that drift by 200 parts in a million change nothing")
    func drift() {
        var feed = Feed()
        for burst in 0..<300 as Range<Int64> { feed.run(bursts: 1) { _ in 20 + burst / 50 } }
        #expect(feed.estimator.estimate == 2_000_000)
    }

    @Test("a growing queue cuts to below what gets through, within half a second")
    func overuse() throws {
        var feed = Feed()
        feed.run(bursts: 10)
        feed.overuse(bursts: 5)
        let estimate = try #require(feed.estimator.estimate)
        #expect(feed.estimator.isLimited)
        #expect(estimate < 1_700_000)
        #expect(feed.estimator.standingQueue > .milliseconds(60))
    }

    @Test("an estimate is never below the floor, nor are wishes below it cut")
    func floor() {
        var feed = Feed()
        for _ in 0..<10 { feed.overuse(bursts: 20) }
        #expect(feed.estimator.estimate ?? 0 >= BandwidthEstimator.floor)
        var small = Feed(wanted: 100_000)
        small.overuse(bursts: 30)
        #expect(small.estimator.estimate == BandwidthEstimator.floor)
        #expect(!small.estimator.isLimited)
    }

    @Test("loss up to a tenth cuts nothing, more does", arguments: [(20, false), (12, false), (5, true), (2, true)])
    func loss(oneIn: Int, isCut: Bool) {
        var feed = Feed()
        var count = 0
        feed.run(bursts: 20) { _ in
            count += 1
            return count % oneIn == 0 ? nil : 20
        }
        #expect(feed.estimator.isLimited == isCut)
        // What was sent before a cut is not held against what is sent after it.
        #expect(isCut || (feed.estimator.lossShare - 1 / Double(oneIn)).magnitude < 0.02)
    }

    @Test("packets that are only late are not lost")
    func late() {
        var feed = Feed()
        var held: [SentPacketHistory.Outcome] = []
        for _ in 0..<20 {
            var outcomes = held.map {
                var late = $0
                late.wasReported = true
                return late
            }
            held = []
            for outcome in feed.burst() {
                var outcome = outcome
                if outcome.sequenceNumber % 3 == 0 {
                    held.append(outcome)
                    outcome.arrival = nil
                }
                outcomes.append(outcome)
            }
            feed.estimator.receive(outcomes, roundTrip: nil, at: feed.now)
        }
        #expect(!feed.estimator.isLimited)
        #expect(feed.estimator.lossShare < 0.1)
    }

    @Test("feedback that comes twice, late or never leaves the estimate alone")
    func feedbackOrder() {
        var feed = Feed()
        feed.run(bursts: 5)
        for _ in 0..<10 {
            let first = feed.burst()
            let second = feed.burst()
            _ = feed.burst()
            feed.estimator.receive(second, roundTrip: nil, at: feed.now)
            feed.estimator.receive(first, roundTrip: nil, at: feed.now)
            let again = second.map {
                var lost = $0
                lost.arrival = nil
                lost.wasReported = true
                return lost
            }
            feed.estimator.receive(again, roundTrip: nil, at: feed.now)
        }
        #expect(feed.estimator.estimate == 2_000_000)
        #expect(feed.estimator.lossShare == 0)
    }

    @Test("silence halves once a second, but not before 42 packets wait")
    func silence() throws {
        var feed = Feed()
        feed.run(bursts: 5)
        _ = feed.burst()
        #expect(feed.estimator.nextDeadline == nil)
        let start = feed.now - .milliseconds(100)
        _ = feed.burst()
        let due = try #require(feed.estimator.nextDeadline)
        #expect(due == start + .seconds(1))
        feed.estimator.advance(to: due - .milliseconds(1))
        #expect(feed.estimator.estimate == 2_000_000)
        feed.estimator.advance(to: due)
        #expect(feed.estimator.estimate == 1_000_000)
        #expect(feed.estimator.nextDeadline == nil)
    }

    @Test("a pause in sending is no silence")
    func pause() {
        var feed = Feed()
        feed.run(bursts: 5)
        _ = feed.burst()
        feed.now += .seconds(30)
        for _ in 0..<2 { _ = feed.burst() }
        feed.estimator.advance(to: feed.now)
        #expect(feed.estimator.estimate == 2_000_000)
    }

    @Test("the peer's own estimate is a cap")
    func cap() {
        var feed = Feed()
        feed.run(bursts: 2)
        feed.estimator.cap = 800_000
        #expect(feed.estimator.estimate == 800_000)
        feed.estimator.cap = 50_000
        #expect(feed.estimator.estimate == 50_000)
        feed.estimator.cap = nil
        #expect(feed.estimator.estimate == 2_000_000)
    }

    @Test("a wish that grows is met at once on a path without a known limit")
    func wish() {
        var feed = Feed(wanted: 500_000)
        feed.run(bursts: 2)
        feed.estimator.wantedBitrate = 3_000_000
        #expect(feed.estimator.estimate == 3_000_000)
        feed.estimator.wantedBitrate = 200_000
        #expect(feed.estimator.estimate == 300_000)
        feed.estimator.wantedBitrate = 3_000_000
        #expect(feed.estimator.estimate == 3_000_000)
    }

    @Test("a known limit outlives times when little is wanted")
    func knownLimit() throws {
        var feed = Feed()
        feed.run(bursts: 10)
        feed.overuse(bursts: 5)
        // Sends no more than the estimate, which the path carries.
        feed.run(bursts: 2) { $0 % 2 == 0 ? 20 : nil }
        let limit = try #require(feed.estimator.estimate)
        #expect(limit < 2_000_000)
        feed.estimator.wantedBitrate = 100_000
        feed.run(bursts: 20)
        feed.estimator.wantedBitrate = 3_000_000
        #expect(feed.estimator.estimate ?? .max < 2_500_000)
        #expect(feed.estimator.isLimited)
    }

    @Test("arrivals that make no sense are survived")
    func nonsense() {
        var feed = Feed()
        var random = SeededGenerator(seed: 3)
        for _ in 0..<200 {
            let outcomes = feed.burst().map {
                var wild = $0
                wild.arrival = Int64(bitPattern: random.next()) >> Int64(random.next() % 63)
                return wild
            }
            feed.estimator.receive(outcomes, roundTrip: Interval(nanoseconds: .max), at: feed.now)
            let estimate = feed.estimator.estimate ?? 0
            #expect((BandwidthEstimator.floor...3_000_000).contains(estimate))
        }
    }
}
