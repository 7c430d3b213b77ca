import Bytes

/// The recent packets of one stream and the error correction over them (RFC 5109, level 0 with one loss a group). Made
/// only where ULPFEC was negotiated; never allocates after the first packets.
struct CorrectionWindow: Sendable {
    private struct Media {
        var place: Int64
        /// The first two bytes of the header, with the payload type outside of RED.
        var head: UInt16
        var timestamp: UInt32
        /// All behind the fixed header, padding included.
        var body: SlabSlice
    }

    private struct Group {
        var base: Int64
        /// Bit n stands for the packet `base + n`.
        var mask: UInt64
        var head: UInt16
        var timestamp: UInt32
        var length: UInt16
        var body: SlabSlice
    }

    private static let size = Int64(RTPLimits.correctionWindowPackets)

    private var media = [Media?](repeating: nil, count: RTPLimits.correctionWindowPackets)
    private var groups: [Group] = []

    init() { groups.reserveCapacity(RTPLimits.maxCorrectionGroups) }

    mutating func removeAll() {
        for index in media.indices { media[index] = nil }
        groups.removeAll(keepingCapacity: true)
    }

    mutating func addMedia(_ place: Int64, head: UInt16, timestamp: UInt32, body: SlabSlice) {
        media[slot(place)] = Media(place: place, head: head, timestamp: timestamp, body: body)
    }

    /// `payload` is that of a packet with the number `place`.
    mutating func addGroup(_ payload: SlabSlice, place: Int64) throws(RTPError) {
        let group = try Self.parse(payload, place: place)
        if groups.count == RTPLimits.maxCorrectionGroups { groups.removeFirst() }
        groups.append(group)
    }

    private static func parse(_ payload: SlabSlice, place: Int64) throws(RTPError) -> Group {
        let bytes = payload.bytes
        guard bytes.byteCount >= 14 else { throw .truncated(offset: 0) }
        let hasLongMask = bytes[0] & 0x40 != 0
        let headerBytes = hasLongMask ? 18 : 14
        guard bytes.byteCount >= headerBytes else { throw .truncated(offset: 14) }
        let protected = Int(bytes.bigEndian(at: 10, as: UInt16.self))
        guard protected <= bytes.byteCount - headerBytes else { throw .truncated(offset: headerBytes) }
        var wire = UInt64(bytes.bigEndian(at: 12, as: UInt16.self)) << 48
        if hasLongMask { wire |= UInt64(bytes.bigEndian(at: 14, as: UInt32.self)) << 16 }
        var mask: UInt64 = 0
        // The first packet stands in the highest bit on the wire.
        for bit in 0..<48 as Range<UInt64> where wire & (1 << (63 - bit)) != 0 { mask |= 1 << bit }
        guard mask != 0 else { throw .badPayload }
        let base = bytes.bigEndian(at: 2, as: UInt16.self)
        let distance = Int64(Int16(bitPattern: base &- UInt16(truncatingIfNeeded: place)))
        return Group(
            base: place + distance, mask: mask, head: bytes.bigEndian(at: 0, as: UInt16.self),
            timestamp: bytes.bigEndian(at: 4, as: UInt32.self), length: bytes.bigEndian(at: 8, as: UInt16.self),
            body: payload[headerBytes..<headerBytes + protected])
    }

    /// Writes a packet that can be given back into `packet`, and returns its number; nil when there is none. Groups
    /// that are whole or too old are let go of.
    mutating func recover(
        into packet: inout [UInt8], ssrc: UInt32, window: borrowing SequenceWindow
    ) -> Int64? {
        var index = 0
        while index < groups.count {
            let group = groups[index]
            guard let lost = loss(in: group, window: window) else {
                index += 1
                continue
            }
            groups.remove(at: index)
            if lost != .max, restore(lost, of: group, ssrc: ssrc, into: &packet) { return lost }
        }
        return nil
    }

    /// The only packet of the group that is missing. Nil when it can't be told yet, `Int64.max` when nothing is
    /// missing or can be had.
    private func loss(in group: Group, window: borrowing SequenceWindow) -> Int64? {
        var lost: Int64 = .max
        var missing = 0
        var rest = group.mask
        while rest != 0 {
            let place = group.base + Int64(rest.trailingZeroBitCount)
            rest &= rest - 1
            if media[slot(place)]?.place == place { continue }
            missing += 1
            lost = place
        }
        let isOld = (window.highest ?? 0) - group.base >= Self.size
        if missing == 1 { return window.contains(lost) ? .max : lost }
        return missing == 0 || isOld ? .max : nil
    }

    /// RFC 5109 section 8.
    private func restore(_ lost: Int64, of group: Group, ssrc: UInt32, into packet: inout [UInt8]) -> Bool {
        var head = group.head
        var timestamp = group.timestamp
        var length = group.length
        visit(group, but: lost) { other in
            head ^= other.head
            timestamp ^= other.timestamp
            length ^= UInt16(truncatingIfNeeded: other.body.count)
        }
        let count = Int(length)
        guard count <= group.body.count, count + RTPHeader.byteCount <= RTPLimits.maxRecoveredBytes else {
            return false
        }
        packet.removeAll(keepingCapacity: true)
        packet.append(UInt8(truncatingIfNeeded: head >> 8) & 0x3F | 0x80)
        packet.append(UInt8(truncatingIfNeeded: head))
        append(bigEndian: UInt32(truncatingIfNeeded: lost & 0xFFFF), bytes: 2, to: &packet)
        append(bigEndian: timestamp, bytes: 4, to: &packet)
        append(bigEndian: ssrc, bytes: 4, to: &packet)
        packet.append(copying: group.body.bytes.extracting(0..<count))
        visit(group, but: lost) { other in
            let bytes = other.body.bytes
            for index in 0..<min(bytes.byteCount, count) { packet[RTPHeader.byteCount + index] ^= bytes[index] }
        }
        return true
    }

    private func visit(_ group: Group, but lost: Int64, _ body: (Media) -> Void) {
        var rest = group.mask
        while rest != 0 {
            let place = group.base + Int64(rest.trailingZeroBitCount)
            rest &= rest - 1
            guard place != lost, let other = media[slot(place)], other.place == place else { continue }
            body(other)
        }
    }

    private func append(bigEndian value: UInt32, bytes: UInt32, to packet: inout [UInt8]) {
        for index in (0..<bytes).reversed() { packet.append(UInt8(truncatingIfNeeded: value >> (index * 8))) }
    }

    private func slot(_ place: Int64) -> Int { Int(truncatingIfNeeded: place & (Self.size - 1)) }
}
