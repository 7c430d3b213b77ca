package import Bytes

/// Reassembles messages from chunks (RTMP 1.0 section 5.3), whatever pieces the bytes come in.
///
/// Headers are read in place; payload goes straight into a slab that grows with what arrived. Set Chunk Size and Abort are
/// carried out by the owner, which sees them as messages before the next chunk is read.
package struct ChunkReader: ~Copyable {
    package static let defaultChunkBytes = 128
    /// Until this time a form 3 header behind a form 0 header may reuse its absolute time as a delta, as section 5.3.1.2.4 has
    /// it; beyond, the encoder means no step at all. Milliseconds.
    package static let longestImpliedDelta: UInt32 = 10_000

    private let limits: RTMPLimits
    private let pool: SlabPool?
    private var streams: [ChunkStream] = []
    /// The chunk stream whose chunk is being read, and how much of the chunk is missing.
    private var current: ChunkStream?
    private var chunkBytesLeft = 0
    private var chunkBytes = ChunkReader.defaultChunkBytes
    /// A header that the last piece cut in two.
    private var stash: [UInt8] = []
    /// Bytes that were taken for a header and are none; they come before all others.
    private var returned: [UInt8] = []
    private var unfinishedBytes = 0
    /// Chunks with little payload since `takeSmallChunkCount()`.
    private var smallChunks = 0
    /// librtmp starts a message with form 3 when its timestamp equals the last one, where the specification has the last delta
    /// added again. Only the encoder's name tells.
    package var formThreeKeepsTimestamp = false

    package init(limits: RTMPLimits, pool: SlabPool?) {
        self.limits = limits
        self.pool = pool
        stash.reserveCapacity(ChunkHeader.longest)
    }

    /// Carries out Set Chunk Size: 1...2^31-1, clamped to the limit.
    package mutating func setChunkSize(_ size: UInt32) throws(RTMPError) {
        guard size >= 1, size <= 0x7FFF_FFFF else { throw .invalidChunkSize(size) }
        chunkBytes = min(Int(size), limits.chunkBytes)
    }

    /// Carries out Abort: drops the unfinished message of a chunk stream, if there is one.
    package mutating func abort(chunkStreamID: UInt32) {
        guard let stream = find(Int(chunkStreamID)), stream.isUnfinished else { return }
        unfinishedBytes -= stream.received
        stream.discard()
    }

    /// Takes the count of small chunks and starts it anew; for the owner's budget.
    package mutating func takeSmallChunkCount() -> Int {
        defer { smallChunks = 0 }
        return smallChunks
    }

    /// The next complete message of `bytes` from `offset` on; nil when the bytes are used up.
    package mutating func nextMessage(_ bytes: RawSpan, from offset: inout Int) throws(RTMPError) -> RTMPMessage? {
        while true {
            if !returned.isEmpty {
                let held = returned
                returned = []
                var position = 0
                let message = try step(held.rawSpan, from: &position)
                returned += held[position...]
                if let message { return message }
                if !returned.isEmpty { continue }
            }
            if let message = try step(bytes, from: &offset) { return message }
            if returned.isEmpty { return nil }
        }
    }

    /// Reads up to the end of a message, of the bytes, or of a header that gave bytes back.
    private mutating func step(_ bytes: RawSpan, from offset: inout Int) throws(RTMPError) -> RTMPMessage? {
        while returned.isEmpty {
            if let stream = current {
                let count = min(chunkBytesLeft, bytes.byteCount - offset)
                try append(bytes.extracting(offset..<offset + count), to: stream)
                offset += count
                guard chunkBytesLeft == 0 else { return nil }
                current = nil
                if stream.received == stream.length { return finish(stream) }
            } else {
                guard let header = readHeader(bytes, from: &offset) else { return nil }
                try begin(header, bytesAtHand: bytes.byteCount - offset)
            }
        }
        return nil
    }

    private mutating func readHeader(_ bytes: RawSpan, from offset: inout Int) -> ChunkHeader? {
        if stash.isEmpty, let (header, count) = parse(bytes, at: offset) {
            offset += count
            return header
        }
        let before = stash.count
        let count = min(ChunkHeader.longest - before, bytes.byteCount - offset)
        stash.append(contentsOf: bytes.extracting(offset..<offset + count).copied())
        guard let (header, used) = parse(stash.rawSpan, at: 0) else {
            offset += count
            return nil
        }
        if used < before {
            // What looked like the start of a repeated timestamp was payload.
            returned = Array(stash[used..<before])
        } else {
            offset += used - before
        }
        stash.removeAll(keepingCapacity: true)
        return header
    }

    private func parse(_ bytes: RawSpan, at offset: Int) -> (ChunkHeader, Int)? {
        ChunkHeader.parse(bytes, at: offset) { id in find(id)?.extendedTimestamp }
    }

    private func find(_ id: Int) -> ChunkStream? {
        for stream in streams where stream.id == id { return stream }
        return nil
    }

    private mutating func begin(_ header: ChunkHeader, bytesAtHand: Int) throws(RTMPError) {
        let stream = try chunkStream(for: header)
        if stream.isUnfinished {
            // A complete header inside a message is needless; it is borne when it says nothing new.
            guard
                header.form >= 2
                    || (header.messageLength == stream.length && header.messageTypeID == stream.typeID)
            else { throw .messageChanged(chunkStreamID: stream.id) }
        } else {
            stream.apply(header, formThreeKeepsTimestamp: formThreeKeepsTimestamp)
            guard stream.length <= limits.messageBytes else { throw .messageTooLarge(bytes: stream.length) }
            stream.start(reserving: min(stream.length, max(bytesAtHand, 1024)), pool: pool)
        }
        chunkBytesLeft = min(chunkBytes, stream.length - stream.received)
        if chunkBytesLeft < limits.smallChunkBytes { smallChunks += 1 }
        current = stream
    }

    private mutating func chunkStream(for header: ChunkHeader) throws(RTMPError) -> ChunkStream {
        if let stream = find(header.chunkStreamID) { return stream }
        // librtmp opens streams with form 1, which lacks nothing but the message stream id.
        guard header.form < 2 else { throw .missingMessageHeader(chunkStreamID: header.chunkStreamID) }
        guard streams.count < limits.chunkStreams else { throw .tooManyChunkStreams }
        let stream = ChunkStream(id: header.chunkStreamID)
        streams.append(stream)
        return stream
    }

    private mutating func append(_ bytes: RawSpan, to stream: ChunkStream) throws(RTMPError) {
        guard unfinishedBytes + bytes.byteCount <= limits.unfinishedBytes else { throw .tooManyUnfinishedBytes }
        stream.append(bytes)
        unfinishedBytes += bytes.byteCount
        chunkBytesLeft -= bytes.byteCount
    }

    private mutating func finish(_ stream: ChunkStream) -> RTMPMessage? {
        unfinishedBytes -= stream.received
        return stream.finish()
    }
}

