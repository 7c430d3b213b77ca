package import Bytes

/// One direction of a network in virtual time: loses, delays, reorders and doubles packets, the same way for the same
/// seed.
///
/// `Packet` is a datagram as `[UInt8]`, or that with whatever the test needs beside it.
package struct Netem<Packet: Sendable>: Sendable {
    private struct InFlight: Sendable {
        let due: Monotonic
        let packet: Packet
    }

    package var settings: NetemSettings
    /// While true everything sent is lost: a black-out.
    package var isDown = false
    /// What was offered and what of it was lost so far.
    package private(set) var sentCount = 0
    package private(set) var lostCount = 0
    /// Ascending by due time, then by order of sending.
    private var flight: [InFlight] = []
    private var generator: SeededGenerator
    private var lastDue = Monotonic(nanoseconds: .min)

    package init(_ settings: NetemSettings = .perfect, seed: UInt64 = 1) {
        self.settings = settings
        generator = SeededGenerator(seed: seed)
    }

    package mutating func send(_ packet: Packet, at now: Monotonic) {
        sentCount += 1
        // One draw per property and packet, so that changing one setting leaves the others' choices alone.
        let isLost = chance(settings.loss)
        let isDoubled = chance(settings.duplicate)
        let isHurried = chance(settings.reorder)
        let jitter = Interval(nanoseconds: Int64(fraction() * Double(settings.jitter.nanoseconds)))
        guard !isLost, !isDown else {
            lostCount += 1
            return
        }
        var due = now + settings.delay + jitter
        if isHurried {
            due = now
        } else {
            // Without reordering a queue stays a queue, whatever the jitter.
            if settings.reorder == 0 { due = max(due, lastDue) }
            lastDue = due
        }
        insert(packet, due: due)
        if isDoubled { insert(packet, due: due) }
    }

    /// The next packet that has arrived at `now`; nil when none has.
    package mutating func receive(at now: Monotonic) -> Packet? {
        guard let first = flight.first, first.due <= now else { return nil }
        return flight.removeFirst().packet
    }

    /// When the next packet arrives; nil when none is on its way.
    package var nextDeadline: Monotonic? { flight.first?.due }

    private mutating func insert(_ packet: Packet, due: Monotonic) {
        let index = flight.firstIndex { $0.due > due } ?? flight.count
        flight.insert(InFlight(due: due, packet: packet), at: index)
    }

    private mutating func chance(_ probability: Double) -> Bool { fraction() < probability }

    /// 0 ..< 1.
    private mutating func fraction() -> Double { Double(generator.next() >> 11) / 9_007_199_254_740_992 }
}

package struct NetemSettings: Sendable {
    /// Probabilities, 0…1.
    package var loss = 0.0
    package var duplicate = 0.0
    /// Share of packets that overtake all others by having no delay. Above 0, jitter reorders too.
    package var reorder = 0.0
    package var delay = Interval.zero
    /// Up to so much is added to `delay`, evenly spread.
    package var jitter = Interval.zero

    package init(
        loss: Double = 0, duplicate: Double = 0, reorder: Double = 0, delay: Interval = .zero, jitter: Interval = .zero
    ) {
        self.loss = loss
        self.duplicate = duplicate
        self.reorder = reorder
        self.delay = delay
        self.jitter = jitter
    }

    package static let perfect = NetemSettings()
    package static let lan = NetemSettings(delay: .milliseconds(1))
    package static let broadband = NetemSettings(delay: .milliseconds(20), jitter: .milliseconds(5))
    package static let lossy = NetemSettings(loss: 0.05, delay: .milliseconds(30), jitter: .milliseconds(10))
    package static let mobile = NetemSettings(
        loss: 0.1, duplicate: 0.02, reorder: 0.05, delay: .milliseconds(60), jitter: .milliseconds(60))
}
