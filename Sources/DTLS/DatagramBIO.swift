import Bytes
import COpenSSL

/// Keeps the borders of packets, which OpenSSL 3.0's own memory BIO does not. What waits to be sent is bounded: past the
/// bound a packet is dropped as a network would, and OpenSSL's timer sends it again.
final class DatagramBIO: BIOTransport {
    static let maximumPackets = 32
    static let maximumBytes = 48 * 1024

    /// Packets back to back; emptied, with the memory kept, when the last one is taken.
    private var bytes: [UInt8] = []
    /// Length of each packet in `bytes`.
    private var lengths: [Int] = []
    private var nextPacket = 0
    private var nextOffset = 0
    /// Packets that met a full queue.
    private(set) var dropped: UInt64 = 0

    /// A datagram longer than `buffer` loses its end, as with a socket.
    override func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(inbound.count, buffer.count)
        buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: inbound[..<count]))
        inbound = UnsafeRawBufferPointer(start: nil, count: 0)
        return count
    }

    override func write(_ packet: UnsafeRawBufferPointer) {
        guard lengths.count < Self.maximumPackets, bytes.count + packet.count <= Self.maximumBytes else {
            dropped &+= 1
            return
        }
        bytes.append(contentsOf: packet)
        lengths.append(packet.count)
    }

    /// Appends the oldest packet to `output`; false when none waits. Traps when it does not fit.
    func popPacket(into output: inout OutputRawSpan) -> Bool {
        guard nextPacket < lengths.count else { return false }
        let end = nextOffset + lengths[nextPacket]
        output.append(copying: bytes.rawSpan.extracting(nextOffset..<end))
        nextPacket += 1
        nextOffset = end
        if nextPacket == lengths.count {
            bytes.removeAll(keepingCapacity: true)
            lengths.removeAll(keepingCapacity: true)
            (nextPacket, nextOffset) = (0, 0)
        }
        return true
    }
}
