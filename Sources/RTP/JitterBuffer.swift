package import Bytes

/// Packets of one source into sequence order, no later than the network makes them.
///
/// While nothing is missing, packets leave as they come. At a gap they wait until the missing one arrives, reordered or
/// repeated, but no longer than a bound that follows how long that took lately; then the gap is passed over and the
/// packet behind it says so. Packets with empty payloads (padding, or forward error correction that was taken out) are
/// given as well, for their numbers count.
///
/// Verbs: `receive`, then `pollPacket` until nil; the same at `nextDeadline`.
package struct JitterBuffer: ~Copyable {
    package struct Packet: Sendable {
        /// Extended: counted on over the wrap of 16 bits.
        package var sequenceNumber: Int64
        /// In ticks of the stream's clock.
        package var timestamp: UInt32
        package var marker: Bool
        package var payloadType: UInt8
        package var payload: SlabSlice
        package var arrival: Monotonic
        /// Packets in front of this one are missing for good, or the source began to number anew. On the way in only
        /// the latter: what waits is given up then.
        package var followsGap: Bool

        package init(
            sequenceNumber: Int64, timestamp: UInt32, marker: Bool, payloadType: UInt8, payload: SlabSlice,
            arrival: Monotonic, followsGap: Bool = false
        ) {
            self.sequenceNumber = sequenceNumber
            self.timestamp = timestamp
            self.marker = marker
            self.payloadType = payloadType
            self.payload = payload
            self.arrival = arrival
            self.followsGap = followsGap
        }
    }

    package struct Limits: Hashable, Sendable {
        /// The longest wait at a gap.
        package var maxWait: Interval
        /// Numbers between the next packet and the newest; a power of two.
        package var maxPackets: Int
        /// Payload bytes that wait.
        package var maxBytes: Int
        /// How long missing packets are taken to be under way before any was seen.
        package var firstRecovery: Interval

        package static let video = Limits(
            maxWait: .milliseconds(800), maxPackets: 2_048, maxBytes: 4 * 1024 * 1024, firstRecovery: .milliseconds(45))
        package static let audio = Limits(
            maxWait: .milliseconds(100), maxPackets: 256, maxBytes: 512 * 1024, firstRecovery: .milliseconds(20))
    }

    package struct Statistics: Hashable, Sendable {
        package var received: UInt64 = 0
        package var delivered: UInt64 = 0
        /// Came again while the first waited or after it left.
        package var duplicates: UInt64 = 0
        /// Came after their gap was passed over.
        package var late: UInt64 = 0
        /// Numbers that were passed over.
        package var lost: UInt64 = 0
        /// Gaps that were filled in time, and those that were passed over.
        package var gapsFilled: UInt64 = 0
        package var gapsSkipped: UInt64 = 0
        /// Times that the numbers jumped beyond all order.
        package var restarts: UInt64 = 0
        /// Packets that were given up for want of room or because of a restart.
        package var dropped: UInt64 = 0
    }

    /// A gap that was passed over, to tell packets that come late from those that come twice.
    private struct SkippedGap {
        var range: Range<Int64>
        var since: Monotonic
    }

    private static let minWait = Interval.milliseconds(20)
    /// For about as long a recovery that took longer is remembered.
    private static let recoveryMemory = Interval.seconds(4)
    private static let firstSlots = 64
    private static let numberBound: UInt64 = 1 << 62
    private static let rememberedGaps = 16
    /// A gap of so many packets after a silence longer than `maxWait` is not waited for: what it misses is too old.
    private static let wideGap = 32

    private let limits: Limits
    /// By the low bits of the sequence number.
    private var slots: [Packet?]
    private var count = 0
    private var byteCount = 0
    /// The number that leaves next; nil before the first packet.
    private var next: Int64?
    private var highest: Int64 = 0
    private var lastArrival: Monotonic?
    /// When the packets waited for are given up, and since when they are; nil while none are missing.
    private var gap: (deadline: Monotonic, since: Monotonic)?
    private var skippedGaps: [SkippedGap] = []
    private var nextSkippedGap = 0
    /// The number that would confirm that the source numbers anew, far behind.
    private var restartCandidate: Int64?
    private var followsRestart = false
    /// How long missing packets took to come, at the longest of late.
    private var recovery: Interval
    private var recoveryNotedAt: Monotonic?

    package private(set) var statistics = Statistics()

    package init(_ limits: Limits) {
        precondition(limits.maxPackets.nonzeroBitCount == 1, "the number of places is a power of two")
        self.limits = limits
        recovery = limits.firstRecovery
        slots = Array(repeating: nil, count: min(Self.firstSlots, limits.maxPackets))
        skippedGaps.reserveCapacity(Self.rememberedGaps)
    }

    /// How long the next gap will be waited for: four times what recent ones took, so that a repeat that was lost as
    /// well can be asked for again, and once more.
    package var wait: Interval { min(max(recovery * 4 + Self.minWait, Self.minWait), limits.maxWait) }

    /// Packets that wait.
    package var waitingCount: Int { count }

    /// When `pollPacket` is to be called without a new packet.
    package var nextDeadline: Monotonic? { gap?.deadline }

    /// Takes a packet in order of arrival.
    package mutating func receive(_ packet: Packet) {
        statistics.received &+= 1
        // No source gets so far; sums with numbers below cannot overflow.
        guard packet.sequenceNumber.magnitude < Self.numberBound else {
            statistics.dropped &+= 1
            return
        }
        defer { lastArrival = packet.arrival }
        guard let next, !packet.followsGap else { return restart(at: packet) }
        let ahead = packet.sequenceNumber &- next
        if ahead < 0 { return receiveBehind(packet, by: 0 &- ahead) }
        guard ahead < Int64(limits.maxPackets) else { return restart(at: packet) }
        guard byteCount <= limits.maxBytes else {
            statistics.dropped &+= 1
            return
        }
        makeRoom(for: Int(ahead) + 1)
        guard slots[place(packet.sequenceNumber)] == nil else {
            statistics.duplicates &+= 1
            return
        }
        noteRecovery(of: packet)
        store(packet)
        noteGap(silence: lastArrival.map { packet.arrival - $0 } ?? .zero)
    }

    /// The next packet in order; nil when the next is missing and may still come.
    package mutating func pollPacket(at now: Monotonic) -> Packet? {
        guard count > 0, let next else { return nil }
        if var packet = take(next) {
            packet.followsGap = followsRestart
            return deliver(packet)
        }
        guard let gap, now >= gap.deadline || isOverfull else { return nil }
        var first = next
        while slots[place(first)] == nil { first += 1 }
        skip(next..<first, since: gap.since)
        guard var packet = take(first) else { return nil }
        packet.followsGap = true
        return deliver(packet)
    }
}

