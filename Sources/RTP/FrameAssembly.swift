import Bytes

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

    /// What most frames fit into.
    private static let usualBytes = 16 * 1024

    private var writer: SlabWriter
    private let pool: SlabPool?
    private let maxBytes: Int
    private var last: UInt16?
    private var finished = RingDeque<DepacketizedFrame>(capacity: RTPLimits.maxFramesPerPacket)
    /// The frame under way; nil between frames.
    private(set) var timestamp: UInt32?
    var isKey = false
    /// Something was lost since the last frame that was whole.
    private(set) var hasLoss = false

    init(maxBytes: Int, pool: SlabPool?) {
        self.maxBytes = min(maxBytes, RTPLimits.maxFrameBytes)
        self.pool = pool
        writer = SlabWriter(reservingCapacity: Self.usualBytes, pool: pool)
    }

    /// Bytes of the frame under way.
    var byteCount: Int { writer.count }

    /// The frame under way, so far.
    var content: RawSpan {
        @_lifetime(borrow self)
        get { writer.bytes }
    }

    /// Notes the packet's place in the sequence.
    mutating func follow(_ packet: DepacketizerInput) -> Continuity {
        let previous = last
        if let previous, !packet.followsGap, !packet.sequenceNumber.isAhead(of: previous) { return .late }
        last = packet.sequenceNumber
        let isNext = previous.map { packet.sequenceNumber == $0 &+ 1 } ?? true
        if isNext, !packet.followsGap { return .contiguous }
        hasLoss = true
        return .afterLoss
    }

    mutating func begin(timestamp: UInt32) {
        self.timestamp = timestamp
        isKey = false
        writer.removeAll()
    }

    /// Appends to the frame under way.
    mutating func append(_ bytes: RawSpan) throws(RTPError) {
        guard bytes.byteCount <= maxBytes - writer.count else { throw .overLimit }
        writer.append(bytes)
    }

    mutating func append(_ byte: UInt8) throws(RTPError) {
        guard writer.count < maxBytes else { throw .overLimit }
        writer.append(byte)
    }

    mutating func patch(_ byte: UInt8, at offset: Int) { writer.patch(byte, at: offset) }

    /// Gives up the frame under way; the next one follows a loss.
    mutating func drop() {
        timestamp = nil
        writer.removeAll()
        hasLoss = true
    }

    /// The numbers inside the frames show that none is missing: only packets without media were lost.
    mutating func forgiveLoss() { hasLoss = false }

    /// Ends the frame under way and queues it; false when there is none or it has no bytes.
    @discardableResult
    mutating func finish() -> Bool {
        guard let timestamp else { return false }
        self.timestamp = nil
        guard writer.count > 0 else { return false }
        guard !finished.isFull else {
            drop()
            return false
        }
        var done = SlabWriter(reservingCapacity: Self.usualBytes, pool: pool)
        swap(&done, &writer)
        finished.append(
            DepacketizedFrame(payload: done.seal(), timestamp: timestamp, isKey: isKey, followsLoss: hasLoss))
        hasLoss = false
        return true
    }

    /// The next frame that is whole.
    mutating func pollFrame() -> DepacketizedFrame? { finished.popFirst() }
}
