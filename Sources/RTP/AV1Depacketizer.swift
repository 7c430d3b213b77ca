package import Bytes
import Media

/// Packets into AV1 temporal units (AV1 RTP payload format 1.0): open bitstream units with their sizes, and with
/// temporal delimiters only where there are layers: dav1d shows the highest of them, and learns from the delimiter that
/// no higher one comes.
///
/// A temporal unit ends with the marker, or with the next timestamp when nothing was lost in between. One that misses a
/// packet is dropped whole. A key frame brings its sequence header. Packets come in sequence order.
package struct AV1Depacketizer: ~Copyable {
    /// Bytes of the size in front of a unit that comes in fragments, which is known at its end only.
    private static let sizeBytes = 4

    private var assembly: FrameAssembly
    /// The last unit goes on in the next packet.
    private var isInFragment = false
    /// Where the size of the fragmented unit is to be written; nil when it brought its own.
    private var sizeOffset: Int?
    /// After a loss: packets are passed over until a temporal unit certainly begins.
    private var awaitsStart = false
    /// Units told their layer.
    private var hasLayers = false

    package init(maxFrameBytes: Int = RTPLimits.maxFrameBytes, pool: SlabPool? = nil) {
        assembly = FrameAssembly(maxBytes: maxFrameBytes, pool: pool)
    }

    /// Takes one packet's payload. Then `pollFrame` until nil: a packet can end two temporal units.
    package mutating func receive(_ payload: RawSpan, _ packet: DepacketizerInput) throws(RTPError) {
        switch assembly.follow(packet) {
        case .late: return
        case .afterLoss:
            drop()
            awaitsStart = true
        case .contiguous: break
        }
        guard payload.byteCount > 0 else { return }
        if awaitsStart {
            guard Self.beginsTemporalUnit(payload) else {
                // The marker ends what is lost, so that the next packet begins a temporal unit.
                if packet.marker { awaitsStart = false }
                return
            }
            awaitsStart = false
        }
        do {
            if assembly.timestamp != packet.timestamp {
                if isInFragment { drop() } else { try finish() }
                assembly.begin(timestamp: packet.timestamp)
            }
            try append(payload)
            if packet.marker { try finish() }
        } catch {
            drop()
            awaitsStart = !packet.marker
            throw error
        }
    }

    /// The next temporal unit that is whole.
    package mutating func pollFrame() -> DepacketizedFrame? { assembly.pollFrame() }

    /// Something was lost since the last temporal unit that was whole.
    package var hasLoss: Bool { assembly.hasLoss }

    private mutating func drop() {
        assembly.drop()
        isInFragment = false
    }

    private mutating func append(_ payload: RawSpan) throws(RTPError) {
        var elements = AV1Elements(payload)
        guard elements.beginsWithFragment == isInFragment else { throw .badPayload }
        while let element = try elements.next() {
            let bytes = payload.extracting(element.range)
            if element.continues {
                try assembly.append(bytes)
                if !element.isContinued { endFragment() }
            } else {
                try beginUnit(bytes, isContinued: element.isContinued)
            }
        }
    }

    private mutating func beginUnit(_ unit: RawSpan, isContinued: Bool) throws(RTPError) {
        guard unit.byteCount > 0 else {
            guard !isContinued else { throw .badPayload }
            return
        }
        let header = AV1UnitHeader(unit[0])
        guard !header.isForbidden, unit.byteCount >= header.byteCount else { throw .badPayload }
        if !isContinued, header.type == AV1Units.UnitType.temporalDelimiter { return }
        if header.hasExtension { hasLayers = true }
        if hasLayers, assembly.byteCount == 0 {
            try assembly.append(AV1Units.UnitType.temporalDelimiter << 3 | AV1UnitHeader.sizeFlag)
            try assembly.append(0)
        }
        sizeOffset = nil
        if header.hasSize {
            try assembly.append(unit)
        } else {
            try assembly.append(header.byte | AV1UnitHeader.sizeFlag)
            if header.byteCount == 2 { try assembly.append(unit[1]) }
            let body = unit.extracting(droppingFirst: header.byteCount)
            if isContinued {
                sizeOffset = assembly.byteCount
                let room: [4 of UInt8] = .init(repeating: 0)
                try assembly.append(room.span.raw)
            } else {
                try LEB128.encode(UInt32(truncatingIfNeeded: body.byteCount)) { byte throws(RTPError) in
                    try assembly.append(byte)
                }
            }
            try assembly.append(body)
        }
        isInFragment = isContinued
    }

    /// Writes the size of the unit that ends, filled up to its room: leb128 allows bits that say nothing.
    private mutating func endFragment() {
        isInFragment = false
        guard let offset = sizeOffset.take() else { return }
        let size = assembly.byteCount - offset - Self.sizeBytes
        for index in 0..<Self.sizeBytes {
            let more: UInt8 = index < Self.sizeBytes - 1 ? 0x80 : 0
            assembly.patch(UInt8(truncatingIfNeeded: size >> (7 * index)) & 0x7F | more, at: offset + index)
        }
    }

    private mutating func finish() throws(RTPError) {
        guard assembly.timestamp != nil else { return }
        guard !isInFragment else { throw .badPayload }
        do { assembly.isKey = try AV1UnitHeader.isKey(assembly.content) } catch { throw .badPayload }
        assembly.finish()
    }

    /// Units that stand at the head of a temporal unit, or its first frame, of the base layer.
    private static func beginsTemporalUnit(_ payload: RawSpan) -> Bool {
        var elements = AV1Elements(payload)
        guard !elements.beginsWithFragment, let first = try? elements.next(), !first.range.isEmpty else { return false }
        let header = AV1UnitHeader(payload[first.range.lowerBound])
        if header.hasExtension, first.range.count > 1, payload[first.range.lowerBound + 1] >> 3 & 3 != 0 {
            return false
        }
        switch header.type {
        case AV1Units.UnitType.sequenceHeader, AV1Units.UnitType.temporalDelimiter, AV1Units.UnitType.frameHeader,
            AV1Units.UnitType.metadata, AV1Units.UnitType.frame:
            return true
        default: return false
        }
    }
}
