import Bytes
import CLinux
import Glibc
import Synchronization

/// The signals that tell a service what to do.
package enum ProcessSignal: Int32, Sendable, CaseIterable {
    case hangUp = 1
    case interrupt = 2
    case quit = 3
    case terminate = 15
}

/// Signals as events of the loop. They go through a pipe and are not blocked in any thread, so children inherit nothing
/// odd.
package enum Signals {
    /// The end of the pipe that the C handler writes to; it may do nothing else than write.
    private static let writeEnd = Atomic<Int32>(-1)
    @MediaLoop private static var watcher: Watcher?

    /// From now on `handler` is called on the loop for each of `signals`; their default actions are off for good.
    /// A later call replaces the handler.
    @MediaLoop
    package static func handle(
        _ signals: Set<ProcessSignal>, with handler: @escaping @MediaLoop (ProcessSignal) -> Void
    ) throws(RuntimeError) {
        if let watcher {
            watcher.handler = handler
        } else {
            watcher = try Watcher(handler)
        }
        for signal in signals {
            try Syscalls.catchSignal(signal.rawValue) { number in
                Syscalls.writeByteInSignalHandler(
                    UInt8(truncatingIfNeeded: number), to: Signals.writeEnd.load(ordering: .relaxed))
            }
        }
    }

    /// Writes to a closed connection give an error instead of ending the process. The loop does this when it starts.
    package static func ignoreBrokenPipes() { clinux_ignore_signal(SIGPIPE) }

    /// Turns the default actions of `signals` off, for a process that its parent ends by other means. A terminal and a
    /// service manager send them to all processes of a group.
    package static func ignore(_ signals: Set<ProcessSignal>) {
        for signal in signals { clinux_ignore_signal(signal.rawValue) }
    }

    private final class Watcher: EventHandler {
        private let readEnd: FileDescriptor
        var handler: @MediaLoop (ProcessSignal) -> Void

        init(_ handler: @escaping @MediaLoop (ProcessSignal) -> Void) throws(RuntimeError) {
            let pipe = try Syscalls.pipe()
            readEnd = FileDescriptor(taking: pipe.readEnd)
            self.handler = handler
            // Stays open as long as the process: a signal may come at any time.
            Signals.writeEnd.store(pipe.writeEnd, ordering: .relaxed)
            _ = try MediaLoop.register(descriptor: pipe.readEnd, interest: .readable, handler: self)
        }

        func ready(_ readiness: Readiness, at now: Monotonic) {
            var numbers: [UInt8] = Array(repeating: 0, count: 64)
            guard case .done(let count) = numbers.withUnsafeMutableBytes({ Syscalls.read(readEnd.raw, $0) }) else {
                return
            }
            for number in numbers.prefix(count) {
                if let signal = ProcessSignal(rawValue: Int32(number)) { handler(signal) }
            }
        }
    }
}
