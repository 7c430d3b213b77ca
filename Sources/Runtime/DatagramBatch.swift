import Bytes
import CLinux
import Glibc

/// Datagrams gathered for one `sendmmsg`: a ring of slots that callers write into.
@MediaLoop
final class DatagramBatch {
    static let slots = 64
    /// 1,500 bytes of datagram and what SRTP may write behind them, rounded up.
    static let slotBytes = 1728
    private static let nameBytes = 32
    private static let controlBytes = Int(clinux_segment_control_size.rawValue)
    /// The kernel's bounds for one segmented send (UDP_MAX_SEGMENTS; a 16-bit length with all headers).
    private static let segmentsPerMessage = 64
    private static let bytesPerMessage = 65_000

    /// How far a flush came.
    enum Outcome { case empty, blocked }

    /// What a flush did, added up by the socket.
    struct Tally {
        var datagrams = 0
        var bytes = 0
        var dropped = 0
        var segmentedMessages = 0
        var lastError: Errno?
        /// The device refuses segmentation: stop asking.
        var segmentationFailed = false
    }

    private struct Entry {
        var bytes = 0
        var nameLength: socklen_t = 0
        var address = TransportAddress(ip: .v4(0), port: 0)
    }

    /// One slot more than the ring: what is written there is dropped.
    private let memory = OwnedMemory(byteCount: (slots + 1) * slotBytes)
    private let names = OwnedMemory(byteCount: slots * nameBytes)
    private let controls = OwnedMemory(byteCount: slots * controlBytes)
    private let entryRow = OwnedRow(count: slots, Entry())
    private let vectors = OwnedRow(count: slots, iovec())
    private let messageRow = OwnedRow(count: slots, clinux_mmsghdr())
    private var entries: UnsafeMutableBufferPointer<Entry> { entryRow.elements }
    private var messages: UnsafeMutableBufferPointer<clinux_mmsghdr> { messageRow.elements }
    private var first = 0
    private(set) var count = 0

    var isFull: Bool { count == Self.slots }

    /// The next free slot, or the one for dropping when full.
    var nextSlot: UnsafeMutableRawBufferPointer {
        memory.slice((isFull ? Self.slots : (first + count) % Self.slots) * Self.slotBytes, Self.slotBytes)
    }

    /// Keeps what was written into `nextSlot`. The batch is not full.
    func commit(_ byteCount: Int, to address: TransportAddress, mapped: Bool) {
        let slot = (first + count) % Self.slots
        let name = names.slice(slot * Self.nameBytes, Self.nameBytes)
        let nameLength = SocketAddress.encode(address, mapped: mapped, into: name)
        entries[slot] = Entry(bytes: byteCount, nameLength: nameLength, address: address)
        count += 1
    }

    func removeAll() { drop(count) }

    private func drop(_ datagrams: Int) {
        first = (first + datagrams) % Self.slots
        count -= datagrams
    }

    /// Sends until empty or until the kernel's buffer is full. A datagram that the kernel refuses is dropped and
    /// counted.
    func flush(to socket: Int32, segmenting: Bool, tally: inout Tally) -> Outcome {
        var segmenting = segmenting
        while count > 0 {
            let built = build(segmenting: segmenting)
            switch Syscalls.sendBatch(socket, UnsafeMutableBufferPointer(rebasing: messages[..<built])) {
            case .done(let sent): account(sent, &tally)
            case .wouldBlock: return .blocked
            case .failed(let errno):
                tally.lastError = errno
                if messages[0].header.msg_iovlen > 1 {
                    // Too large for the path as segments, or no segmentation there at all: one by one then.
                    if errno.rawValue == EIO { tally.segmentationFailed = true }
                    segmenting = false
                } else {
                    tally.dropped += 1
                    drop(1)
                }
            }
        }
        return .empty
    }

    private func account(_ sent: Int, _ tally: inout Tally) {
        for message in messages[..<sent] {
            let datagrams = Int(message.header.msg_iovlen)
            tally.datagrams += datagrams
            tally.bytes += Int(message.length)
            if datagrams > 1 { tally.segmentedMessages += 1 }
            drop(datagrams)
        }
    }

    /// Fills `messages` from the ring; with `segmenting`, datagrams of one size to one address share a message, of
    /// which the last datagram may be shorter (udp(7), UDP_SEGMENT). Gives the number of messages.
    private func build(segmenting: Bool) -> Int {
        var built = 0
        var offset = 0
        while offset < count {
            let slot = (first + offset) % Self.slots
            let length = segmenting ? groupLength(at: offset) : 1
            for member in 0..<length {
                let source = (first + offset + member) % Self.slots
                vectors.elements[offset + member] = iovec(
                    iov_base: memory.address(source * Self.slotBytes), iov_len: entries[source].bytes)
            }
            var message = clinux_mmsghdr()
            message.header.msg_name = names.address(slot * Self.nameBytes)
            message.header.msg_namelen = entries[slot].nameLength
            message.header.msg_iov = vectors.address(offset)
            message.header.msg_iovlen = length
            if length > 1 {
                let control = controls.address(built * Self.controlBytes)
                clinux_set_segment_size(&message.header, control, UInt16(entries[slot].bytes))
            }
            messages[built] = message
            built += 1
            offset += length
        }
        return built
    }

    private func groupLength(at offset: Int) -> Int {
        let head = entries[(first + offset) % Self.slots]
        guard head.bytes > 0 else { return 1 }
        var length = 1
        var bytes = head.bytes
        while offset + length < count, length < Self.segmentsPerMessage {
            let next = entries[(first + offset + length) % Self.slots]
            bytes += next.bytes
            guard next.bytes > 0, next.bytes <= head.bytes, bytes <= Self.bytesPerMessage, next.address == head.address
            else { break }
            length += 1
            if next.bytes < head.bytes { break }
        }
        return length
    }
}

/// Batches that no socket needs at the moment: a socket holds one only while it has something to send.
@MediaLoop
final class DatagramBatchPool {
    private static let kept = 8

    private var free: [DatagramBatch] = []

    func take() -> DatagramBatch { free.popLast() ?? DatagramBatch() }

    /// `batch` is empty.
    func give(_ batch: DatagramBatch) {
        if free.count < Self.kept { free.append(batch) }
    }
}
