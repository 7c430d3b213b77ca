package import Bytes

/// What was sent on one SSRC lately, as references into shared frames: a packet that is asked for is written anew
/// from them. Sequence numbers follow each other without gaps. Never allocates after it was made.
package struct RetransmitCache: Sendable {
    package struct Entry: Sendable {
        package let frame: PacketizedFrame
        /// The RTP timestamp that the packet was sent with.
        package let timestamp: UInt32
        package let sequenceNumber: UInt16
        private let index: UInt16
        package let sentAt: Monotonic
        fileprivate var resendableAt: Monotonic

        package var fragment: PayloadFragment { frame.fragments[Int(index)] }

        fileprivate init(
            frame: PacketizedFrame, index: UInt16, sequenceNumber: UInt16, timestamp: UInt32, sentAt: Monotonic
        ) {
            self.frame = frame
            self.index = index
            self.sequenceNumber = sequenceNumber
            self.timestamp = timestamp
            self.sentAt = sentAt
            resendableAt = .zero
        }
    }

    private var slots: [Entry?]
    private var oldest: UInt16 = 0
    package private(set) var count = 0

    /// `capacity` is a power of two, so that slots stay in step when sequence numbers wrap.
    package init(capacity: Int) {
        precondition(capacity > 0 && capacity <= 32_768 && capacity & (capacity - 1) == 0, "capacity is a power of two")
        slots = Array(repeating: nil, count: capacity)
    }

    /// Notes a packet that goes out now: the one behind `sequenceNumber - 1`.
    package mutating func append(
        _ frame: PacketizedFrame, fragment index: Int, sequenceNumber: UInt16, timestamp: UInt32, at now: Monotonic
    ) {
        expire(at: now)
        if count == 0 { oldest = sequenceNumber }
        precondition(sequenceNumber == oldest &+ UInt16(truncatingIfNeeded: count), "sequence numbers have no gaps")
        if count == slots.count { removeOldest() }
        slots[slot(sequenceNumber)] = Entry(
            frame: frame, index: UInt16(truncatingIfNeeded: index), sequenceNumber: sequenceNumber,
            timestamp: timestamp, sentAt: now)
        count += 1
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
        while count > 0, let entry = slots[slot(oldest)], entry.sentAt + RTPLimits.retransmitAge < now {
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
