import Bytes
import Media

/// What is kept of one received stream: its numbers, its gaps and its counts.
struct ReceiveStream: Sendable {
    /// Two packets in a row of another source take a live stream over.
    struct Candidate: Sendable {
        var ssrc: UInt32
        var number: UInt16
    }

    /// In the receiver's configuration.
    let section: Int
    let kind: MediaKind
    let streamID: InlineBytes?
    private(set) var ssrc: UInt32
    var retransmissionSSRC: UInt32?
    var window = SequenceWindow()
    /// Only where NACK was negotiated.
    var nacks: NackTracker?
    /// Only where ULPFEC was negotiated.
    var correction: CorrectionWindow?
    var keyFrames = KeyFrameRequests()
    var candidate: Candidate?
    var statistics = ReceiveStatistics()
    var lastReport: SenderReportArrival?
    private(set) var goodbyeAt: Monotonic?
    private var didRestart = false
    private var rate = RateWindow()

    var wasAdded = true
    var wasEnded = false
    var hasNewReport = false

    private(set) var clockRate: Int
    /// Of RFC 3550 appendix A.8: in ticks, the jitter in 1/16 of them.
    private var transit: UInt32?
    private var jitter: UInt32 = 0
    /// Since the start of the numbers.
    private var received: Int64 = 0
    private var lostBefore: Int64 = 0
    private var expectedPrior: Int64 = 0
    private var receivedPrior: Int64 = 0
    private var heardSinceReport = false
    /// What the wraps of earlier sources count for.
    private var rounds: Int64 = 0

    init(section: Int, _ configuration: ReceiveSection, streamID: InlineBytes?, ssrc: UInt32) {
        self.section = section
        self.ssrc = ssrc
        self.streamID = streamID
        kind = configuration.configuration.kind
        clockRate = configuration.clockRate
        nacks = configuration.configuration.feedback.contains(.nack) ? NackTracker() : nil
        correction = configuration.hasCorrection ? CorrectionWindow() : nil
    }

    /// Places a packet with the stream's own SSRC and counts it. `clockRate` is that of its payload, if it has one of
    /// its own.
    mutating func receive(
        _ header: RTPHeader, byteCount: Int, clockRate: Int?, at now: Monotonic
    ) -> SequenceWindow.Placement {
        let placement = window.place(header.sequenceNumber)
        if case .refused = placement {
            statistics.packetsDropped &+= 1
            return placement
        }
        if case .restarted = placement { begin() }
        received &+= 1
        heardSinceReport = true
        statistics.packetsReceived &+= 1
        statistics.bytesReceived &+= Int64(byteCount)
        statistics.lastPacketAt = now
        rate.add(byteCount, at: now)
        if placement == .duplicate { statistics.duplicates &+= 1 }
        if let clockRate, clockRate > 0, clockRate != self.clockRate {
            self.clockRate = clockRate
            transit = nil
            jitter = 0
        }
        // Padding repeats the timestamp of the picture before it.
        if !header.payloadRange.isEmpty { measureJitter(header.timestamp, at: now) }
        statistics.packetsLost = lostBefore + max(window.expected - received, 0)
        return placement
    }

    /// Another source takes the stream's place. Its packet `number` comes next, and `missing` ones before it were not
    /// taken.
    mutating func rebind(to ssrc: UInt32, next number: UInt16, missing: Int64) {
        self.ssrc = ssrc
        retransmissionSSRC = nil
        candidate = nil
        lastReport = nil
        hasNewReport = false
        if goodbyeAt != nil { revive() }
        rounds = window.anticipate(number, missing: missing) >> 16
        begin()
    }

    /// The counts of RFC 3550 start over.
    private mutating func begin() {
        lostBefore = statistics.packetsLost
        received = 0
        expectedPrior = 0
        receivedPrior = 0
        transit = nil
        jitter = 0
        didRestart = true
        statistics.restarts &+= 1
        nacks?.removeAll()
        correction?.removeAll()
    }

    /// True for the first packet after a restart.
    mutating func takeRestart() -> Bool {
        defer { didRestart = false }
        return didRestart
    }

    mutating func noteGoodbye(at now: Monotonic) {
        guard goodbyeAt == nil else { return }
        goodbyeAt = now
        wasEnded = true
        keyFrames.noteKeyFrame()
        nacks?.removeAll()
    }

    /// A packet came. After a goodbye that is news, unless the packet was just overtaken by it.
    mutating func noteAlive(at now: Monotonic) {
        guard let goodbyeAt, now - goodbyeAt >= RTPLimits.goodbyeGrace else { return }
        revive()
    }

    private mutating func revive() {
        goodbyeAt = nil
        // An end that nobody was told of did not happen.
        if !wasEnded { wasAdded = true }
        wasEnded = false
    }

    mutating func recover(into packet: inout [UInt8]) -> Int64? {
        correction?.recover(into: &packet, ssrc: ssrc, window: window)
    }

    private mutating func measureJitter(_ timestamp: UInt32, at now: Monotonic) {
        let arrival = UInt32(truncatingIfNeeded: now.nanoseconds.ticks(rate: Int64(clockRate)))
        let newTransit = arrival &- timestamp
        defer { transit = newTransit }
        guard let transit else { return }
        let difference = Int32(bitPattern: newTransit &- transit).magnitude
        // A clock that was set is no jitter.
        guard Int(difference) < clockRate * 5 else { return }
        jitter = jitter &+ difference &- (jitter &+ 8) >> 4
    }

    /// RFC 3550 appendix A.3; nil when nothing came since the last one.
    mutating func reportBlock(at now: Monotonic) -> ReportBlock? {
        guard heardSinceReport, let highest = window.highest else { return nil }
        heardSinceReport = false
        let expected = window.expected
        let lost = expected - received
        let interval = expected - expectedPrior
        let intervalLost = interval - (received - receivedPrior)
        expectedPrior = expected
        receivedPrior = received
        statistics.fractionLost =
            interval > 0 && intervalLost > 0 ? UInt8(clamping: intervalLost << 8 / interval) : 0
        var block = ReportBlock(
            ssrc: ssrc, fractionLost: statistics.fractionLost, cumulativeLost: Int32(clamping: lost),
            highestSequence: UInt32(truncatingIfNeeded: highest - rounds << 16), jitter: jitter >> 4)
        if let lastReport {
            block.lastSenderReport = lastReport.ntp.compact
            block.delaySinceSenderReport = NTPTime.compactUnits(now - lastReport.arrival)
        }
        return block
    }

    /// The counts, with those that are worked out filled in.
    func currentStatistics() -> ReceiveStatistics {
        var statistics = statistics
        statistics.jitter = Interval(nanoseconds: MediaTime(ticks: Int64(jitter >> 4), rate: Int64(clockRate)))
        statistics.bitrate = rate.rate(over: .milliseconds(500)) ?? 0
        return statistics
    }

    /// When lost packets are to be asked for. A chain of optionals from outside would copy the whole stream.
    var nackDeadline: Monotonic? { nacks?.deadline }

    /// Lets time pass without packets.
    mutating func advance(to now: Monotonic) {
        rate.advance(to: now)
        nacks?.advance(to: now)
    }
}
