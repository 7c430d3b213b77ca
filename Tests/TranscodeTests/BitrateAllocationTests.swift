import Bytes
import Testing
import Transcode

private let rungs = [
    BitrateAllocation.Rung(quality: .low, bitrate: 200_000),
    BitrateAllocation.Rung(quality: .medium, bitrate: 600_000),
    BitrateAllocation.Rung(quality: .high, bitrate: 1_800_000),
]

/// An allocation and a clock that steps by 100 ms.
private struct Bench {
    var allocation = BitrateAllocation(rungs: rungs, soundBitrate: 0)
    var now = Monotonic.zero

    /// Updates for so long, with what is left of the estimate for the layers.
    mutating func run(_ budget: Int, seconds: Double) {
        for _ in 0..<max(Int(seconds * 10), 1) {
            _ = allocation.update(estimate: estimate(budget), at: now)
            now += .milliseconds(100)
        }
    }

    func estimate(_ budget: Int) -> Int { Int(Double(budget) / (1 - BitrateAllocation.overhead)) + 1 }

    var on: [LayerQuality] { allocation.targets.filter(\.isEncoded).map(\.quality) }
    var total: Int { allocation.targets.reduce(0) { $0 + ($1.isEncoded ? $1.bitrate : 0) } }
    func bitrate(_ quality: LayerQuality) -> Int { allocation.targets.first { $0.quality == quality }?.bitrate ?? 0 }
}

@Suite struct BitrateAllocationTests {
    @Test("without an estimate, and with a large one, each layer gets what it was configured for")
    func unlimited() {
        var bench = Bench()
        #expect(bench.allocation.targets.map(\.bitrate) == rungs.map(\.bitrate))
        let noEstimate = bench.allocation.update(estimate: nil, at: .zero)
        let large = bench.allocation.update(estimate: 50_000_000, at: .zero)
        #expect(!noEstimate && !large)
        #expect(bench.on == [.low, .medium, .high] && bench.total == 2_600_000)
        #expect(bench.allocation.wantedBitrate == 2_600_000)
    }

    @Test(
        "after a black-out all comes back at once that the path carries", arguments: [(2_600_000, 3), (1_000_000, 2)])
    func restore(budget: Int, layers: Int) {
        var bench = Bench()
        bench.run(2_600_000, seconds: 5)
        bench.run(300_000, seconds: 3)
        #expect(bench.on == [.low])
        let changed = bench.allocation.restore(estimate: bench.estimate(budget), at: bench.now)
        #expect(changed && bench.on.count == layers && bench.total == min(budget, layers == 3 ? 2_600_000 : 800_000))
        bench.run(budget, seconds: 20)
        #expect(bench.on.count == layers)
    }

    @Test("less bandwidth first costs all layers alike, at once", arguments: [0.95, 0.8, 0.6, 0.5])
    func proportional(share: Double) {
        var bench = Bench()
        bench.run(Int(2_600_000 * share), seconds: 0)
        #expect(bench.on == [.low, .medium, .high])
        for rung in rungs {
            let wanted = Double(rung.bitrate) * share
            #expect((Double(bench.bitrate(rung.quality)) - wanted).magnitude < 10)
        }
    }

    @Test(
        "below half the highest layers go, the lowest stays",
        arguments: [
            (1_299_000, [LayerQuality.low, .medium], 800_000), (700_000, [.low, .medium], 700_000),
            (399_000, [.low], 200_000), (150_000, [.low], 150_000), (0, [.low], 10_000),
        ])
    func switchOff(budget: Int, on: [LayerQuality], total: Int) {
        var bench = Bench()
        bench.run(budget, seconds: 0)
        #expect(bench.on == on)
        #expect((bench.total - total).magnitude < 10)
    }

