package import Bytes
import Glibc

/// Whoever reads from a `TCPStream`. All methods come on the loop; the stream keeps its handler until it is closed.
@MediaLoop
package protocol TCPStreamHandler: AnyObject {
    /// The connection that `TCPStream.connect` began is made.
    func streamConnected(_ stream: TCPStream, at now: Monotonic)
    /// `bytes` are lent for the length of the call.
    func stream(_ stream: TCPStream, received bytes: RawSpan, at now: Monotonic)
    /// The peer sends nothing more; writing is still possible. Comes once.
    func streamEnded(_ stream: TCPStream, at now: Monotonic)
    /// The write queue passed its high-water mark and has now fallen below half of it.
    func streamWritable(_ stream: TCPStream, at now: Monotonic)
    /// The connection broke, or was never made. The stream is closed already; nothing follows.
    func stream(_ stream: TCPStream, failed error: RuntimeError, at now: Monotonic)
}

extension TCPStreamHandler {
    package func streamConnected(_ stream: TCPStream, at now: Monotonic) {}
    package func streamWritable(_ stream: TCPStream, at now: Monotonic) {}
}

/// One TCP connection on the loop.
///
/// What is written in a turn leaves at its end in one piece. The loop keeps a started stream alive until `close()`,
/// until `closeAfterFlush()` has done its work, or until it fails. After either close the handler is let go and not
/// called again.
@MediaLoop
package final class TCPStream {
    package struct Options: Sendable {
        /// Bytes that may wait to be sent; `write` refuses more.
        package var writeQueueLimit = 4 * 1024 * 1024
        /// Above this, writers should hold back until `streamWritable`.
        package var highWaterMark = 256 * 1024
        /// How long `closeAfterFlush()` waits for the peer to take the rest and to close.
        package var flushTimeout = Interval.seconds(5)
        /// Bytes that the kernel may keep for the peer, and from the peer; nil leaves it to the kernel, which lets them grow
        /// to megabytes. Small ones make a reader that stopped noticed early.
        package var kernelSendBytes: Int32?
        package var kernelReceiveBytes: Int32?

        package init() {}
    }

    private enum State {
        /// Accepted; not watched before `start`.
        case idle
        case connecting
        case open
        /// Writing the rest before the end; the handler is gone.
        case flushing
        /// Our end is said; what still comes is thrown away until the peer's end, because closing with unread bytes
        /// would reset the connection and could destroy the last bytes on their way.
        case lingering
        case closed
    }

    /// Reads per wake-up, so that one fast sender does not starve the others.
    private static let readsPerWake = 4

    package nonisolated let peerAddress: TransportAddress
    /// Since the start.
    package private(set) var receivedBytes: UInt64 = 0
    package private(set) var sentBytes: UInt64 = 0

    private let options: Options
    private var state: State
    private var descriptor: FileDescriptor?
    private var registration: LoopRegistration?
    private var handler: (any TCPStreamHandler)?
    private var queue: WriteQueue
    private let timer = LoopTimer()
    private var isReadingPaused = false
    private var peerEnded = false
    /// The kernel's buffer is full: wait until writable.
    private var isBlocked = false
    private var isAboveHighWater = false
    private var awaitsFlush = false
    private var endsWriting = false

    /// A connection that a listener accepted.
    init(accepted descriptor: consuming FileDescriptor, peer: TransportAddress, options: Options) {
        state = .idle
        peerAddress = peer
        self.options = options
        queue = WriteQueue(limit: options.writeQueueLimit)
        try? Syscalls.setOption(descriptor.raw, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
        Self.setKernelBuffers(of: descriptor.raw, options)
        self.descriptor = consume descriptor
    }

    /// Begins a connection. Its outcome comes to `handler`: `streamConnected` or `failed`, at the latest after
    /// `timeout`.
    package static func connect(
        to address: TransportAddress, timeout: Interval = .seconds(10), options: Options = Options(),
        handler: any TCPStreamHandler
    ) throws(RuntimeError) -> TCPStream {
        let descriptor = try Syscalls.socket(for: address, datagrams: false)
        // Before the handshake, which says how large the window can become.
        setKernelBuffers(of: descriptor.raw, options)
        // The result comes by readiness even when the connection is made at once.
        _ = try Syscalls.connect(descriptor.raw, to: address)
        let stream = TCPStream(accepted: descriptor, peer: address, options: options)
        stream.state = .connecting
        try stream.watch(handler)
        stream.timer.schedule(at: MediaLoop.now + timeout, calling: stream)
        return stream
    }

    private static func setKernelBuffers(of descriptor: Int32, _ options: Options) {
        if let bytes = options.kernelSendBytes { try? Syscalls.setOption(descriptor, SOL_SOCKET, SO_SNDBUF, bytes) }
        if let bytes = options.kernelReceiveBytes { try? Syscalls.setOption(descriptor, SOL_SOCKET, SO_RCVBUF, bytes) }
    }

    /// Begins to read from an accepted connection. Bytes come from the next turn on.
    package func start(handler: any TCPStreamHandler) throws(RuntimeError) {
        precondition(state == .idle, "the stream was started before")
        state = .open
        try watch(handler)
    }

    private func watch(_ handler: any TCPStreamHandler) throws(RuntimeError) {
        guard let raw = descriptor?.raw else { return }
        do throws(RuntimeError) {
            registration = try MediaLoop.register(descriptor: raw, interest: interest, handler: self)
        } catch {
            tearDown()
            throw error
        }
        self.handler = handler
    }

    package var isOpen: Bool { state == .open }
    /// The address of this end; nil when closed.
    package var localAddress: TransportAddress? {
        guard let raw = descriptor?.raw else { return nil }
        return try? Syscalls.localAddress(of: raw)
    }
    /// Bytes accepted by `write` and not taken by the kernel yet.
    package var queuedBytes: Int { queue.count }
    /// The write queue is above its high-water mark; `streamWritable` will tell when it is not.
    package var isCongested: Bool { isAboveHighWater }

    // MARK: Writing

    /// Queues a copy of `bytes`. False, and nothing is queued, when the stream is closed or its queue has no room for
    /// all.
    @discardableResult
    package func write(_ bytes: RawSpan) -> Bool {
        guard isWritable, queue.append(bytes) else { return false }
        wrote()
        return true
    }

    /// Queues what `body` appends to `byteCount` bytes of room. False, without a call, when closed or without that much
    /// room. `body` must not use the stream; what it wrote before it threw is forgotten.
    @discardableResult
    package func write<Failure: Error>(
        upTo byteCount: Int, _ body: (inout OutputRawSpan) throws(Failure) -> Void
    ) throws(Failure) -> Bool {
        guard isWritable, try queue.append(upTo: byteCount, body) else { return false }
        wrote()
        return true
    }

    private var isWritable: Bool { (state == .open || state == .connecting) && !endsWriting }

    private func wrote() {
        if queue.count > options.highWaterMark { isAboveHighWater = true }
        if !isBlocked, state == .open { flushAtEndOfTurn() }
    }

    private func flushAtEndOfTurn() {
        guard !awaitsFlush, !queue.isEmpty else { return }
        awaitsFlush = true
        MediaLoop.core.flushAtEndOfTurn(self)
    }

    private func flush(at now: Monotonic) {
        isBlocked = false
        while !queue.isEmpty, let raw = descriptor?.raw {
            switch Syscalls.send(raw, queue.pending) {
            case .done(let count):
                sentBytes &+= UInt64(count)
                queue.consume(count)
            case .wouldBlock:
                isBlocked = true
                updateInterest()
                return reportWritable(at: now)
            case .failed(let errno):
                return fail(.system(.send, errno), at: now)
            }
        }
        if state == .flushing { return linger() }
        if endsWriting, let raw = descriptor?.raw { Syscalls.shutdownWriting(raw) }
        updateInterest()
        reportWritable(at: now)
    }

    private func reportWritable(at now: Monotonic) {
        guard isAboveHighWater, queue.count <= options.highWaterMark / 2 else { return }
        isAboveHighWater = false
        if state == .open { handler?.streamWritable(self, at: now) }
    }

    // MARK: Reading

    /// Stops reading, so that the peer is slowed down by its full window; also within `received`. A broken connection
    /// may go unnoticed until reading goes on.
    package func pauseReading() {
        isReadingPaused = true
        updateInterest()
    }

    package func resumeReading() {
        isReadingPaused = false
        updateInterest()
    }

    private func read(at now: Monotonic) {
        let buffer = MediaLoop.core.readBuffer
        for _ in 0..<Self.readsPerWake {
            guard state == .open, !isReadingPaused, !peerEnded, let raw = descriptor?.raw, let handler else { return }
            switch Syscalls.read(raw, buffer) {
            case .done(0):
                peerEnded = true
                updateInterest()
                return handler.streamEnded(self, at: now)
            case .done(let count):
                receivedBytes &+= UInt64(count)
                let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
                handler.stream(self, received: bytes.bytes, at: now)
                // A short read emptied the kernel's buffer.
                if count < buffer.count { return }
            case .wouldBlock:
                return
            case .failed(let errno):
                return fail(.system(.read, errno), at: now)
            }
        }
    }

    private func discardInput() {
        guard let raw = descriptor?.raw else { return }
        switch Syscalls.read(raw, MediaLoop.core.readBuffer) {
        case .done(0), .failed: tearDown()
        case .done, .wouldBlock: break
        }
    }

    // MARK: Closing

    /// Closes now; what is queued is lost.
    package func close() {
        if state != .closed { tearDown() }
    }

    /// Says the end after what is queued and lets the peer take it, within `Options.flushTimeout`. The handler is let
    /// go at once.
    package func closeAfterFlush() {
        switch state {
        case .open:
            state = .flushing
            handler = nil
            timer.schedule(at: MediaLoop.now + options.flushTimeout, calling: self)
            if queue.isEmpty { linger() } else { flushAtEndOfTurn() }
            updateInterest()
        case .idle, .connecting: tearDown()
        case .flushing, .lingering, .closed: break
        }
    }

    /// Says the end of our bytes after what is queued, and goes on reading. `write` refuses from here on.
    package func endWriting() {
        guard state == .open || state == .connecting, !endsWriting else { return }
        endsWriting = true
        if state == .open, queue.isEmpty, let raw = descriptor?.raw { Syscalls.shutdownWriting(raw) }
    }

    private func linger() {
        guard let raw = descriptor?.raw else { return }
        if peerEnded { return tearDown() }
        state = .lingering
        Syscalls.shutdownWriting(raw)
        updateInterest()
    }

    private func tearDown() {
        state = .closed
        handler = nil
        timer.cancel()
        queue.removeAll()
        if let registration = registration.take() { MediaLoop.deregister(registration) }
        descriptor.take()?.close()
    }

    private func fail(_ error: RuntimeError, at now: Monotonic) {
        let handler = handler
        tearDown()
        handler?.stream(self, failed: error, at: now)
    }

    private var interest: Readiness {
        switch state {
        case .connecting: return .writable
        case .lingering: return .readable
        case .flushing: return isBlocked ? .writable : []
        case .idle, .closed: return []
        case .open:
            let reading: Readiness = isReadingPaused || peerEnded ? [] : .readable
            return isBlocked ? reading.union(.writable) : reading
        }
    }

    private func updateInterest() {
        if let registration { MediaLoop.setInterest(interest, of: registration) }
    }
}

extension TCPStream: EventHandler, TurnEndHandler, TimerHandler {
    package func ready(_ readiness: Readiness, at now: Monotonic) {
        switch state {
        case .connecting: finishConnecting(at: now)
        case .lingering: discardInput()
        case .open, .flushing:
            if readiness.contains(.writable) || (readiness.contains(.failed) && isBlocked) { flush(at: now) }
            if !readiness.isDisjoint(with: [.readable, .failed]) { read(at: now) }
        case .idle, .closed: break
        }
    }

    private func finishConnecting(at now: Monotonic) {
        guard let raw = descriptor?.raw else { return }
        if let errno = Syscalls.pendingError(of: raw) { return fail(.connect(peerAddress, errno), at: now) }
        timer.cancel()
        state = .open
        updateInterest()
        if endsWriting, queue.isEmpty { Syscalls.shutdownWriting(raw) }
        flushAtEndOfTurn()
        handler?.streamConnected(self, at: now)
    }

    func turnEnded(at now: Monotonic) {
        awaitsFlush = false
        if state == .open || state == .flushing { flush(at: now) }
    }

    package func timerFired(_ timer: LoopTimer, at now: Monotonic) {
        if state == .connecting { fail(.connect(peerAddress, .timedOut), at: now) } else { tearDown() }
    }
}
