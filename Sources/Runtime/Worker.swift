import Synchronization

/// A thread with a name that runs one body to its end, for work that would hold up the loop.
package final class Worker: Sendable {
    /// Enough for codec libraries, which keep tables on the stack.
    package static let defaultStackBytes = Thread.defaultStackBytes

    private enum State {
        case running(waiting: [CheckedContinuation<Void, Never>])
        case finished
    }

    package let name: String
    private let state = Mutex(State.running(waiting: []))

    /// Starts the thread. `name` is what `ps -L` and a debugger show, cut to 15 bytes.
    package init(
        name: String, stackBytes: Int = Worker.defaultStackBytes, body: @escaping @Sendable () -> Void
    ) throws(RuntimeError) {
        self.name = name
        try Thread.start(name: name, stackBytes: stackBytes) { [self] in
            body()
            finish()
        }
    }

    package var isFinished: Bool {
        state.withLock { if case .finished = $0 { true } else { false } }
    }

    /// Returns when the body has returned.
    package func finished() async {
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                guard case .running(let waiting) = state else { return true }
                state = .running(waiting: waiting + [continuation])
                return false
            }
            if isOver { continuation.resume() }
        }
    }

    private func finish() {
        let waiting = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            guard case .running(let waiting) = state else { return [] }
            state = .finished
            return waiting
        }
        for continuation in waiting { continuation.resume() }
    }
}
