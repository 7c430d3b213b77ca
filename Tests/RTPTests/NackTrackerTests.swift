import Bytes
import RTP
import Testing

@Suite struct NackTrackerTests {
    private let trip = Interval.milliseconds(50)

    private func due(_ tracker: inout NackTracker, at now: Monotonic) -> [UInt16] {
        var numbers: [UInt16] = []
        tracker.advance(to: now)
        tracker.collect(into: &numbers, at: now)
        return numbers
    }

    /// As the receiver does it.
    private func ask(_ tracker: inout NackTracker, at now: Monotonic, trip: Interval? = nil) -> [UInt16] {
        let numbers = due(&tracker, at: now)
        tracker.noteAsked(numbers.count, at: now, roundTrip: trip ?? self.trip)
        return numbers
    }

    private func gap(_ skipped: Int64 = 1, before place: Int64 = 100, at now: Monotonic = .zero) -> NackTracker {
        var tracker = NackTracker()
        _ = tracker.noteArrival(place, skipped: skipped, at: now)
        return tracker
    }

    @Test("a gap is asked for after 5 ms")
    func patience() {
        var tracker = gap(2)
        #expect(tracker.deadline == .ms(5))
        #expect(due(&tracker, at: .zero + .microseconds(4_999)).isEmpty)
        #expect(due(&tracker, at: .ms(5)) == [98, 99])
    }

    @Test("a gap is asked for with the third packet behind it")
    func packets() {
        var tracker = gap(2)
        #expect(tracker.noteArrival(101, skipped: 0, at: .ms(1)) == true)
        #expect(due(&tracker, at: .ms(1)).isEmpty)
        #expect(tracker.noteArrival(102, skipped: 0, at: .ms(2)) == true)
        #expect(tracker.deadline == .ms(2))
        #expect(due(&tracker, at: .ms(2)) == [98, 99])
    }

    @Test("each gap waits for packets of its own")
    func gaps() {
        var tracker = gap()
        #expect(tracker.noteArrival(102, skipped: 1, at: .ms(1)) == true)
        #expect(tracker.noteArrival(103, skipped: 0, at: .ms(2)) == true)
        #expect(due(&tracker, at: .ms(2)) == [99])
        #expect(tracker.noteArrival(104, skipped: 0, at: .ms(3)) == true)
        #expect(due(&tracker, at: .ms(3)) == [99, 101])
    }

    @Test("what comes is not asked for")
    func found() {
        var tracker = gap(3)
        #expect(tracker.noteFound(98, isOriginal: true, at: .ms(1)) == nil)
        #expect(tracker.noteFound(50, isOriginal: true, at: .ms(1)) == nil)
        #expect(due(&tracker, at: .ms(5)) == [97, 99])
        #expect(tracker.noteFound(97, isOriginal: true, at: .ms(1)) == nil)
        #expect(tracker.noteFound(99, isOriginal: true, at: .ms(1)) == nil)
        #expect(tracker.deadline == nil && tracker.count == 0)
    }

    @Test(
        "asking is repeated once a round trip, of 20 to 200 ms",
        arguments: [(1, 20), (20, 20), (75, 75), (200, 200), (900, 200)])
    func interval(trip: Int64, interval: Int64) {
        var tracker = gap()
        #expect(ask(&tracker, at: .ms(5), trip: .milliseconds(trip)) == [99])
        #expect(tracker.deadline == .ms(5 + interval))
        #expect(due(&tracker, at: .ms(4 + interval)).isEmpty)
        #expect(due(&tracker, at: .ms(5 + interval)) == [99])
    }

    @Test("a packet is given up after ten requests", arguments: [20, 50])
    func tries(trip: Int64) {
        var tracker = gap()
        for turn in 0..<10 {
            #expect(ask(&tracker, at: .ms(5 + Int64(turn) * trip), trip: .milliseconds(trip)) == [99])
        }
        #expect(tracker.count == 1)
        #expect(ask(&tracker, at: .ms(5 + 10 * trip), trip: .milliseconds(trip)).isEmpty)
        #expect(tracker.count == 0 && tracker.deadline == nil)
    }

