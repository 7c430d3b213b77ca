import Bytes
import Foundation
import Glibc
import Runtime
import Testing

extension RuntimeTests { @Suite struct ChildProcessTests {} }

/// Starts a shell with `script` and reports its end.
@MediaLoop
private func startShell(
    _ script: String, environment: [String: String] = [:], handing bytes: [UInt8] = [],
    ends: Reports<ChildExit>
) throws(RuntimeError) -> ChildProcess {
    let child = try ChildProcess.start(
        ChildProcess.Command(
            executable: "/bin/sh", arguments: ["sh", "-c", script], environment: environment, handedBytes: bytes))
    child.onExit = { exit, _ in ends.send(exit) }
    return child
}

/// What `script` made of its standard output; by a file, because that is inherited.
private func output(
    of script: String, environment: [String: String] = [:], handing bytes: [UInt8] = []
) async throws -> String {
    let path = "/tmp/ingress-child-\(getpid())-\(Randomness.integer(UInt32.self))"
    defer { unlink(path) }
    let ends = Reports<ChildExit>()
    _ = try await MediaLoop.run {
        try startShell("{ \(script)\n} > \(path)", environment: environment, handing: bytes, ends: ends)
    }
    #expect(await ends.next() == .exited(code: 0))
    guard let file = fopen(path, "r") else { return "" }
    defer { fclose(file) }
    var text = [UInt8](repeating: 0, count: 65_536)
    let count = fread(&text, 1, text.count, file)
    return String(decoding: text.prefix(count), as: UTF8.self)
}

private func openDescriptors() -> Int { ProcessStatistics.current().openDescriptors }

extension RuntimeTests.ChildProcessTests {
    @Test(
        "a program's success and failure are told apart",
        arguments: [("/bin/true", 0), ("/bin/false", 1)] as [(String, Int32)])
    func codes(executable: String, code: Int32) async throws {
        let ends = Reports<ChildExit>()
        let child = try await MediaLoop.run {
            let child = try ChildProcess.start(ChildProcess.Command(executable: executable, arguments: ["x"]))
            child.onExit = { exit, _ in ends.send(exit) }
            return child
        }
        #expect(await ends.next() == .exited(code: code))
        #expect(await child.exit == .exited(code: code))
        // Reaped: the number is no child's any more.
        #expect(waitpid(child.pid, nil, WNOHANG) == -1 && errno == ECHILD)
    }

    @Test("a killed program tells the signal, and killing it again does no harm")
    func killed() async throws {
        let ends = Reports<ChildExit>()
        let child = try await MediaLoop.run {
            let child = try ChildProcess.start(
                ChildProcess.Command(executable: "/bin/sleep", arguments: ["sleep", "600"]))
            child.onExit = { exit, _ in ends.send(exit) }
            #expect(child.exit == nil)
            child.kill()
            return child
        }
        #expect(await ends.next() == .killed(signal: SIGKILL))
        await child.kill()
        #expect(ChildExit.killed(signal: SIGKILL).description == "signal SIGKILL")
        #expect(ChildExit.killed(signal: 60).description == "signal 60")
        #expect(ChildExit.exited(code: 9).description == "exit code 9")
    }

    @Test("a signal from outside is told by its name")
    func signalled() async throws {
        let ends = Reports<ChildExit>()
        _ = try await MediaLoop.run { try startShell("kill -SEGV $$", ends: ends) }
        let end = await ends.next()
        #expect(end.description == "signal SIGSEGV")
    }

