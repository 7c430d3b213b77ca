import Bytes

/// VP9 pictures of one layer into packets (RFC 9628 section 4.2): a descriptor with a 15-bit picture id, then the
/// frame's bytes.
package enum VP9Packetizer {
    private static let descriptorBytes = 3

    static func cut(
        _ bytes: RawSpan, pictureID: VP9PictureID, isKey: Bool, _ maxBytes: Int, into fragments: inout [PayloadFragment]
    ) throws(RTPError) {
        try fragments.addParts(of: 0..<bytes.byteCount, maxBytes: maxBytes - descriptorBytes) { isFirst, isLast in
            var prefix = InlineBytes()
            // I, P, B and E. Z, the lowest bit, would say that no higher layer refers to the frame.
            prefix.append(0x80 | (isKey ? 0 : 0x40) | (isFirst ? 0x08 : 0) | (isLast ? 0x04 : 0))
            prefix.append(0x80 | UInt8(truncatingIfNeeded: pictureID.value >> 8))  // M and the upper seven bits
            prefix.append(UInt8(truncatingIfNeeded: pictureID.value))
            return prefix
        }
        fragments.markLast()
    }
}
