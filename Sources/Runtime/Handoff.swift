package import Bytes
import Synchronization

/// What `Handoff.pop` found.
package enum HandoffItem<Element: ~Copyable>: ~Copyable {
    case element(Element)
    /// Nothing came before the deadline.
    case timedOut
    /// Closed, and everything that was pushed before has been taken.
    case closed
}

extension HandoffItem: Copyable where Element: Copyable {}
extension HandoffItem: Sendable where Element: Sendable & ~Copyable {}

/// A bounded queue from one thread to another: one producer, one consumer, no locks.
///
/// The producer never waits: when the queue is full, `push` says no, and what to drop is the producer's rule. The
/// consumer is either a worker thread that sleeps in `pop`, or the loop, which calls the function given to `deliver`.
/// Exactly one thread may push and one may take at any time; `close` may come from either side.
package final class Handoff<Element: Sendable & ~Copyable>: LoopInbox, @unchecked Sendable {
    // SAFETY: a slot between head and tail belongs to the consumer, every other to the producer; head and tail pass a
    // slot over with release and acquire. `receive` and `whenClosed` are touched on the loop only.
    private enum Consumer {
        case worker(WorkerSignal)
        case loop
    }

    /// Elements that fit; a power of two.
    package let capacity: Int
    private let slots: UnsafeMutablePointer<Element>
    private let consumer: Consumer
    /// Elements taken and elements pushed since the start; they wrap.
    private let head = Atomic<Int>(0)
    private let tail = Atomic<Int>(0)
    private let closed = Atomic<Bool>(false)
    /// In the loop's mailbox already.
    private let isAnnounced = Atomic<Bool>(false)
    private var receive: (@MediaLoop (consuming Element) -> Void)?
    private var whenClosed: (@MediaLoop () -> Void)?

    private init(capacity: Int, consumer: Consumer) {
        precondition(capacity > 0 && capacity <= 1 << 20, "capacity out of range")
        self.capacity = 1 << (Int.bitWidth - (capacity - 1).leadingZeroBitCount)
        self.consumer = consumer
        slots = .allocate(capacity: self.capacity)
    }

    /// A queue whose consumer is a thread that calls `pop` or `tryPop`. `capacity` is rounded up to a power of two.
    package static func toWorker(capacity: Int, signal: WorkerSignal = WorkerSignal()) -> Handoff {
        Handoff(capacity: capacity, consumer: .worker(signal))
    }

    /// A queue whose consumer is the loop. `capacity` is rounded up to a power of two.
    package static func toLoop(capacity: Int) -> Handoff { Handoff(capacity: capacity, consumer: .loop) }

    deinit {
        while tryPop() != nil {}
        slots.deallocate()
    }

    // MARK: Producer

    /// False, and the element is gone, when the queue is full or closed; a producer that minds asks `isFull` first.
    @discardableResult
    package func push(_ element: consuming sending Element) -> Bool {
        guard !closed.load(ordering: .acquiring) else { return false }
        let end = tail.load(ordering: .relaxed)
        guard end &- head.load(ordering: .acquiring) < capacity else { return false }
        (slots + (end & (capacity - 1))).initialize(to: element)
        tail.store(end &+ 1, ordering: .releasing)
        wakeConsumer()
        return true
    }

    /// Elements in the queue: exact for the thread that asks about its own side, a moment old for the other.
    package var count: Int {
        let start = head.load(ordering: .acquiring)
        return max(0, tail.load(ordering: .acquiring) &- start)
    }

    package var isFull: Bool { count >= capacity }
    package var isClosed: Bool { closed.load(ordering: .acquiring) }

    // MARK: Both sides

    /// Refuses further elements. What was pushed before still arrives; then the consumer learns of the end.
    package func close() {
        guard !closed.exchange(true, ordering: .acquiringAndReleasing) else { return }
        wakeConsumer()
    }

    private func wakeConsumer() {
        switch consumer {
        case .worker(let signal): signal.notify()
        case .loop:
            // An exchange, not a load: it orders the new tail before the flag that the loop lowers before it looks.
            guard !isAnnounced.exchange(true, ordering: .acquiringAndReleasing) else { return }
            MediaLoop.executor.post(self)
        }
    }

    // MARK: Worker as consumer

    /// The oldest element; nil when there is none now.
    package func tryPop() -> Element? {
        let start = head.load(ordering: .relaxed)
        guard start != tail.load(ordering: .acquiring) else { return nil }
        let element = (slots + (start & (capacity - 1))).move()
        head.store(start &+ 1, ordering: .releasing)
        return element
    }

    /// The oldest element, sleeping for it until `deadline`. Workers with several queues use `tryPop` and their own
    /// signal.
    package func pop(until deadline: Monotonic = .distantFuture) -> HandoffItem<Element> {
        guard case .worker(let signal) = consumer else { preconditionFailure("the loop is this queue's consumer") }
        while true {
            // Read before the look at the queue: what was pushed before the close is then seen.
            let isOver = isClosed
            if let element = tryPop() { return .element(element) }
            if isOver { return .closed }
            guard signal.wait(until: deadline) else {
                if let element = tryPop() { return .element(element) }
                return .timedOut
            }
        }
    }

    // MARK: Loop as consumer

    /// Calls `receive` on the loop for every element, in order, and `whenClosed` once after the last. Both are held
    /// until the queue is closed and empty, or `abandon()`.
    @MediaLoop
    package func deliver(
        to receive: @escaping @MediaLoop (consuming Element) -> Void, whenClosed: @escaping @MediaLoop () -> Void = {}
    ) {
        guard case .loop = consumer else { preconditionFailure("a worker is this queue's consumer") }
        self.receive = receive
        self.whenClosed = whenClosed
        wakeConsumer()
    }

    /// Closes, drops what is in the queue, and calls nobody any more. For the consumer's side, which is the loop.
    @MediaLoop
    package func abandon() {
        receive = nil
        whenClosed = nil
        close()
        while tryPop() != nil {}
    }

    @MediaLoop
    func drain() {
        // An exchange, so that an announcement seen here brings its element with it.
        _ = isAnnounced.exchange(false, ordering: .acquiringAndReleasing)
        let isOver = isClosed
        // A fast producer gets one queue per turn, so that it cannot hold the loop.
        for _ in 0..<capacity {
            guard let receive, let element = tryPop() else { break }
            receive(element)
        }
        guard receive != nil else { return }
        if count > 0 { return wakeConsumer() }
        guard isOver else { return }
        let whenClosed = whenClosed
        receive = nil
        self.whenClosed = nil
        whenClosed?()
    }
}