    @Test("a program that is not there is an error at once")
    func missing() async {
        let before = openDescriptors()
        for bytes in [[], [1]] as [[UInt8]] {
            await #expect(throws: RuntimeError.system(.posixSpawn, Errno(rawValue: ENOENT))) {
                try await MediaLoop.run {
                    _ = try ChildProcess.start(
                        ChildProcess.Command(executable: "/no/such/program", arguments: ["x"], handedBytes: bytes))
                }
            }
        }
        #expect(openDescriptors() <= before)
    }

    @Test("fifty children leave no descriptor behind and report one end each")
    func noLeak() async throws {
        await MediaLoop.run {}
        let before = openDescriptors()
        let ends = Reports<ChildExit>()
        for round in 0..<50 {
            _ = try await MediaLoop.run { try startShell("exit \(round)", handing: [UInt8(round)], ends: ends) }
            if round % 10 == 9 {
                let expected = (round - 9...round).map { ChildExit.exited(code: Int32($0)) }
                #expect(Set(await ends.next(10).map(\.description)) == Set(expected.map(\.description)))
            }
        }
        #expect(openDescriptors() <= before)
    }

    @Test("the child is alive as long as nobody holds it, and is let go after its end")
    func lifetime() async throws {
        let ends = Reports<ChildExit>()
        let watch = Watch<ChildProcess>()
        try await MediaLoop.run { watch.object = try startShell("read line", ends: ends) }
        // Its standard input is /dev/null: `read` fails at once.
        #expect(await ends.next() == .exited(code: 1))
        #expect(await MediaLoop.run { watch.isAlive } == false)
    }

    @Test("the child gets the environment that it was given and nothing else")
    func environment() async throws {
        setenv("INGRESS_TEST_SECRET", "hush", 1)
        defer { unsetenv("INGRESS_TEST_SECRET") }
        let text = try await output(of: "/usr/bin/env", environment: ["PATH": "/usr/bin:/bin", "TZ": "UTC"])
        let names = Set(text.split(separator: "\n").map { $0.prefix { $0 != "=" } })
        #expect(names.isSuperset(of: ["PATH", "TZ"]))
        // The shell adds these by itself.
        #expect(names.subtracting(["PATH", "TZ", "PWD", "SHLVL", "_", "OLDPWD"]).isEmpty)
    }

    @Test("values are taken from the environment by name")
    func inherited() {
        setenv("INGRESS_TEST_ZONE", "UTC", 1)
        defer { unsetenv("INGRESS_TEST_ZONE") }
        #expect(ParentProcess.environment(["INGRESS_TEST_ZONE", "INGRESS_TEST_NONE"]) == ["INGRESS_TEST_ZONE": "UTC"])
    }

    @Test("handed bytes are on descriptor 3, followed by the end")
    func handed() async throws {
        #expect(try await output(of: "/bin/cat <&3", handing: Array("a secret".utf8)) == "a secret")
        let many = (0..<4_096).map { _ in UInt8(ascii: "x") }
        #expect(try await output(of: "/bin/cat <&3", handing: many).utf8.count == 4_096)
    }

    @Test("the child inherits standard output and error, /dev/null and the handed pipe, and nothing else")
    func descriptors() async throws {
        // One that a library forgot to mark.
        let open = dup(1)
        defer { close(open) }
        let script = "/bin/ls /proc/$$/fd"
        let numbers = { (text: String) in Set(text.split { $0 == " " || $0 == "\n" }.compactMap { Int($0) }) }
        // 10: the shell keeps its own output there while a group's is redirected.
        #expect(numbers(try await output(of: script, handing: [1])).subtracting([10]) == [0, 1, 2, 3])
        #expect(numbers(try await output(of: script)).subtracting([10]) == [0, 1, 2])
    }

    @Test("the child has a process group of its own and no signal ignored or blocked")
    func group() async throws {
        await MediaLoop.run {}  // ignores SIGPIPE
        let text = try await output(
            of: "read p c s pp g rest < /proc/$$/stat; echo $p $g; " + "/bin/grep -E 'SigBlk|SigIgn' /proc/self/status")
        let lines = text.split(separator: "\n")
        // Signals 32 and 33 are glibc's own, which it leaves ignored.
        let ids = lines.first?.split(separator: " ") ?? []
        #expect(ids.count == 2 && ids.first == ids.last)
        #expect(lines.dropFirst().map { $0.suffix(16) } == ["0000000000000000", "0000000180000000"])
    }

    @Test("a process that nobody handed anything says so")
    func nothingHanded() {
        // In the tests descriptor 3 may be anything but a pipe with bytes of ours; one that is no pipe must not be read.
        let saved = fcntl(3, F_DUPFD_CLOEXEC, 100)
        guard saved < 0 || fcntl(3, F_GETFD) == -1 else {
            close(saved)
            return
        }
        #expect(throws: RuntimeError.system(.read, Errno(rawValue: EBADF))) { try ParentProcess.takeHandedBytes() }
    }

    @Test("a process takes a name, which is cut where the kernel cuts it")
    func named() throws {
        let path = "/proc/\(getpid())/comm"
        let before = try String(contentsOfFile: path, encoding: .utf8)
        defer { try? ParentProcess.takeName(String(before.dropLast())) }
        for name in ["ingress-session", "ingress-session-of-somebody"] {
            try ParentProcess.takeName(name)
            #expect(try String(contentsOfFile: path, encoding: .utf8) == "ingress-session\n")
        }
    }

    @Test("fate is shared with the present parent only")
    func sharedFate() async throws {
        #expect(try await MediaLoop.run { try ParentProcess.shareFate(withParent: getppid()) })
        #expect(try await MediaLoop.run { try !ParentProcess.shareFate(withParent: getppid() + 1) })
        #expect(ParentProcess.ownPID == getpid())
    }
}
