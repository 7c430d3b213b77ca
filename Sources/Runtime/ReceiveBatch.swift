import Bytes
import CLinux
import Glibc

/// Memory for one `recvmmsg`, shared by all sockets of the loop: datagrams are lent and gone at the next batch.
@MediaLoop
final class ReceiveBatch {
    static let slots = 64
    /// Larger than any datagram that fits an Ethernet frame; what is longer is dropped and counted.
    static let slotBytes = 2048
    private static let nameBytes = 32

    private let memory = OwnedMemory(byteCount: slots * slotBytes)
    private let names = OwnedMemory(byteCount: slots * nameBytes)
    private let vectors = OwnedRow(count: slots, iovec())
    private let messageRow = OwnedRow(count: slots, clinux_mmsghdr())
    private var messages: UnsafeMutableBufferPointer<clinux_mmsghdr> { messageRow.elements }
    private var dirty = slots

    init() {
        for slot in 0..<Self.slots {
            vectors.elements[slot] = iovec(iov_base: memory.address(slot * Self.slotBytes), iov_len: Self.slotBytes)
            var message = clinux_mmsghdr()
            message.header.msg_iov = vectors.address(slot)
            message.header.msg_iovlen = 1
            message.header.msg_name = names.address(slot * Self.nameBytes)
            messages[slot] = message
        }
    }

    func receive(from socket: Int32) -> Syscalls.Attempt {
        // The kernel overwrote these in the slots that it used.
        for slot in 0..<dirty {
            messages[slot].header.msg_namelen = socklen_t(MemoryLayout<sockaddr_in6>.size)
            messages[slot].header.msg_flags = 0
        }
        let result = Syscalls.receiveBatch(socket, messages)
        if case .done(let count) = result { dirty = count } else { dirty = 0 }
        return result
    }

    func source(of slot: Int) -> TransportAddress? {
        let name = names.slice(slot * Self.nameBytes, min(Self.nameBytes, Int(messages[slot].header.msg_namelen)))
        return SocketAddress.decode(UnsafeRawBufferPointer(name))
    }

    func isTruncated(_ slot: Int) -> Bool { messages[slot].header.msg_flags & Int32(MSG_TRUNC) != 0 }

    func bytes(of slot: Int) -> UnsafeMutableRawBufferPointer {
        memory.slice(slot * Self.slotBytes, Int(messages[slot].length))
    }
}
