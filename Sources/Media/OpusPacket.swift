import Bytes

/// What an Opus packet's first bytes tell without decoding (RFC 6716 section 3.1).
package struct OpusPacket: Equatable, Sendable {
    /// config, 0…31: mode, bandwidth and frame size.
    package var configuration: UInt8
    package var isStereo: Bool
    /// Frames in the packet, 1…48.
    package var frameCount: Int

    /// No packet is longer than 120 ms (section 3.2.5).
    package static let maxDuration48k = 5760

    /// `packet` is a whole packet, or the first of several in a multistream one.
    package init(_ packet: RawSpan) throws(MediaError) {
        guard packet.byteCount > 0 else { throw .truncated(offset: 0) }
        let toc = packet[0]
        configuration = toc >> 3
        isStereo = toc & 4 != 0
        switch toc & 3 {
        case 0: frameCount = 1
        case 1, 2: frameCount = 2
        default:
            guard packet.byteCount > 1 else { throw .truncated(offset: 1) }
            frameCount = Int(packet[1] & 0x3F)
        }
        guard frameCount > 0, duration48k <= Self.maxDuration48k else { throw .malformed(.opusPacket) }
    }

    /// Length of one frame in samples at 48 kHz (table 2).
    package var frameDuration48k: Int {
        switch configuration {
        case 0..<12: [480, 960, 1920, 2880][Int(configuration & 3)]
        case 12..<16: configuration & 1 == 0 ? 480 : 960
        default: 120 << Int(configuration & 3)
        }
    }

    /// Length of the packet in samples at 48 kHz, which is also its length in RTP ticks.
    package var duration48k: Int { frameDuration48k * frameCount }
}
