import Bytes
import RTP
import TestSupport
import Testing
import WebRTC

/// Sends 30 pictures a second and has the client tell of their arrivals ten times a second.
private struct Reporter: ~Copyable {
    let world: PeerWorld
    var receiver = PictureReceiver()
    private var picture = 0
    private var reported: Int64 = -1
    /// Added to each arrival: what a queue before the client would do.
    private var queue: Int64 = 0

    init(_ world: PeerWorld) { self.world = world }

    /// `growth`: of the queue, in ms for each second.
    mutating func run(seconds: Double, growth: Int64 = 0, isSilent: Bool = false) throws {
        for _ in 0..<Int(seconds * 10) {
            for _ in 0..<3 {
                try world.send(Picture(picture, isKey: picture % 15 == 0, count: 6_000))
                picture += 1
                try world.run(for: .microseconds(33_333), &receiver, nacks: false)
            }
            if !isSilent { report(growth: growth) }
        }
    }

    mutating func drain() { queue = 0 }

    private mutating func report(growth: Int64) {
        let new = receiver.arrivals.keys.filter { $0 > reported }.sorted()
        guard let first = new.first, let last = new.last else { return }
        let arrivals = receiver.arrivals
        let ticks: [Int64?] = (first...last).map { number in
            guard let arrival = arrivals[number] else { return nil }
            return arrival + queue + growth * 4 / 10 * (number - first) / Int64(new.count)
        }
        queue += growth * 4 / 10
        reported = last
        world.sendControl { output in
            _ = TransportFeedback.write(
                sender: PeerWorld.clientSSRC, media: PeerWorld.videoSSRC,
                baseSequence: UInt16(truncatingIfNeeded: first), feedbackCount: 0, arrivals: ticks, maxBytes: 1_100,
                into: &output)
        }
    }
}

extension PeerHost {
    var estimates: [Int] {
        events.compactMap { if case .bandwidthEstimated(let rate) = $0 { rate } else { nil } }
    }
}

@Suite struct PeerBandwidthTests {
    @Test("the estimate comes out once a second, and pictures arrive as without it")
    func steady() throws {
        let world = try PeerWorld.connected(estimatesBandwidth: true)
        var reporter = Reporter(world)
        try reporter.run(seconds: 4)
        #expect((3...5).contains(world.server.estimates.count))
        #expect(world.server.estimates.allSatisfy { $0 == 2_000_000 })
        let pictures = reporter.receiver.pictures.count
        #expect(pictures >= 119)
        #expect(world.worstSpin <= 2)
    }

    @Test("a queue that grows on the path lowers the estimate, and a path that is free again raises it")
    func queue() throws {
        let world = try PeerWorld.connected(estimatesBandwidth: true)
        var reporter = Reporter(world)
        try reporter.run(seconds: 2)
        try reporter.run(seconds: 1, growth: 300)
        #expect(world.server.estimates.last ?? .max < 1_700_000)
        reporter.drain()
        try reporter.run(seconds: 15)
        #expect(world.server.estimates.last ?? 0 >= 2_000_000)
        #expect(world.server.drops.total == 0 && world.client.drops.total == 0)
    }

    @Test("a peer that was not told to estimate says nothing of it")
    func disabled() throws {
        let world = try PeerWorld.connected()
        var reporter = Reporter(world)
        try reporter.run(seconds: 1, growth: 500)
        #expect(world.server.estimates.isEmpty)
        #expect(world.server.events.contains(.feedbackReceived))
    }

    @Test("on another path the estimate starts anew")
    func anotherPath() throws {
        let world = try PeerWorld.connected(estimatesBandwidth: true)
        var reporter = Reporter(world)
        try reporter.run(seconds: 2)
        try reporter.run(seconds: 1.5, growth: 400)
        #expect(world.server.estimates.last ?? .max < 1_700_000)
        world.server.clearEvents()
        world.server.peer.sender.pathChanged(at: world.now)
        try reporter.run(seconds: 0.5)
        #expect(world.server.estimates.first == 2_000_000)
    }

    @Test("when the client falls silent the estimate is halved")
    func silence() throws {
        let world = try PeerWorld.connected(estimatesBandwidth: true)
        var reporter = Reporter(world)
        try reporter.run(seconds: 2)
        try reporter.run(seconds: 1.5, isSilent: true)
        #expect(world.server.estimates.last == 1_000_000)
    }
}
