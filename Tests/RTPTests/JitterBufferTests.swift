import Bytes
import Media
import RTP
import Testing

/// A jitter buffer that is given bare numbers.
private struct Buffer: ~Copyable {
    var buffer: JitterBuffer
    var out: [Int64] = []
    /// Numbers whose packets told of a gap.
    var gaps: [Int64] = []

    init(_ limits: JitterBuffer.Limits = .video) { buffer = JitterBuffer(limits) }

    mutating func receive(_ number: Int64, at ms: Int64, bytes: Int = 1, restarts: Bool = false) {
        buffer.receive(
            JitterBuffer.Packet(
                sequenceNumber: number, timestamp: UInt32(truncatingIfNeeded: number), marker: false, payloadType: 96,
                payload: SlabSlice(copying: [UInt8](repeating: 0, count: bytes)), arrival: .ms(ms), followsGap: restarts
            ))
        poll(at: ms)
    }

    mutating func poll(at ms: Int64) {
        while let packet = buffer.pollPacket(at: .ms(ms)) {
            out.append(packet.sequenceNumber)
            if packet.followsGap { gaps.append(packet.sequenceNumber) }
        }
    }
}

@Suite struct JitterBufferTests {
    @Test("packets in order leave as they come, over the wrap of 16 bits too")
    func inOrder() {
        var buffer = Buffer()
        for number in 65_530..<65_545 as Range<Int64> {
            buffer.receive(number, at: number)
            #expect(buffer.out.last == number)
            let deadline = buffer.buffer.nextDeadline
            #expect(deadline == nil)
        }
        #expect(buffer.gaps.isEmpty)
    }

