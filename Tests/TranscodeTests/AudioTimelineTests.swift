import Testing

import Transcode

@Suite struct AudioTimelineTests {
    private let packet: Int64 = 20_000_000

    private func started(at pts: Int64 = 0) -> AudioTimeline {
        var timeline = AudioTimeline()
        timeline.restart(at: pts)
        return timeline
    }

    @Test("the first samples set the clock")
    func first() {
        var timeline = AudioTimeline()
        #expect(timeline.position == nil)
        #expect(timeline.judge(5, waiting: 0) == .jump)
        timeline.restart(at: 5)
        #expect(timeline.position == 5)
        timeline.advance(960)
        #expect(timeline.position == 5 + packet)
    }

    @Test(
        "errors up to 30 ms are followed, a step more is a jump ahead or an overlap behind, a second behind is a jump")
    func borders() {
        let cases: [(Int64, AudioTimeline.Step)] = [
            (0, .follow), (30_000_000, .follow), (30_000_001, .jump), (-30_000_000, .follow), (-30_000_001, .overlap),
            (-1_000_000_000, .overlap), (-1_000_000_001, .jump),
        ]
        for (error, step) in cases {
            var timeline = started(at: 10_000_000_000)
            #expect(timeline.judge(10_000_000_000 + error + packet, waiting: 960) == step, "\(error)")
        }
    }

    @Test("rounding to milliseconds asks for no correction")
    func rounding() {
        var timeline = started()
        var corrections: [Int32] = []
        for index in 0..<Int64(3000) {
            // AAC at 44.1 kHz in RTMP: 23.22 ms frames at whole milliseconds.
            let samples: Int64 = index % 3 == 0 ? 1114 : 1115
            let exact = timeline.position ?? 0
            #expect(timeline.judge(exact / 1_000_000 * 1_000_000, waiting: 0) == .follow)
            timeline.advance(samples)
            if let correction = timeline.correction(after: samples) { corrections.append(correction) }
        }
        #expect(corrections.isEmpty)
    }

    @Test("a source that runs fast or slow by 0.1 % is followed and stays within 5 ms", arguments: [1.001, 0.999])
    func drift(speed: Double) {
        var timeline = started()
        var debt = 0.0  // samples that the correction still owes
        var worst: Int64 = 0
        for index in 0..<Int64(6000) {
            let pts = Int64(Double(index * packet) * speed)
            #expect(timeline.judge(pts, waiting: 0) == .follow)
            worst = max(worst, abs(pts - (timeline.position ?? 0)))
            let extra = Int64((debt / 50).rounded())
            debt -= Double(extra)
            timeline.advance(960 + extra)
            if let correction = timeline.correction(after: 960) { debt = Double(correction) }
        }
        #expect(worst < 5_000_000, "\(worst)")
    }

    @Test("no correction is larger than half a percent")
    func largest() {
        var timeline = started()
        var corrections: [Int32] = []
        for index in 0..<Int64(200) {
            _ = timeline.judge(index * packet + 29_000_000, waiting: 0)
            timeline.advance(960)
            if let correction = timeline.correction(after: 960) { corrections.append(correction) }
        }
        #expect(corrections.max() == 240)
        #expect(corrections.count >= 3)
    }
}
