package import Bytes

/// Whoever set a `LoopTimer`.
@MediaLoop
package protocol TimerHandler: AnyObject {
    /// The deadline has passed; `timer` is disarmed and may be set again. Never called after a cancellation.
    func timerFired(_ timer: LoopTimer, at now: Monotonic)
}

/// One deadline on the loop. Setting it again moves it, which is cheap; while it is set, the loop keeps the handler
/// alive.
@MediaLoop
package final class LoopTimer {
    /// Where the timer stands in the heap; nil when not set.
    fileprivate var heapIndex: Int?
    fileprivate var key = Monotonic.distantFuture
    /// When the loop wakes for it alone.
    fileprivate var latest = Monotonic.distantFuture
    private var handler: (any TimerHandler)?
    private var isFiring = false

    package nonisolated init() {}

    package var deadline: Monotonic? { heapIndex == nil ? nil : key }

    /// Calls `handler` in the first turn at or after `deadline`; nil cancels. A deadline in the past means the next
    /// turn. The loop may wake late for one that is set for a while ahead (`TimerHeap.tolerance`).
    package func schedule(at deadline: Monotonic?, calling handler: any TimerHandler) {
        guard let deadline else { return cancel() }
        isFiring = false
        self.handler = handler
        if heapIndex != nil, deadline == key { return }
        MediaLoop.core.arm(self, at: deadline)
    }

    package func cancel() {
        isFiring = false
        handler = nil
        if heapIndex != nil { MediaLoop.core.disarm(self) }
    }

    fileprivate func leaveHeap() {
        heapIndex = nil
        isFiring = true
    }

    /// False when the timer was cancelled or set again since it left the heap.
    func takeFiring() -> Bool {
        defer { isFiring = false }
        return isFiring
    }

    func fire(at now: Monotonic) {
        // Given up first, so that the handler may set the timer again for itself or for another.
        let handler = handler
        self.handler = nil
        handler?.timerFired(self, at: now)
    }
}

/// A binary heap in which every timer knows its place, so that moving one costs a few swaps.
@MediaLoop
package struct TimerHeap {
    /// Timers set at least this far ahead keep house; those below it pace media.
    private static let housekeeping = Interval.milliseconds(250)
    /// A wake-up costs as much as ten packets, and where media flows there is one every few ten milliseconds anyway.
    private static let tolerance = Interval.milliseconds(40)

    private var timers: [LoopTimer] = []

    package nonisolated init() {}

    package var count: Int { timers.count }
    /// The time to wake up when nothing else does it earlier.
    package var wakeTime: Monotonic? { timers.first?.latest }

    package mutating func set(_ timer: LoopTimer, to deadline: Monotonic, at now: Monotonic) {
        timer.key = deadline
        timer.latest = deadline - now < Self.housekeeping ? deadline : deadline + Self.tolerance
        let index = timer.heapIndex ?? timers.count
        if timer.heapIndex == nil {
            timers.append(timer)
            timer.heapIndex = index
        }
        siftDown(siftUp(index))
    }

    package mutating func remove(_ timer: LoopTimer) {
        guard let index = timer.heapIndex else { return }
        let last = timers.removeLast()
        timer.heapIndex = nil
        guard index < timers.count else { return }
        place(last, at: index)
        siftDown(siftUp(index))
    }

    /// A timer whose deadline has passed, taken out. Those that are left then may have passed theirs too, but not their tolerance.
    package mutating func popDue(at now: Monotonic) -> LoopTimer? {
        guard let timer = timers.first, timer.key <= now else { return nil }
        remove(timer)
        timer.leaveHeap()
        return timer
    }

    private mutating func siftUp(_ start: Int) -> Int {
        var index = start
        let timer = timers[index]
        while index > 0, timer.latest < timers[(index - 1) / 2].latest {
            place(timers[(index - 1) / 2], at: index)
            index = (index - 1) / 2
        }
        place(timer, at: index)
        return index
    }

    private mutating func siftDown(_ start: Int) {
        var index = start
        let timer = timers[index]
        while true {
            var child = 2 * index + 1
            guard child < timers.count else { break }
            if child + 1 < timers.count, timers[child + 1].latest < timers[child].latest { child += 1 }
            guard timers[child].latest < timer.latest else { break }
            place(timers[child], at: index)
            index = child
        }
        place(timer, at: index)
    }

    private mutating func place(_ timer: LoopTimer, at index: Int) {
        timers[index] = timer
        timer.heapIndex = index
    }
}
