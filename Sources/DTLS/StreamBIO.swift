import Bytes

/// Byte streams: reads take any part of what was lent, writes gather in one queue.
final class StreamBIO: BIOTransport {
    var outbound = ByteQueue()

    override func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(inbound.count, buffer.count)
        buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: inbound[..<count]))
        inbound = UnsafeRawBufferPointer(rebasing: inbound[count...])
        return count
    }

    override func write(_ bytes: UnsafeRawBufferPointer) { outbound.append(bytes) }
}
