import TestSupport
import Testing
import Transcode

@Suite struct FramePacerTests {
    /// Milliseconds of the pictures that pass, of a source whose times are whole milliseconds.
    private func passed(_ source: Double, cap: Double, seconds: Double = 10, jitter: Int64 = 0) -> [Int64] {
        var pacer = FramePacer(maxFrameRate: cap)
        var generator = SeededGenerator(seed: 1)
        return (0..<Int(source * seconds)).compactMap { index in
            let noise = jitter == 0 ? 0 : Int64(generator.next() % UInt64(2 * jitter + 1)) - jitter
            let time = Int64(Double(index) * 1000 / source) + noise
            return pacer.admit(time * 1_000_000) ? time : nil
        }
    }

    @Test("a source at or below the rate passes whole", arguments: [1.0, 12.5, 24, 25, 29.97, 30])
    func whole(rate: Double) {
        #expect(passed(rate, cap: 30).count == Int(rate * 10))
    }

    @Test("so does one that means the rate and is a little above it", arguments: [30.1, 30.3, 31, 32])
    func slightlyFast(rate: Double) {
        for jitter in [0, 5] as [Int64] { #expect(passed(rate, cap: 30, jitter: jitter).count >= Int(rate * 9.9)) }
    }

    @Test("jitter of up to half an interval costs a source at the rate nothing")
    func jitter() {
        #expect(passed(30, cap: 30, jitter: 12).count == 300)
    }

    @Test("a faster source is thinned to the rate", arguments: [36.0, 48, 50, 59.94, 60, 90, 120, 144, 240])
    func thinned(rate: Double) {
        for cap in [15.0, 25, 30] {
            let count = passed(rate, cap: cap).count
            #expect((Int(cap * 10) - 6...Int(cap * 10) + 2).contains(count), "\(rate) to \(cap): \(count)")
        }
    }

    @Test(
        "twice the rate is thinned to every second picture, not to pairs with gaps",
        arguments: [(60.0, 30.0), (50, 25), (30, 15)])
    func even(rate: Double, cap: Double) {
        let times = passed(rate, cap: cap).dropFirst(2)
        let interval = Int64(1000 / cap)
        #expect(zip(times, times.dropFirst()).allSatisfy { abs($1 - $0 - interval) <= 2 })
    }

    @Test("after a reset the next picture passes whatever its time")
    func reset() {
        var pacer = FramePacer(maxFrameRate: 30)
        var admitted = [pacer.admit(1_000_000_000), pacer.admit(500_000_000)]
        pacer.reset()
        admitted.append(pacer.admit(500_000_000))
        #expect(admitted == [true, false, true])
    }

    @Test("the meter tells the rate after each second and forgets across a pause")
    func meter() {
        var meter = FrameRateMeter()
        var rates: [Double] = []
        for index in 0..<Int64(51) { if let rate = meter.record(index * 40_000_000) { rates.append(rate) } }
        #expect(rates == [25, 25])
        let afterPause = (0...10).map { meter.record(9_000_000_000 + $0 * 100_000_000) }
        #expect(afterPause == [Double?](repeating: nil, count: 10) + [10])
        let afterStepBack = meter.record(1_000_000_000)
        #expect(afterStepBack == nil)
        #expect(meter.framesPerSecond == 10)
    }
}

@Suite struct TranscodeErrorTests {
    @Test("what a peer's bytes can cause drops one frame, what no frame can mend closes the stream")
    func severities() {
        let drops: [TranscodeError] = [
            .notConfigured, .awaitingKeyFrame, .undecodable(-1), .frameTooLarge(1), .formatOutOfLimits,
        ]
        let closes: [TranscodeError] = [
            .unsupportedVideo, .unsupportedAudio, .decoderRefused(-1), .encoderRefused(-1), .scalerRefused,
            .resamplerRefused(-1),
            .encodingFailed(-1), .invalidLadder(.noLayers),
        ]
        #expect(drops.allSatisfy { $0.severity == .drop })
        #expect(closes.allSatisfy { $0.severity == .closeStream })
    }
}