    @Test("what is sent never exceeds the budget, nor any layer its configured rate")
    func bounds() {
        var bench = Bench()
        for step in 0..<2_000 {
            let budget = 210_000 + (step * 7_919) % 3_000_000
            bench.run(budget, seconds: 0)
            #expect(bench.total <= budget)
            #expect(zip(bench.allocation.targets, rungs).allSatisfy { $0.bitrate <= $1.bitrate })
            #expect(bench.on.first == .low)
        }
    }

    @Test("sound comes off the estimate first")
    func sound() {
        var bench = Bench()
        bench.allocation.soundBitrate = 100_000
        bench.run(1_400_000, seconds: 0)
        #expect((bench.total - 1_300_000).magnitude < 10)
    }

    @Test("a layer comes back only with room to spare, and after a while")
    func switchOn() {
        var bench = Bench()
        bench.run(1_000_000, seconds: 1)
        // 60 % of all is 1.56 Mbit/s.
        bench.run(1_500_000, seconds: 20)
        #expect(bench.on == [.low, .medium])
        bench.run(1_600_000, seconds: 0.9)
        #expect(bench.on == [.low, .medium])
        bench.run(1_600_000, seconds: 0.3)
        #expect(bench.on == [.low, .medium, .high])
        #expect(bench.total <= 1_600_000)
    }

    @Test("layers come back one at a time, and all is back within ten seconds")
    func recovery() {
        var bench = Bench()
        bench.run(150_000, seconds: 5)
        #expect(bench.on == [.low])
        bench.run(4_000_000, seconds: 1.2)
        #expect(bench.on == [.low, .medium])
        bench.run(4_000_000, seconds: 1.2)
        #expect(bench.on == [.low, .medium, .high])
        bench.run(4_000_000, seconds: 4)
        #expect(bench.total == 2_600_000)
    }

    @Test("a room that is gone again before the layer returns starts the wait anew")
    func interrupted() {
        var bench = Bench()
        bench.run(1_000_000, seconds: 1)
        for _ in 0..<5 {
            bench.run(1_700_000, seconds: 0.8)
            bench.run(1_400_000, seconds: 0.2)
        }
        #expect(bench.on == [.low, .medium])
    }

    @Test("a layer that flaps waits longer each time")
    func flapping() {
        var bench = Bench()
        var switches = 0
        var last = bench.on
        // Room for the layer every other three seconds.
        for period in 0..<100 {
            for _ in 0..<30 {
                bench.run(period % 2 == 0 ? 1_000_000 : 1_700_000, seconds: 0)
                if bench.on != last { switches += 1 }
                last = bench.on
            }
        }
        #expect(switches <= 9)
        bench.run(1_700_000, seconds: 40)
        #expect(bench.on.count == 3)
    }

    @Test("rates rise by at most a quarter of the configured ones in a second, and fall at once")
    func ramp() {
        var bench = Bench()
        bench.run(1_300_000, seconds: 1)
        bench.run(2_600_000, seconds: 1)
        #expect(bench.total < 2_100_000 && bench.total > 1_800_000)
        bench.run(2_600_000, seconds: 2)
        #expect(bench.total == 2_600_000)
        bench.run(1_400_000, seconds: 0)
        #expect(bench.total <= 1_400_000)
    }

    @Test("small rises are not worth a change, small falls are")
    func smallSteps() {
        var bench = Bench()
        bench.run(2_000_000, seconds: 1)
        let rise = bench.allocation.update(estimate: bench.estimate(2_030_000), at: bench.now)
        let fall = bench.allocation.update(estimate: bench.estimate(1_990_000), at: bench.now)
        #expect(!rise && fall)
    }

