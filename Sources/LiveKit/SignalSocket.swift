package import Bytes
package import DTLS
package import Runtime

/// Whoever uses a `SignalSocket`. All calls come on the loop, in order, and never from within a call of the socket.
@MediaLoop
package protocol SignalSocketHandler: AnyObject {
    func signalSocketOpened(_ socket: SignalSocket, at now: Monotonic)
    /// One whole binary message.
    func signalSocket(_ socket: SignalSocket, received message: [UInt8], at now: Monotonic)
    /// Comes once, and nothing after it; without `signalSocketOpened` before it when the socket was never open.
    func signalSocketClosed(_ socket: SignalSocket, reason: SignalSocketClosed, at now: Monotonic)
}

/// A websocket (RFC 6455) to a signalling server, over TCP or TLS, without extensions. Binary messages only.
///
/// The socket answers pings, joins fragments and resolves names by itself, on one thread for all sockets of the process.
/// It holds its handler weakly. While it connects, and while it closes after `close()`, it stays alive by itself; letting
/// go of an open socket closes it, without a call. Nothing here is logged: headers carry tokens.
@MediaLoop
package final class SignalSocket {
    private enum State { case idle, connecting, open, closing, closed }

    private var state = State.idle
    private weak var handler: (any SignalSocketHandler)?
    private nonisolated let wire: SignalWire
    private var keepsItselfAlive: SignalSocket?

    /// - Parameters:
    ///   - url: ws, wss, http or https, with path and query, which are sent as they stand.
    ///   - headers: sent besides those of the websocket handshake.
    ///   - timeout: from `open()` to the open websocket: name, connection, TLS and handshake together.
    ///   - tls: whom to trust; the system's authorities unless given.
    package init(
        url: String, headers: [(String, String)], timeout: Interval, tls: TLSClientContext? = nil,
        handler: any SignalSocketHandler
    ) {
        self.handler = handler
        wire = SignalWire(SignalTarget(address: SignalAddress(url), headers: headers, timeout: timeout, tls: tls))
        wire.events.deliver(to: { [weak self] event in self?.receive(event) })
    }

    deinit { wire.close() }

    /// Begins to connect; a second call does nothing.
    package func open() {
        guard state == .idle else { return }
        state = .connecting
        keepsItselfAlive = self
        wire.open()
    }

    /// Sends one binary message; before the websocket is open, it waits for that. Nothing is sent after `close()`.
    package func send(_ message: [UInt8]) {
        switch state {
        case .idle, .connecting, .open: wire.send(message)
        case .closing, .closed: break
        }
    }

    /// Closes an open websocket after all that was sent before; waits 2 s at most for the server to do the same. One that
    /// is not open yet is given up at once, with what waits in it. The handler then hears `closedHere`, and before that
    /// nothing more.
    package func close() {
        switch state {
        case .idle, .connecting, .open:
            state = .closing
            keepsItselfAlive = self
            wire.close()
        case .closing, .closed: break
        }
    }

    private func receive(_ event: SignalEvent) {
        let now = MediaLoop.now
        switch event {
        case .opened:
            guard state == .connecting else { return }
            state = .open
            keepsItselfAlive = nil
            handler?.signalSocketOpened(self, at: now)
        case .message(let message):
            wire.took(message.count)
            guard state == .open else { return }
            handler?.signalSocket(self, received: message, at: now)
        case .closed(let reason):
            guard state != .closed else { return }
            let reason = state == .closing ? .closedHere : reason
            state = .closed
            keepsItselfAlive = nil
            handler?.signalSocketClosed(self, reason: reason, at: now)
        }
        // A handler that has gone without closing must not leave a participant behind.
        if handler == nil { close() }
    }
}
