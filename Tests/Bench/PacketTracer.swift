import Bytes
import RTP
import Runtime

/// Tells packets of pictures again by their last bytes, which a server that passes them leaves as they are.
@MediaLoop
final class PacketTracer {
    private static let tailBytes = 32

    private var sent: [UInt64: Monotonic] = [:]
    /// From the time that a packet was handed to the publisher's sender to its arrival at the viewer.
    private(set) var delays: [(sentAt: Monotonic, delay: Interval)] = []

    func noteSent(_ frame: PacketizedFrame, at now: Monotonic) {
        let payload = frame.payload
        for fragment in frame.fragments {
            if let tail = Self.hash(payload.bytes.extracting(fragment.range)) { sent[tail] = now }
        }
    }

    func noteArrival(_ payload: RawSpan, at now: Monotonic) {
        guard let tail = Self.hash(payload), let sentAt = sent[tail] else { return }
        delays.append((sentAt, now - sentAt))
    }

    /// FNV-1a; nil for packets too short to be told apart.
    private static func hash(_ payload: RawSpan) -> UInt64? {
        guard payload.byteCount >= 2 * tailBytes else { return nil }
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for offset in payload.byteCount - tailBytes..<payload.byteCount {
            hash = (hash ^ UInt64(payload[offset])) &* 0x100_0000_01B3
        }
        return hash
    }
}
