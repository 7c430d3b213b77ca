package import Bytes
import CLinux
import Glibc

/// Whoever reads from a `UDPSocket`. The socket keeps its handler until it is closed.
@MediaLoop
package protocol DatagramHandler: AnyObject {
    /// `datagram` is lent for the length of the call and may be changed in place, by SRTP for one.
    func socket(
        _ socket: UDPSocket, received datagram: inout MutableRawSpan, from source: TransportAddress, at now: Monotonic)
    /// All datagrams of this wake-up were given: the time to answer them together.
    func socketDrained(_ socket: UDPSocket, at now: Monotonic)
}

extension DatagramHandler {
    package func socketDrained(_ socket: UDPSocket, at now: Monotonic) {}
}

/// Counters of one socket since its start.
package struct UDPStatistics: Equatable, Sendable {
    package var receivedDatagrams: UInt64 = 0
    package var receivedBytes: UInt64 = 0
    package var sentDatagrams: UInt64 = 0
    package var sentBytes: UInt64 = 0
    /// Messages that carried several datagrams by segmentation.
    package var segmentedMessages: UInt64 = 0
    /// Received, longer than a slot, and thrown away.
    package var truncated: UInt64 = 0
    /// Not sent: the kernel refused, or stayed full until the batch was full as well.
    package var sendDrops: UInt64 = 0
    /// Times that the kernel's send buffer was full.
    package var sendBlocks: UInt64 = 0
    /// Errors that the socket reported while receiving, ICMP messages mostly.
    package var receiveErrors: UInt64 = 0
    package var lastSendError: Errno?

    package init() {}
}