    @Test("a packet is given up after a second")
    func age() {
        var tracker = gap()
        let asked = stride(from: 5, through: 2_000, by: 5).filter {
            !ask(&tracker, at: .ms($0), trip: .milliseconds(200)).isEmpty
        }
        #expect(asked == [5, 205, 405, 605, 805])
        #expect(tracker.count == 0)
    }

    @Test("the round trip is measured only when one request was made")
    func roundTrip() {
        var tracker = gap(2)
        #expect(ask(&tracker, at: .ms(5)) == [98, 99])
        #expect(tracker.noteFound(98, isOriginal: false, at: .ms(35)) == .milliseconds(30))
        #expect(ask(&tracker, at: .ms(55)) == [99])
        #expect(tracker.noteFound(99, isOriginal: false, at: .ms(60)) == nil)
    }

    /// A gap at `time` that the missing packet, late by itself, fills after `delay`.
    private func overtake(_ tracker: inout NackTracker, _ place: Int64, at time: Int64, delay: Int64) {
        _ = tracker.noteArrival(place, skipped: 1, at: .ms(time))
        _ = tracker.noteFound(place - 1, isOriginal: true, at: .ms(time + delay))
    }

    @Test("where packets overtake each other, gaps are given about the time that takes, whatever comes behind them")
    func reordering() {
        var tracker = NackTracker()
        for count in 0..<10 { overtake(&tracker, 100 + 2 * Int64(count), at: 100 * Int64(count), delay: 20) }
        for place in Int64(121)...126 { _ = tracker.noteArrival(place, skipped: place == 121 ? 1 : 0, at: .ms(1_000)) }
        #expect(due(&tracker, at: .ms(1_023)).isEmpty)
        #expect(due(&tracker, at: .ms(1_025)) == [120])
    }

    @Test("that time is bounded, and forgotten where nothing was late for four seconds")
    func reorderingEnds() {
        var tracker = NackTracker()
        for count in 0..<10 { overtake(&tracker, 100 + 2 * Int64(count), at: 1_000 * Int64(count), delay: 800) }
        _ = tracker.noteArrival(121, skipped: 1, at: .ms(10_000))
        #expect(tracker.deadline == .ms(10_100))
        #expect(ask(&tracker, at: .ms(10_100)) == [120])
        _ = tracker.noteFound(120, isOriginal: false, at: .ms(10_150))
        _ = tracker.noteArrival(123, skipped: 1, at: .ms(13_800))
        #expect(tracker.deadline == .ms(13_805))
    }

    @Test("without a source for repeats, what comes too soon to be an answer was late by itself")
    func ambiguous() {
        for (delay, isLate) in [(Int64(20), true), (60, false)] {
            var tracker = gap()
            #expect(ask(&tracker, at: .ms(5)) == [99])
            _ = tracker.noteFound(99, isOriginal: nil, roundTrip: trip, at: .ms(5 + delay))
            _ = tracker.noteArrival(102, skipped: 1, at: .ms(100))
            #expect((tracker.deadline.map { $0 > .ms(105) } ?? false) == isLate)
        }
    }

    @Test("what did not fit into a datagram stays due")
    func partial() {
        var tracker = gap(3)
        #expect(due(&tracker, at: .ms(5)) == [97, 98, 99])
        tracker.noteAsked(1, at: .ms(5), roundTrip: trip)
        #expect(tracker.deadline == .ms(5))
        #expect(due(&tracker, at: .ms(5)) == [98, 99])
    }

    @Test("with more than 512 missing all are given up")
    func overflow() {
        var tracker = gap(512, before: 10_000)
        #expect(tracker.count == 512)
        #expect(tracker.noteArrival(10_002, skipped: 1, at: .ms(1)) == false)
        #expect(tracker.count == 0 && tracker.deadline == nil)
        #expect(tracker.noteArrival(10_004, skipped: 1, at: .ms(2)) == true)
        #expect(tracker.count == 1)
    }

    @Test("numbers are asked for across the wrap")
    func wrap() {
        var tracker = gap(3, before: 65_538)
        #expect(due(&tracker, at: .ms(5)) == [65_535, 0, 1])
    }
}