// MARK: - Inside

extension JitterBuffer {
    /// Waiting would cost packets that are there.
    private var isOverfull: Bool {
        guard let next else { return false }
        return byteCount > limits.maxBytes / 2 || highest &- next >= Int64(limits.maxPackets / 4 * 3)
    }

    private func place(_ sequenceNumber: Int64) -> Int { Int(truncatingIfNeeded: sequenceNumber) & (slots.count - 1) }

    /// Forgets what waits and begins anew with this packet.
    private mutating func restart(at packet: Packet) {
        if next != nil {
            followsRestart = true
            statistics.restarts &+= 1
            statistics.dropped &+= UInt64(count)
            for index in slots.indices where slots[index] != nil { slots[index] = nil }
        }
        count = 0
        byteCount = 0
        gap = nil
        restartCandidate = nil
        skippedGaps.removeAll(keepingCapacity: true)
        nextSkippedGap = 0
        next = packet.sequenceNumber
        highest = packet.sequenceNumber
        store(packet)
    }

    /// Twice, late, or the first sign of a source that numbers anew: two packets in a row far behind (RFC 3550 appendix
    /// A.1).
    private mutating func receiveBehind(_ packet: Packet, by distance: Int64) {
        if distance > Int64(limits.maxPackets) {
            if restartCandidate == packet.sequenceNumber { return restart(at: packet) }
            restartCandidate = packet.sequenceNumber &+ 1
            statistics.late &+= 1
            return
        }
        guard let gap = skippedGaps.first(where: { $0.range.contains(packet.sequenceNumber) }) else {
            statistics.duplicates &+= 1
            return
        }
        statistics.late &+= 1
        // The next gap had better wait so long.
        recovery = max(recovery, min(packet.arrival - gap.since, limits.maxWait))
    }

