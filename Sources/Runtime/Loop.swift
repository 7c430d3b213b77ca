import Bytes
import CLinux

/// The loop's own state, touched by its thread alone.
@MediaLoop
final class Loop {
    private static let eventsPerTurn = 256
    /// The token of the mailbox's event descriptor; no slot has this number.
    private static let wakeToken = UInt64.max

    private struct Slot {
        var generation: UInt32 = 0
        var descriptor: Int32 = -1
        var interest: Readiness = []
        var handler: (any EventHandler)?
    }

    private(set) var now = Monotonic.now
    /// One buffer for every stream's reads: bytes are lent to the handler and copied on by those who keep them.
    private let readMemory = OwnedMemory(byteCount: 64 * 1024)
    var readBuffer: UnsafeMutableRawBufferPointer { readMemory.bytes }
    let datagramBatches = DatagramBatchPool()
    lazy var receiveBatch = ReceiveBatch()

    private let epoll: FileDescriptor
    private let eventRow = OwnedRow(count: eventsPerTurn, epoll_event())
    private var slots: [Slot] = []
    private var freeSlots: [UInt32] = []
    private var timers = TimerHeap()
    private var dueTimers: [LoopTimer] = []
    private var mail = LoopExecutor.Mail()
    private var flushes: [any TurnEndHandler] = []
    private var flushing: [any TurnEndHandler] = []
    private var counters = LoopStatistics()
    private var longestTurn = Interval.zero

    init() {
        do throws(RuntimeError) {
            epoll = try Syscalls.epollCreate()
            try Syscalls.epollControl(
                epoll.raw, EPOLL_CTL_ADD, MediaLoop.executor.wakeEnd, events: EPOLLIN.rawValue, token: Self.wakeToken)
        } catch {
            preconditionFailure("the loop cannot start: \(error)")
        }
    }

    /// The life of the loop's thread.
    func run() -> Never {
        while true { turn() }
    }

    private func turn() {
        let executor = MediaLoop.executor
        let events = eventRow.elements
        let mustNotSleep = executor.isWaiting || !flushes.isEmpty
        let count = Syscalls.epollWait(epoll.raw, events, nanoseconds: mustNotSleep ? 0 : timeToNextDeadline())
        now = max(now, Monotonic.now)
        let start = now
        for index in 0..<count { dispatch(events[index]) }
        fireTimers()
        executor.take(into: &mail)
        runMail()
        flush()
        counters.turns &+= 1
        let elapsed = Monotonic.now - start
        counters.busy += elapsed
        longestTurn = max(longestTurn, elapsed)
    }

    private func timeToNextDeadline() -> Int64? {
        guard let deadline = timers.wakeTime else { return nil }
        return max(0, (deadline - Monotonic.now).nanoseconds)
    }

    // MARK: Descriptors

    private func dispatch(_ event: epoll_event) {
        let token = event.data.u64
        if token == Self.wakeToken { return Syscalls.drainEvent(MediaLoop.executor.wakeEnd) }
        let index = Int(token & 0xFFFF_FFFF)
        // A handler called earlier in this turn may have closed this descriptor, and even opened another in its slot.
        guard slots[index].generation == UInt32(token >> 32), let handler = slots[index].handler else { return }
        var readiness: Readiness = []
        if event.events & EPOLLIN.rawValue != 0 { readiness.insert(.readable) }
        if event.events & EPOLLOUT.rawValue != 0 { readiness.insert(.writable) }
        if event.events & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0 { readiness.insert(.failed) }
        // The interest may have shrunk earlier in this turn.
        readiness.formIntersection(slots[index].interest.union(.failed))
        guard !readiness.isEmpty, !slots[index].interest.isEmpty else { return }
        counters.events &+= 1
        handler.ready(readiness, at: now)
    }

    func register(
        _ descriptor: Int32, interest: Readiness, handler: any EventHandler
    ) throws(RuntimeError) -> LoopRegistration {
        let index = freeSlots.popLast() ?? UInt32(slots.count)
        if index == slots.count { slots.append(Slot()) }
        let registration = LoopRegistration(slot: index, generation: slots[Int(index)].generation)
        if !interest.isEmpty {
            do throws(RuntimeError) {
                try control(EPOLL_CTL_ADD, descriptor, interest, registration)
            } catch {
                freeSlots.append(index)
                throw error
            }
        }
        slots[Int(index)].descriptor = descriptor
        slots[Int(index)].interest = interest
        slots[Int(index)].handler = handler
        counters.registrations += 1
        return registration
    }