/// A UDP socket on the loop that receives and sends in batches.
///
/// Datagrams written in a turn leave at its end. When the kernel's buffer is full they wait, up to one batch of 64;
/// past that new ones are dropped and counted, since a late media packet is worth less than the next one.
@MediaLoop
package final class UDPSocket {
    package struct Options: Sendable {
        /// Asked from the kernel, which may give less; at most 16 MiB.
        package var receiveBufferBytes = 4 * 1024 * 1024
        package var sendBufferBytes = 4 * 1024 * 1024
        /// Lets the kernel cut runs of equal datagrams (UDP_SEGMENT) where it can.
        package var usesSegmentation = true

        package init() {}
    }

    /// The largest datagram: the rest of a slot belongs to whoever protects it in place.
    package static let slotBytes = DatagramBatch.slotBytes
    /// Datagrams per batch, either way.
    package static let batchSlots = DatagramBatch.slots
    /// Batches per wake-up, so that a flood leaves time for the other sockets.
    private static let batchesPerWake = 4
    private static let largestBuffer = 16 * 1024 * 1024

    /// With the port that the system chose when 0 was asked for.
    package nonisolated let address: TransportAddress
    /// Whether runs of datagrams go out segmented by the kernel.
    package private(set) var isSegmenting: Bool

    private var counters = UDPStatistics()
    private var descriptor: FileDescriptor?
    private var registration: LoopRegistration?
    private var handler: (any DatagramHandler)?
    private var batch: DatagramBatch?
    private var awaitsFlush = false
    private var isBlocked = false
    private var isLending = false
    /// An IPv6 socket, which takes IPv4 addresses in mapped form.
    private let isV6: Bool

    /// Bound at once. An IPv6 "any" address takes IPv4 as well. The loop keeps the socket alive until `close()`.
    package init(
        on address: TransportAddress, options: Options = Options(), handler: any DatagramHandler
    ) throws(RuntimeError) {
        let socket = try Syscalls.socket(for: address, datagrams: true)
        if case .v6(let high, let low) = address.ip {
            isV6 = true
            try Syscalls.setOption(socket.raw, Int32(IPPROTO_IPV6), Int32(IPV6_V6ONLY), (high | low) == 0 ? 0 : 1)
        } else {
            isV6 = false
        }
        Self.setBuffer(socket.raw, options.receiveBufferBytes, SO_RCVBUF, forced: clinux_SO_RCVBUFFORCE)
        Self.setBuffer(socket.raw, options.sendBufferBytes, SO_SNDBUF, forced: clinux_SO_SNDBUFFORCE)
        try Syscalls.bind(socket.raw, to: address)
        self.address = try Syscalls.localAddress(of: socket.raw)
        let segmentation = try? Syscalls.option(socket.raw, Int32(IPPROTO_UDP), Int32(clinux_UDP_SEGMENT.rawValue))
        isSegmenting = options.usesSegmentation && segmentation != nil
        self.handler = handler
        let raw = socket.raw
        descriptor = consume socket
        registration = try MediaLoop.register(descriptor: raw, interest: .readable, handler: self)
    }

    /// Past the administrator's limit where the process may, up to it otherwise.
    private static func setBuffer(_ socket: Int32, _ bytes: Int, _ name: Int32, forced: clinux_option) {
        let value = Int32(min(max(bytes, 0), largestBuffer))
        do throws(RuntimeError) {
            try Syscalls.setOption(socket, SOL_SOCKET, Int32(forced.rawValue), value)
        } catch {
            try? Syscalls.setOption(socket, SOL_SOCKET, name, value)
        }
    }

    package var isOpen: Bool { descriptor != nil }

    package var statistics: UDPStatistics { counters }

    /// Datagrams that the kernel dropped because this process read too slowly. One system call.
    package var kernelDrops: UInt32 { if let raw = descriptor?.raw { Syscalls.kernelDrops(of: raw) } else { 0 } }

    /// Bytes that the kernel granted for waiting datagrams, its own overhead included.
    package var receiveBufferBytes: Int {
        guard let raw = descriptor?.raw else { return 0 }
        return Int((try? Syscalls.option(raw, SOL_SOCKET, SO_RCVBUF)) ?? 0)
    }

    /// Stops at once: what was not flushed is lost, and the handler is not called again, also not for the rest of a
    /// batch.
    package func close() {
        handler = nil
        if let registration = registration.take() { MediaLoop.deregister(registration) }
        descriptor.take()?.close()
        batch?.removeAll()
        returnBatch()
    }

    // MARK: Sending

    /// Lends a slot of `slotBytes` to `body`, which appends one datagram and says where it goes, or nil for none. False
    /// when there was none, or the socket is closed (`body` is not called then). True also when it had to be dropped,
    /// so that a caller may drain a machine with it in a loop. `body` must not send through the same socket.
    @discardableResult
    package func withNextSlot<Failure: Error>(
        _ body: (inout OutputRawSpan) throws(Failure) -> TransportAddress?
    ) throws(Failure) -> Bool {
        guard isOpen else { return false }
        precondition(!isLending, "a slot is lent already")
        if let batch, batch.isFull, !isBlocked { flush(batch) }
        let batch = self.batch ?? MediaLoop.core.datagramBatches.take()
        self.batch = batch
        let slot = batch.nextSlot
        var span = OutputRawSpan(buffer: slot, initializedCount: 0)
        isLending = true
        defer { isLending = false }
        let address = try body(&span)
        let byteCount = span.finalize(for: slot)
        guard let address, isOpen else { return false }
        guard !batch.isFull, canReach(address) else {
            counters.sendDrops &+= 1
            return true
        }
        batch.commit(byteCount, to: address, mapped: isV6)
        if !isBlocked, !awaitsFlush {
            awaitsFlush = true
            MediaLoop.core.flushAtEndOfTurn(self)
        }
        return true
    }

    /// Queues a copy of `bytes`. False when they are longer than a slot or the socket is closed.
    @discardableResult
    package func send(_ bytes: RawSpan, to address: TransportAddress) -> Bool {
        guard bytes.byteCount <= Self.slotBytes else { return false }
        return withNextSlot { slot in
            slot.append(copying: bytes)
            return address
        }
    }

    private func canReach(_ address: TransportAddress) -> Bool {
        if case .v6 = address.ip { isV6 } else { true }
    }

    private func flush(_ batch: DatagramBatch) {
        guard let raw = descriptor?.raw else { return }
        var tally = DatagramBatch.Tally()
        let outcome = batch.flush(to: raw, segmenting: isSegmenting, tally: &tally)
        counters.sentDatagrams &+= UInt64(tally.datagrams)
        counters.sentBytes &+= UInt64(tally.bytes)
        counters.sendDrops &+= UInt64(tally.dropped)
        counters.segmentedMessages &+= UInt64(tally.segmentedMessages)
        if let error = tally.lastError { counters.lastSendError = error }
        if tally.segmentationFailed { isSegmenting = false }
        if outcome == .blocked { counters.sendBlocks &+= 1 }
        guard isBlocked != (outcome == .blocked), let registration else { return }
        isBlocked = outcome == .blocked
        MediaLoop.setInterest(isBlocked ? [.readable, .writable] : .readable, of: registration)
    }

    private func returnBatch() {
        guard let batch, batch.count == 0 else { return }
        MediaLoop.core.datagramBatches.give(batch)
        self.batch = nil
    }

    // MARK: Receiving

    private func receive(at now: Monotonic) {
        let received = MediaLoop.core.receiveBatch
        for _ in 0..<Self.batchesPerWake {
            guard let raw = descriptor?.raw else { return }
            switch received.receive(from: raw) {
            case .done(let count):
                for slot in 0..<count { give(slot, of: received, at: now) }
                if count < ReceiveBatch.slots { return }
            case .wouldBlock: return
            case .failed: counters.receiveErrors &+= 1
            }
        }
    }

    private func give(_ slot: Int, of received: ReceiveBatch, at now: Monotonic) {
        guard let handler, let source = received.source(of: slot) else { return }
        guard !received.isTruncated(slot) else {
            counters.truncated &+= 1
            return
        }
        let bytes = received.bytes(of: slot)
        counters.receivedDatagrams &+= 1
        counters.receivedBytes &+= UInt64(bytes.count)
        var datagram = bytes.mutableBytes
        handler.socket(self, received: &datagram, from: source, at: now)
    }
}

extension UDPSocket: EventHandler, TurnEndHandler {
    package func ready(_ readiness: Readiness, at now: Monotonic) {
        if readiness.contains(.writable), let batch {
            flush(batch)
            returnBatch()
        }
        guard !readiness.isDisjoint(with: [.readable, .failed]) else { return }
        receive(at: now)
        handler?.socketDrained(self, at: now)
    }

    func turnEnded(at now: Monotonic) {
        awaitsFlush = false
        guard let batch, !isBlocked else { return }
        flush(batch)
        returnBatch()
    }
}
