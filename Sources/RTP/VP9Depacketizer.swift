package import Bytes
import Media

/// Packets into VP9 pictures (RFC 9628), with all spatial layers of a picture in one payload: where there are several,
/// they are followed by a superframe index (VP9 bitstream annex B), so that any decoder finds each of them.
///
/// A picture that misses a packet of any layer is dropped whole; it ends with the marker, or with the start of the next
/// when nothing was lost in between. Packets come in sequence order. Picture ids that count on by one show that only
/// packets without media were lost. Where layers go on without each other (k-SVC), a sender short of bits may leave out
/// any of them, the lowest too.
package struct VP9Depacketizer: ~Copyable {
    /// Frames that a superframe can hold, which is more than the layers of a picture.
    private static let maxLayers = 8

    private var assembly: FrameAssembly
    private var pictures = PictureIDCheck()
    /// Where the frames of the layers begin.
    private var starts: [8 of Int] = .init(repeating: 0)
    private var layerCount = 0
    /// The frame of a layer has begun and not ended.
    private var isInLayer = false
    /// Time of a picture of which something is missing, or may be.
    private var broken: UInt32?

    package init(maxFrameBytes: Int = RTPLimits.maxFrameBytes, pool: SlabPool? = nil) {
        assembly = FrameAssembly(maxBytes: maxFrameBytes, pool: pool)
    }

    /// Takes one packet's payload. Then `pollFrame` until nil: a packet can end two pictures.
    package mutating func receive(_ payload: RawSpan, _ packet: DepacketizerInput) throws(RTPError) {
        switch assembly.follow(packet) {
        case .late: return
        case .afterLoss:
            assembly.drop()
            broken = packet.timestamp
        case .contiguous: break
        }
        guard payload.byteCount > 0 else { return }
        do {
            try append(payload, packet)
            if packet.marker { try finish() }
        } catch {
            broken = packet.timestamp
            assembly.drop()
            throw error
        }
    }

    /// The next picture that is whole.
    package mutating func pollFrame() -> DepacketizedFrame? { assembly.pollFrame() }

    /// Something was lost since the last picture that was whole.
    package var hasLoss: Bool { assembly.hasLoss }

    private mutating func append(_ payload: RawSpan, _ packet: DepacketizerInput) throws(RTPError) {
        let descriptor = try VP9Descriptor(parsing: payload)
        guard descriptor.byteCount < payload.byteCount else { throw .badPayload }
        let data = payload.extracting(droppingFirst: descriptor.byteCount)
        if assembly.timestamp != packet.timestamp {
            try finish()
            guard descriptor.startsFrame, isWhole(below: descriptor, at: packet.timestamp) else {
                broken = packet.timestamp
                return assembly.drop()
            }
            if pictures.begin(descriptor.pictureID, mask: descriptor.pictureIDMask) { assembly.forgiveLoss() }
            assembly.begin(timestamp: packet.timestamp)
            layerCount = 0
            isInLayer = false
            // Some senders never set the bit for prediction, so that the frame's own word counts as well.
            assembly.isKey = descriptor.startsKeyPicture && (try? VP9FrameHeader(data))?.isKey == true
        }
        if descriptor.startsFrame {
            guard layerCount < Self.maxLayers else { throw .overLimit }
            starts[layerCount] = assembly.byteCount
            layerCount += 1
        } else if !isInLayer {
            throw .badPayload
        }
        isInLayer = !descriptor.endsFrame
        try assembly.append(data)
    }

    /// Whether the layers that a picture's first frame needs may all be there.
    private func isWhole(below first: VP9Descriptor, at timestamp: UInt32) -> Bool {
        first.spatialLayer == 0 || !first.dependsOnLowerLayer && timestamp != broken
    }

    private mutating func finish() throws(RTPError) {
        if assembly.timestamp != nil, layerCount > 1 { try appendIndex() }
        if assembly.finish() { pictures.finish() }
    }

    /// Annex B: a marker with count and width on both sides of the frames' sizes, little-endian.
    private mutating func appendIndex() throws(RTPError) {
        let end = assembly.byteCount
        var largest = 0
        for layer in 0..<layerCount { largest = max(largest, size(of: layer, end: end)) }
        let width = max(1, (Int.bitWidth - largest.leadingZeroBitCount + 7) / 8)
        let marker = UInt8(0xC0 | (width - 1) << 3 | (layerCount - 1))
        try assembly.append(marker)
        for layer in 0..<layerCount {
            let size = size(of: layer, end: end)
            for shift in 0..<width { try assembly.append(UInt8(truncatingIfNeeded: size >> (8 * shift))) }
        }
        try assembly.append(marker)
    }

    private func size(of layer: Int, end: Int) -> Int {
        (layer + 1 < layerCount ? starts[layer + 1] : end) - starts[layer]
    }
}