    @Test("a reordered packet holds the others until it comes, and no longer")
    func reorder() {
        var buffer = Buffer()
        for (number, ms) in [(1, 0), (3, 5), (4, 6), (2, 9), (5, 10)] as [(Int64, Int64)] {
            buffer.receive(number, at: ms)
            if number == 4 { #expect(buffer.out == [1]) }
        }
        #expect(buffer.out == [1, 2, 3, 4, 5])
        #expect(buffer.gaps.isEmpty)
        let statistics = buffer.buffer.statistics
        #expect(statistics.gapsFilled == 1 && statistics.lost == 0)
    }

    @Test("a packet that never comes is passed over at the deadline, which the next packet tells")
    func loss() throws {
        var buffer = Buffer()
        buffer.receive(1, at: 0)
        buffer.receive(3, at: 100)
        buffer.receive(4, at: 120)
        let promised = buffer.buffer.nextDeadline
        let deadline = try #require(promised)
        #expect(deadline == .ms(300))
        buffer.poll(at: 299)
        #expect(buffer.out == [1])
        buffer.poll(at: 300)
        #expect(buffer.out == [1, 3, 4])
        #expect(buffer.gaps == [3])
        let statistics = buffer.buffer.statistics
        #expect(statistics.lost == 1 && statistics.gapsSkipped == 1)
        let next = buffer.buffer.nextDeadline
        #expect(next == nil)
    }

    @Test("a second gap is waited for since the packets behind it came, not since the first one ended")
    func secondGap() {
        var buffer = Buffer()
        for (number, ms) in [(1, 0), (3, 100), (5, 110)] as [(Int64, Int64)] { buffer.receive(number, at: ms) }
        buffer.receive(2, at: 150)
        #expect(buffer.out == [1, 2, 3])
        let wait = buffer.buffer.wait
        let deadline = buffer.buffer.nextDeadline
        #expect(deadline == .ms(110) + wait)
    }

    @Test("packets that came twice are dropped and counted, waiting or gone; late ones are counted apart")
    func duplicatesAndLate() {
        var buffer = Buffer()
        for (number, ms) in [(1, 0), (1, 1), (3, 2), (3, 3)] as [(Int64, Int64)] { buffer.receive(number, at: ms) }
        buffer.poll(at: 400)
        buffer.receive(2, at: 401)
        #expect(buffer.out == [1, 3])
        let statistics = buffer.buffer.statistics
        #expect(statistics.duplicates == 2 && statistics.late == 1 && statistics.received == 5)
    }

    @Test("the wait follows what missing packets take to come, up and down, and a late one raises it at once")
    func adapts() {
        var buffer = Buffer()
        var number: Int64 = 0
        var ms: Int64 = 0
        func lose(_ buffer: inout Buffer, cameAfter delay: Int64?) {
            buffer.receive(number, at: ms)
            buffer.receive(number + 2, at: ms + 10)
            if let delay {
                buffer.poll(at: ms + 9 + delay)
                buffer.receive(number + 1, at: ms + 10 + delay)
            }
            buffer.poll(at: ms + 999)
            number += 3
            ms += 1_000
        }
        for _ in 0..<60 { lose(&buffer, cameAfter: 4) }
        let short = buffer.buffer.wait
        #expect(short < .milliseconds(40))
        for _ in 0..<8 { lose(&buffer, cameAfter: 20) }
        let longer = buffer.buffer.wait
        #expect(longer > .milliseconds(90) && longer < .milliseconds(110))
        lose(&buffer, cameAfter: 140)
        let raised = buffer.buffer.wait
        #expect(raised >= .milliseconds(400))
        for _ in 0..<40 { lose(&buffer, cameAfter: nil) }
        let hopeless = buffer.buffer.wait
        #expect(hopeless < .milliseconds(30))
    }

    @Test("no wait is longer than the bound", arguments: [JitterBuffer.Limits.video, .audio])
    func bound(limits: JitterBuffer.Limits) {
        var buffer = Buffer(limits)
        for round in 0..<20 as Range<Int64> {
            buffer.receive(round * 3, at: round * 10_000)
            buffer.receive(round * 3 + 2, at: round * 10_000)
            buffer.poll(at: round * 10_000 + 5_000)
            buffer.receive(round * 3 + 1, at: round * 10_000 + 5_000)
            let wait = buffer.buffer.wait
            #expect(wait <= limits.maxWait)
        }
    }

    @Test("after a silence a wide gap is not waited for, a narrow one is")
    func blackOut() {
        var wide = Buffer()
        wide.receive(1, at: 0)
        wide.receive(100, at: 3_000)
        #expect(wide.out == [1, 100] && wide.gaps == [100])
        var narrow = Buffer()
        narrow.receive(1, at: 0)
        narrow.receive(3, at: 3_000)
        #expect(narrow.out == [1])
    }

    @Test("numbers that jump far ahead, or twice far behind, or are said to be new, begin anew")
    func restarts() {
        var buffer = Buffer()
        buffer.receive(10_000, at: 0)
        buffer.receive(30_000, at: 10)
        #expect(buffer.out == [10_000, 30_000] && buffer.gaps == [30_000])
        buffer.receive(5, at: 20)
        #expect(buffer.out.count == 2)
        buffer.receive(6, at: 30)
        buffer.receive(7, at: 31)
        #expect(buffer.out.suffix(2) == [6, 7] && buffer.gaps.last == 6)
        buffer.receive(9, at: 40)
        buffer.receive(1, at: 41, restarts: true)
        #expect(buffer.out.suffix(1) == [1] && buffer.gaps.last == 1)
        let statistics = buffer.buffer.statistics
        #expect(statistics.restarts == 3 && statistics.dropped == 1)
    }

    @Test("one stray number far behind changes nothing")
    func stray() {
        var buffer = Buffer()
        for number in [10_000, 1, 10_001, 1, 10_002] as [Int64] { buffer.receive(number, at: 0) }
        #expect(buffer.out == [10_000, 10_001, 10_002])
    }

    @Test("the number of places is bounded: a gap is given up before packets are")
    func manyPackets() {
        var buffer = Buffer()
        buffer.receive(0, at: 0)
        for number in 2..<3_000 as Range<Int64> { buffer.receive(number, at: 1) }
        #expect(buffer.out.count == 2_999)
        let statistics = buffer.buffer.statistics
        #expect(statistics.lost == 1 && statistics.dropped == 0)
    }

    @Test("the bytes that wait are bounded: a gap is given up for them, and packets that nobody takes are dropped")
    func manyBytes() {
        var limits = JitterBuffer.Limits.video
        limits.maxBytes = 1_000
        var buffer = Buffer(limits)
        buffer.receive(0, at: 0)
        for number in 2..<20 as Range<Int64> { buffer.receive(number, at: 1, bytes: 100) }
        #expect(buffer.out.count == 19 && buffer.gaps == [2])
        var idle = JitterBuffer(limits)
        for number in 0..<50 as Range<Int64> {
            idle.receive(
                JitterBuffer.Packet(
                    sequenceNumber: number, timestamp: 0, marker: false, payloadType: 0,
                    payload: SlabSlice(copying: [UInt8](repeating: 0, count: 100)), arrival: .zero))
        }
        let (waiting, dropped) = (idle.waitingCount, idle.statistics.dropped)
        #expect(waiting == 11 && dropped == 39)
    }

    @Test("numbers that no source can reach are dropped", arguments: [Int64.min, 1 << 62, .max])
    func extremes(number: Int64) {
        var buffer = Buffer()
        for number in [number, 5, number, 6] { buffer.receive(number, at: 0) }
        #expect(buffer.out == [5, 6])
        let dropped = buffer.buffer.statistics.dropped
        #expect(dropped == 2)
    }
}
