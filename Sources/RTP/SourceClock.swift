package import Bytes
package import Media

/// Maps the RTP timestamps of one source to the server's monotonic clock, as `MediaTime` in nanoseconds.
///
/// Before sender reports a timestamp stands where the quickest of the recent packets puts it. With them it stands where
/// the peer's wall clock puts it, which all sources of a peer share (`PeerTimeline`), so that sound, picture and all
/// layers agree. From one line to the other, and along with clocks that drift, time is stretched by at most 5 %; only
/// what is off by more than a second is set right at once, and a source that begins with what it held back until it
/// could send, as many do. For growing timestamps time never goes back.
package struct SourceClock: Sendable {
    package enum Limits {
        /// A timestamp that moves so much further than time did is a jump of the source's clock, when the next one
        /// agrees.
        package static let jump = Interval.seconds(5)
        /// Errors above this are not stretched away.
        package static let step = Interval.seconds(1)
        /// How far behind its arrival a packet may stand by the peer's wall clock, and how far before it. A wall
        /// clock that puts it elsewhere is not believed.
        package static let maxLateness = Interval.seconds(5)
        package static let maxEarliness = Interval.seconds(1)
        /// What a report may be off by from the one before, and the first of all from the arrivals. Some senders put the
        /// wrong timestamp into their reports.
        package static let disagreement = Interval.milliseconds(250)
        /// Corrections are at most this part of the time that passes.
        package static let stretch: Int64 = 20
        /// For so long after a source's first packet it may turn out that this one was late. Time that is ahead then goes
        /// at this part of its pace, until it is not.
        package static let settling = Interval.seconds(2)
        package static let settlingPace: Int64 = 16
        /// The quickest packet counts for one to two of these.
        package static let window = Interval.seconds(10)
    }

    private struct Point {
        var ticks: Int64
        var time: MediaTime
        var arrival: Monotonic
    }

    private struct Report {
        var ticks: Int64
        var ntp: Int64
        var epoch: Int
    }

    private let clockRate: Int64
    private var counter = TimestampCounter()
    /// The highest timestamp so far and what it was mapped to.
    private var newest: Point?
    /// A timestamp that would be a jump; its time does not count.
    private var candidate: Point?
    private var settledAt = Monotonic.distantFuture
    /// Of arrival minus timestamp.
    private var delays = SlidingMinimum(bucket: Limits.window)
    private var report: Report?
    /// The last one, believed or not.
    private var heard: Report?
    /// Times that the source's clock jumped, or that what it showed had to be set right at once.
    package private(set) var jumps = 0

    /// `clockRate` is that of the timestamps; anything below 1 counts as 1.
    package init(clockRate: Int) { self.clockRate = Int64(max(clockRate, 1)) }

    /// Takes a sender report of this source.
    package mutating func receive(_ arrived: SenderReportArrival, timeline: inout PeerTimeline) {
        // Without a wall clock the field is zero (RFC 3550 section 6.4.1).
        guard arrived.ntp.rawValue != 0 else { return }
        timeline.receive(arrived)
        let next = Report(
            ticks: counter.peek(arrived.rtpTimestamp), ntp: arrived.ntp.nanoseconds, epoch: timeline.epoch)
        report = isCredible(next, at: arrived.arrival) ? next : nil
        heard = next
    }

    private func isCredible(_ next: Report, at arrival: Monotonic) -> Bool {
        let error: Int64
        if let heard, heard.epoch == next.epoch {
            error = next.ntp &- wallTime(next.ticks, by: heard)
        } else if let delay = delays.value {
            error = arrival.nanoseconds &- (span(next.ticks) &+ delay)
        } else {
            return true
        }
        return error.magnitude <= UInt64(Limits.disagreement.nanoseconds)
    }

    /// The time of a packet or a picture that arrived just now. Timestamps may repeat and come late.
    package mutating func time(
        of timestamp: UInt32, arrival: Monotonic, timeline: inout PeerTimeline
    ) -> MediaTime {
        guard let newest else { return begin(timestamp, time: arrival.nanoseconds, arrival: arrival) }
        let ticks = counter.peek(timestamp)
        let step = span(ticks &- newest.ticks)
        let passed = max(arrival - newest.arrival, .zero).nanoseconds
        let predicted = newest.time &+ step
        let isOff = (predicted &- arrival.nanoseconds).magnitude > UInt64(Limits.jump.nanoseconds)
        if isOff, step > passed &+ Limits.jump.nanoseconds || step < -Limits.jump.nanoseconds {
            return jump(timestamp, ticks, time: newest.time &+ passed, arrival: arrival)
        }
        candidate = nil
        delays.add(arrival.nanoseconds &- span(ticks), at: arrival)
        if let report, report.epoch == timeline.epoch {
            timeline.add(arrival.nanoseconds &- wallTime(ticks, by: report), at: arrival)
        }
        guard step > 0 else { return predicted }
        _ = counter.unwrap(timestamp)
        let target = target(ticks, arrival: arrival, timeline)
        let time = correct(predicted, step: step, target: target, isSettled: arrival >= settledAt)
        self.newest = Point(ticks: ticks, time: time, arrival: arrival)
        return time
    }

    private mutating func begin(_ timestamp: UInt32, time: MediaTime, arrival: Monotonic) -> MediaTime {
        let ticks = counter.unwrap(timestamp)
        delays.add(arrival.nanoseconds &- span(ticks), at: arrival)
        newest = Point(ticks: ticks, time: time, arrival: arrival)
        settledAt = arrival + Limits.settling
        return time
    }

    /// One stray timestamp moves nothing; the second that agrees with it sets the clock anew.
    private mutating func jump(
        _ timestamp: UInt32, _ ticks: Int64, time: MediaTime, arrival: Monotonic
    ) -> MediaTime {
        defer { candidate = Point(ticks: ticks, time: time, arrival: arrival) }
        guard let candidate else { return time }
        let difference = span(ticks &- candidate.ticks) &- (arrival - candidate.arrival).nanoseconds
        guard difference.magnitude < UInt64(Limits.jump.nanoseconds) else { return time }
        jumps += 1
        counter = TimestampCounter()
        delays.removeAll()
        report = nil
        heard = nil
        return begin(timestamp, time: time, arrival: arrival)
    }

    /// Where the timestamp belongs.
    private func target(_ ticks: Int64, arrival: Monotonic, _ timeline: PeerTimeline) -> MediaTime? {
        if let report, report.epoch == timeline.epoch, let offset = timeline.offset {
            let time = wallTime(ticks, by: report) &+ offset
            let lateness = arrival.nanoseconds &- time
            if lateness < Limits.maxLateness.nanoseconds, lateness > -Limits.maxEarliness.nanoseconds { return time }
        }
        return delays.value.map { $0 &+ span(ticks) }
    }

    private func wallTime(_ ticks: Int64, by report: Report) -> Int64 { report.ntp &+ span(ticks &- report.ticks) }

    private mutating func correct(
        _ predicted: MediaTime, step: Int64, target: MediaTime?, isSettled: Bool
    ) -> MediaTime {
        guard let target else { return predicted }
        let error = target &- predicted
        if error < 0, !isSettled { return predicted &+ max(error, step / Limits.settlingPace &- step) }
        let stretch = step / Limits.stretch
        if error > Limits.step.nanoseconds {
            jumps += 1
            return target
        }
        // There is no way back, but time may go at half its pace.
        if error < -Limits.step.nanoseconds { return predicted &- step / 2 }
        return predicted &+ min(max(error, -stretch), stretch)
    }

    private func span(_ ticks: Int64) -> Int64 { MediaTime(ticks: ticks, rate: clockRate) }
}

