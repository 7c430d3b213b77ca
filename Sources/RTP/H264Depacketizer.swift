package import Bytes

/// Packets into H.264 access units (RFC 6184), all packet types: single NAL unit packets, STAP-A, STAP-B, MTAP16, MTAP24,
/// FU-A and FU-B. Decoding order numbers of the interleaved mode are passed over: units are taken in packet order.
///
/// An access unit ends with the marker, or with the next timestamp when nothing was lost in between. One that misses
/// a packet is dropped whole. A key frame is an IDR picture whose parameter sets are known, or an intra picture that
/// comes with its own; the sets stand in front of it, the last ones if it brought none.
package struct H264Depacketizer: ~Copyable {
    private var units: AccessUnitAssembly

    /// `parameterSets`: NAL units known beforehand, as from `sprop-parameter-sets`.
    package init(
        parameterSets: [[UInt8]] = [], maxFrameBytes: Int = RTPLimits.maxFrameBytes, pool: SlabPool? = nil
    ) {
        units = AccessUnitAssembly(.h264, parameterSets: parameterSets, maxFrameBytes: maxFrameBytes, pool: pool)
    }

    /// Takes one packet's payload. Then `pollFrame` until nil: a packet can end several access units.
    package mutating func receive(_ payload: RawSpan, _ packet: DepacketizerInput) throws(RTPError) {
        guard
            units.admit(
                packet, isPadding: payload.byteCount == 0,
                beginsAccessUnit: {
                    var (header, at) = (UInt8(0), 0)
                    guard H264PacketType.firstUnit(of: payload, header: &header, bodyAt: &at) else { return false }
                    return NALSyntax.h264.beginsAccessUnit(header: header, body: payload.extracting(droppingFirst: at))
                })
        else { return }
        do {
            try append(payload, packet.timestamp)
            try units.endPacket(marker: packet.marker)
        } catch { throw units.fail(error) }
    }

    /// The next access unit that is whole.
    package mutating func pollFrame() -> DepacketizedFrame? { units.pollFrame() }

    /// Something was lost since the last access unit that was whole.
    package var hasLoss: Bool { units.hasLoss }

    private mutating func append(_ payload: RawSpan, _ timestamp: UInt32) throws(RTPError) {
        switch payload[0] & 0x1F {
        case 1...23: try units.addUnit(payload, timestamp: timestamp)
        case H264PacketType.stapA: try appendAggregate(payload, from: 1, offsetBytes: 0, timestamp)
        case H264PacketType.stapB: try appendAggregate(payload, from: 3, offsetBytes: 0, timestamp)
        case H264PacketType.mtap16: try appendAggregate(payload, from: 3, offsetBytes: 2, timestamp)
        case H264PacketType.mtap24: try appendAggregate(payload, from: 3, offsetBytes: 3, timestamp)
        case H264PacketType.fuA: try appendFragment(payload, bodyAt: 2, timestamp)
        case H264PacketType.fuB:
            // Section 5.8: only the first fragment has a decoding order number.
            guard payload.byteCount > 1, payload[1] & 0x80 != 0 else { throw .badPayload }
            try appendFragment(payload, bodyAt: 4, timestamp)
        default: throw .badPayload
        }
    }

    /// Sections 5.7.1 and 5.7.2. Multi-time units have a difference of decoding order and `offsetBytes` of time offset
    /// between size and unit.
    private mutating func appendAggregate(
        _ payload: RawSpan, from start: Int, offsetBytes: Int, _ timestamp: UInt32
    ) throws(RTPError) {
        let headerBytes = offsetBytes == 0 ? 2 : 3 + offsetBytes
        var offset = start
        guard payload.byteCount >= start else { throw .badPayload }
        while offset < payload.byteCount {
            guard payload.byteCount - offset >= headerBytes else { throw .badPayload }
            let length = Int(payload.bigEndian(at: offset, as: UInt16.self))
            var time = timestamp
            if offsetBytes > 0 {
                var delta: UInt32 = 0
                for index in offset + 3..<offset + headerBytes { delta = delta << 8 | UInt32(payload[index]) }
                time &+= delta
            }
            offset += headerBytes
            guard length > 0, length <= payload.byteCount - offset else { throw .badPayload }
            try units.addUnit(payload.extracting(offset..<offset + length), timestamp: time)
            offset += length
        }
    }

    private mutating func appendFragment(_ payload: RawSpan, bodyAt: Int, _ timestamp: UInt32) throws(RTPError) {
        guard payload.byteCount > bodyAt else { throw .badPayload }
        let header: [1 of UInt8] = [payload[0] & 0xE0 | payload[1] & 0x1F]
        try units.addFragment(
            payload.extracting(droppingFirst: bodyAt), header: header.span.raw, isStart: payload[1] & 0x80 != 0,
            isEnd: payload[1] & 0x40 != 0, timestamp: timestamp)
    }
}

/// NAL unit types that RFC 6184 section 5.2 adds for packets.
enum H264PacketType {
    static let stapA: UInt8 = 24
    static let stapB: UInt8 = 25
    static let mtap16: UInt8 = 26
    static let mtap24: UInt8 = 27
    static let fuA: UInt8 = 28
    static let fuB: UInt8 = 29

    /// Header and place of the body of the first unit in a packet; false when it does not begin there.
    static func firstUnit(of payload: RawSpan, header: inout UInt8, bodyAt: inout Int) -> Bool {
        guard payload.byteCount > 0 else { return false }
        let type = payload[0] & 0x1F
        switch type {
        case stapA: bodyAt = 4
        case stapB: bodyAt = 6
        case mtap16: bodyAt = 9
        case mtap24: bodyAt = 10
        case fuA, fuB:
            bodyAt = type == fuA ? 2 : 4
            guard payload.byteCount > bodyAt, payload[1] & 0x80 != 0 else { return false }
            header = payload[1]
            return true
        default: bodyAt = 1
        }
        guard payload.byteCount >= bodyAt else { return false }
        header = payload[bodyAt - 1]
        return true
    }
}
