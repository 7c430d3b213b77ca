package import Bytes

/// Cuts messages into chunks with the shortest header form that says it (RTMP 1.0 section 5.3).
///
/// Form 3 opens a message only behind a form 1 or 2 header: what its delta is behind form 0 is read in different ways.
package struct ChunkWriter {
    /// Payload bytes per chunk; the peer learns of a change by Set Chunk Size before it applies.
    package var chunkBytes = ChunkReader.defaultChunkBytes
    private var streams: [Memory] = []

    package init() {}

    /// The last header of a chunk stream.
    private struct Memory {
        let id: Int
        var length: Int
        var typeID: UInt8
        var messageStreamID: UInt32
        var timestamp: UInt32
        /// Nil behind form 0.
        var delta: UInt32?
    }

    /// Appends the message's chunks to `output`. `chunkStreamID` is 2...65,599.
    package mutating func write(
        _ type: UInt8, payload: RawSpan, timestamp: UInt32, messageStreamID: UInt32, chunkStreamID: Int,
        to output: inout ByteWriter
    ) {
        precondition((2...65_599).contains(chunkStreamID), "chunk stream ids are 2...65,599")
        precondition(payload.byteCount <= 0xFF_FFFF, "a message has 2^24-1 bytes at most")
        let now = Memory(
            id: chunkStreamID, length: payload.byteCount, typeID: type, messageStreamID: messageStreamID,
            timestamp: timestamp, delta: nil)
        var header = nextHeader(now)
        header.write(to: &output)
        var offset = 0
        while true {
            let count = min(chunkBytes, payload.byteCount - offset)
            output.write(payload.extracting(offset..<offset + count))
            offset += count
            guard offset < payload.byteCount else { return }
            header.form = 3
            header.write(to: &output)
        }
    }

    /// The header for `now` given what the chunk stream carried last, which `now` becomes.
    private mutating func nextHeader(_ now: Memory) -> ChunkHeader {
        var header = ChunkHeader(form: 0, chunkStreamID: now.id)
        header.messageLength = now.length
        header.messageTypeID = now.typeID
        header.messageStreamID = now.messageStreamID
        header.timestamp = now.timestamp
        var now = now
        if let index = streams.firstIndex(where: { $0.id == now.id }) {
            let last = streams[index]
            let delta = now.timestamp &- last.timestamp
            // Backward steps need the absolute time.
            if last.messageStreamID == now.messageStreamID, delta < 0x8000_0000 {
                let isAlike = last.length == now.length && last.typeID == now.typeID
                header.form = !isAlike ? 1 : last.delta == delta ? 3 : 2
                header.timestamp = delta
                now.delta = delta
            }
            streams[index] = now
        } else {
            streams.append(now)
        }
        header.isExtended = header.timestamp >= ChunkHeader.extendedMark
        return header
    }
}