    private mutating func makeRoom(for span: Int) {
        guard span > slots.count else { return }
        var size = slots.count
        while size < span { size *= 2 }
        let old = slots
        slots = Array(repeating: nil, count: size)
        for case let packet? in old { slots[place(packet.sequenceNumber)] = packet }
    }

    private mutating func store(_ packet: Packet) {
        slots[place(packet.sequenceNumber)] = packet
        count += 1
        byteCount += packet.payload.count
        highest = max(highest, packet.sequenceNumber)
    }

    private mutating func take(_ sequenceNumber: Int64) -> Packet? {
        guard let packet = slots[place(sequenceNumber)].take() else { return nil }
        count -= 1
        byteCount -= packet.payload.count
        next = sequenceNumber &+ 1
        return packet
    }

    private mutating func deliver(_ packet: Packet) -> Packet {
        followsRestart = false
        statistics.delivered &+= 1
        if gap != nil {
            if !packet.followsGap { statistics.gapsFilled &+= 1 }
            gap = nil
        }
        noteGap(silence: .zero)
        return packet
    }

    private mutating func skip(_ range: Range<Int64>, since: Monotonic) {
        statistics.lost &+= UInt64(range.count)
        statistics.gapsSkipped &+= 1
        // Where nothing comes again, waiting is in vain.
        recovery -= recovery / 8
        let skipped = SkippedGap(range: range, since: since)
        if skippedGaps.count < Self.rememberedGaps {
            skippedGaps.append(skipped)
        } else {
            skippedGaps[nextSkippedGap] = skipped
            nextSkippedGap = (nextSkippedGap + 1) % Self.rememberedGaps
        }
    }

    /// Begins to wait when the next packet is missing and others are there. The time counts from the earliest arrival
    /// among these, so that no packet waits longer than the bound.
    private mutating func noteGap(silence: Interval) {
        guard gap == nil, count > 0, let next, slots[place(next)] == nil else { return }
        var since = Monotonic.distantFuture
        var first: Int64?
        var number = next &+ 1
        while number <= highest {
            if let packet = slots[place(number)] {
                if first == nil { first = number }
                since = min(since, packet.arrival)
            }
            number += 1
        }
        let isTooOld = silence > limits.maxWait && (first ?? next) &- next > Int64(Self.wideGap)
        gap = (isTooOld ? since : since + wait, since)
    }

    /// Learns from a packet that fills a gap how long that took since the first packet behind it came.
    private mutating func noteRecovery(of packet: Packet) {
        guard packet.sequenceNumber < highest else { return }
        var number = packet.sequenceNumber + 1
        let end = min(highest, packet.sequenceNumber + Int64(Self.firstSlots))
        while number <= end {
            if let behind = slots[place(number)] {
                noteRecovery(max(packet.arrival - behind.arrival, .zero), at: packet.arrival)
                return
            }
            number += 1
        }
    }

    /// Up at once and down by time: where many packets overtake each other, the few that were lost still take a round
    /// trip to come again.
    private mutating func noteRecovery(_ sample: Interval, at now: Monotonic) {
        let elapsed = min(max(now - (recoveryNotedAt ?? now), .zero), Self.recoveryMemory)
        recoveryNotedAt = now
        let difference = sample - recovery
        guard difference < .zero else {
            recovery += difference / 2
            return
        }
        let microseconds = difference.nanoseconds / 1_000 * elapsed.nanoseconds / Self.recoveryMemory.nanoseconds
        recovery += .microseconds(microseconds)
    }
}
