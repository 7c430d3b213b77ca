import Bytes
import Media

/// HEVC access units into packets (RFC 7798): single NAL unit packets, and fragmentation units for those that are too
/// large. Access unit delimiters and filler are left out.
package enum HEVCPacketizer {
    static func cut(annexB bytes: RawSpan, _ maxBytes: Int, into fragments: inout [PayloadFragment]) throws(RTPError) {
        var units = AnnexBUnits(bytes)
        while let range = units.next() {
            guard range.count > HEVCPacketType.headerBytes else { throw .badPayload }
            let (first, second) = (bytes[range.lowerBound], bytes[range.lowerBound + 1])
            let type = HEVCNALUnitType(header: first)
            if type == .accessUnitDelimiter || type == .fillerData { continue }
            if range.count <= maxBytes {
                try fragments.add(PayloadFragment(range: range))
                continue
            }
            // Section 4.4.3: the unit's header is split over payload header and FU header and not repeated.
            let body = range.lowerBound + HEVCPacketType.headerBytes..<range.upperBound
            try fragments.addParts(of: body, maxBytes: maxBytes - 3) { isFirst, isLast in
                var prefix = InlineBytes()
                prefix.append(first & 0x81 | HEVCPacketType.fragmentation << 1)
                prefix.append(second)
                prefix.append(type.rawValue | (isFirst ? 0x80 : 0) | (isLast ? 0x40 : 0))
                return prefix
            }
        }
        fragments.markLast()
    }
}
