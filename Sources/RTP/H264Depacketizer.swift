package import Bytes
import Media

/// Packets into H.264 access units (RFC 6184: single NAL unit packets, STAP-A, FU-A).
///
/// An access unit ends with the marker, or with the next timestamp when nothing was lost in between. One that misses
/// a packet is dropped whole. Packets come in sequence order, as a jitter buffer hands them out.
package struct H264Depacketizer: ~Copyable {
    private var assembly: FrameAssembly
    private var isInFragment = false
    /// After a loss: packets are passed over until an access unit certainly begins.
    private var awaitsStart = false
    private var finished: DepacketizedFrame?

    package init(maxFrameBytes: Int = RTPLimits.maxFrameBytes, pool: SlabPool? = nil) {
        assembly = FrameAssembly(maxBytes: maxFrameBytes, pool: pool)
    }

    /// Takes one packet's payload. Then `pollFrame` until nil: a packet can end two access units.
    package mutating func receive(_ payload: RawSpan, _ packet: DepacketizerInput) throws(RTPError) {
        switch assembly.follow(packet.sequenceNumber) {
        case .late: return
        case .afterLoss:
            assembly.drop()
            isInFragment = false
            awaitsStart = true
        case .contiguous: break
        }
        guard payload.byteCount > 0 else { throw fail(.badPayload) }
        if awaitsStart {
            guard Self.beginsAccessUnit(payload) else {
                // The marker ends what is lost, so that the next packet begins an access unit.
                if packet.marker { awaitsStart = false }
                return
            }
            awaitsStart = false
        }
        if assembly.timestamp != packet.timestamp {
            if isInFragment { assembly.drop() } else { finished = assembly.finish() }
            isInFragment = false
            assembly.begin(timestamp: packet.timestamp)
        }
        do { try append(payload) } catch { throw fail(error) }
        if packet.marker {
            if isInFragment { throw fail(.badPayload) }
            if finished == nil { finished = assembly.finish() } else { second = assembly.finish() }
        }
    }

    /// The next access unit that is whole.
    package mutating func pollFrame() -> DepacketizedFrame? {
        defer { finished = second.take() }
        return finished
    }

    private var second: DepacketizedFrame?

    private mutating func fail(_ error: RTPError) -> RTPError {
        assembly.drop()
        isInFragment = false
        awaitsStart = true
        return error
    }

    private mutating func append(_ payload: RawSpan) throws(RTPError) {
        let header = payload[0]
        switch header & 0x1F {
        case 1...23:
            guard !isInFragment else { throw .badPayload }
            try appendUnit(payload)
        case H264PacketType.singleTimeAggregation:
            guard !isInFragment else { throw .badPayload }
            var offset = 1
            while offset < payload.byteCount {
                guard payload.byteCount - offset >= 2 else { throw .badPayload }
                let length = Int(payload.bigEndian(at: offset, as: UInt16.self))
                guard length > 0, length <= payload.byteCount - offset - 2 else { throw .badPayload }
                try appendUnit(payload.extracting(offset + 2..<offset + 2 + length))
                offset += 2 + length
            }
        case H264PacketType.fragmentationUnit: try appendFragment(payload, indicator: header)
        default: throw .badPayload
        }
    }

    private mutating func appendFragment(_ payload: RawSpan, indicator: UInt8) throws(RTPError) {
        guard payload.byteCount > 2 else { throw .badPayload }
        let (isStart, isEnd) = (payload[1] & 0x80 != 0, payload[1] & 0x40 != 0)
        // Section 5.8: a start must not come inside a unit, nor the rest of a unit without its start.
        guard isStart != isInFragment, !(isStart && isEnd) else { throw .badPayload }
        if isStart { try beginUnit(header: indicator & 0xE0 | payload[1] & 0x1F) }
        try assembly.append(payload.extracting(2..<payload.byteCount))
        isInFragment = !isEnd
    }

    private mutating func appendUnit(_ unit: RawSpan) throws(RTPError) {
        try beginUnit(header: unit[0])
        try assembly.append(unit.extracting(1..<unit.byteCount))
    }

    private mutating func beginUnit(header: UInt8) throws(RTPError) {
        if H264NALUnitType(header: header) == .idrSlice { assembly.isKey = true }
        let start: [5 of UInt8] = [0, 0, 0, 1, header]
        try assembly.append(start.span.raw)
    }

    /// Parameter sets, delimiters and the like stand in front of a picture, and so does its first slice, whose
    /// first_mb_in_slice of 0 is coded as a leading 1 bit (ITU-T H.264 section 7.3.3).
    private static func beginsAccessUnit(_ payload: RawSpan) -> Bool {
        var (type, sliceAt) = (payload[0] & 0x1F, 1)
        switch type {
        case H264PacketType.singleTimeAggregation:
            guard payload.byteCount > 3 else { return false }
            (type, sliceAt) = (payload[3] & 0x1F, 4)
        case H264PacketType.fragmentationUnit:
            guard payload.byteCount > 2, payload[1] & 0x80 != 0 else { return false }
            (type, sliceAt) = (payload[1] & 0x1F, 2)
        default: break
        }
        switch type {
        case 1, 5: return payload.byteCount > sliceAt && payload[sliceAt] & 0x80 != 0
        case 6...9: return true
        default: return false
        }
    }
}
