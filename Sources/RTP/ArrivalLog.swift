package import Bytes

/// When packets with transport-wide sequence numbers arrived, until feedback told of them. Never allocates after it was
/// made.
package struct ArrivalLog: Sendable {
    /// 250 µs.
    private static let tickNanoseconds: Int64 = 250_000
    private static let none = Int64.min
    /// Packets behind the window in a row until the peer is taken to have started its numbers over.
    private static let maxStale = 8
    private static let size = Int64(RTPLimits.arrivalLogPackets)

    /// By transport-wide number, in ticks.
    private var slots = [Int64](repeating: ArrivalLog.none, count: RTPLimits.arrivalLogPackets)
    private var highest: Int64?
    /// The first number that feedback has not told of.
    private var next: Int64 = 0
    private var staleCount = 0
    private var feedbackCount: UInt8 = 0
    private var scratch: [Int64?] = []
    package private(set) var lastWrittenAt: Monotonic?
    /// Packets since the last feedback, and when the first of them came.
    package private(set) var unreported = 0
    package private(set) var firstUnreportedAt = Monotonic.zero

    package init() { scratch.reserveCapacity(RTPLimits.maxFeedbackStatuses) }

    package var hasUnreported: Bool { unreported > 0 }

    package mutating func record(_ number: UInt16, at now: Monotonic) {
        guard let highest else { return start(at: Int64(number) + 0x1_0000, now) }
        let place = highest + Int64(Int16(bitPattern: number &- UInt16(truncatingIfNeeded: highest)))
        if place > highest {
            guard place - highest < Self.size else { return start(at: place, now) }
            for lost in highest + 1..<place { slots[slot(lost)] = Self.none }
            self.highest = place
            // What falls out of the log untold stays untold.
            next = max(next, place - Self.size + 1)
        } else {
            guard place > highest - Self.size else { return recordStale(place, now) }
            guard slots[slot(place)] == Self.none else { return }
            // Told of as lost before: the feedback about it is made again.
            next = min(next, place)
        }
        slots[slot(place)] = now.nanoseconds / Self.tickNanoseconds
        note(now)
    }

    private mutating func note(_ now: Monotonic) {
        staleCount = 0
        if unreported == 0 { firstUnreportedAt = now }
        unreported += 1
    }

    private mutating func recordStale(_ place: Int64, _ now: Monotonic) {
        staleCount += 1
        // Numbers only ever grow here.
        if staleCount >= Self.maxStale { start(at: place + 0x1_0000, now) }
    }

    private mutating func start(at place: Int64, _ now: Monotonic) {
        for index in slots.indices { slots[index] = Self.none }
        highest = place
        next = place
        unreported = 0
        slots[slot(place)] = now.nanoseconds / Self.tickNanoseconds
        note(now)
    }

    /// Appends one feedback packet of at most `maxBytes` if there is anything to tell. What did not fit waits for the
    /// next call.
    package mutating func write(
        sender: UInt32, media: UInt32, maxBytes: Int, at now: Monotonic, into output: inout OutputRawSpan
    ) {
        guard let highest, unreported > 0 else { return }
        scratch.removeAll(keepingCapacity: true)
        let end = min(highest, next + Int64(RTPLimits.maxFeedbackStatuses) - 1)
        var place = next
        while place <= end {
            let ticks = slots[slot(place)]
            scratch.append(ticks == Self.none ? nil : ticks)
            place += 1
        }
        let covered = TransportFeedback.write(
            sender: sender, media: media, baseSequence: UInt16(truncatingIfNeeded: next), feedbackCount: feedbackCount,
            arrivals: scratch, maxBytes: maxBytes, into: &output)
        lastWrittenAt = now
        if covered > 0 { feedbackCount &+= 1 }
        // Nothing but losses, more than one feedback covers: they are passed over.
        let isEmpty = scratch.allSatisfy { $0 == nil }
        next += Int64(isEmpty ? scratch.count : covered)
        if next > highest { unreported = 0 }
    }

    private func slot(_ place: Int64) -> Int { Int(truncatingIfNeeded: place & (Self.size - 1)) }
}
