package import Bytes

/// What was sent on one SSRC lately, as references into shared payloads: a packet that is asked for is written anew
/// from them. Never allocates after it was made.
package struct RetransmitCache: Sendable {
    package struct Entry: Sendable {
        package let payload: SlabSlice
        package let fragment: PayloadFragment
        /// The dependency descriptor of a forwarded packet.
        package let descriptor: SlabSlice?
        /// The RTP timestamp that the packet was sent with.
        package let timestamp: UInt32
        package let sequenceNumber: UInt16
        package let sentAt: Monotonic
        fileprivate var resendableAt = Monotonic.zero
    }

    private var slots: [Entry?]
    private var oldest: UInt16 = 0
    /// Sequence numbers from the oldest packet to the newest one, those included that were never sent.
    package private(set) var count = 0

    /// `capacity` is a power of two, so that slots stay in step when sequence numbers wrap.
    package init(capacity: Int) {
        precondition(capacity > 0 && capacity <= 32_768 && capacity & (capacity - 1) == 0, "capacity is a power of two")
        slots = Array(repeating: nil, count: capacity)
    }

    /// Notes a packet that goes out now. Forwarded packets may leave gaps, and fill them later.
    package mutating func insert(
        _ payload: SlabSlice, _ fragment: PayloadFragment, descriptor: SlabSlice? = nil, sequenceNumber: UInt16,
        timestamp: UInt32, at now: Monotonic
    ) {
        expire(at: now)
        if count == 0 { oldest = sequenceNumber }
        let place = Int(sequenceNumber &- oldest)
        if place >= count {
            // Half of all numbers ahead is behind: too late to be kept.
            guard place < 0x8000 else { return }
            while count > 0, Int(sequenceNumber &- oldest) >= slots.count { removeOldest() }
            if count == 0 { oldest = sequenceNumber }
            count = Int(sequenceNumber &- oldest) + 1
        }
        slots[slot(sequenceNumber)] = Entry(
            payload: payload, fragment: fragment, descriptor: descriptor, timestamp: timestamp,
            sequenceNumber: sequenceNumber, sentAt: now)
    }

    /// Nil when the packet was never sent, or too long ago.
    package func entry(_ sequenceNumber: UInt16) -> Entry? {
        guard let entry = slots[slot(sequenceNumber)], entry.sequenceNumber == sequenceNumber else { return nil }
        return entry
    }

    /// The packet to send again, unless it is gone or was granted less than `interval` ago.
    package mutating func request(_ sequenceNumber: UInt16, at now: Monotonic, interval: Interval) -> Entry? {
        expire(at: now)
        guard let entry = entry(sequenceNumber), entry.resendableAt <= now else { return nil }
        slots[slot(sequenceNumber)]?.resendableAt = now + interval
        return entry
    }

    /// Lets go of frames that are too old to be asked for.
    package mutating func expire(at now: Monotonic) {
        while count > 0 {
            if let entry = slots[slot(oldest)], entry.sentAt + RTPLimits.retransmitAge >= now { return }
            removeOldest()
        }
    }

    private mutating func removeOldest() {
        slots[slot(oldest)] = nil
        oldest &+= 1
        count -= 1
    }

    private func slot(_ sequenceNumber: UInt16) -> Int { Int(sequenceNumber) & (slots.count - 1) }
}
