import Bytes

/// The 15-bit number of a VP8 picture (RFC 7741 section 4.2). Whoever encodes keeps one and counts it on with every
/// frame, so that all viewers of an encoder share its packets.
package struct VP8PictureID: Hashable, Sendable {
    package private(set) var value: UInt16

    /// Starts anywhere; random is what section 4.2 suggests.
    package init(_ value: UInt16) { self.value = value & 0x7FFF }

    /// Returns the present number and counts on.
    package mutating func next() -> VP8PictureID {
        defer { value = (value + 1) & 0x7FFF }
        return self
    }
}

/// Likewise of a VP9 picture (RFC 9628 section 4.2).
package typealias VP9PictureID = VP8PictureID

/// The payload descriptor in front of each packet of a VP8 frame (RFC 7741 section 4.2).
package struct VP8Descriptor: Hashable, Sendable {
    /// The frame can be dropped without harm to others.
    package var isNonReference = false
    /// The packet begins a partition.
    package var startsPartition = false
    package var partition: UInt8 = 0
    /// 7 or 15 bits wide.
    package var pictureID: UInt16?
    /// The bits that the picture id has.
    package private(set) var pictureIDMask: UInt16 = 0x7FFF
    package var temporalLayer: UInt8?
    /// Bytes of the descriptor.
    package private(set) var byteCount = 0

    /// The packet begins a frame.
    package var startsFrame: Bool { startsPartition && partition == 0 }

    package init(parsing payload: RawSpan) throws(RTPError) {
        var reader = ByteReader(payload)
        do {
            let first = try reader.readUInt8()
            isNonReference = first & 0x20 != 0
            startsPartition = first & 0x10 != 0
            partition = first & 0x07
            if first & 0x80 != 0 {
                let extensions = try reader.readUInt8()
                if extensions & 0x80 != 0 {
                    pictureID = try reader.readPictureID(mask: &pictureIDMask)
                }
                if extensions & 0x40 != 0 { try reader.skip(1) }
                // The T and K bits share one byte.
                if extensions & 0x30 != 0 {
                    let byte = try reader.readUInt8()
                    if extensions & 0x20 != 0 { temporalLayer = byte >> 6 }
                }
            }
        } catch { throw .truncated(offset: error.offset) }
        byteCount = reader.offset
    }
}

extension ByteReader {
    /// 7 or 15 bits, as the first one says; VP8 and VP9 have them alike.
    @_lifetime(self: copy self)
    mutating func readPictureID(mask: inout UInt16) throws(Truncated) -> UInt16 {
        let high = try readUInt8()
        mask = high & 0x80 == 0 ? 0x7F : 0x7FFF
        return high & 0x80 == 0 ? UInt16(high) : UInt16(high & 0x7F) << 8 | UInt16(try readUInt8())
    }
}

/// VP8 frames into packets: a descriptor with a 15-bit picture id, then the frame's bytes regardless of partitions.
package enum VP8Packetizer {
    private static let descriptorBytes = 4

    static func cut(
        _ bytes: RawSpan, pictureID: VP8PictureID, _ maxBytes: Int, into fragments: inout [PayloadFragment]
    ) throws(RTPError) {
        try fragments.addParts(of: 0..<bytes.byteCount, maxBytes: maxBytes - descriptorBytes) { isFirst, _ in
            var prefix = InlineBytes()
            prefix.append(isFirst ? 0x90 : 0x80)  // X, and S on the first
            prefix.append(0x80)  // I
            prefix.append(0x80 | UInt8(truncatingIfNeeded: pictureID.value >> 8))  // M and the upper seven bits
            prefix.append(UInt8(truncatingIfNeeded: pictureID.value))
            return prefix
        }
        fragments.markLast()
    }
}
