package import Bytes

/// FLV files (FLV 10.1, annex E.2 and E.3), for tests and tools: a header, then tags with their sizes behind them.
package enum FLVFile {
    /// Signature, version and flags; then its size and the size of the tag before the first.
    package static func header(hasAudio: Bool, hasVideo: Bool) -> [UInt8] {
        Array("FLV".utf8) + [1, (hasAudio ? 4 : 0) | (hasVideo ? 1 : 0), 0, 0, 0, 9, 0, 0, 0, 0]
    }

    /// Appends a tag and its size. The timestamp keeps its low 32 bits. Traps when the payload exceeds 24 bits.
    package static func append(_ tag: FLVTag, to writer: inout ByteWriter) {
        precondition(tag.payload.count < 1 << 24, "a tag's payload has at most 16 MiB")
        let time = UInt32(truncatingIfNeeded: tag.timestampMilliseconds)
        writer.write(tag.kind.rawValue)
        writer.writeUInt24(UInt32(tag.payload.count))
        writer.writeUInt24(time)
        writer.write(UInt8(truncatingIfNeeded: time >> 24))
        writer.writeUInt24(0)  // stream id
        writer.write(tag.payload.bytes)
        writer.write(UInt32(11 + tag.payload.count))
    }

    /// Reads tags out of a file that is in memory as a whole.
    package struct Reader: Sendable {
        private let file: SlabSlice
        private var offset: Int

        /// Reads the header; the flags are not kept, for files lie about them.
        package init(_ file: SlabSlice) throws(FLVError) {
            var reader = TagReader(file.bytes)
            guard try reader.readUInt24() == 0x46_4C_56 else { throw .unknownTagType(file.bytes[0]) }
            try reader.skip(2)
            let headerBytes = try reader.readUInt32()
            guard headerBytes >= 9, headerBytes <= file.count - 4 else { throw .truncated(offset: 5) }
            self.file = file
            offset = Int(headerBytes) + 4
        }

        /// The next tag as a view of the file; nil at the end. After `unknownTagType` the tag has been passed over;
        /// after `truncated` the reader is at its end.
        package mutating func next() throws(FLVError) -> FLVTag? {
            guard offset < file.count else { return nil }
            var reader = TagReader(file[offset..<file.count].bytes)
            let start = offset
            offset = file.count
            let type = try reader.readUInt8()
            let size = Int(try reader.readUInt24())
            let low = try reader.readUInt24()
            let time = Int32(bitPattern: UInt32(try reader.readUInt8()) << 24 | low)
            try reader.skip(3 + size)
            // The size behind the last tag may be missing.
            offset = min(start + 11 + size + 4, file.count)
            // Bit 5 marks an encrypted tag, which the lower bits alone would not show.
            guard let kind = FLVTag.Kind(rawValue: type) else { throw .unknownTagType(type) }
            let payload = file[start + 11..<start + 11 + size]
            return FLVTag(kind: kind, timestampMilliseconds: Int64(time), payload: payload)
        }
    }
}
