import RTP
import TestSupport
import Testing

@Suite struct SequenceWindowTests {
    private func window(_ numbers: [UInt16]) -> SequenceWindow {
        var window = SequenceWindow()
        for number in numbers { _ = window.place(number) }
        return window
    }

    @Test("numbers are counted on over the wrap")
    func wrap() {
        var window = SequenceWindow()
        let places = ([65_534, 65_535, 0, 1] as [UInt16]).map { window.place($0) }
        #expect(places == (65_534...65_537).map { .ahead($0, missing: 0) })
        #expect(window.expected == 4)
    }

    @Test("a gap is told, then filled, then its packets are duplicates")
    func gap() {
        var window = window([65_535])
        #expect(window.place(3) == .ahead(65_539, missing: 3))
        #expect(window.place(1) == .late(65_537))
        #expect(window.place(1) == .duplicate)
        #expect(window.place(3) == .duplicate)
        #expect(window.contains(65_537) && !window.contains(65_538) && !window.contains(65_540))
    }

    @Test("what is behind the window is refused")
    func behind() {
        var window = window([2_500, 5_000])
        #expect(window.place(905) == .late(905))
        #expect(window.place(904) == .refused)
    }

    @Test("a jump is believed with the second packet", arguments: [3_000, 10_000, 32_767, 40_000, 61_400] as [UInt16])
    func jump(distance: UInt16) {
        var window = window([100])
        let number = 100 &+ distance
        #expect(window.place(number) == .refused)
        guard case .restarted(let place) = window.place(number &+ 1) else {
            Issue.record("the jump was not believed")
            return
        }
        #expect(place > 100 && UInt16(truncatingIfNeeded: place) == number &+ 1)
        #expect(window.place(number &+ 2) == .ahead(place + 1, missing: 0))
        #expect(window.expected == 2)
    }

    @Test("the largest gap that is no jump is 2,998 packets")
    func largestGap() {
        var window = window([100])
        #expect(window.place(100 + 2_999) == .ahead(3_099, missing: 2_998))
    }

    @Test("a stray packet changes nothing")
    func stray() {
        var window = window([100])
        #expect(window.place(20_000) == .refused)
        #expect(window.place(101) == .ahead(101, missing: 0))
        #expect(window.place(30_000) == .refused)
        #expect(window.place(102) == .ahead(102, missing: 0))
    }

    @Test("a source that starts over among its old numbers is noticed")
    func stale() {
        var window = window((1_000...3_000).map { UInt16($0) })
        var restarted: Int64?
        for number in 1_500...1_700 as ClosedRange<UInt16> {
            switch window.place(number) {
            case .restarted(let place) where restarted == nil: restarted = place
            case .duplicate where restarted == nil: break
            case .ahead(_, missing: 0) where restarted != nil: break
            case let other: Issue.record("\(number): \(other)")
            }
        }
        let expected: Int64? = 2 << 16 | 1_628
        #expect(restarted == expected)
    }

    @Test("duplicates of live packets start nothing over")
    func duplicated() {
        var window = SequenceWindow()
        for number in 0..<1_000 as Range<UInt16> {
            #expect(window.place(number) == .ahead(Int64(number), missing: 0))
            #expect(window.place(number) == .duplicate)
        }
    }

    @Test("repaired packets fill gaps, may be ahead, and never make a jump")
    func repaired() {
        var window = SequenceWindow()
        #expect(window.placeRepaired(5 as UInt16) == nil)
        _ = window.place(65_530)
        _ = window.place(65_534)
        #expect(window.placeRepaired(65_532 as UInt16) == 65_532)
        #expect(window.placeRepaired(65_532 as UInt16) == nil)
        #expect(window.placeRepaired(2 as UInt16) == 65_538)
        #expect(window.place(0) == .late(65_536))
        for stray in [10_000, 30_000, 61_000] as [UInt16] { #expect(window.placeRepaired(stray) == nil) }
        #expect(window.placeRepaired(65_538 - 4_096 as Int64) == nil)
        #expect(window.highest == 65_538)
    }

    @Test("a new source goes on above all numbers before it", arguments: [0, 1, 65_535] as [UInt16])
    func anticipate(number: UInt16) {
        for missing in 0...1 as ClosedRange<Int64> {
            var window = window([65_535, 0, 5])
            let place = window.anticipate(number, missing: missing)
            #expect(place > 65_541 && UInt16(truncatingIfNeeded: place) == number && window.expected == 0)
            #expect(window.place(number) == .ahead(place, missing: missing))
            #expect(window.expected == 1 + missing)
        }
    }

    @Test("each number comes once, however packets are doubled and reordered", arguments: 0..<10 as Range<UInt64>)
    func shuffled(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var window = SequenceWindow()
        _ = window.place(60_000)
        var seen: Set<Int64> = [60_000]
        var highest: Int64 = 60_000
        for _ in 0..<5_000 {
            let place = highest + Int64.random(in: -200...3, using: &random)
            switch window.place(UInt16(truncatingIfNeeded: place)) {
            case .ahead(place, let missing):
                #expect(place - missing - 1 == highest)
                highest = place
                #expect(seen.insert(place).inserted)
            case .late(place): #expect(place < highest && seen.insert(place).inserted)
            case .duplicate: #expect(seen.contains(place))
            case let other: Issue.record("\(other)")
            }
        }
    }
}
