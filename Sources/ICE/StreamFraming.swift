import Bytes

/// Length-prefixed datagrams on a byte stream (RFC 4571), as ICE over TCP carries them (RFC 6544 section 3).
///
/// After each `receive`, take the frames: `while let frame = reader.frame { …; reader.removeFrame() }`.
package struct StreamFrameReader: ~Copyable {
    private var buffer: [UInt8] = []
    private var offset = 0
    private let limit: Int

    /// Frames longer than `maximumFrameBytes` make `receive` throw.
    package init(maximumFrameBytes: Int = ICELimits.frameBytes) { limit = maximumFrameBytes }

    /// Takes the next bytes of the stream. On error the connection is of no use any more.
    package mutating func receive(_ bytes: RawSpan) throws(ICEError) {
        if offset > 0 {
            buffer.removeSubrange(0..<offset)
            offset = 0
        }
        buffer.append(copying: bytes)
        try settle()
    }

    /// The frame at the front, when it is complete. Empty frames are passed over.
    package var frame: RawSpan? {
        @_lifetime(borrow self)
        get {
            guard let length = announcedLength, buffer.count - offset - 2 >= length else { return nil }
            return buffer.rawSpan.extracting(offset + 2..<offset + 2 + length)
        }
    }

    /// Drops the frame at the front. Throws when the next one announces too much.
    package mutating func removeFrame() throws(ICEError) {
        guard let length = announcedLength, buffer.count - offset - 2 >= length else { return }
        offset += 2 + length
        try settle()
    }

    /// Bytes held back for lack of the rest of their frame.
    package var bufferedBytes: Int { buffer.count - offset }

    private var announcedLength: Int? {
        guard buffer.count - offset >= 2 else { return nil }
        return Int(buffer[offset]) << 8 | Int(buffer[offset + 1])
    }

    /// Passes over empty frames and looks at the length of the next.
    private mutating func settle() throws(ICEError) {
        while announcedLength == 0 { offset += 2 }
        if let length = announcedLength, length > limit { throw .frameTooLarge(length) }
    }
}

package enum StreamFraming {
    package static let headerBytes = 2

    /// Appends one frame; its length must fit 16 bits and, with the prefix, `output`'s free room.
    package static func append(_ datagram: RawSpan, to output: inout OutputRawSpan) {
        precondition(datagram.byteCount <= UInt16.max, "a frame's length has 16 bits")
        output.append(bigEndian: UInt16(truncatingIfNeeded: datagram.byteCount))
        output.append(copying: datagram)
    }
}
