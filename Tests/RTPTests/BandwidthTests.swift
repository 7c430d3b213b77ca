import Bytes
import RTP
import Testing

extension PathWorld {
    /// The bottleneck's rate as the estimate counts it.
    static func carried(_ capacity: Int) -> Double { Double(capacity - audioBitrate) * 1_000 / 1_044 }

    func estimates(from start: Double, to end: Double) -> [Double] { part(start, end).map { Double($0.estimate) } }

    func mean(from start: Double, to end: Double) -> Double {
        let values = estimates(from: start, to: end)
        return values.reduce(0, +) / Double(values.count)
    }

    /// Share of packets that did not arrive.
    func loss(from start: Double, to end: Double) -> Double {
        let slots = part(start, end)
        return Double(slots.reduce(0) { $0 + $1.lostPackets }) / Double(slots.reduce(0) { $0 + $1.sentPackets })
    }

    /// Bits a second without padding.
    func mediaRate(from start: Double, to end: Double) -> Double {
        let bytes = part(start, end).reduce(0) { $0 + $1.sentBytes - $1.paddingBytes }
        return Double(bytes) * 8 / (end - start)
    }

    func paddingShare(from start: Double, to end: Double) -> Double {
        let slots = part(start, end)
        return Double(slots.reduce(0) { $0 + $1.paddingBytes }) / Double(slots.reduce(0) { $0 + $1.sentBytes })
    }

    /// What the queue of the bottleneck is below in nine of ten slots.
    func queue(from start: Double, to end: Double) -> Interval {
        let queues = part(start, end).map(\.queue).sorted()
        return queues[queues.count * 9 / 10]
    }

    private func part(_ start: Double, _ end: Double) -> ArraySlice<Slot> {
        slots[Int(start * 10)..<min(Int(end * 10), slots.count)]
    }
}

private func world(
    _ capacity: Int?, retransmission: Bool = true, seed: UInt64 = 1, _ change: (inout Bottleneck) -> Void = { _ in }
) -> PathWorld {
    var path = Bottleneck(capacity: capacity)
    change(&path)
    return PathWorld(SharedLink(path), retransmission: retransmission, seed: seed)
}

/// The whole sender against a simulated path.
@Suite struct BandwidthTests {
    @Test(
        "on a narrow path the estimate settles below what it carries, without loss",
        arguments: [700_000, 1_500_000, 2_400_000], [1, 2] as [UInt64])
    func convergence(capacity: Int, seed: UInt64) {
        let world = world(capacity, seed: seed)
        world.switchesLayers = false
        world.run(seconds: 20)
        let carried = PathWorld.carried(capacity)
        #expect((0.75...1.05).contains(world.mean(from: 4, to: 5) / carried))
        #expect((0.8...0.98).contains(world.mean(from: 5, to: 20) / carried))
        #expect(world.loss(from: 2, to: 20) < 0.005)
        #expect(world.queue(from: 3, to: 20) < .milliseconds(120))
        // No oscillation: no fall to less than two thirds, however short.
        #expect((world.estimates(from: 5, to: 20).min() ?? 0) > carried * 0.6)
        #expect(world.mediaRate(from: 5, to: 20) > carried * 0.7)
        #expect(world.worstSpin <= 2)
    }

    @Test("no limit shows on a path that carries everything", arguments: [nil, 20_000_000, 6_000_000])
    func unlimited(capacity: Int?) {
        let world = world(capacity)
        world.run(seconds: 12)
        #expect(world.estimates(from: 1, to: 12).allSatisfy { $0 >= Double(PathWorld.wanted) })
        #expect(world.paddingShare(from: 0, to: 12) == 0)
        #expect(world.loss(from: 0, to: 12) == 0)
        #expect(world.sender.bandwidthEstimate ?? 0 <= PathWorld.wanted * 3 / 2)
    }

    @Test("five percent random loss and 50 ms of jitter cost no rate", arguments: [true, false], [1, 2] as [UInt64])
    func lossAndJitter(reorders: Bool, seed: UInt64) {
        let world = world(6_000_000, seed: seed) {
            $0.loss = 0.05
            $0.jitter = .milliseconds(50)
            $0.reorders = reorders
        }
        world.run(seconds: 20)
        #expect(world.mean(from: 0.5, to: 20) > Double(PathWorld.wanted) * 0.97)
        #expect(world.mediaRate(from: 1, to: 20) > Double(PathWorld.wanted) * 0.95)
    }

