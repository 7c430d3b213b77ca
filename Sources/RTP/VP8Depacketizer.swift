package import Bytes

/// Packets into VP8 frames (RFC 7741). A frame that misses a packet is dropped whole; a frame ends with the marker,
/// or with the start of the next when nothing was lost in between. Packets come in sequence order.
package struct VP8Depacketizer: ~Copyable {
    private var assembly: FrameAssembly
    private var finished: DepacketizedFrame?
    private var second: DepacketizedFrame?

    package init(maxFrameBytes: Int = RTPLimits.maxFrameBytes, pool: SlabPool? = nil) {
        assembly = FrameAssembly(maxBytes: maxFrameBytes, pool: pool)
    }

    /// Takes one packet's payload. Then `pollFrame` until nil: a packet can end two frames.
    package mutating func receive(_ payload: RawSpan, _ packet: DepacketizerInput) throws(RTPError) {
        switch assembly.follow(packet.sequenceNumber) {
        case .late: return
        case .afterLoss: assembly.drop()
        case .contiguous: break
        }
        do { try append(payload, packet) } catch {
            assembly.drop()
            throw error
        }
        if packet.marker {
            if finished == nil { finished = assembly.finish() } else { second = assembly.finish() }
        }
    }

    /// The next frame that is whole.
    package mutating func pollFrame() -> DepacketizedFrame? {
        defer { finished = second.take() }
        return finished
    }

    private mutating func append(_ payload: RawSpan, _ packet: DepacketizerInput) throws(RTPError) {
        let descriptor = try VP8Descriptor(parsing: payload)
        guard descriptor.byteCount < payload.byteCount else { throw .badPayload }
        let data = payload.extracting(descriptor.byteCount..<payload.byteCount)
        if assembly.timestamp != packet.timestamp {
            finished = assembly.finish()
            // Without its start the frame is of no use.
            guard descriptor.startsFrame else { return assembly.drop() }
            assembly.begin(timestamp: packet.timestamp)
            // RFC 6386 section 9.1: the lowest bit of the frame tag is 0 in key frames.
            assembly.isKey = data[0] & 1 == 0
        }
        try assembly.append(data)
    }
}

/// Packets into Opus packets (RFC 7587): one each.
package struct OpusDepacketizer: ~Copyable {
    private var assembly: FrameAssembly
    private let pool: SlabPool?

    package init(pool: SlabPool? = nil) {
        self.pool = pool
        assembly = FrameAssembly(maxBytes: RTPLimits.maxFrameBytes, pool: pool)
    }

    /// Nil for late packets and empty payloads, which senders use as padding.
    package mutating func receive(_ payload: RawSpan, _ packet: DepacketizerInput) throws(RTPError)
        -> DepacketizedFrame?
    {
        guard assembly.follow(packet.sequenceNumber) != .late, payload.byteCount > 0 else { return nil }
        assembly.begin(timestamp: packet.timestamp)
        assembly.isKey = true
        try assembly.append(payload)
        return assembly.finish()
    }
}
