import Bytes
import Media
import RTP
import TestSupport
import Testing

/// A source with a clock of its own, which it reports on by the peer's wall clock.
private struct Source {
    var rate: Int64
    var offset: UInt32
    var clock: SourceClock
    /// The peer's wall clock minus the server's monotonic one.
    var wall = Interval.seconds(1_000)

    init(rate: Int64, offset: UInt32) {
        self.rate = rate
        self.offset = offset
        clock = SourceClock(clockRate: Int(rate))
    }

    func timestamp(_ captured: Monotonic) -> UInt32 {
        offset &+ UInt32(truncatingIfNeeded: captured.nanoseconds.ticks(rate: rate))
    }

    mutating func packet(_ captured: Monotonic, arrival: Monotonic) -> Interval {
        var timeline = PeerTimeline()
        return packet(captured, arrival: arrival, &timeline)
    }

    mutating func packet(_ captured: Monotonic, arrival: Monotonic, _ timeline: inout PeerTimeline) -> Interval {
        Interval(nanoseconds: clock.time(of: timestamp(captured), arrival: arrival, timeline: &timeline))
    }

    mutating func report(_ sent: Monotonic, arrival: Monotonic, _ timeline: inout PeerTimeline) {
        let ntp = NTPTime(rawValue: 0).advanced(by: Interval(nanoseconds: sent.nanoseconds) + wall)
        clock.receive(
            SenderReportArrival(ntp: ntp, rtpTimestamp: timestamp(sent), arrival: arrival), timeline: &timeline)
    }
}

private func ms(_ value: Interval) -> Double { Double(value.nanoseconds) / 1e6 }

@Suite struct SourceClockTests {
    @Test("without reports the first packet stands at its arrival, and the others at their distance from it")
    func first() {
        var source = Source(rate: 90_000, offset: 4_000_000_000)
        let start = source.packet(.ms(0), arrival: .ms(700))
        #expect(start == .milliseconds(700))
        for step in 1..<100 as Range<Int64> {
            let time = source.packet(.ms(step * 20), arrival: .ms(700 + step * 20 + step % 7))
            #expect(abs(ms(time) - Double(700 + step * 20)) < 0.1)
        }
    }