    @Test(
        "loss and jitter that set in cost an application that sends little nothing",
        arguments: [1, 2, 3, 4, 5, 6] as [UInt64])
    func jitterOfFewPackets(seed: UInt64) {
        let world = world(nil, seed: seed)
        world.appLimit = 200_000
        world.run(seconds: 5)
        world.link.path.loss = 0.05
        world.link.path.jitter = .milliseconds(50)
        world.link.path.reorders = true
        world.run(seconds: 60)
        #expect((world.estimates(from: 1, to: 65).min() ?? 0) > Double(PathWorld.wanted) * 0.9)
    }

    @Test("capacity that comes back is used within ten seconds", arguments: [true, false])
    func recovery(retransmission: Bool) {
        let world = world(1_200_000, retransmission: retransmission)
        world.run(seconds: 15)
        #expect(world.mean(from: 5, to: 15) < 1_200_000)
        world.link.path.capacity = 6_000_000
        world.run(seconds: 15)
        #expect(world.mean(from: 25, to: 30) >= Double(PathWorld.wanted))
        #expect(world.slots[250...].allSatisfy { $0.layers == 3 })
        #expect(world.loss(from: 15, to: 30) < 0.01)
    }

    @Test("a path that becomes narrow is obeyed within two seconds")
    func stepDown() {
        let world = world(6_000_000)
        world.run(seconds: 8)
        world.link.path.capacity = 1_000_000
        world.run(seconds: 12)
        let carried = PathWorld.carried(1_000_000)
        #expect((world.estimates(from: 10, to: 20).max() ?? .infinity) <= carried * 1.2)
        #expect((0.65...0.98).contains(world.mean(from: 11, to: 20) / carried))
        #expect(world.loss(from: 10, to: 20) < 0.01)
    }

    @Test("two senders share a link, the second too gets its part")
    func sharing() {
        let link = SharedLink(Bottleneck(capacity: 4_000_000))
        let first = PathWorld(link, seed: 1)
        let second = PathWorld(link, seed: 2, startingAt: .ms(5_000))
        while min(first.now, second.now) < .ms(40_000) {
            if first.wantsEvent <= second.wantsEvent { first.step() } else { second.step() }
        }
        let (a, b) = (first.mediaRate(from: 12, to: 40), second.mediaRate(from: 12, to: 40))
        #expect(a + b > PathWorld.carried(4_000_000) * 0.65)
        #expect(min(a, b) > 0.2 * (a + b))
        #expect(first.loss(from: 8, to: 40) < 0.01)
        #expect(second.loss(from: 8, to: 40) < 0.01)
    }

    @Test("cross traffic is given way to, and what it leaves is taken back")
    func crossTraffic() {
        let world = world(4_000_000)
        var crossAt = Monotonic.ms(5_000)
        while world.now < .ms(30_000) {
            // 2.5 Mbit/s for ten seconds.
            while crossAt < .ms(15_000), crossAt <= world.wantsEvent {
                world.link.cross(1_250, at: crossAt)
                crossAt += .milliseconds(4)
            }
            world.step()
        }
        #expect(world.mean(from: 7, to: 15) < 2_000_000)
        #expect(world.mean(from: 7, to: 15) > 900_000)
        #expect(world.loss(from: 5, to: 30) < 0.01)
        #expect(world.mean(from: 25, to: 30) >= Double(PathWorld.wanted))
    }

    @Test("a path without a queue limits by loss, which stays low")
    func policer() {
        let world = world(1_500_000) { $0.maxQueue = .milliseconds(20) }
        world.run(seconds: 30)
        #expect((0.7...1.1).contains(world.mean(from: 5, to: 30) / PathWorld.carried(1_500_000)))
        #expect(world.loss(from: 2, to: 30) < 0.03)
    }

    @Test("feedback that is lost is no reason for a change")
    func lostFeedback() {
        let world = world(6_000_000)
        world.feedbackLoss = 0.3
        world.run(seconds: 15)
        #expect(world.estimates(from: 1, to: 15).allSatisfy { $0 >= Double(PathWorld.wanted) })
    }

    @Test("when feedback ends the estimate halves each second down to the floor, and comes back with it")
    func silence() {
        let world = world(nil)
        world.run(seconds: 5)
        world.answersFeedback = false
        world.run(seconds: 3.5)
        #expect(world.estimates(from: 5, to: 5.9).allSatisfy { $0 >= Double(PathWorld.wanted) })
        let later = world.sender.bandwidthEstimate ?? 0
        #expect((PathWorld.wanted / 9...PathWorld.wanted / 4).contains(later))
        world.run(seconds: 10)
        #expect(world.sender.bandwidthEstimate == BandwidthEstimator.floor)
        world.answersFeedback = true
        world.run(seconds: 12)
        #expect(world.sender.bandwidthEstimate ?? 0 >= PathWorld.wanted)
    }

