package import Bytes

/// Basic header, message header and extended timestamp of one chunk (RTMP 1.0 section 5.3.1), as they stand on the wire.
package struct ChunkHeader: Equatable {
    /// 3 bytes of basic header, 11 of message header, 4 of extended timestamp.
    package static let longest = 18
    /// The value of the 24-bit field that calls for an extended timestamp.
    package static let extendedMark: UInt32 = 0xFF_FFFF

    /// Form of the message header: 0 complete, 1 without message stream id, 2 timestamp delta alone, 3 nothing.
    package var form: UInt8
    /// 2...65,599.
    package var chunkStreamID: Int
    /// Absolute in form 0, a delta in forms 1 and 2, milliseconds; 0 in form 3.
    package var timestamp: UInt32 = 0
    /// The timestamp is in the extended field. Form 3 only: the field was found repeated.
    package var isExtended = false
    /// Forms 0 and 1.
    package var messageLength = 0
    package var messageTypeID: UInt8 = 0
    /// Form 0; the one little-endian field of RTMP.
    package var messageStreamID: UInt32 = 0

    package init(form: UInt8, chunkStreamID: Int) {
        self.form = form
        self.chunkStreamID = chunkStreamID
    }

    /// Bytes of the basic header that `first` opens.
    private static func basicBytes(_ first: UInt8) -> Int {
        switch first & 0x3F {
        case 0: 2
        case 1: 3
        default: 1
        }
    }

    /// The header that starts at `offset`, and its size; nil while bytes are missing.
    ///
    /// `extended` tells the extended timestamp of the running header of a chunk stream, if it has one: form 3 repeats it, but
    /// some encoders leave the repetition out, so four equal bytes are taken for it and anything else for payload.
    package static func parse(
        _ bytes: RawSpan, at offset: Int, extended: (_ chunkStreamID: Int) -> UInt32?
    ) -> (header: ChunkHeader, byteCount: Int)? {
        let available = bytes.byteCount - offset
        guard available >= 1 else { return nil }
        let first = bytes[offset]
        let form = first >> 6
        let basic = basicBytes(first)
        guard available >= basic else { return nil }
        let id: Int
        switch basic {
        case 1: id = Int(first & 0x3F)
        case 2: id = 64 + Int(bytes[offset + 1])
        default: id = 64 + Int(bytes[offset + 1]) + Int(bytes[offset + 2]) << 8
        }
        var header = ChunkHeader(form: form, chunkStreamID: id)
        if form == 3 {
            guard let expected = extended(id) else { return (header, basic) }
            switch compare(bytes, at: offset + basic, with: expected) {
            case .equal:
                header.isExtended = true
                return (header, basic + 4)
            case .different: return (header, basic)
            case .incomplete: return nil
            }
        }
        let size = basic + (form == 0 ? 11 : form == 1 ? 7 : 3)
        guard available >= size else { return nil }
        header.readFields(bytes, at: offset + basic)
        guard header.timestamp == extendedMark else { return (header, size) }
        guard available >= size + 4 else { return nil }
        header.timestamp = bytes.bigEndian(at: offset + size, as: UInt32.self)
        header.isExtended = true
        return (header, size + 4)
    }

    private mutating func readFields(_ bytes: RawSpan, at start: Int) {
        timestamp = bytes.bigEndian24(at: start)
        guard form < 2 else { return }
        messageLength = Int(bytes.bigEndian24(at: start + 3))
        messageTypeID = bytes[start + 6]
        guard form == 0 else { return }
        messageStreamID = bytes.bigEndian(at: start + 7, as: UInt32.self).byteSwapped
    }

    private enum Comparison { case equal, different, incomplete }

    private static func compare(_ bytes: RawSpan, at start: Int, with expected: UInt32) -> Comparison {
        for index in 0..<4 {
            guard start + index < bytes.byteCount else { return .incomplete }
            let byte = UInt8(truncatingIfNeeded: expected >> UInt32(24 - 8 * index))
            if bytes[start + index] != byte { return .different }
        }
        return .equal
    }

    /// Appends the header's bytes. In form 3 `timestamp` is written only when `isExtended` is set.
    package func write(to output: inout ByteWriter) {
        let mark = form << 6
        switch chunkStreamID {
        case ..<64: output.write(mark | UInt8(truncatingIfNeeded: chunkStreamID))
        case ..<320:
            output.write(mark)
            output.write(UInt8(truncatingIfNeeded: chunkStreamID - 64))
        default:
            output.write(mark | 1)
            output.write(UInt8(truncatingIfNeeded: chunkStreamID - 64))
            output.write(UInt8(truncatingIfNeeded: (chunkStreamID - 64) >> 8))
        }
        if form < 3 { output.writeUInt24(isExtended ? Self.extendedMark : timestamp) }
        if form < 2 {
            output.writeUInt24(UInt32(truncatingIfNeeded: messageLength))
            output.write(messageTypeID)
        }
        if form == 0 { output.writeLittleEndian(messageStreamID) }
        if isExtended { output.write(timestamp) }
    }
}

extension RawSpan {
    /// Big-endian 24 bits; traps when out of bounds, so callers guard the length first.
    func bigEndian24(at offset: Int) -> UInt32 {
        UInt32(self[offset]) << 16 | UInt32(self[offset + 1]) << 8 | UInt32(self[offset + 2])
    }
}
