package import Bytes

/// Packets into VP8 frames (RFC 7741). A frame that misses a packet is dropped whole; a frame ends with the marker,
/// or with the start of the next when nothing was lost in between. Packets come in sequence order.
///
/// Picture ids that count on by one show that only packets without media were lost, such as forward error correction.
package struct VP8Depacketizer: ~Copyable {
    private var assembly: FrameAssembly
    private var pictures = PictureIDCheck()

    package init(maxFrameBytes: Int = RTPLimits.maxFrameBytes, pool: SlabPool? = nil) {
        assembly = FrameAssembly(maxBytes: maxFrameBytes, pool: pool)
    }

    /// Takes one packet's payload. Then `pollFrame` until nil: a packet can end two frames.
    package mutating func receive(_ payload: RawSpan, _ packet: DepacketizerInput) throws(RTPError) {
        switch assembly.follow(packet) {
        case .late: return
        case .afterLoss: assembly.drop()
        case .contiguous: break
        }
        guard payload.byteCount > 0 else { return }
        do { try append(payload, packet) } catch {
            assembly.drop()
            throw error
        }
        if packet.marker, assembly.finish() { pictures.finish() }
    }

    /// The next frame that is whole.
    package mutating func pollFrame() -> DepacketizedFrame? { assembly.pollFrame() }

    /// Something was lost since the last frame that was whole.
    package var hasLoss: Bool { assembly.hasLoss }

    private mutating func append(_ payload: RawSpan, _ packet: DepacketizerInput) throws(RTPError) {
        let descriptor = try VP8Descriptor(parsing: payload)
        guard descriptor.byteCount < payload.byteCount else { throw .badPayload }
        let data = payload.extracting(descriptor.byteCount..<payload.byteCount)
        if assembly.timestamp != packet.timestamp {
            if assembly.finish() { pictures.finish() }
            // Without its start the frame is of no use.
            guard descriptor.startsFrame else { return assembly.drop() }
            if pictures.begin(descriptor.pictureID, mask: descriptor.pictureIDMask) { assembly.forgiveLoss() }
            assembly.begin(timestamp: packet.timestamp)
            // RFC 6386 section 9.1: the lowest bit of the frame tag is 0 in key frames.
            assembly.isKey = data[0] & 1 == 0
        }
        try assembly.append(data)
    }
}

/// Whether the picture ids of VP8 or VP9 count on from the last whole frame.
struct PictureIDCheck {
    private var finished: UInt16?
    private var current: UInt16?

    /// True when nothing is missing between the last whole frame and the one that begins.
    mutating func begin(_ pictureID: UInt16?, mask: UInt16) -> Bool {
        current = pictureID
        guard let pictureID, let finished else { return false }
        return pictureID == (finished &+ 1) & mask
    }

    mutating func finish() { finished = current }
}