/// What all sources of one peer share: how far the peer's wall clock is from the server's monotonic clock. The quickest
/// of the recent packets of all sources tells, so that it stands at its arrival, and the others where they belong beside
/// it: how long ago they were captured matters to nobody, and to go there would cost sound and pictures.
package struct PeerTimeline: Sendable {
    /// A report that is off by more shows that the peer's wall clock was set.
    package static let jump = Interval.seconds(10)

    /// Of arrival minus wall clock: of reports, and of packets.
    private var reports = SlidingMinimum(bucket: .seconds(15))
    private var packets = SlidingMinimum(bucket: .seconds(15))
    /// Changes with the peer's wall clock: reports of different epochs do not go together.
    package private(set) var epoch = 0

    package init() {}

    /// Monotonic time minus the peer's, in nanoseconds; nil before the first packet of a source with a report.
    package var offset: Int64? { packets.value }

    mutating func receive(_ report: SenderReportArrival) {
        let delay = report.arrival.nanoseconds &- report.ntp.nanoseconds
        if let known = reports.value, (delay &- known).magnitude > UInt64(Self.jump.nanoseconds) {
            epoch += 1
            reports.removeAll()
            packets.removeAll()
        }
        reports.add(delay, at: report.arrival)
    }

    /// A packet's arrival minus its time by the wall clock.
    mutating func add(_ delay: Int64, at arrival: Monotonic) { packets.add(delay, at: arrival) }
}

/// The smallest of the values of one to two buckets of time.
struct SlidingMinimum: Sendable {
    private let bucket: Interval
    private var startedAt: Monotonic?
    private var current: Int64?
    private var previous: Int64?

    init(bucket: Interval) { self.bucket = bucket }

    var value: Int64? {
        guard let current else { return previous }
        return min(current, previous ?? current)
    }

    mutating func add(_ value: Int64, at now: Monotonic) {
        let age = startedAt.map { now - $0 } ?? .zero
        if age >= bucket {
            previous = age >= bucket * 2 ? nil : current
            current = nil
            startedAt = now
        }
        startedAt = startedAt ?? now
        current = min(current ?? value, value)
    }

    mutating func removeAll() {
        startedAt = nil
        current = nil
        previous = nil
    }
}

extension NTPTime {
    /// Since the era's start; fits, as an era has 2^32 seconds.
    fileprivate var nanoseconds: Int64 {
        let fraction = ((rawValue & 0xFFFF_FFFF) * 1_000_000_000) >> 32
        return Int64(rawValue >> 32) * 1_000_000_000 + Int64(fraction)
    }
}
