import Bytes
import Foundation
import Glibc
import Runtime
import Testing

extension RuntimeTests { @Suite struct SystemTests {} }

extension RuntimeTests.SystemTests {
    @Test(
        "an address in text resolves to itself",
        arguments: [
            ("192.0.2.7", "192.0.2.7:80"), ("2001:db8::1", "[2001:db8::1]:80"), ("[::1]", "[::1]:80"),
        ])
    func literal(host: String, expected: String) async throws {
        #expect(try await Resolver.resolve(host, port: 80).map(\.description) == [expected])
    }

    @Test("localhost resolves to loopback addresses with the port")
    func localhost() async throws {
        let addresses = try await Resolver.resolve("localhost", port: 443)
        #expect(!addresses.isEmpty)
        #expect(addresses.allSatisfy { $0.ip.isLoopback && $0.port == 443 })
    }

    @Test("a name that cannot be is an error with the name in its sentence")
    func noName() async {
        // A label may have 63 bytes (RFC 1035 section 2.3.4).
        let host = String(repeating: "x", count: 70) + ".invalid"
        do {
            _ = try await Resolver.resolve(host, port: 1)
            Issue.record("resolved")
        } catch {
            #expect(error.description.hasPrefix("cannot resolve \(host): "))
            #expect(error.errno == nil)
        }
    }

    @Test("signals arrive on the loop, and a later handler takes over")
    func signals() async throws {
        let first = Reports<ProcessSignal>(), second = Reports<ProcessSignal>()
        try await MediaLoop.run { try Signals.handle([.hangUp]) { first.send($0) } }
        kill(getpid(), SIGHUP)
        #expect(await first.next() == .hangUp)
        try await MediaLoop.run { try Signals.handle([.hangUp]) { second.send($0) } }
        kill(getpid(), SIGHUP)
        #expect(await second.next() == .hangUp)
    }

    @Test("writing to a broken pipe does not end the process")
    func brokenPipe() async {
        await MediaLoop.run {}
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        Glibc.close(ends[0])
        #expect(write(ends[1], "x", 1) == -1)
        Glibc.close(ends[1])
    }

    @Test("loopback is among the interfaces, marked as such")
    func interfaces() throws {
        let all = try NetworkInterface.all()
        let loopbacks = all.filter { $0.address == loopback.ip }
        #expect(loopbacks.count == 1)
        #expect(loopbacks.allSatisfy { $0.isLoopback && $0.isUp && !$0.name.isEmpty && !$0.isPointToPoint })
        #expect(all.allSatisfy { $0.isLoopback == $0.address.isLoopback || $0.name == "lo" })
    }

    @Test(
        "NTP time counts from 1900 with a binary fraction",
        arguments: [
            (0 as Int64, 0x83AA_7E80_0000_0000 as UInt64), (1_500_000_000, 0x83AA_7E81_8000_0000),
            (999_999_999, 0x83AA_7E80_FFFF_FFFB),
        ])
    func ntp(unixNanoseconds: Int64, expected: UInt64) {
        #expect(SystemClock.ntp(unixNanoseconds: unixNanoseconds) == expected)
    }

    @Test("the clocks run")
    func clocks() {
        let start = Monotonic.now
        while Monotonic.now == start {}
        #expect(Monotonic.now > start)
        #expect(SystemClock.unixNanoseconds() > 1_700_000_000_000_000_000)
        #expect(SystemClock.processTime() > .zero)
    }

    @Test("random bytes come in the number asked for and do not repeat")
    func randomness() {
        #expect(Randomness.bytes(0).isEmpty)
        #expect(Randomness.bytes(1000).count == 1000)
        #expect(Randomness.bytes(16) != Randomness.bytes(16))
        #expect(Randomness.integer(UInt64.self) != Randomness.integer(UInt64.self))
    }

    @Test("the process accounts for its descriptors, threads, memory and time")
    func statistics() {
        let descriptors = (0..<50).map { _ in dup(0) }
        let during = ProcessStatistics.current()
        for descriptor in descriptors { close(descriptor) }
        #expect(during.openDescriptors >= 50)
        #expect(during.threads >= 1)
        #expect(during.residentBytes > 1_000_000)
        #expect(during.processorTime > .zero)
    }

    @Test("a worker carries its name, and its end can be awaited any number of times")
    func worker() async throws {
        let names = Reports<String>()
        let worker = try Worker(name: "a-name-longer-than-fifteen") { names.send(threadName()) }
        #expect(await names.next() == "a-name-longer-t")
        await worker.finished()
        await worker.finished()
        #expect(worker.isFinished)
    }

    @Test("a descriptor is closed by its owner's end, by close, and not after release")
    func ownership() {
        func isOpen(_ raw: Int32) -> Bool { fcntl(raw, F_GETFD) != -1 }
        // High numbers, so that nobody else takes them meanwhile.
        let numbers = (0..<3).map { fcntl(0, F_DUPFD_CLOEXEC, 5000 + $0) }
        do {
            let owner = FileDescriptor(taking: numbers[0])
            #expect(isOpen(owner.raw))
        }
        #expect(!isOpen(numbers[0]))
        let second = FileDescriptor(taking: numbers[1])
        second.close()
        #expect(!isOpen(numbers[1]))
        let third = FileDescriptor(taking: numbers[2])
        let released = third.release()
        #expect(released == numbers[2])
        #expect(isOpen(numbers[2]))
        close(numbers[2])
    }

    @Test("a process that lets go of its program's pages has fewer resident and goes on")
    func residentPages() throws {
        let before = try residentFileKilobytes()
        ResidentPages.giveBack()
        let after = try residentFileKilobytes()
        #expect(after < before)
        #expect(Randomness.bytes(16).count == 16)
    }

    /// RssFile of proc(5): pages of files, of this process.
    private func residentFileKilobytes() throws -> Int {
        let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("RssFile:") })
        return try #require(Int(line.split(separator: " ").dropLast().last ?? ""))
    }
}
