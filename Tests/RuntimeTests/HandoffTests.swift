import Bytes
import Glibc
import Runtime
import Synchronization
import Testing

extension RuntimeTests { @Suite struct HandoffTests {} }

extension RuntimeTests.HandoffTests {
    @Test("elements without number reach a worker in order, with full queues on the way")
    func stressToWorker() async throws {
        let handoff = Handoff<Int>.toWorker(capacity: 64)
        let mistakes = Atomic<Int>(0)
        let consumer = try Worker(name: "consumer") {
            var expected = 0
            while case .element(let value) = handoff.pop() {
                if value != expected { mistakes.add(1, ordering: .relaxed) }
                expected += 1
            }
            if expected != stressCount { mistakes.add(1, ordering: .relaxed) }
        }
        let producer = try Worker(name: "producer") {
            for value in 0..<stressCount { while !handoff.push(value) { sched_yield() } }
            handoff.close()
        }
        await producer.finished()
        await consumer.finished()
        #expect(mistakes.load(ordering: .relaxed) == 0)
        #expect(handoff.count == 0)
    }

    @Test("elements without number reach the loop in order, and then the end")
    func stressToLoop() async throws {
        let handoff = Handoff<Int>.toLoop(capacity: 256)
        let result = Reports<[Int]>()
        await MediaLoop.run {
            var expected = 0
            var mistakes = 0
            handoff.deliver { value in
                if value != expected { mistakes += 1 }
                expected += 1
            } whenClosed: {
                result.send([expected, mistakes])
            }
        }
        let producer = try Worker(name: "producer") {
            for value in 0..<stressCount { while !handoff.push(value) { sched_yield() } }
            handoff.close()
        }
        await producer.finished()
        #expect(await result.next() == [stressCount, 0])
    }

