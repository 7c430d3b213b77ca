import Bytes
import Runtime
import Testing
import TestSupport

extension RuntimeTests { @Suite struct TimerTests {} }

extension RuntimeTests.TimerTests {
    @Test("timers fire in the order of their deadlines, whatever the order of setting")
    func order() async {
        let probe = TimerProbe()
        await MediaLoop.run {
            var generator = SeededGenerator(seed: 1)
            for index in Array(0..<500).shuffled(using: &generator) {
                probe.set(index, at: MediaLoop.now + .microseconds(Int64(index)))
            }
        }
        #expect(await probe.fired.next(500) == Array(0..<500))
        #expect(await probe.earliness == .zero)
    }

    @Test("the loop wakes on time for short deadlines, for long ones late, and then takes all along that are due")
    func tolerance() async {
        let (wakes, fired) = await MediaLoop.run {
            let start = Monotonic.zero
            var heap = TimerHeap()
            let (short, long, longer) = (LoopTimer(), LoopTimer(), LoopTimer())
            heap.set(long, to: start + .milliseconds(300), at: start)
            var wakes = [heap.wakeTime]
            heap.set(short, to: start + .milliseconds(310), at: start + .milliseconds(100))
            wakes.append(heap.wakeTime)
            heap.set(longer, to: start + .milliseconds(400), at: start + .milliseconds(100))
            var fired: [[Bool]] = []
            for milliseconds in [299, 310, 340, 400] as [Int64] {
                var due: [LoopTimer] = []
                while let timer = heap.popDue(at: start + .milliseconds(milliseconds)) { due.append(timer) }
                fired.append([short, long, longer].map { timer in due.contains { $0 === timer } })
            }
            wakes.append(heap.wakeTime)
            return (wakes.map { $0.map { ($0 - start).nanoseconds / 1_000_000 } }, fired)
        }
        #expect(wakes == [340, 310, nil])
        #expect(
            fired == [
                [false, false, false], [true, true, false], [false, false, false], [false, false, true],
            ])
    }

    @Test("a timer that is set again fires once, at the new time")
    func rescheduled() async {
        let probe = TimerProbe()
        await MediaLoop.run {
            let now = MediaLoop.now
            probe.set(0, at: now + .milliseconds(1))
            probe.set(1, at: now + .milliseconds(2))
            probe.set(0, at: now + .milliseconds(3))
            probe.set(2, at: now + .seconds(3600))
            probe.set(2, at: now + .milliseconds(4))
        }
        #expect(await probe.fired.next(3) == [1, 0, 2])
    }

    @Test("a cancelled timer does not fire and has no deadline")
    func cancelled() async {
        let probe = TimerProbe()
        let deadlines = await MediaLoop.run {
            let now = MediaLoop.now
            probe.set(0, at: now + .milliseconds(1))
            probe.set(1, at: now + .milliseconds(2))
            let set = probe.timer(0).deadline == now + .milliseconds(1)
            probe.timer(0).cancel()
            probe.timer(0).cancel()
            return (set, probe.timer(0).deadline)
        }
        #expect(deadlines.0)
        #expect(deadlines.1 == nil)
        #expect(await probe.fired.next() == 1)
    }

    @Test("a nil deadline cancels")
    func nilDeadline() async {
        let probe = TimerProbe()
        await MediaLoop.run {
            probe.set(0, at: MediaLoop.now)
            probe.set(0, at: nil)
            probe.set(1, at: MediaLoop.now)
        }
        #expect(await probe.fired.next() == 1)
    }

    @Test("of two timers due in one turn, the first may cancel the second or set it anew")
    func cancelledInTheSameTurn() async {
        let probe = TimerProbe()
        await MediaLoop.run {
            let past = MediaLoop.now - .seconds(1)
            for index in 0..<3 { probe.set(index, at: past + .milliseconds(Int64(index))) }
            probe.onFire = { index in
                guard index == 0 else { return }
                probe.timer(1).cancel()
                probe.set(2, at: MediaLoop.now + .milliseconds(2))
                probe.set(3, at: MediaLoop.now + .milliseconds(1))
            }
        }
        #expect(await probe.fired.next(3) == [0, 3, 2])
    }

    @Test("a timer that always asks for the past fires once a turn and holds nobody up")
    func pastDeadline() async {
        let probe = TimerProbe()
        await MediaLoop.run {
            probe.onFire = { _ in probe.set(0, at: .zero) }
            probe.set(0, at: .zero)
        }
        let first = await MediaLoop.run { probe.count }
        for _ in 0..<10 { await MediaLoop.run {} }
        let second = await MediaLoop.run {
            probe.timer(0).cancel()
            return probe.count
        }
        #expect(second - first >= 10)
    }

    @Test("the loop keeps the handler of a set timer alive, and only as long")
    func keptAlive() async {
        let watch = Watch<TimerProbe>()
        let fired = await MediaLoop.run {
            let probe = TimerProbe()
            watch.object = probe
            probe.set(0, at: MediaLoop.now + .seconds(1_000))
            return probe.fired
        }
        #expect(await watch.isAlive)
        await MediaLoop.run { watch.object?.set(0, at: MediaLoop.now) }
        _ = await fired.next()
        await MediaLoop.run {}
        #expect(await !watch.isAlive)
    }

    @Test("the heap stays in order under random setting, moving and removing")
    func heapModel() async {
        await MediaLoop.run {
            var generator = SeededGenerator(seed: 7)
            let base = MediaLoop.now + .seconds(1000)
            let probe = TimerProbe()
            let before = MediaLoop.statistics.timers
            var model: [Int: Monotonic] = [:]
            for _ in 0..<5_000 {
                let index = Int.random(in: 0..<200, using: &generator)
                if Int.random(in: 0..<3, using: &generator) == 0 {
                    probe.set(index, at: nil)
                    model[index] = nil
                } else {
                    let deadline = base + .milliseconds(.random(in: 0..<500, using: &generator))
                    probe.set(index, at: deadline)
                    model[index] = deadline
                }
                if MediaLoop.statistics.timers - before != model.count { Issue.record("count differs"); break }
            }
            for index in 0..<200 where probe.timer(index).deadline != model[index] { Issue.record("deadline differs") }
            for index in 0..<200 { probe.timer(index).cancel() }
            #expect(MediaLoop.statistics.timers == before)
        }
    }
}

@MediaLoop
private final class TimerProbe: TimerHandler {
    nonisolated let fired = Reports<Int>()
    var onFire: (@MediaLoop (Int) -> Void)?
    var count = 0
    /// How much too early a timer fired, at worst.
    var earliness = Interval.zero
    private var timers: [LoopTimer] = []
    private var deadlines: [Monotonic] = []

    nonisolated init() {}

    func timer(_ index: Int) -> LoopTimer {
        while timers.count <= index {
            timers.append(LoopTimer())
            deadlines.append(.zero)
        }
        return timers[index]
    }

    func set(_ index: Int, at deadline: Monotonic?) {
        timer(index).schedule(at: deadline, calling: self)
        if let deadline { deadlines[index] = deadline }
    }

    func timerFired(_ timer: LoopTimer, at now: Monotonic) {
        guard let index = timers.firstIndex(where: { $0 === timer }) else { return }
        count += 1
        earliness = max(earliness, deadlines[index] - now)
        fired.send(index)
        onFire?(index)
    }
}
