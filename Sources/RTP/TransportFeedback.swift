import Bytes

/// Transport-wide congestion control feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1), as a
/// walk over the packets that it covers.
///
/// Making one checks all chunks and that the receive deltas fit; the walk itself then cannot fail.
package struct TransportFeedbackReader: ~Escapable {
    /// One packet's fate.
    package struct Status: Hashable, Sendable {
        package var sequenceNumber: UInt16
        /// When it arrived, in 250 µs on the receiver's clock, which wraps with the 24-bit reference time; nil when
        /// lost.
        package var arrival: Int64?

        package init(sequenceNumber: UInt16, arrival: Int64?) {
            self.sequenceNumber = sequenceNumber
            self.arrival = arrival
        }
    }

    /// Ticks of 250 µs in one unit, 64 ms, of the reference time.
    static let ticksPerReference: Int64 = 256

    /// The first sequence number covered.
    package let baseSequence: UInt16
    /// Packets covered, received or not.
    package let statusCount: Int
    /// Counts the feedback packets of one sender, modulo 256.
    package let feedbackCount: UInt8
    private let body: RawSpan
    private var arrival: Int64
    private var deltaOffset: Int
    private var nextIndex = 0
    private var chunks: ChunkCursor

    /// `packet` is one for which `isTransportWide` holds.
    @_lifetime(copy packet)
    package init(_ packet: borrowing RTCPPacket) throws(RTPError) {
        body = packet.body
        try packet.require(16)
        baseSequence = body.bigEndian(at: 8, as: UInt16.self)
        statusCount = Int(body.bigEndian(at: 10, as: UInt16.self))
        guard statusCount <= RTPLimits.maxFeedbackStatuses else { throw .overLimit }
        // 24 bits, signed.
        arrival = Int64(Int32(bitPattern: body.uint24(at: 12) << 8) >> 8) * Self.ticksPerReference
        feedbackCount = body[15]
        chunks = ChunkCursor()
        var check = ChunkCursor()
        var deltaBytes = 0
        for _ in 0..<statusCount {
            guard let symbol = check.next(in: body), symbol != 3 else { throw packet.malformed }
            deltaBytes += symbol
        }
        deltaOffset = check.offset
        try packet.require(deltaOffset + deltaBytes)
    }

    /// The next packet's status; nil after the last.
    @_lifetime(self: copy self)
    package mutating func next() -> Status? {
        guard nextIndex < statusCount, let symbol = chunks.next(in: body) else { return nil }
        let sequenceNumber = baseSequence &+ UInt16(truncatingIfNeeded: nextIndex)
        nextIndex += 1
        switch symbol {
        case 1: arrival += Int64(body[deltaOffset])
        case 2: arrival += Int64(Int16(bitPattern: body.bigEndian(at: deltaOffset, as: UInt16.self)))
        default: return Status(sequenceNumber: sequenceNumber, arrival: nil)
        }
        deltaOffset += symbol
        return Status(sequenceNumber: sequenceNumber, arrival: arrival)
    }
}

/// Hands out the two-bit symbols of packet status chunks one by one: run lengths and both kinds of vectors. A symbol
/// is also the size of its receive delta in bytes; 3 is reserved.
private struct ChunkCursor {
    /// Behind the feedback's fixed part.
    private(set) var offset = 16
    private var chunk: UInt16 = 0
    private var symbolsLeft = 0

    /// Nil when the bytes are used up.
    mutating func next(in body: RawSpan) -> Int? {
        while symbolsLeft == 0 {
            guard offset + 2 <= body.byteCount else { return nil }
            chunk = body.bigEndian(at: offset, as: UInt16.self)
            offset += 2
            symbolsLeft = chunk & 0x8000 == 0 ? Int(chunk & 0x1FFF) : chunk & 0x4000 == 0 ? 14 : 7
        }
        symbolsLeft -= 1
        if chunk & 0x8000 == 0 { return Int(chunk >> 13 & 3) }
        if chunk & 0x4000 == 0 { return Int(chunk >> UInt16(symbolsLeft) & 1) }
        return Int(chunk >> UInt16(symbolsLeft * 2) & 3)
    }
}
