package import Bytes
import Synchronization

/// Wakes one sleeping thread. A notification that comes while the thread is awake is kept, one at most, so none is
/// lost. A worker that reads several handoffs gives all of them one signal.
package final class WorkerSignal: Sendable {
    private static let idle: UInt32 = 0
    private static let notified: UInt32 = 1
    private static let sleeping: UInt32 = 2

    // SAFETY: the address never changes and the memory lives as long as the signal; all access is atomic or by the
    // kernel.
    private nonisolated(unsafe) let word: UnsafeMutablePointer<Atomic<UInt32>>

    package init() {
        word = .allocate(capacity: 1)
        word.initialize(to: Atomic(Self.idle))
    }

    deinit {
        word.deinitialize(count: 1)
        word.deallocate()
    }

    /// Any thread. One atomic exchange while the worker is awake.
    package func notify() {
        guard word.pointee.exchange(Self.notified, ordering: .acquiringAndReleasing) == Self.sleeping else { return }
        Syscalls.futexWake(futexWord)
    }

    /// The worker's thread only. Takes the notification, sleeping for it until `deadline`; false when none came.
    package func wait(until deadline: Monotonic = .distantFuture) -> Bool {
        let limit = deadline == .distantFuture ? nil : deadline.nanoseconds
        while true {
            if word.pointee.exchange(Self.idle, ordering: .acquiringAndReleasing) == Self.notified { return true }
            let (fellAsleep, _) = word.pointee.compareExchange(
                expected: Self.idle, desired: Self.sleeping, ordering: .acquiringAndReleasing)
            guard fellAsleep else { continue }
            if !Syscalls.futexWait(futexWord, expected: Self.sleeping, untilNanoseconds: limit) {
                return word.pointee.exchange(Self.idle, ordering: .acquiringAndReleasing) == Self.notified
            }
        }
    }

    private var futexWord: UnsafeMutablePointer<UInt32> {
        UnsafeMutableRawPointer(word).assumingMemoryBound(to: UInt32.self)
    }
}
