import Bytes

/// SDES and BYE (RFC 3550 sections 6.5 and 6.6).
package enum SourceDescription {
    private static let cnameItem: UInt8 = 1

    /// Bytes that `write` appends.
    package static func byteCount(cname: InlineBytes) -> Int { 8 + (2 + cname.count) / 4 * 4 + 4 }

    /// Appends one chunk with the canonical name, which ties the sources of one peer together.
    package static func write(ssrc: UInt32, cname: InlineBytes, into output: inout OutputRawSpan) {
        let end = output.byteCount + byteCount(cname: cname)
        RTCPPacket.writeHeader(
            type: RTCPType.sourceDescription, count: 1, bodyBytes: byteCount(cname: cname) - 4, into: &output)
        output.append(bigEndian: ssrc)
        output.append(cnameItem)
        output.append(UInt8(truncatingIfNeeded: cname.count))
        cname.write(into: &output)
        // One to four zeroes end the item list and fill the last word.
        while output.byteCount < end { output.append(0 as UInt8) }
    }

    static func isCanonicalName(_ item: UInt8) -> Bool { item == cnameItem }
}

package enum Goodbye {
    /// Appends a BYE for at most 31 sources, without a reason.
    package static func write(ssrcs: [UInt32], into output: inout OutputRawSpan) {
        RTCPPacket.writeHeader(
            type: RTCPType.goodbye, count: UInt8(truncatingIfNeeded: ssrcs.count), bodyBytes: ssrcs.count * 4,
            into: &output)
        for ssrc in ssrcs { output.append(bigEndian: ssrc) }
    }
}

extension RTCPPacket {
    /// The canonical names of an SDES packet, each with its source; other items are passed over. The name is lent as
    /// a view.
    package func forEachCanonicalName(_ visit: (_ ssrc: UInt32, _ cname: RawSpan) -> Void) throws(RTPError) {
        guard type == RTCPType.sourceDescription else { throw malformed }
        var offset = 0
        for _ in 0..<count {
            try require(offset + 4)
            let ssrc = body.bigEndian(at: offset, as: UInt32.self)
            offset += 4
            while true {
                try require(offset + 1)
                let item = body[offset]
                if item == 0 { break }
                try require(offset + 2)
                let length = Int(body[offset + 1])
                try require(offset + 2 + length)
                if SourceDescription.isCanonicalName(item) {
                    visit(ssrc, body.extracting(offset + 2..<offset + 2 + length))
                }
                offset += 2 + length
            }
            // The chunk ends with at least one zero, at a word's end.
            offset = (offset / 4 + 1) * 4
        }
    }

    /// The sources that a BYE packet ends.
    package func forEachGoodbye(_ visit: (_ ssrc: UInt32) -> Void) throws(RTPError) {
        guard type == RTCPType.goodbye else { throw malformed }
        try require(Int(count) * 4)
        for index in 0..<Int(count) { visit(body.bigEndian(at: index * 4, as: UInt32.self)) }
    }
}
