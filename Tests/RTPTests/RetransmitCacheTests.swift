import Bytes
import RTP
import Testing

@Suite struct RetransmitCacheTests {
    private let frame: PacketizedFrame

    init() throws { frame = try pictures(packets: 3) }

    private func filled(capacity: Int, _ numbers: ClosedRange<Int>, at now: Monotonic = .zero) -> RetransmitCache {
        var cache = RetransmitCache(capacity: capacity)
        for number in numbers {
            cache.insert(
                frame.payload, frame.fragments[number % 3], sequenceNumber: UInt16(truncatingIfNeeded: number),
                timestamp: UInt32(number), at: now)
        }
        return cache
    }

    @Test("a packet is found as it was sent, over the wrap of numbers")
    func lookup() throws {
        let cache = filled(capacity: 8, 65_533...65_538)
        let entry = try #require(cache.entry(1))
        #expect(entry.payload.count == frame.payload.count && entry.timestamp == 65_537)
        #expect(entry.fragment == frame.fragments[65_537 % 3])
        #expect(cache.entry(3) == nil && cache.entry(65_532) == nil)
    }

    @Test("the oldest packet makes room for the newest")
    func capacity() {
        let cache = filled(capacity: 4, 0...5)
        #expect(cache.count == 4)
        #expect((0..<7).map { cache.entry($0) != nil } == [false, false, true, true, true, true, false])
    }

    @Test("packets older than three seconds are let go, with their frames")
    func age() throws {
        var cache = filled(capacity: 8, 0...2)
        cache.insert(frame.payload, frame.fragments[0], sequenceNumber: 3, timestamp: 3, at: .ms(1_000))
        cache.expire(at: .zero + RTPLimits.retransmitAge)
        #expect(cache.count == 4)
        cache.expire(at: .zero + RTPLimits.retransmitAge + Interval(nanoseconds: 1))
        #expect(cache.count == 1 && cache.entry(2) == nil && cache.entry(3) != nil)
        let late = cache.request(3, at: .ms(4_001), interval: .zero)
        #expect(late == nil)
        #expect(cache.count == 0)
    }

    @Test("packets that were passed over leave gaps, which late ones fill")
    func gaps() {
        var cache = filled(capacity: 8, 10...11)
        func insert(_ number: UInt16) {
            cache.insert(frame.payload, frame.fragments[0], sequenceNumber: number, timestamp: 7, at: .zero)
        }
        insert(14)
        #expect(cache.count == 5 && cache.entry(12) == nil && cache.entry(14) != nil)
        insert(12)
        #expect(cache.count == 5 && cache.entry(12) != nil && cache.entry(13) == nil)
        // From before the oldest: of no use any more.
        insert(9)
        #expect(cache.count == 5 && cache.entry(9) == nil)
        // Far ahead: what stood there goes.
        insert(200)
        #expect(cache.count == 1 && cache.entry(200) != nil && cache.entry(14) == nil)
    }

    @Test("the same packet is granted once in an interval")
    func rate() {
        var cache = filled(capacity: 8, 0...3)
        func isGranted(_ number: UInt16, _ now: Int64) -> Bool {
            cache.request(number, at: .ms(now), interval: .milliseconds(20)) != nil
        }
        #expect(isGranted(1, 10))
        #expect(!isGranted(1, 29))
        #expect(isGranted(2, 29))
        #expect(isGranted(1, 30))
        #expect(!isGranted(9, 30))
    }
}
