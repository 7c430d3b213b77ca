package import Bytes

/// Numbers the packets of one transport across all its streams and finds them again when transport-wide feedback comes
/// (draft-holmer-rmcat-transport-wide-cc-extensions-01). Never allocates after it was made.
package struct SentPacketHistory: Sendable {
    /// What became of one packet.
    package struct Outcome: Hashable, Sendable {
        package var sequenceNumber: UInt16
        /// RTP header and payload, without what lies below.
        package var byteCount: Int
        package var sentAt: Monotonic
        /// In 250 µs on the receiver's clock, counted on over its wraps; nil when the receiver has not got it.
        package var arrival: Int64?
        /// An earlier feedback told of the packet already, as lost.
        package var wasReported: Bool

        package init(
            sequenceNumber: UInt16, byteCount: Int, sentAt: Monotonic, arrival: Int64?, wasReported: Bool = false
        ) {
            self.sequenceNumber = sequenceNumber
            self.byteCount = byteCount
            self.sentAt = sentAt
            self.arrival = arrival
            self.wasReported = wasReported
        }
    }

    private struct Entry {
        var sentAt: Monotonic
        var sequenceNumber: UInt16
        var byteCount: UInt16
        /// False once its arrival was reported.
        var isPending: Bool
        var wasReported: Bool
    }

    private var slots: [Entry]
    private var arrivals = TimestampCounter()
    /// The number of the next packet.
    package private(set) var nextSequence: UInt16

    /// `capacity` is a power of two.
    package init(capacity: Int = RTPLimits.feedbackHistoryPackets, firstSequence: UInt16 = 0) {
        precondition(capacity > 0 && capacity <= 32_768 && capacity & (capacity - 1) == 0, "capacity is a power of two")
        let none = Entry(sentAt: .zero, sequenceNumber: 0, byteCount: 0, isPending: false, wasReported: false)
        slots = Array(repeating: none, count: capacity)
        nextSequence = firstSequence
    }

    /// Notes that the packet with `nextSequence` leaves now.
    package mutating func record(byteCount: Int, at now: Monotonic) {
        slots[slot(nextSequence)] = Entry(
            sentAt: now, sequenceNumber: nextSequence, byteCount: UInt16(clamping: byteCount), isPending: true,
            wasReported: false)
        nextSequence &+= 1
    }

    /// Appends the packets that a feedback is about to `outcomes`, in sequence order. An arrival is reported once;
    /// packets that are unknown or too old are left out.
    package mutating func match(_ packet: borrowing RTCPPacket, into outcomes: inout [Outcome]) throws(RTPError) {
        var reader = try TransportFeedbackReader(packet)
        while let status = reader.next() {
            let index = slot(status.sequenceNumber)
            let entry = slots[index]
            guard entry.isPending, entry.sequenceNumber == status.sequenceNumber else { continue }
            let arrival = status.arrival.map { arrivals.unwrap(UInt32(truncatingIfNeeded: $0)) }
            if arrival != nil { slots[index].isPending = false }
            slots[index].wasReported = true
            outcomes.append(
                Outcome(
                    sequenceNumber: entry.sequenceNumber, byteCount: Int(entry.byteCount), sentAt: entry.sentAt,
                    arrival: arrival, wasReported: entry.wasReported))
        }
    }

    /// Feedback about what was sent so far finds nothing any more.
    package mutating func forget() {
        for index in slots.indices { slots[index].isPending = false }
    }

    private func slot(_ sequenceNumber: UInt16) -> Int { Int(sequenceNumber) & (slots.count - 1) }
}