    @Test("what a source held back until it could send is caught up with", arguments: [100, 400, 1_500] as [Int64])
    func heldBack(begin: Int64) {
        var source = Source(rate: 48_000, offset: 0)
        var last = source.packet(.ms(0), arrival: .ms(begin))
        for step in 1..<400 as Range<Int64> {
            let arrival = max(begin, step * 20 + 50)
            let time = source.packet(.ms(step * 20), arrival: .ms(arrival))
            #expect(time > last)
            // A sixteenth of what was held back, for the times of its packets have to grow.
            if arrival > begin { #expect(abs(ms(time) - Double(step * 20 + 50)) <= Double(begin) / 16 + 1) }
            last = time
        }
        #expect(abs(ms(last) - Double(399 * 20 + 50)) < 0.1)
    }

    @Test("packets that are quick only later are followed without steps")
    func slowStart() {
        var source = Source(rate: 48_000, offset: 0)
        var last = source.packet(.ms(0), arrival: .ms(400))
        for step in 1..<800 as Range<Int64> {
            let time = source.packet(.ms(step * 20), arrival: .ms(step * 20 + (step < 130 ? 400 : 50)))
            let distance = ms(time - last)
            #expect((18.9...21.1).contains(distance))
            last = time
        }
        #expect(abs(ms(last) - Double(799 * 20 + 50)) < 0.1)
    }

    @Test("time goes on over the wrap of timestamps, and late ones stand before")
    func wrap() {
        var source = Source(rate: 90_000, offset: UInt32.max - 90_000)
        var times: [Interval] = []
        for step in 0..<100 as Range<Int64> { times.append(source.packet(.ms(step * 40), arrival: .ms(step * 40))) }
        for (index, time) in times.enumerated() { #expect(abs(ms(time) - Double(index * 40)) < 0.1) }
        #expect(abs(ms(source.packet(.ms(500), arrival: .ms(3_970))) - 500) < 0.1)
        #expect(abs(ms(source.packet(.ms(3_960), arrival: .ms(3_970))) - 3_960) < 0.1)
    }

    @Test("days of timestamps wrap many times")
    func manyWraps() {
        var source = Source(rate: 90_000, offset: 5)
        for minutes in 0..<3_000 as Range<Int64> {
            let time = Monotonic.zero + .seconds(minutes * 60)
            #expect(abs(ms(source.packet(time, arrival: time)) - Double(minutes * 60_000)) < 0.1)
        }
        #expect(source.clock.jumps == 0)
    }

    @Test("with reports sound and picture share one timeline whatever their delays")
    func shared() {
        var timeline = PeerTimeline()
        var audio = Source(rate: 48_000, offset: 77)
        var video = Source(rate: 90_000, offset: 3_999_999_999)
        var layer = Source(rate: 90_000, offset: 1_000)
        var last: [Interval] = []
        for step in 0..<500 as Range<Int64> {
            let now = Monotonic.ms(step * 20)
            if step % 50 == 10 { audio.report(now, arrival: now + .milliseconds(step % 3 + 15), &timeline) }
            if step % 50 == 30 { video.report(now, arrival: now + .milliseconds(25), &timeline) }
            if step % 50 == 40 { layer.report(now, arrival: now + .milliseconds(25), &timeline) }
            // Capture to arrival: 30 ms of sound, 120 and 60 ms of picture.
            last = [
                audio.packet(now, arrival: now + .milliseconds(30), &timeline),
                video.packet(now, arrival: now + .milliseconds(120), &timeline),
                layer.packet(now, arrival: now + .milliseconds(60), &timeline),
            ]
        }
        // The quickest packets are those of sound.
        for time in last { #expect(abs(ms(time) - Double(499 * 20 + 30)) < 0.5) }
        #expect(audio.clock.jumps + video.clock.jumps + layer.clock.jumps == 0)
    }

    @Test("time never goes back and is never stretched by more than 5 %", arguments: 0..<10 as Range<UInt64>)
    func monotone(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var timeline = PeerTimeline()
        var source = Source(rate: 90_000, offset: UInt32(truncatingIfNeeded: seed &* 999_999_937))
        var last: Interval?
        for step in 0..<2_000 as Range<Int64> {
            let now = Monotonic.ms(step * 33)
            let delay = Interval.milliseconds(Int64.random(in: 40...400, using: &random))
            if step % 30 == 29 {
                source.report(now, arrival: now + .milliseconds(Int64.random(in: 20...90, using: &random)), &timeline)
            }
            let time = source.packet(now, arrival: now + delay, &timeline)
            // Until it is known how late the first packet was, time may also go more slowly.
            if let last { #expect((step < 100 ? 2...34.7 : 31.3...34.7).contains(ms(time - last))) }
            last = time
        }
        #expect(source.clock.jumps == 0)
    }

    @Test("reports whose timestamps run twice as fast as those of packets are not believed")
    func wrongReports() {
        var timeline = PeerTimeline()
        var source = Source(rate: 90_000, offset: 7)
        for step in 0..<1_000 as Range<Int64> {
            let now = Monotonic.ms(step * 33)
            let time = source.packet(now, arrival: now + .milliseconds(40), &timeline)
            #expect(abs(ms(time) - Double(step * 33 + 40)) < 0.1)
            guard [20, 45, 180, 400, 700].contains(step) else { continue }
            let ntp = NTPTime(rawValue: 0).advanced(by: Interval(nanoseconds: now.nanoseconds) + source.wall)
            let report = SenderReportArrival(
                ntp: ntp, rtpTimestamp: source.timestamp(.ms(step * 66)), arrival: now + .milliseconds(20))
            source.clock.receive(report, timeline: &timeline)
        }
    }

    @Test("what all sources are late by costs nothing, and one that is later by far is believed when its reports agree")
    func agreement() {
        var timeline = PeerTimeline()
        var audio = Source(rate: 48_000, offset: 1)
        var video = Source(rate: 90_000, offset: 7)
        var last = Interval.zero
        for step in 0..<1_000 as Range<Int64> {
            let now = Monotonic.ms(step * 33)
            if [50, 200, 350].contains(step) {
                audio.report(now, arrival: now + .milliseconds(20), &timeline)
                video.report(now, arrival: now + .milliseconds(20), &timeline)
            }
            let sound = audio.packet(now, arrival: now + .milliseconds(500), &timeline)
            #expect(abs(ms(sound) - Double(step * 33 + 500)) < 0.1)
            last = video.packet(now, arrival: now + .milliseconds(900), &timeline)
            if step < 200 { #expect(abs(ms(last) - Double(step * 33 + 900)) < 0.1) }
        }
        #expect(abs(ms(last) - Double(999 * 33 + 500)) < 0.1)
    }

    @Test("a source whose clock runs fast or slow is followed", arguments: [-300, 300] as [Int64])
    func drift(partsPerMillion: Int64) {
        for hasReports in [false, true] {
            var timeline = PeerTimeline()
            var source = Source(rate: 48_000, offset: 0)
            var error = 0.0
            for step in 0..<6_000 as Range<Int64> {
                let now = Monotonic.ms(step * 100)
                let captured = now + .microseconds(step * partsPerMillion / 10)
                if hasReports, step % 10 == 0 {
                    let ntp = NTPTime(rawValue: 0).advanced(by: Interval(nanoseconds: now.nanoseconds) + source.wall)
                    source.clock.receive(
                        SenderReportArrival(ntp: ntp, rtpTimestamp: source.timestamp(captured), arrival: now),
                        timeline: &timeline)
                }
                error = ms(source.packet(captured, arrival: now, &timeline)) - Double(step * 100)
            }
            // Without reports a fast clock is found out with the window of 20 s: 6 ms.
            #expect(abs(error) < (hasReports ? 0.5 : 6.5))
        }
    }

    @Test("a source clock that jumps by an hour goes on where it was", arguments: [-3_600, 3_600, 40_000] as [Int64])
    func jump(seconds: Int64) {
        var timeline = PeerTimeline()
        var source = Source(rate: 90_000, offset: 9)
        for step in 0..<100 as Range<Int64> {
            if step == 50 { source.report(.ms(step * 33), arrival: .ms(step * 33 + 20), &timeline) }
            _ = source.packet(.ms(step * 33), arrival: .ms(step * 33 + 30), &timeline)
        }
        source.offset &+= UInt32(truncatingIfNeeded: seconds * 90_000)
        var last: Interval?
        for step in 100..<300 as Range<Int64> {
            if step == 200 { source.report(.ms(step * 33), arrival: .ms(step * 33 + 20), &timeline) }
            let time = source.packet(.ms(step * 33), arrival: .ms(step * 33 + 30), &timeline)
            #expect(abs(ms(time) - Double(step * 33 + 25)) < 15)
            if let last { #expect(time >= last) }
            last = time
        }
        #expect(source.clock.jumps == 1)
    }

    @Test("a single stray timestamp moves nothing")
    func stray() {
        var source = Source(rate: 90_000, offset: 0)
        for step in 0..<100 as Range<Int64> {
            let captured = step == 50 ? Monotonic.ms(9_000_000) : .ms(step * 33)
            #expect(abs(ms(source.packet(captured, arrival: .ms(step * 33))) - Double(step * 33)) < 0.1)
        }
        #expect(source.clock.jumps == 0)
    }

    @Test("a wall clock that is set starts a new epoch, until then each source goes on")
    func wallClock() {
        var timeline = PeerTimeline()
        var audio = Source(rate: 48_000, offset: 1)
        var video = Source(rate: 90_000, offset: 2)
        for step in 0..<600 as Range<Int64> {
            let now = Monotonic.ms(step * 20)
            if step == 250 {
                audio.wall += .seconds(3_600)
                video.wall += .seconds(3_600)
            }
            if step % 50 == 10 { audio.report(now, arrival: now + .milliseconds(20), &timeline) }
            if step % 50 == 30 { video.report(now, arrival: now + .milliseconds(20), &timeline) }
            let times = [
                audio.packet(now, arrival: now + .milliseconds(30), &timeline),
                video.packet(now, arrival: now + .milliseconds(90), &timeline),
            ]
            guard step > 150 else { continue }
            for time in times { #expect(abs(ms(time) - Double(step * 20 + 30)) < 25) }
        }
        #expect(timeline.epoch == 1 && audio.clock.jumps == 0 && video.clock.jumps == 0)
    }

    @Test("a wall clock that contradicts the arrivals is not believed")
    func nonsense() {
        var timeline = PeerTimeline()
        var audio = Source(rate: 48_000, offset: 1)
        var video = Source(rate: 90_000, offset: 2)
        // The picture's reports are 40 s off from those of the sound, in turn.
        video.wall += .seconds(8)
        for step in 0..<500 as Range<Int64> {
            let now = Monotonic.ms(step * 20)
            if step % 50 == 10 { audio.report(now, arrival: now + .milliseconds(20), &timeline) }
            if step % 50 == 30 { video.report(now, arrival: now + .milliseconds(20), &timeline) }
            for time in [audio.packet(now, arrival: now, &timeline), video.packet(now, arrival: now, &timeline)] {
                #expect(abs(ms(time) - Double(step * 20)) < 30)
            }
        }
    }

    @Test("zero is no wall clock")
    func noWallClock() {
        var timeline = PeerTimeline()
        var clock = SourceClock(clockRate: 90_000)
        clock.receive(
            SenderReportArrival(ntp: NTPTime(rawValue: 0), rtpTimestamp: 5, arrival: .ms(5)), timeline: &timeline)
        #expect(timeline.offset == nil)
    }

    @Test("a pause of the sender is a gap, a stall of the path is none")
    func gaps() {
        var source = Source(rate: 90_000, offset: 0)
        for step in 0..<50 as Range<Int64> { _ = source.packet(.ms(step * 20), arrival: .ms(step * 20)) }
        // Nothing for a minute, in which the source's clock went on.
        #expect(abs(ms(source.packet(.ms(61_000), arrival: .ms(61_000))) - 61_000) < 0.1)
        for step in 0..<300 as Range<Int64> {
            // All of 6 s at once.
            let captured = Monotonic.ms(61_020 + step * 20)
            #expect(abs(ms(source.packet(captured, arrival: .ms(67_000))) - Double(61_020 + step * 20)) < 0.1)
        }
        #expect(source.clock.jumps == 0)
    }

    @Test("timestamps that stood still while time passed are set right at once")
    func stood() {
        var source = Source(rate: 90_000, offset: 0)
        for step in 0..<50 as Range<Int64> { _ = source.packet(.ms(step * 20), arrival: .ms(step * 20)) }
        var last: Interval = .zero
        for step in 50..<1_600 as Range<Int64> {
            let time = source.packet(.ms(step * 20), arrival: .ms(step * 20 + 600_000))
            #expect(time > last)
            last = time
        }
        #expect(abs(ms(last) - Double(1_599 * 20 + 600_000)) < 0.1)
        #expect(source.clock.jumps == 1)
    }

    @Test("any numbers are survived", arguments: 0..<20 as Range<UInt64>)
    func chaos(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var timeline = PeerTimeline()
        var clock = SourceClock(clockRate: seed == 0 ? 0 : 90_000)
        var now = Monotonic.zero
        for _ in 0..<2_000 {
            now += .milliseconds(Int64.random(in: 0...50, using: &random))
            if Bool.random(using: &random) {
                _ = clock.time(of: .random(in: 0 ... .max, using: &random), arrival: now, timeline: &timeline)
            } else {
                clock.receive(
                    SenderReportArrival(
                        ntp: NTPTime(rawValue: .random(in: 0 ... .max, using: &random)),
                        rtpTimestamp: .random(in: 0 ... .max, using: &random), arrival: now), timeline: &timeline)
            }
        }
        // And good ones after them are followed again.
        var source = Source(rate: 90_000, offset: 0)
        source.clock = clock
        var last = Interval.zero
        for step in 0..<2_000 as Range<Int64> {
            last = source.packet(.ms(step * 20), arrival: now + .milliseconds(step * 20), &timeline)
        }
        let expected = now + .milliseconds(1_999 * 20)
        #expect(seed == 0 || abs(ms(last) - Double(expected.nanoseconds) / 1e6) < 1_000)
    }
}
