import Bytes

/// Datagrams on a byte stream: with their length before them (RFC 4571), as ICE over TCP carries them (RFC 6544 section
/// 3), or as TURN over TCP does, whose messages tell their own length (RFC 8656 section 3.1).
///
/// After each `receive`, take the frames: `while let frame = reader.frame { …; reader.removeFrame() }`.
package struct StreamFrameReader: ~Copyable {
    private var buffer: [UInt8] = []
    private var offset = 0
    private let framing: StreamFraming
    private let limit: Int

    /// Frames longer than `maximumFrameBytes` make `receive` throw.
    package init(_ framing: StreamFraming = .lengthPrefixed, maximumFrameBytes: Int = ICELimits.frameBytes) {
        self.framing = framing
        limit = maximumFrameBytes
    }

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
            guard let range = completeFrame else { return nil }
            return buffer.rawSpan.extracting(range)
        }
    }

    /// Drops the frame at the front. Throws when the next one announces too much.
    package mutating func removeFrame() throws(ICEError) {
        guard let range = completeFrame else { return }
        offset = range.upperBound
        try settle()
    }

    /// Bytes held back for lack of the rest of their frame.
    package var bufferedBytes: Int { buffer.count - offset }

    private var completeFrame: Range<Int>? {
        guard let length = announcedLength else { return nil }
        let start = offset + framing.prefixBytes
        return buffer.count - start >= length ? start..<start + length : nil
    }

    /// Of the frame, without a prefix.
    private var announcedLength: Int? {
        switch framing {
        case .lengthPrefixed:
            guard buffer.count - offset >= 2 else { return nil }
            return Int(buffer[offset]) << 8 | Int(buffer[offset + 1])
        case .turn:
            guard buffer.count - offset >= 4 else { return nil }
            let length = Int(buffer[offset + 2]) << 8 | Int(buffer[offset + 3])
            // Over streams channel data is padded, and its length does not count that (RFC 8656 section 12.5).
            return buffer[offset] < 64 ? STUNMessage.headerBytes + length : 4 + (length + 3) & ~3
        }
    }

    /// Passes over empty frames and looks at the beginning of the next.
    private mutating func settle() throws(ICEError) {
        while announcedLength == 0 { offset += framing.prefixBytes }
        guard let length = announcedLength else { return }
        guard length <= limit else { throw .frameTooLarge(length) }
        guard framing == .turn else { return }
        switch buffer[offset] {
        case 0...3: guard length & 3 == 0 else { throw .notSTUN }
        case 64...79: break
        default: throw .notSTUN
        }
    }
}

package enum StreamFraming: Hashable, Sendable {
    case lengthPrefixed
    case turn

    package static let headerBytes = 2

    var prefixBytes: Int { self == .lengthPrefixed ? Self.headerBytes : 0 }

    /// Appends one length-prefixed frame; its length must fit 16 bits and, with the prefix, `output`'s free room.
    package static func append(_ datagram: RawSpan, to output: inout OutputRawSpan) {
        precondition(datagram.byteCount <= UInt16.max, "a frame's length has 16 bits")
        output.append(bigEndian: UInt16(truncatingIfNeeded: datagram.byteCount))
        output.append(copying: datagram)
    }
}