    @Test("with the first word after a black-out the estimate is what it was, and all layers start with key frames")
    func blackOut() {
        let world = world(nil)
        world.run(seconds: 5.5)
        world.link.path.loss = 1
        world.run(seconds: 3)
        #expect(world.sender.bandwidthEstimate ?? 0 < PathWorld.wanted / 3)
        let keys = world.keyFrames
        world.link.path.loss = 0
        world.run(seconds: 0.4)
        #expect(world.sender.bandwidthEstimate ?? 0 >= PathWorld.wanted)
        #expect(world.keyFrames.dropFirst(keys.count).map(\.layer).sorted() == [0, 1, 2])
        let before = world.keyFrames.count
        world.run(seconds: 3)
        #expect(world.keyFrames.count == before)
        #expect(world.estimates(from: 9, to: 11.5).allSatisfy { $0 >= Double(PathWorld.wanted) })
    }

    @Test("after a black-out a path that carries less is found out as at first")
    func blackOutOntoLess() {
        let world = world(nil)
        world.run(seconds: 5)
        world.link.path.loss = 1
        world.run(seconds: 3)
        world.link.path.loss = 0
        world.link.path.capacity = 1_500_000
        world.run(seconds: 20)
        #expect((0.7...1.1).contains(world.mean(from: 12, to: 28) / PathWorld.carried(1_500_000)))
        #expect(world.loss(from: 12, to: 28) < 0.01)
    }

    @Test("without feedback ever, or without the extension, there is no limit", arguments: [true, false])
    func never(numbered: Bool) {
        let world = PathWorld(SharedLink(Bottleneck(capacity: 1_000_000)), numbered: numbered)
        world.answersFeedback = numbered ? false : true
        world.run(seconds: 6)
        #expect(world.sender.bandwidthEstimate == nil)
        #expect(world.estimates.isEmpty)
        #expect(world.mediaRate(from: 1, to: 6) > Double(PathWorld.wanted) * 0.9)
    }

    @Test("a sender that does not estimate paces and tells as before")
    func disabled() {
        let world = PathWorld(SharedLink(Bottleneck(capacity: 1_000_000)), estimates: false)
        world.run(seconds: 4)
        #expect(world.sender.bandwidthEstimate == nil)
        #expect(world.estimates.isEmpty)
    }

    @Test("an application that sends little neither raises nor lowers the estimate")
    func applicationLimited() {
        let world = world(2_000_000)
        world.run(seconds: 10)
        let before = world.mean(from: 8, to: 10)
        world.appLimit = 200_000
        world.run(seconds: 20)
        let after = world.mean(from: 28, to: 30)
        #expect(after > before * 0.8)
        #expect(after < PathWorld.carried(2_000_000) * 1.15)
    }

    @Test("an application that ignores the estimate is held back by the pace, and the top layer is dropped first")
    func disobedience() {
        let world = world(1_500_000)
        world.isObedient = false
        world.run(seconds: 20)
        #expect(world.loss(from: 3, to: 20) < 0.03)
        #expect(world.queue(from: 3, to: 20) < .milliseconds(120))
        let dropped = (1...3).map { world.sender.statistics(of: $0).framesDropped }
        #expect(dropped[2] > 100)
        #expect(dropped[0] < 30)
    }

    @Test("changes are told at once, and the estimate every second")
    func events() {
        let world = world(6_000_000)
        world.run(seconds: 10)
        #expect((9...12).contains(world.estimates.count))
        let before = world.estimates.count
        world.link.path.capacity = 1_000_000
        world.run(seconds: 3)
        let told = world.estimates[before...]
        #expect((3...20).contains(told.count))
        #expect((told.min() ?? 0) < 1_000_000)
    }

    @Test("probes cost little")
    func probeCost() {
        let world = world(1_500_000)
        world.run(seconds: 40)
        #expect(world.paddingShare(from: 5, to: 40) < 0.03)
    }

    @Test("the estimate follows at once when less or more is wanted")
    func wish() {
        let world = world(nil)
        world.isObedient = false
        world.run(seconds: 2)
        for wanted in [400_000, PathWorld.wanted] {
            world.sender.targetBitrate = wanted
            world.step()
            let expected = wanted == 400_000 ? 600_000 : PathWorld.wanted
            #expect(world.estimates.last == expected)
        }
    }

    @Test("what was learnt of a path is not held against another")
    func anotherPath() {
        let world = world(800_000)
        world.run(seconds: 4)
        #expect(world.isPathLimited)
        world.link.path.capacity = nil
        world.sender.pathChanged(at: world.now)
        #expect(!world.isPathLimited)
        world.run(seconds: 3)
        #expect(world.estimates(from: 5, to: 7).allSatisfy { $0 >= Double(PathWorld.wanted) })
    }
}
