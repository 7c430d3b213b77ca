import Bytes
import Media

/// H.264 access units into packets (RFC 6184, packetization mode 1): single NAL unit packets, and FU-A for units that
/// are too large. Access unit delimiters and filler are left out.
package enum H264Packetizer {
    static func cut(annexB bytes: RawSpan, _ maxBytes: Int, into fragments: inout [PayloadFragment]) throws(RTPError) {
        var units = AnnexBUnits(bytes)
        while let range = units.next() { try add(range, of: bytes, maxBytes, to: &fragments) }
        fragments.markLast()
    }

    static func cut(
        lengthPrefixed bytes: RawSpan, lengthSize: Int, _ maxBytes: Int, into fragments: inout [PayloadFragment]
    ) throws(RTPError) {
        var units = LengthPrefixedUnits(bytes, lengthSize: lengthSize)
        while true {
            let next: Range<Int>?
            do { next = try units.next() } catch { throw .badPayload }
            guard let range = next else { break }
            try add(range, of: bytes, maxBytes, to: &fragments)
        }
        fragments.markLast()
    }

    private static func add(
        _ range: Range<Int>, of bytes: RawSpan, _ maxBytes: Int, to fragments: inout [PayloadFragment]
    ) throws(RTPError) {
        let header = bytes[range.lowerBound]
        let type = H264NALUnitType(header: header)
        if type == .accessUnitDelimiter || type == .fillerData { return }
        if range.count <= maxBytes { return try fragments.add(PayloadFragment(range: range)) }
        // FU-A (section 5.8): the unit's header byte is split over indicator and FU header and not repeated.
        let indicator = header & 0xE0 | H264PacketType.fuA
        try fragments.addParts(of: range.lowerBound + 1..<range.upperBound, maxBytes: maxBytes - 2) { isFirst, isLast in
            var prefix = InlineBytes()
            prefix.append(indicator)
            prefix.append(header & 0x1F | (isFirst ? 0x80 : 0) | (isLast ? 0x40 : 0))
            return prefix
        }
    }
}
