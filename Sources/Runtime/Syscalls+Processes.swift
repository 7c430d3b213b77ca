import CLinux
import Glibc

extension Syscalls {
    /// Where a child finds what it was handed.
    static let handedDescriptor: Int32 = 3

    /// Starts a program. It has /dev/null as standard input, this process's output and error, `handed` (if any) as
    /// `handedDescriptor`, and no other descriptor; no signal blocked or ignored; and a process group of its own, so
    /// that keys pressed at the terminal reach this process alone.
    @inline(never)
    static func spawn(
        _ executable: String, arguments: [String], environment: [String], handing handed: Int32?
    ) throws(RuntimeError) -> Int32 {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let handed { posix_spawn_file_actions_adddup2(&actions, handed, handedDescriptor) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        clinux_posix_spawn_file_actions_addclosefrom_np(
            &actions, handed == nil ? handedDescriptor : handedDescriptor + 1)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP))
        var pid: Int32 = -1
        let code = withCStrings(arguments) { arguments in
            withCStrings(environment) { posix_spawn(&pid, executable, &actions, &attributes, arguments, $0) }
        }
        guard code == 0 else { throw .system(.posixSpawn, Errno(rawValue: code)) }
        return pid
    }

    private static func withCStrings<Result>(
        _ strings: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
    ) -> Result {
        var pointers: [UnsafeMutablePointer<CChar>?] = strings.map { strdup($0) }
        defer { for pointer in pointers { free(pointer) } }
        pointers.append(nil)
        return pointers.withUnsafeMutableBufferPointer { buffer in
            guard let start = buffer.baseAddress else { preconditionFailure("the list ends with a null") }
            return body(start)
        }
    }

    /// A descriptor that is readable from the child's end on. The child must not have been reaped.
    @inline(never)
    static func processDescriptor(of pid: Int32) throws(RuntimeError) -> FileDescriptor {
        FileDescriptor(taking: Int32(try require(.pidfdOpen) { clinux_pidfd_open(pid) }))
    }

    /// The child's result, once; nil while it runs.
    @inline(never)
    static func reap(_ process: Int32) -> ChildExit? {
        var code: Int32 = 0
        var status: Int32 = 0
        guard attempt({ clinux_reap(process, &code, &status) }) == .done(1) else { return nil }
        return code == Int32(CLD_EXITED) ? .exited(code: status) : .killed(signal: status)
    }

    /// For a child that has no descriptor: ends it and waits until it has ended.
    @inline(never)
    static func killAndWait(_ pid: Int32) {
        _ = kill(pid, SIGKILL)
        _ = attempt { waitpid(pid, nil, 0) }
    }

    /// A process that has ended already is no error.
    @inline(never)
    static func signal(_ process: Int32, _ number: Int32) {
        _ = attempt { clinux_pidfd_send_signal(process, number) }
    }

    @inline(never)
    static func setParentDeathSignal(_ number: Int32) throws(RuntimeError) {
        try require(.prctl) { clinux_set_parent_death_signal(number) }
    }

    static var parentPID: Int32 { getppid() }
    static var ownPID: Int32 { getpid() }

    static func isPipe(_ descriptor: Int32) -> Bool { clinux_is_pipe(descriptor) == 1 }

    static func environmentValue(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

    /// Ends the process without running what was left for its orderly end: other threads still run.
    static func exitNow(_ code: Int32) -> Never { _exit(code) }
}
