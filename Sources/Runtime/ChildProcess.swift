package import Bytes
import Glibc

/// How a child ended.
package enum ChildExit: Equatable, Sendable, CustomStringConvertible {
    case exited(code: Int32)
    case killed(signal: Int32)

    package var description: String {
        switch self {
        case .exited(let code): "exit code \(code)"
        case .killed(let number): "signal \(Self.names[number] ?? String(number))"
        }
    }

    private static let names: [Int32: String] = [
        SIGABRT: "SIGABRT", SIGBUS: "SIGBUS", SIGFPE: "SIGFPE", SIGHUP: "SIGHUP", SIGILL: "SIGILL", SIGINT: "SIGINT",
        SIGKILL: "SIGKILL", SIGPIPE: "SIGPIPE", SIGQUIT: "SIGQUIT", SIGSEGV: "SIGSEGV", SIGSYS: "SIGSYS",
        SIGTERM: "SIGTERM", SIGTRAP: "SIGTRAP", SIGXCPU: "SIGXCPU",
    ]
}

/// One child process. The loop keeps it alive until its end has been reported, and reaps it.
///
/// The child belongs to the loop's thread: when that ends, with this process, a child that called
/// `ParentProcess.shareFate` is killed.
@MediaLoop
package final class ChildProcess {
    package struct Command: Sendable {
        /// This program itself, even when its file was replaced or deleted since.
        package static let ownProgram = "/proc/self/exe"
        /// What a pipe takes in one piece (pipe(7)).
        package static let handedBytesLimit = 4_096

        package var executable: String
        /// The first is the name that the child shows.
        package var arguments: [String]
        /// All that the child gets; nothing is inherited.
        package var environment: [String: String]
        /// For secrets: other processes can read neither arguments nor environment of less. On a pipe at descriptor 3;
        /// empty means none.
        package var handedBytes: [UInt8]

        package init(
            executable: String = ownProgram, arguments: [String], environment: [String: String] = [:],
            handedBytes: [UInt8] = []
        ) {
            precondition(handedBytes.count <= Self.handedBytesLimit, "more bytes than a pipe takes in one piece")
            self.executable = executable
            self.arguments = arguments
            self.environment = environment
            self.handedBytes = handedBytes
        }
    }

    package nonisolated let pid: Int32
    /// Called once, on the loop. Set it in the turn of the start, and nothing is missed.
    package var onExit: (@MediaLoop (ChildExit, Monotonic) -> Void)?
    /// Nil while the child runs.
    package private(set) var exit: ChildExit?

    private var descriptor: FileDescriptor?
    private var registration: LoopRegistration?

    private init(pid: Int32, _ descriptor: consuming FileDescriptor) {
        self.pid = pid
        self.descriptor = consume descriptor
    }

    /// Starts the program. A program that is not there is an error here, not an exit.
    package static func start(_ command: Command) throws(RuntimeError) -> ChildProcess {
        let pid = try spawn(command)
        do throws(RuntimeError) {
            let descriptor = try Syscalls.processDescriptor(of: pid)
            let raw = descriptor.raw
            let child = ChildProcess(pid: pid, descriptor)
            child.registration = try MediaLoop.register(descriptor: raw, interest: .readable, handler: child)
            return child
        } catch {
            // Nobody would notice its end.
            Syscalls.killAndWait(pid)
            throw error
        }
    }

    private static func spawn(_ command: Command) throws(RuntimeError) -> Int32 {
        let environment = command.environment.map { "\($0.key)=\($0.value)" }.sorted()
        guard !command.handedBytes.isEmpty else {
            return try Syscalls.spawn(
                command.executable, arguments: command.arguments, environment: environment, handing: nil)
        }
        let ends = try Syscalls.pipe()
        let readEnd = FileDescriptor(taking: ends.readEnd)
        let writeEnd = FileDescriptor(taking: ends.writeEnd)
        // The pipe is new and empty, so it takes them at once and whole. Closed before the child is there, so that it waits for
        // nothing: neither for them nor for their end.
        let written = command.handedBytes.withUnsafeBytes { Syscalls.write(writeEnd.raw, $0) }
        writeEnd.close()
        guard written == .done(command.handedBytes.count) else { throw .system(.write, Errno(rawValue: EIO)) }
        return try Syscalls.spawn(
            command.executable, arguments: command.arguments, environment: environment, handing: readEnd.raw)
    }

    /// Ends it now, whatever it does (SIGKILL). The end is reported as any other.
    package func kill() {
        if let raw = descriptor?.raw { Syscalls.signal(raw, SIGKILL) }
    }
}

extension ChildProcess: EventHandler {
    package func ready(_ readiness: Readiness, at now: Monotonic) {
        guard let raw = descriptor?.raw, let exit = Syscalls.reap(raw) else { return }
        self.exit = exit
        if let registration = registration.take() { MediaLoop.deregister(registration) }
        descriptor.take()?.close()
        onExit.take()?(exit, now)
    }
}

/// What a child knows of the process that started it.
package enum ParentProcess {
    package static var ownPID: Int32 { Syscalls.ownPID }

    /// The bytes that the parent handed over, once. Fails when there are none: nobody handed them.
    package static func takeHandedBytes() throws(RuntimeError) -> [UInt8] {
        guard Syscalls.isPipe(Syscalls.handedDescriptor) else { throw .system(.read, Errno(rawValue: EBADF)) }
        let pipe = FileDescriptor(taking: Syscalls.handedDescriptor)
        var bytes = [UInt8](repeating: 0, count: ChildProcess.Command.handedBytesLimit)
        // They were written in one piece before the child was started.
        guard case .done(let count) = bytes.withUnsafeMutableBytes({ Syscalls.read(pipe.raw, $0) }), count > 0 else {
            throw .system(.read, Errno(rawValue: EPIPE))
        }
        return Array(bytes.prefix(count))
    }

    /// From now on the kernel kills this process when its parent ends. False when `pid` is its parent no more: it has
    /// ended before, and this process has to end by itself. On the loop, because the kernel keeps this with the thread
    /// that asks.
    @MediaLoop
    package static func shareFate(withParent pid: Int32) throws(RuntimeError) -> Bool {
        try Syscalls.setParentDeathSignal(SIGKILL)
        return Syscalls.parentPID == pid
    }

    /// The name of this process for `ps` and `pgrep`, 15 bytes at most. One that was started from a link in /proc is
    /// called after the link otherwise.
    package static func takeName(_ name: String) throws(RuntimeError) {
        let file = try Syscalls.open("/proc/self/comm", forWriting: true)
        var name = name
        name.withUTF8 { _ = Syscalls.write(file.raw, UnsafeRawBufferPointer($0)) }
        file.close()
    }

    /// Ends this process at once. What other threads do is left undone.
    package static func exitNow(_ code: Int32) -> Never { Syscalls.exitNow(code) }

    /// The values of those of `names` that this process's environment has.
    package static func environment(_ names: [String]) -> [String: String] {
        var values: [String: String] = [:]
        for name in names { values[name] = Syscalls.environmentValue(name) }
        return values
    }
}