    @Test("layers that nobody watches are off and cost nothing")
    func inactive() {
        var bench = Bench()
        let changed = bench.allocation.setActive(false, .high)
        let again = bench.allocation.setActive(false, .high)
        #expect(changed && !again)
        #expect(bench.on == [.low, .medium] && bench.allocation.wantedBitrate == 800_000)
        bench.run(800_000, seconds: 1)
        #expect(bench.total == 800_000)
        _ = bench.allocation.setActive(false, .low)
        bench.run(100_000, seconds: 0)
        #expect(bench.on == [.medium])
        _ = bench.allocation.setActive(false, .medium)
        #expect(bench.on.isEmpty && bench.allocation.wantedBitrate == 0)
        bench.run(150_000, seconds: 0)
        #expect(bench.on.isEmpty)
    }

    @Test("on a free path a layer is on as soon as it is watched")
    func demand() {
        var bench = Bench()
        for quality in [LayerQuality.low, .medium, .high] { _ = bench.allocation.setActive(false, quality) }
        bench.run(300_000, seconds: 1)
        for quality in [LayerQuality.high, .low, .medium] { _ = bench.allocation.setActive(true, quality) }
        #expect(bench.on == [.low, .medium, .high] && bench.total == 2_600_000)
    }

    @Test("on a limited path a layer that is watched anew waits for room, and none that is on goes for it")
    func limitedDemand() {
        var bench = Bench()
        _ = bench.allocation.setActive(false, .high)
        bench.run(600_000, seconds: 1)
        #expect(bench.on == [.low, .medium])
        _ = bench.allocation.setActive(true, .high)
        #expect(bench.on == [.low, .medium])
        bench.run(1_700_000, seconds: 1.2)
        #expect(bench.on == [.low, .medium, .high])
        _ = bench.allocation.setActive(false, .medium)
        #expect(bench.on == [.low, .high])
        _ = bench.allocation.setActive(true, .medium)
        #expect(bench.on == [.low, .medium, .high])
    }

    @Test("one layer alone takes what there is")
    func single() {
        var allocation = BitrateAllocation(
            rungs: [BitrateAllocation.Rung(quality: .high, bitrate: 1_000_000)], soundBitrate: 0)
        _ = allocation.update(estimate: 200_000, at: .zero)
        #expect(allocation.targets == [.init(quality: .high, bitrate: 184_000, isEncoded: true)])
    }
}

@Suite("Bitrates of layers that others encode") struct FixedBitrateAllocationTests {
    private static func allocation() -> BitrateAllocation {
        BitrateAllocation(
            rungs: [.init(quality: .low, bitrate: 200_000), .init(quality: .high, bitrate: 2_000_000)], soundBitrate: 0,
            isFixed: true)
    }

    private static func encoded(_ allocation: BitrateAllocation) -> [LayerQuality] {
        allocation.targets.filter(\.isEncoded).map(\.quality)
    }

    @Test("a path that carries what is sent costs no layer, though the estimate is no more than that")
    func carries() {
        var allocation = Self.allocation()
        _ = allocation.update(estimate: 2_200_000, at: .zero)
        #expect(Self.encoded(allocation) == [.low, .high])
    }

    @Test("what the path cannot carry whole is left out, and comes back when all of it fits")
    func leavesOut() {
        var allocation = Self.allocation()
        _ = allocation.update(estimate: 1_500_000, at: .zero)
        #expect(Self.encoded(allocation) == [.low])
        for second in 1...10 { _ = allocation.update(estimate: 2_200_000, at: .zero + .seconds(Int64(second))) }
        #expect(Self.encoded(allocation) == [.low])
        for second in 11...20 { _ = allocation.update(estimate: 3_000_000, at: .zero + .seconds(Int64(second))) }
        #expect(Self.encoded(allocation) == [.low, .high])
    }

    @Test("a layer that has become larger counts as large as it is")
    func grows() {
        var allocation = Self.allocation()
        _ = allocation.update(estimate: 2_500_000, at: .zero)
        allocation.setBitrate(4_000_000, .high)
        #expect(allocation.wantedBitrate == 4_200_000)
        _ = allocation.update(estimate: 2_500_000, at: .zero + .seconds(1))
        #expect(Self.encoded(allocation) == [.low])
    }
}
