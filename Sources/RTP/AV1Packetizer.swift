import Bytes
import Media

/// AV1 temporal units into packets (AV1 RTP payload format 1.0): each open bitstream unit begins a packet and loses its
/// size, which the packet's own tells. Temporal delimiters, tile lists and padding are left out.
package enum AV1Packetizer {
    /// The aggregation header and a unit's header with its extension.
    private static let maxPrefixBytes = 3

    static func cut(
        _ bytes: RawSpan, isKey: Bool, _ maxBytes: Int, into fragments: inout [PayloadFragment]
    ) throws(RTPError) {
        var units = AV1Units(bytes)
        var start = 0
        while true {
            let next: (type: UInt8, payload: Range<Int>)?
            do { next = try units.next() } catch { throw .badPayload }
            guard let unit = next else { break }
            let header = AV1UnitHeader(bytes[start])
            let extensionByte: UInt8? = header.hasExtension ? bytes[start + 1] : nil
            start = unit.payload.upperBound
            guard !isLeftOut(unit.type) else { continue }
            let beginsSequence = isKey && fragments.isEmpty
            try fragments.addParts(of: unit.payload, maxBytes: maxBytes - maxPrefixBytes) { isFirst, isLast in
                var prefix = InlineBytes()
                // Z, Y, one element (W), and N.
                prefix.append(
                    (isFirst ? 0 : 0x80) | (isLast ? 0 : 0x40) | 0x10 | (isFirst && beginsSequence ? 0x08 : 0))
                if isFirst {
                    prefix.append(header.byte & ~AV1UnitHeader.sizeFlag)
                    if let extensionByte { prefix.append(extensionByte) }
                }
                return prefix
            }
        }
        fragments.markLast()
    }

    private static func isLeftOut(_ type: UInt8) -> Bool {
        switch type {
        case AV1Units.UnitType.temporalDelimiter, AV1Units.UnitType.tileList, AV1Units.UnitType.padding: true
        default: false
        }
    }
}
