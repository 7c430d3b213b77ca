package import Bytes

/// A frame put together from packets.
package struct DepacketizedFrame: Sendable {
    /// H.264: Annex B with four-byte start codes. VP8 and Opus: as coded.
    package var payload: SlabSlice
    /// Of the frame's packets, in ticks of the stream's clock.
    package var timestamp: UInt32
    /// A decoder can start here.
    package var isKey: Bool
    /// Packets were lost between the previous frame and this one, so that what refers to earlier frames may not decode.
    package var followsLoss: Bool
}

/// The parts of a packet that depacketizers need, in sequence order; late packets are passed over.
package struct DepacketizerInput: Sendable {
    package var sequenceNumber: UInt16
    package var timestamp: UInt32
    package var marker: Bool

    package init(sequenceNumber: UInt16, timestamp: UInt32, marker: Bool) {
        self.sequenceNumber = sequenceNumber
        self.timestamp = timestamp
        self.marker = marker
    }

    package init(_ header: RTPHeader) {
        self.init(sequenceNumber: header.sequenceNumber, timestamp: header.timestamp, marker: header.marker)
    }
}

/// Collects the bytes of one frame at a time and knows whether a frame is whole. Shared by the payload formats.
struct FrameAssembly: ~Copyable {
    enum Continuity {
        /// The packet directly follows the one before, or is the first of all.
        case contiguous
        /// Packets are missing in front of it.
        case afterLoss
        /// Older than what was seen already.
        case late
    }

    private var writer: SlabWriter?
    private let pool: SlabPool?
    private let maxBytes: Int
    private var last: UInt16?
    /// The frame under way; nil between frames.
    private(set) var timestamp: UInt32?
    var isKey = false
    private var followsLoss = false
    private(set) var byteCount = 0

    init(maxBytes: Int, pool: SlabPool?) {
        self.maxBytes = maxBytes
        self.pool = pool
    }

    /// Notes the packet's place in the sequence.
    mutating func follow(_ sequenceNumber: UInt16) -> Continuity {
        guard let previous = last else {
            last = sequenceNumber
            return .contiguous
        }
        guard sequenceNumber.isAhead(of: previous) else { return .late }
        last = sequenceNumber
        if sequenceNumber == previous &+ 1 { return .contiguous }
        followsLoss = true
        return .afterLoss
    }

    mutating func begin(timestamp: UInt32) {
        self.timestamp = timestamp
        isKey = false
        byteCount = 0
        writer = SlabWriter(reservingCapacity: 16 * 1024, pool: pool)
    }

    /// Appends to the frame under way.
    mutating func append(_ bytes: RawSpan) throws(RTPError) {
        guard bytes.byteCount <= maxBytes - byteCount else {
            drop()
            throw .overLimit
        }
        writer?.append(bytes)
        byteCount += bytes.byteCount
    }

    mutating func append(_ byte: UInt8) {
        writer?.append(byte)
        byteCount += 1
    }

    /// Gives up the frame under way; the next one follows a loss.
    mutating func drop() {
        timestamp = nil
        writer = nil
        followsLoss = true
    }

    /// Ends the frame under way and hands it out; nil when there is none or it has no bytes.
    mutating func finish() -> DepacketizedFrame? {
        guard let timestamp, let writer = writer.take() else { return nil }
        self.timestamp = nil
        guard byteCount > 0 else { return nil }
        defer { followsLoss = false }
        return DepacketizedFrame(payload: writer.seal(), timestamp: timestamp, isKey: isKey, followsLoss: followsLoss)
    }
}
