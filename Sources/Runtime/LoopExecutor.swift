import Glibc
import Synchronization

/// The mailbox in front of the loop: any thread puts jobs and inboxes in, the loop's thread takes them out.
final class LoopExecutor: SerialExecutor {
    /// Mail that waits for the loop. Two of them alternate, so that no turn allocates.
    struct Mail {
        var jobs: [UnownedJob] = []
        var inboxes: [any LoopInbox] = []
    }

    private let mailbox = Mutex(Mail())
    /// Mail came since the loop looked last; also keeps writers from waking a loop that is about to look anyway.
    private let hasMail = Atomic<Bool>(false)
    /// pthread_t of the loop; 0 before its thread runs.
    private let thread = Atomic<UInt>(0)
    private let wakeDescriptor: FileDescriptor

    init() {
        do throws(RuntimeError) {
            wakeDescriptor = try Syscalls.eventDescriptor()
        } catch {
            preconditionFailure("the loop cannot start: \(error)")
        }
    }

    var wakeEnd: Int32 { wakeDescriptor.raw }
    var isOnLoopThread: Bool { thread.load(ordering: .relaxed) == UInt(pthread_self()) }

    func start() {
        do throws(RuntimeError) {
            try Thread.start(name: "media-loop", stackBytes: Thread.defaultStackBytes) { [self] in
                thread.store(UInt(pthread_self()), ordering: .relaxed)
                Signals.ignoreBrokenPipes()
                let run: @MediaLoop () -> Void = { MediaLoop.core.run() }
                MediaLoop.assumeIsolated(run)
            }
        } catch {
            preconditionFailure("the loop cannot start: \(error)")
        }
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        mailbox.withLock { $0.jobs.append(job) }
        wake()
    }

    /// Has `inbox` drained in the next turn.
    func post(_ inbox: any LoopInbox) {
        mailbox.withLock { $0.inboxes.append(inbox) }
        wake()
    }

    private func wake() {
        guard !hasMail.exchange(true, ordering: .sequentiallyConsistent), !isOnLoopThread else { return }
        Syscalls.signalEvent(wakeEnd)
    }

    /// Whether the loop must not sleep.
    var isWaiting: Bool { hasMail.load(ordering: .sequentiallyConsistent) }

    /// Swaps what came in with `mail`, which is empty.
    func take(into mail: inout Mail) {
        // Lowered before the look into the box: mail put in between raises it again and costs one idle turn at most.
        guard hasMail.exchange(false, ordering: .sequentiallyConsistent) else { return }
        mailbox.withLock { swap(&$0, &mail) }
    }

    func checkIsolated() { precondition(isOnLoopThread, "not on the loop's thread") }

    func isIsolatingCurrentContext() -> Bool? { isOnLoopThread }
}

/// Something with work for the loop that another thread announced.
protocol LoopInbox: AnyObject, Sendable {
    @MediaLoop func drain()
}
