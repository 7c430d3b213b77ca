package import Bytes

/// Packets of audio formats in which one packet is one frame: Opus (RFC 7587), PCMU, PCMA and G.722 (RFC 3551).
package struct AudioDepacketizer: ~Copyable {
    private let pool: SlabPool?
    private var last: UInt16?
    private var finished: DepacketizedFrame?
    /// Something was lost since the last frame.
    package private(set) var hasLoss = false

    package init(pool: SlabPool? = nil) { self.pool = pool }

    /// Takes one packet's payload. Late packets are passed over; so are empty ones, which are padding or say that
    /// nothing is sent for a while.
    package mutating func receive(_ payload: RawSpan, _ packet: DepacketizerInput) throws(RTPError) {
        if let last {
            guard packet.followsGap || packet.sequenceNumber.isAhead(of: last) else { return }
            if packet.sequenceNumber != last &+ 1 { hasLoss = true }
        }
        if packet.followsGap { hasLoss = true }
        last = packet.sequenceNumber
        guard payload.byteCount > 0 else { return }
        finished = DepacketizedFrame(
            payload: SlabSlice(copying: payload, pool: pool), timestamp: packet.timestamp, isKey: true,
            followsLoss: hasLoss)
        hasLoss = false
    }

    package mutating func pollFrame() -> DepacketizedFrame? { finished.take() }
}