    @Test("frames go from the loop to a worker and results come back")
    func roundTrip() async throws {
        let work = Handoff<[UInt8]>.toWorker(capacity: 8)
        let results = Handoff<Int>.toLoop(capacity: 8)
        let sums = Reports<Int>()
        await MediaLoop.run { results.deliver { sums.send($0) } }
        let worker = try Worker(name: "adder") {
            while case .element(let bytes) = work.pop() { results.push(bytes.reduce(0) { $0 + Int($1) }) }
            results.close()
        }
        for length in 0..<100 {
            await MediaLoop.run { #expect(work.push([UInt8](repeating: 2, count: length))) }
            #expect(await sums.next() == 2 * length)
        }
        await MediaLoop.run { work.close() }
        await worker.finished()
        #expect(worker.isFinished)
    }

    @Test("a full queue refuses, says so before, and takes again after a pop", arguments: [1, 3, 4, 64])
    func full(capacity: Int) {
        let handoff = Handoff<Int>.toWorker(capacity: capacity)
        #expect(handoff.capacity >= capacity && handoff.capacity < 2 * capacity)
        for value in 0..<handoff.capacity {
            #expect(!handoff.isFull)
            #expect(handoff.push(value))
        }
        #expect(handoff.isFull)
        #expect(handoff.count == handoff.capacity)
        #expect(!handoff.push(-1))
        #expect(handoff.tryPop() == 0)
        #expect(handoff.push(-2))
        for value in 1..<handoff.capacity { #expect(handoff.tryPop() == value) }
        #expect(handoff.tryPop() == -2)
        #expect(handoff.tryPop() == nil)
    }

    @Test("after a close nothing more is taken in, and what was before still comes out")
    func close() {
        let handoff = Handoff<Int>.toWorker(capacity: 4)
        handoff.push(1)
        handoff.push(2)
        handoff.close()
        handoff.close()
        #expect(handoff.isClosed)
        #expect(!handoff.push(3))
        guard case .element(1) = handoff.pop(), case .element(2) = handoff.pop(), case .closed = handoff.pop(),
            case .closed = handoff.pop()
        else { Issue.record("wrong order"); return }
    }

    @Test("a pop ends at its deadline, not before")
    func timeout() {
        let handoff = Handoff<Int>.toWorker(capacity: 4)
        let deadline = Monotonic.now + .milliseconds(5)
        guard case .timedOut = handoff.pop(until: deadline) else { Issue.record("no time-out"); return }
        #expect(Monotonic.now >= deadline)
        guard case .timedOut = handoff.pop(until: .zero) else { Issue.record("no time-out"); return }
        handoff.push(7)
        guard case .element(7) = handoff.pop(until: .zero) else { Issue.record("the element was missed"); return }
    }

    @Test("a sleeping worker is woken by the close")
    func wokenByClose() async throws {
        let handoff = Handoff<Int>.toWorker(capacity: 4)
        let worker = try Worker(name: "sleeper") { while case .element = handoff.pop() {} }
        handoff.close()
        await worker.finished()
    }

    @Test("one signal serves two queues")
    func sharedSignal() async throws {
        let signal = WorkerSignal()
        let numbers = Handoff<Int>.toWorker(capacity: 16, signal: signal)
        let names = Handoff<String>.toWorker(capacity: 16, signal: signal)
        let seen = Reports<String>()
        let worker = try Worker(name: "two-queues") {
            while true {
                let isOver = numbers.isClosed && names.isClosed
                while let number = numbers.tryPop() { seen.send("\(number)") }
                while let name = names.tryPop() { seen.send(name) }
                if isOver { return }
                _ = signal.wait()
            }
        }
        numbers.push(1)
        #expect(await seen.next() == "1")
        names.push("two")
        #expect(await seen.next() == "two")
        numbers.close()
        names.close()
        await worker.finished()
    }

    @Test("what is left in a queue is released with it, and by abandoning it")
    func released() async {
        final class Token: Sendable {}
        weak var first: Token?
        weak var second: Token?
        do {
            let handoff = Handoff<Token>.toWorker(capacity: 4)
            let token = Token()
            first = token
            handoff.push(token)
        }
        #expect(first == nil)
        let handoff = Handoff<Token>.toLoop(capacity: 4)
        do {
            let token = Token()
            second = token
            handoff.push(token)
        }
        #expect(second != nil)
        await MediaLoop.run { handoff.abandon() }
        #expect(second == nil)
        #expect(handoff.isClosed)
    }

    @Test("an abandoned queue calls nobody, from within its own delivery too")
    func abandoned() async {
        let handoff = Handoff<Int>.toLoop(capacity: 8)
        for value in 0..<5 { handoff.push(value) }
        let calls = Reports<Int>()
        await MediaLoop.run {
            handoff.deliver { value in
                calls.send(value)
                if value == 1 { handoff.abandon() }
            } whenClosed: {
                calls.send(-1)
            }
        }
        await MediaLoop.run {}
        await MediaLoop.run { calls.send(-2) }
        #expect(await calls.next(3) == [0, 1, -2])
    }

    @Test("elements that came before anybody listened are delivered")
    func early() async {
        let handoff = Handoff<Int>.toLoop(capacity: 8)
        handoff.push(1)
        handoff.push(2)
        await MediaLoop.run {}
        let values = Reports<Int>()
        await MediaLoop.run { handoff.deliver { values.send($0) } }
        #expect(await values.next(2) == [1, 2])
        handoff.push(3)
        #expect(await values.next() == 3)
        await MediaLoop.run { handoff.abandon() }
    }

    @Test("an element that cannot be copied moves through")
    func noncopyable() {
        struct Owner: ~Copyable, Sendable {
            let number: Int
        }
        let handoff = Handoff<Owner>.toWorker(capacity: 2)
        handoff.push(Owner(number: 5))
        guard let owner = handoff.tryPop() else { Issue.record("nothing came out"); return }
        let number = owner.number
        #expect(number == 5)
    }

    @Test("a notification that comes first is kept, one at most")
    func signalKept() {
        let signal = WorkerSignal()
        #expect(!signal.wait(until: .zero))
        signal.notify()
        signal.notify()
        #expect(signal.wait())
        #expect(!signal.wait(until: .zero))
    }
}

/// Full size in release builds; a debug build needs microseconds for each element.
#if DEBUG
    private let stressCount = 100_000
#else
    private let stressCount = 1_000_000
#endif