    func setInterest(_ interest: Readiness, of registration: LoopRegistration) {
        let index = Int(registration.slot)
        guard isCurrent(registration), slots[index].interest != interest else { return }
        // The kernel reports errors whether asked for or not; only a descriptor that it does not watch is silent.
        let operation =
            slots[index].interest.isEmpty ? EPOLL_CTL_ADD : interest.isEmpty ? EPOLL_CTL_DEL : EPOLL_CTL_MOD
        do throws(RuntimeError) {
            try control(operation, slots[index].descriptor, interest, registration)
            slots[index].interest = interest
        } catch {
            preconditionFailure("a registered descriptor cannot be watched: \(error)")
        }
    }

    func deregister(_ registration: LoopRegistration) {
        let index = Int(registration.slot)
        guard isCurrent(registration) else { return }
        if !slots[index].interest.isEmpty {
            do throws(RuntimeError) {
                try control(EPOLL_CTL_DEL, slots[index].descriptor, [], registration)
            } catch {
                preconditionFailure("a descriptor was closed before it was deregistered: \(error)")
            }
        }
        slots[index] = Slot(generation: slots[index].generation &+ 1)
        freeSlots.append(registration.slot)
        counters.registrations -= 1
    }

    private func isCurrent(_ registration: LoopRegistration) -> Bool {
        let index = Int(registration.slot)
        return index < slots.count && slots[index].generation == registration.generation && slots[index].handler != nil
    }

    private func control(
        _ operation: Int32, _ descriptor: Int32, _ interest: Readiness, _ registration: LoopRegistration
    ) throws(RuntimeError) {
        var events: UInt32 = 0
        if interest.contains(.readable) { events |= EPOLLIN.rawValue }
        if interest.contains(.writable) { events |= EPOLLOUT.rawValue }
        try Syscalls.epollControl(epoll.raw, operation, descriptor, events: events, token: registration.token)
    }

    // MARK: Timers

    func arm(_ timer: LoopTimer, at deadline: Monotonic) { timers.set(timer, to: deadline, at: now) }

    func disarm(_ timer: LoopTimer) { timers.remove(timer) }

    private func fireTimers() {
        // Taken out first: a handler that asks for a deadline in the past gets the next turn, not this one for ever.
        while let timer = timers.popDue(at: now) { dueTimers.append(timer) }
        guard !dueTimers.isEmpty else { return }
        for index in dueTimers.indices {
            guard dueTimers[index].takeFiring() else { continue }
            counters.timersFired &+= 1
            dueTimers[index].fire(at: now)
        }
        dueTimers.removeAll(keepingCapacity: true)
    }

    // MARK: Mail and flushes

    private func runMail() {
        if !mail.inboxes.isEmpty {
            for inbox in mail.inboxes { inbox.drain() }
            mail.inboxes.removeAll(keepingCapacity: true)
        }
        guard !mail.jobs.isEmpty else { return }
        counters.jobs &+= UInt64(mail.jobs.count)
        for job in mail.jobs { job.runSynchronously(on: MediaLoop.shared.unownedExecutor) }
        mail.jobs.removeAll(keepingCapacity: true)
    }

    /// Has `handler` called once at the end of this turn. The caller keeps itself from asking twice.
    func flushAtEndOfTurn(_ handler: any TurnEndHandler) { flushes.append(handler) }

    private func flush() {
        guard !flushes.isEmpty else { return }
        swap(&flushes, &flushing)
        for handler in flushing { handler.turnEnded(at: now) }
        flushing.removeAll(keepingCapacity: true)
    }

    // MARK: Statistics

    var statistics: LoopStatistics {
        var statistics = counters
        statistics.timers = timers.count
        return statistics
    }

    func takeLongestTurn() -> Interval {
        defer { longestTurn = .zero }
        return longestTurn
    }
}

/// Whoever gathers writes during a turn and sends them at its end.
@MediaLoop
protocol TurnEndHandler: AnyObject {
    func turnEnded(at now: Monotonic)
}
