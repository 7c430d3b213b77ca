package import Bytes

/// Packets into HEVC access units (RFC 7798): single NAL unit packets, aggregation packets and fragmentation units,
/// without decoding order numbers (`sprop-max-don-diff` of 0, as all of WebRTC has it).
///
/// An access unit ends with the marker, or with the next timestamp when nothing was lost in between. One that misses
/// a packet is dropped whole. A key frame is an IRAP picture whose parameter sets are known; they stand in front of it,
/// the last ones if it brought none.
package struct HEVCDepacketizer: ~Copyable {
    private var units: AccessUnitAssembly

    /// `parameterSets`: NAL units known beforehand, as from `sprop-vps`, `sprop-sps` and `sprop-pps`.
    package init(
        parameterSets: [[UInt8]] = [], maxFrameBytes: Int = RTPLimits.maxFrameBytes, pool: SlabPool? = nil
    ) {
        units = AccessUnitAssembly(.hevc, parameterSets: parameterSets, maxFrameBytes: maxFrameBytes, pool: pool)
    }

    /// Takes one packet's payload. Then `pollFrame` until nil: a packet can end two access units.
    package mutating func receive(_ payload: RawSpan, _ packet: DepacketizerInput) throws(RTPError) {
        guard
            units.admit(
                packet, isPadding: payload.byteCount == 0,
                beginsAccessUnit: {
                    var (header, at) = (UInt8(0), 0)
                    guard HEVCPacketType.firstUnit(of: payload, header: &header, bodyAt: &at) else { return false }
                    return NALSyntax.hevc.beginsAccessUnit(header: header, body: payload.extracting(droppingFirst: at))
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
        guard payload.byteCount > HEVCPacketType.headerBytes else { throw .badPayload }
        switch HEVCPacketType.type(of: payload) {
        case 0..<HEVCPacketType.aggregation: try units.addUnit(payload, timestamp: timestamp)
        case HEVCPacketType.aggregation:
            var offset = HEVCPacketType.headerBytes
            while offset < payload.byteCount {
                guard payload.byteCount - offset >= 2 else { throw .badPayload }
                let length = Int(payload.bigEndian(at: offset, as: UInt16.self))
                offset += 2
                guard length > 0, length <= payload.byteCount - offset else { throw .badPayload }
                try units.addUnit(payload.extracting(offset..<offset + length), timestamp: timestamp)
                offset += length
            }
        case HEVCPacketType.fragmentation:
            guard payload.byteCount > 3 else { throw .badPayload }
            let header: [2 of UInt8] = [payload[0] & 0x81 | (payload[2] & 0x3F) << 1, payload[1]]
            try units.addFragment(
                payload.extracting(droppingFirst: 3), header: header.span.raw, isStart: payload[2] & 0x80 != 0,
                isEnd: payload[2] & 0x40 != 0, timestamp: timestamp)
        default: throw .badPayload
        }
    }
}

/// NAL unit types that RFC 7798 section 4.4 adds for packets.
enum HEVCPacketType {
    static let aggregation: UInt8 = 48
    static let fragmentation: UInt8 = 49
    static let headerBytes = 2

    static func type(of payload: RawSpan) -> UInt8 { payload[0] >> 1 & 0x3F }

    /// First header byte and place of the body of the first unit in a packet; false when it does not begin there.
    static func firstUnit(of payload: RawSpan, header: inout UInt8, bodyAt: inout Int) -> Bool {
        guard payload.byteCount > headerBytes else { return false }
        switch type(of: payload) {
        case aggregation:
            bodyAt = 6
            guard payload.byteCount >= bodyAt else { return false }
            header = payload[4]
        case fragmentation:
            bodyAt = 3
            guard payload[2] & 0x80 != 0 else { return false }
            header = (payload[2] & 0x3F) << 1
        default:
            bodyAt = headerBytes
            header = payload[0]
        }
        return true
    }
}
