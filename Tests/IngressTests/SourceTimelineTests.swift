import Bytes
import Ingress
import Media
import Testing

@Suite struct SourceTimelineTests {
    private let ms: Int64 = 1_000_000

    private func at(_ milliseconds: Int64) -> Monotonic {
        Monotonic(nanoseconds: 1_000_000_000_000 + milliseconds * ms)
    }

    @Test("the first frame lands on its arrival, and later ones keep the source's distances")
    func anchors() {
        var timeline = SourceTimeline()
        #expect(timeline.map(dts: 500 * ms, kind: .video, arrivedAt: at(0)) == at(0).nanoseconds)
        #expect(timeline.map(dts: 533 * ms, kind: .video, arrivedAt: at(90)) == at(33).nanoseconds)
        #expect(timeline.map(dts: 520 * ms, kind: .audio, arrivedAt: at(91)) == at(20).nanoseconds)
        #expect(timeline.jumps == 0)
    }

    @Test("a source whose clock leaps an hour goes on where it was", arguments: [3_600_000, -3_600_000] as [Int64])
    func jump(by leap: Int64) {
        var timeline = SourceTimeline()
        _ = timeline.map(dts: 4_000_000 * ms, kind: .video, arrivedAt: at(0))
        _ = timeline.map(dts: 4_000_033 * ms, kind: .video, arrivedAt: at(33))
        let after = timeline.map(dts: (4_000_066 + leap) * ms, kind: .video, arrivedAt: at(66))
        #expect(after == at(66).nanoseconds)
        // The audio of the same moment jumps with it and keeps its distance to the picture.
        #expect(timeline.map(dts: (4_000_060 + leap) * ms, kind: .audio, arrivedAt: at(67)) == at(60).nanoseconds)
        #expect(timeline.jumps == 1)
    }

    @Test("a stall that the source pays back by a burst leaves the offset alone")
    func burst() {
        var timeline = SourceTimeline()
        var dts: Int64 = 0
        for frame in 0..<30 {
            dts = Int64(frame) * 33; _ = timeline.map(dts: dts * ms, kind: .video, arrivedAt: at(dts))
        }
        // Frozen for five seconds, then everything at once.
        for frame in 30..<180 {
            _ = timeline.map(dts: Int64(frame) * 33 * ms, kind: .video, arrivedAt: at(5_957 + Int64(frame - 30)))
        }
        for frame in 180..<300 {
            let due = Int64(frame) * 33
            #expect(timeline.map(dts: due * ms, kind: .video, arrivedAt: at(max(due, 6_110))) == at(due).nanoseconds)
        }
        #expect(timeline.stalls == 0)
    }

    @Test("a stall that is not paid back is moved into the offset within two seconds")
    func stall() {
        var timeline = SourceTimeline()
        for frame in 0..<30 {
            _ = timeline.map(dts: Int64(frame) * 33 * ms, kind: .video, arrivedAt: at(Int64(frame) * 33))
        }
        var lag = Interval.zero
        for frame in 30..<(30 + 120) {
            let arrival = at(Int64(frame) * 33 + 5_000)
            lag =
                arrival
                - Monotonic(nanoseconds: timeline.map(dts: Int64(frame) * 33 * ms, kind: .video, arrivedAt: arrival))
        }
        #expect(lag < .milliseconds(250))
        #expect(timeline.stalls == 1)
    }

    @Test("sound that starts seconds before the picture shares the picture's timeline")
    func audioFirst() {
        var timeline = SourceTimeline()
        for packet in 0..<100 {
            _ = timeline.map(dts: Int64(packet) * 20 * ms, kind: .audio, arrivedAt: at(Int64(packet) * 20))
        }
        #expect(timeline.map(dts: 2_000 * ms, kind: .video, arrivedAt: at(2_004)) == at(2_000).nanoseconds)
        #expect(timeline.jumps == 0)
    }

    @Test("nothing overflows on the largest timestamps")
    func extremes() {
        var timeline = SourceTimeline()
        for dts in [Int64.max, .min, 0, .max, -1, .min] {
            _ = timeline.map(dts: dts, kind: .video, arrivedAt: at(0))
        }
    }
}
