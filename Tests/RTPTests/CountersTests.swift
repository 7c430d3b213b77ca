import Bytes
import RTP
import Testing

@Suite struct WrapCounterTests {
    @Test("sequence numbers count on over the wrap")
    func forward() {
        var counter = SequenceCounter()
        #expect([65_534, 65_535, 0, 1].map { counter.unwrap($0) } == [65_534, 65_535, 65_536, 65_537])
        #expect(counter.highest == 65_537)
    }

    @Test("late numbers go back and leave the highest alone")
    func backward() {
        var counter = SequenceCounter()
        _ = counter.unwrap(2)
        #expect(counter.unwrap(65_535) == -1)
        #expect(counter.highest == 2)
        #expect(counter.unwrap(3) == 3)
    }

    @Test(
        "half of the range ahead counts as behind",
        arguments: [(32_767, 32_767), (32_768, -32_768)] as [(UInt16, Int64)])
    func half(value: UInt16, unwrapped: Int64) {
        var counter = SequenceCounter()
        _ = counter.unwrap(0)
        #expect(counter.unwrap(value) == unwrapped)
    }

    @Test("timestamps count on over many wraps")
    func timestamps() {
        var counter = TimestampCounter()
        var value: UInt32 = 0xFFFF_0000
        var expected = Int64(value)
        for _ in 0..<20 {
            #expect(counter.unwrap(value) == expected)
            value &+= 0x6000_0000
            expected += 0x6000_0000
        }
    }

    @Test("order of numbers follows the shorter way round")
    func order() {
        #expect((1 as UInt16).isAhead(of: 65_535))
        #expect(!(65_535 as UInt16).isAhead(of: 1))
        #expect(!(5 as UInt16).isAhead(of: 5))
        #expect((0x7FFF_FFFF as UInt32).isAhead(of: 0))
        #expect(!(0x8000_0000 as UInt32).isAhead(of: 0))
    }
}

@Suite struct NTPTimeTests {
    @Test("1970 is 2,208,988,800 s after 1900")
    func epoch() {
        #expect(NTPTime(unixNanoseconds: 0).rawValue == 0x83AA_7E80_0000_0000)
        #expect(NTPTime(unixNanoseconds: 1_500_000_000).rawValue == 0x83AA_7E81_8000_0000)
    }

    @Test("advancing goes both ways across seconds")
    func advance() {
        let time = NTPTime(rawValue: 10 << 32)
        #expect(time.advanced(by: .milliseconds(2_250)).rawValue == 12 << 32 | 0x4000_0000)
        #expect(time.advanced(by: .milliseconds(-250)).rawValue == 9 << 32 | 0xC000_0000)
    }

    @Test("the clock follows the monotonic one from its anchor")
    func clock() {
        let clock = NTPClock(NTPTime(rawValue: 100 << 32), at: .ms(5_000))
        #expect(clock.time(at: .ms(6_500)).rawValue == 101 << 32 | 0x8000_0000)
        #expect(clock.time(at: .ms(4_000)).rawValue == 99 << 32)
    }

    @Test("compact units are 1/65,536 s, signed, saturating")
    func compact() {
        #expect(NTPTime.compactUnits(.milliseconds(1_500)) == 0x1_8000)
        #expect(NTPTime.compactUnits(.milliseconds(-1)) == 0)
        #expect(NTPTime.compactUnits(.seconds(70_000)) == .max)
        #expect(NTPTime.interval(compact: 0x8000) == .milliseconds(500))
        #expect(NTPTime.interval(compact: 0xFFFF_0000) == .seconds(-1))
    }
}
