package import Bytes
import Glibc

/// Whoever takes a listener's connections.
@MediaLoop
package protocol TCPListenerHandler: AnyObject {
    /// `stream` is closed again unless it is started or kept.
    func listener(_ listener: TCPListener, accepted stream: TCPStream, at now: Monotonic)
    /// The process or the machine is out of descriptors or memory. The listener rests for `pause` and then goes on by
    /// itself.
    func listener(_ listener: TCPListener, exhausted errno: Errno, restingFor pause: Interval, at now: Monotonic)
}

/// Listens on one address. The loop keeps it alive until `close()`.
@MediaLoop
package final class TCPListener {
    package struct Options: Sendable {
        /// Connections that the kernel completes ahead of `accept`.
        package var backlog: Int32 = 1024
        /// Given to every accepted stream.
        package var stream = TCPStream.Options()

        package init() {}
    }

    /// Connections per wake-up, so that a flood of them leaves time for those that are there.
    private static let acceptsPerWake = 64
    private static let shortestRest = Interval.milliseconds(50)
    private static let longestRest = Interval.seconds(1)

    /// With the port that the system chose when 0 was asked for.
    package nonisolated let address: TransportAddress
    package private(set) var acceptedConnections: UInt64 = 0

    private let options: Options
    private var descriptor: FileDescriptor?
    private var registration: LoopRegistration?
    private var handler: (any TCPListenerHandler)?
    private let timer = LoopTimer()
    private var rest = shortestRest
    private var isPaused = false

    /// Listens at once. An IPv6 "any" address takes IPv4 as well.
    package init(
        on address: TransportAddress, options: Options = Options(), handler: any TCPListenerHandler
    ) throws(RuntimeError) {
        let socket = try Syscalls.socket(for: address, datagrams: false)
        try Syscalls.setOption(socket.raw, SOL_SOCKET, SO_REUSEADDR, 1)
        if case .v6(let high, let low) = address.ip {
            try Syscalls.setOption(socket.raw, Int32(IPPROTO_IPV6), Int32(IPV6_V6ONLY), (high | low) == 0 ? 0 : 1)
        }
        try Syscalls.bind(socket.raw, to: address)
        try Syscalls.listen(socket.raw, at: address, backlog: options.backlog)
        self.address = try Syscalls.localAddress(of: socket.raw)
        self.options = options
        self.handler = handler
        let raw = socket.raw
        descriptor = consume socket
        registration = try MediaLoop.register(descriptor: raw, interest: .readable, handler: self)
    }

    /// Leaves new connections to the kernel's backlog until `resume()`.
    package func pause() {
        isPaused = true
        updateInterest()
    }

    package func resume() {
        isPaused = false
        updateInterest()
    }

    /// Stops listening; accepted streams stay.
    package func close() {
        handler = nil
        timer.cancel()
        if let registration = registration.take() { MediaLoop.deregister(registration) }
        descriptor.take()?.close()
    }

    private func updateInterest() {
        guard let registration else { return }
        MediaLoop.setInterest(isPaused || timer.deadline != nil ? [] : .readable, of: registration)
    }

    private func accept(at now: Monotonic) {
        var peer = SocketAddress()
        for _ in 0..<Self.acceptsPerWake {
            guard !isPaused, let raw = descriptor?.raw, let handler else { return }
            switch Syscalls.accept(raw, peer: &peer) {
            case .done(let accepted):
                rest = Self.shortestRest
                let descriptor = FileDescriptor(taking: Int32(accepted))
                guard let address = peer.transportAddress else { continue }
                acceptedConnections &+= 1
                let stream = TCPStream(accepted: descriptor, peer: address, options: options.stream)
                handler.listener(self, accepted: stream, at: now)
            case .wouldBlock:
                return
            case .failed(let errno) where Self.isExhaustion(errno):
                return takeRest(errno, handler, at: now)
            case .failed:
                // The connection broke between the handshake and now (accept(2) lists the many ways): on to the next.
                continue
            }
        }
    }

    private static func isExhaustion(_ errno: Errno) -> Bool {
        [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(errno.rawValue)
    }

    /// The waiting connection would wake the loop at once and for ever, so the listener looks away for a while.
    private func takeRest(_ errno: Errno, _ handler: any TCPListenerHandler, at now: Monotonic) {
        timer.schedule(at: now + rest, calling: self)
        updateInterest()
        let pause = rest
        rest = min(rest * 2, Self.longestRest)
        handler.listener(self, exhausted: errno, restingFor: pause, at: now)
    }
}

extension TCPListener: EventHandler, TimerHandler {
    package func ready(_ readiness: Readiness, at now: Monotonic) { accept(at: now) }

    package func timerFired(_ timer: LoopTimer, at now: Monotonic) { updateInterest() }
}