/// What a chunk stream remembers between chunks.
private final class ChunkStream {
    let id: Int
    private(set) var length = 0
    private(set) var typeID: UInt8 = 0
    private var messageStreamID: UInt32 = 0
    /// Absolute, milliseconds modulo 2^32.
    private var timestamp: UInt32 = 0
    private var delta: UInt32 = 0
    /// The extended field of the last header of forms 0 to 2, when it had one; form 3 headers repeat it.
    private(set) var extendedTimestamp: UInt32?
    private(set) var received = 0
    private var writer: SlabWriter?

    init(id: Int) { self.id = id }

    private(set) var isUnfinished = false

    /// Takes over the header that opens a message.
    func apply(_ header: ChunkHeader, formThreeKeepsTimestamp: Bool) {
        if header.form < 3 { extendedTimestamp = header.isExtended ? header.timestamp : nil }
        if header.form < 2 {
            length = header.messageLength
            typeID = header.messageTypeID
        }
        switch header.form {
        case 0:
            messageStreamID = header.messageStreamID
            timestamp = header.timestamp
            delta = header.timestamp <= ChunkReader.longestImpliedDelta ? header.timestamp : 0
        case 1, 2:
            delta = header.timestamp
            timestamp &+= delta
        default:
            if !formThreeKeepsTimestamp { timestamp &+= delta }
        }
    }

    func start(reserving bytes: Int, pool: SlabPool?) {
        writer = SlabWriter(reservingCapacity: bytes, pool: pool)
        received = 0
        isUnfinished = true
    }

    func append(_ bytes: RawSpan) {
        writer?.append(bytes)
        received += bytes.byteCount
    }

    func finish() -> RTMPMessage? {
        isUnfinished = false
        guard let payload = writer.take()?.seal() else { return nil }
        return RTMPMessage(
            typeID: typeID, messageStreamID: messageStreamID, timestamp: timestamp, payload: payload)
    }

    func discard() {
        isUnfinished = false
        writer = nil
    }
}
