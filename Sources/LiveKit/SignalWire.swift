import Bytes
import DTLS
import NIOCore
import NIOPosix
import Runtime
import Synchronization

/// What the event loop tells the media loop, in order; `closed` is the last.
enum SignalEvent: Sendable {
    case opened
    case message([UInt8])
    case closed(SignalSocketClosed)
}

/// Where to connect, and what to say there.
struct SignalTarget: Sendable {
    /// Nil: the URL could not be understood.
    var address: SignalAddress?
    var headers: [(String, String)]
    var timeout: Interval
    var tls: TLSClientContext?
}

/// The line between the two loops: calls go over as tasks of the event loop, events come back through a handoff, and both
/// keep their order.
final class SignalWire: Sendable {
    /// One thread for all signalling sockets of the process, from the first use on.
    private static let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)

    let events: Handoff<SignalEvent>
    private let loop: any EventLoop
    private let link: NIOLoopBoundBox<SignalLink?>
    /// Bytes of messages between the loops.
    private let waitingBytes = Atomic<Int>(0)

    init(_ target: SignalTarget) {
        events = .toLoop(capacity: SignalSocketLimits.waitingMessages)
        let loop = Self.group.next()
        let link = NIOLoopBoundBox<SignalLink?>.makeEmptyBox(eventLoop: loop)
        self.loop = loop
        self.link = link
        loop.execute { [self] in link.value = SignalLink(target, on: loop, reportingTo: self) }
    }

    // MARK: From the media loop

    func open() { loop.execute { [link] in link.value?.open() } }
    func send(_ message: [UInt8]) { loop.execute { [link] in link.value?.send(message) } }
    func close() { loop.execute { [link] in link.value?.close() } }

    /// The media loop has taken a message.
    func took(_ count: Int) { waitingBytes.subtract(count, ordering: .relaxed) }

    // MARK: From the event loop

    func reportOpened() { events.push(.opened) }

    /// False when the media loop is too far behind.
    func report(message: [UInt8]) -> Bool {
        // One place is kept for the end.
        guard events.count < events.capacity - 1,
            waitingBytes.load(ordering: .relaxed) + message.count <= SignalSocketLimits.waitingBytes
        else { return false }
        waitingBytes.add(message.count, ordering: .relaxed)
        events.push(.message(message))
        return true
    }

    func report(closed reason: SignalSocketClosed) {
        events.push(.closed(reason))
        events.close()
        link.value = nil
    }
}
