import Bytes
import Ingress
import Media
import Testing

@Suite struct FrameBacklogTests {
    private func at(_ milliseconds: Int64) -> Monotonic {
        Monotonic(nanoseconds: 9_000_000_000 + milliseconds * 1_000_000)
    }

    @Test("while the child keeps up, all frames pass")
    func keepsUp() {
        var backlog = FrameBacklog(maxBytes: 1_000, maxAge: .seconds(2))
        for index in 0..<5_000 {
            let sent = UInt64(index * 100)
            let isAdmitted = backlog.admits(.video, isKey: false, sent: sent, queued: 0, at: at(Int64(index) * 33))
            #expect(isAdmitted)
            backlog.wrote(upTo: sent + 100, at: at(Int64(index) * 33))
        }
        let dropped = backlog.dropped
        #expect(dropped == 0)
    }

    @Test("the bound itself passes, a byte more does not", arguments: [MediaKind.audio, .video])
    func bytes(kind: MediaKind) {
        var backlog = FrameBacklog(maxBytes: 1_000, maxAge: .seconds(2))
        let atBound = backlog.admits(kind, isKey: true, sent: 0, queued: 1_000, at: at(0))
        let above = backlog.admits(kind, isKey: true, sent: 0, queued: 1_001, at: at(0))
        #expect(atBound && !above)
        let dropped = backlog.dropped
        #expect(dropped == 1)
    }

    @Test("media older than the bound stops what comes behind it, whatever its size")
    func age() {
        var backlog = FrameBacklog(maxBytes: 1_000, maxAge: .seconds(2))
        backlog.wrote(upTo: 10, at: at(0))
        let atBound = backlog.admits(.video, isKey: true, sent: 9, queued: 1, at: at(2_000))
        let above = backlog.admits(.video, isKey: true, sent: 9, queued: 1, at: at(2_001))
        let sent = backlog.admits(.video, isKey: true, sent: 10, queued: 0, at: at(2_002))
        #expect(atBound && !above && sent)
    }

    @Test("after a drop, pictures go on with a key frame and sound at once")
    func keyFrame() {
        var backlog = FrameBacklog(maxBytes: 1_000, maxAge: .seconds(2))
        let steps: [(MediaKind, isKey: Bool, queued: Int, passes: Bool)] = [
            (.video, false, 1_001, false), (.audio, true, 1_001, false), (.video, true, 1_001, false),
            (.audio, true, 0, true), (.video, false, 0, false), (.video, false, 0, false), (.audio, true, 0, true),
            (.video, true, 0, true), (.video, false, 0, true),
        ]
        for step in steps {
            let passes = backlog.admits(step.0, isKey: step.isKey, sent: 0, queued: step.queued, at: at(0))
            #expect(passes == step.passes)
        }
        let dropped = backlog.dropped
        #expect(dropped == 5)
    }

    @Test("dropped sound costs no picture")
    func sound() {
        var backlog = FrameBacklog(maxBytes: 1_000, maxAge: .seconds(2))
        let audio = backlog.admits(.audio, isKey: true, sent: 0, queued: 2_000, at: at(0))
        let video = backlog.admits(.video, isKey: false, sent: 0, queued: 0, at: at(0))
        #expect(!audio && video)
    }

    @Test("more frames than there are places for are behind, however small")
    func places() {
        var backlog = FrameBacklog(maxBytes: 1_000_000, maxAge: .seconds(2))
        for index in 0..<FrameBacklog.capacity { backlog.wrote(upTo: UInt64(index + 1), at: at(0)) }
        let full = backlog.admits(.audio, isKey: true, sent: 0, queued: 1_024, at: at(1))
        let room = backlog.admits(.audio, isKey: true, sent: 1, queued: 1_023, at: at(1))
        #expect(!full && room)
    }

    @Test("a picture lost for another reason counts, and the next one is a key frame")
    func lost() {
        var backlog = FrameBacklog(maxBytes: 1_000, maxAge: .seconds(2))
        backlog.lost(.audio)
        let before = backlog.admits(.video, isKey: false, sent: 0, queued: 0, at: at(0))
        backlog.lost(.video)
        let after = backlog.admits(.video, isKey: false, sent: 0, queued: 0, at: at(0))
        #expect(before && !after)
        let dropped = backlog.dropped
        #expect(dropped == 3)
    }

    @Test("the age is that of the oldest frame that waits")
    func oldest() {
        var backlog = FrameBacklog(maxBytes: 1_000, maxAge: .seconds(2))
        let none = backlog.age(at: at(50))
        backlog.wrote(upTo: 10, at: at(100))
        backlog.wrote(upTo: 20, at: at(200))
        let first = backlog.age(at: at(300))
        _ = backlog.admits(.audio, isKey: true, sent: 10, queued: 10, at: at(300))
        let second = backlog.age(at: at(300))
        #expect(none == .zero && first == .milliseconds(200) && second == .milliseconds(100))
    }
}

@Suite struct StartBackoffTests {
    private func at(_ seconds: Int64) -> Monotonic { Monotonic(nanoseconds: seconds * 1_000_000_000) }
    private let fresh = StartBackoff(shortestRest: .seconds(1), longestRest: .seconds(60))

    @Test("two deaths are bad luck, the third begins a rest")
    func third() {
        var backoff = fresh
        for _ in 0..<2 {
            let isRest1 = backoff.died(at: at(0))
            #expect(!isRest1)
        }
        #expect(!backoff.isResting(at: at(0)) && !backoff.hasRested && backoff.maxStarting > 100)
        let isRest2 = backoff.died(at: at(10))
        #expect(isRest2)
        #expect(backoff.isResting(at: at(10)) && backoff.hasRested)
        #expect(backoff.restsUntil == at(11) && !backoff.isResting(at: at(11)))
        #expect(backoff.maxStarting == 1)
    }

    @Test("each rest is twice as long, up to a minute")
    func growth() {
        var backoff = fresh
        var now = at(0)
        for _ in 0..<2 { _ = backoff.died(at: now) }
        for expected in [1, 2, 4, 8, 16, 32, 60, 60] as [Int64] {
            let isRest3 = backoff.died(at: now)
            #expect(isRest3)
            #expect(backoff.restsUntil == now + .seconds(expected))
            now += .seconds(expected)
        }
    }

    @Test("deaths during a rest make it no longer")
    func during() {
        var backoff = fresh
        for _ in 0..<3 { _ = backoff.died(at: at(0)) }
        let isRest4 = backoff.died(at: at(0))
        #expect(!isRest4)
        #expect(backoff.restsUntil == at(1))
        let isRest5 = backoff.died(at: at(1))
        #expect(isRest5)
        #expect(backoff.restsUntil == at(3))
    }

    @Test("a child that comes up forgives all")
    func success() {
        var backoff = fresh
        for _ in 0..<3 { _ = backoff.died(at: at(0)) }
        backoff.succeeded()
        #expect(!backoff.hasRested && backoff.restsUntil == nil && backoff.maxStarting > 100)
        let isRest6 = backoff.died(at: at(0))
        #expect(!isRest6)
    }
}
