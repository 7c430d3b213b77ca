import Bytes
import RTP
import TestSupport
import Testing

@Suite struct ArrivalLogTests {
    typealias Status = TransportFeedbackReader.Status

    /// The statuses of one feedback; empty when none was written.
    private func feedback(_ log: inout ArrivalLog, at now: Monotonic, maxBytes: Int = 1_200) throws -> [Status] {
        let bytes = written { log.write(sender: 1, media: 2, maxBytes: maxBytes, at: now, into: &$0) }
        #expect(bytes.count <= maxBytes)
        var reader = RTCPReader(bytes.rawSpan)
        var found: [Status] = []
        while let packet = try reader.next() {
            var feedback = try TransportFeedbackReader(packet)
            while let status = feedback.next() { found.append(status) }
        }
        return found
    }

    @Test("each packet is told of once, with its arrival in 250 µs, across the wrap")
    func once() throws {
        var log = ArrivalLog()
        for (index, number) in ([65_534, 65_535, 0, 1] as [UInt16]).enumerated() {
            log.record(number, at: .ms(1_000 + Int64(index)))
        }
        #expect(log.hasUnreported && log.firstUnreportedAt == .ms(1_000))
        let found = try feedback(&log, at: .ms(1_050))
        #expect(found.map(\.sequenceNumber) == [65_534, 65_535, 0, 1])
        #expect(found.map(\.arrival) == [4_000, 4_004, 4_008, 4_012])
        #expect(!log.hasUnreported && log.lastWrittenAt == .ms(1_050))
        #expect(try feedback(&log, at: .ms(1_100)).isEmpty)
    }

    @Test("losses are told, also those between two feedbacks")
    func losses() throws {
        var log = ArrivalLog()
        log.record(10, at: .ms(0))
        log.record(12, at: .ms(1))
        #expect(try feedback(&log, at: .ms(50)).map(\.arrival) == [0, nil, 4])
        log.record(15, at: .ms(60))
        #expect(
            try feedback(&log, at: .ms(100)) == [
                Status(sequenceNumber: 13, arrival: nil), Status(sequenceNumber: 14, arrival: nil),
                Status(sequenceNumber: 15, arrival: 240),
            ])
    }

    @Test("a packet that comes after it was told of as lost is told of again")
    func late() throws {
        var log = ArrivalLog()
        log.record(10, at: .ms(0))
        log.record(12, at: .ms(1))
        _ = try feedback(&log, at: .ms(50))
        log.record(11, at: .ms(51))
        #expect(try feedback(&log, at: .ms(100)).map(\.arrival) == [204, 4])
    }

    @Test("reordered packets come in order of their numbers, duplicates do not count")
    func reordered() throws {
        var log = ArrivalLog()
        for (number, time) in [(5, 0), (7, 1), (6, 2), (7, 3), (5, 4)] as [(UInt16, Int64)] {
            log.record(number, at: .ms(time))
        }
        #expect(try feedback(&log, at: .ms(9)).map(\.arrival) == [0, 8, 4])
    }

    @Test("what does not fit is told next time")
    func room() throws {
        var log = ArrivalLog()
        for number in 0..<500 as Range<UInt16> { log.record(number, at: .ms(Int64(number) * 100)) }
        var found: [Status] = []
        var feedbacks = 0
        while log.hasUnreported, feedbacks < 100 {
            found += try feedback(&log, at: .ms(60_000), maxBytes: 100)
            feedbacks += 1
        }
        #expect(found.map(\.sequenceNumber) == Array(0..<500))
        #expect(found.map(\.arrival) == (0..<500).map { $0 * 400 })
        #expect(feedbacks > 10)
    }

    @Test("a pause longer than a delta can say splits the feedback")
    func pause() throws {
        var log = ArrivalLog()
        log.record(0, at: .ms(0))
        log.record(1, at: .ms(60_000))
        #expect(try feedback(&log, at: .ms(60_000)).map(\.arrival) == [0])
        #expect(try feedback(&log, at: .ms(60_000)).map(\.arrival) == [240_000])
    }

    @Test("untold packets that fall out of the log are passed over")
    func overflow() throws {
        var log = ArrivalLog()
        for number in 0..<6_000 { log.record(UInt16(number), at: .ms(Int64(number))) }
        var found: [Status] = []
        while log.hasUnreported { found += try feedback(&log, at: .ms(6_000)) }
        #expect(found.map(\.sequenceNumber) == (6_000 - 4_096..<6_000).map { UInt16($0) })
        #expect(found.allSatisfy { $0.arrival == Int64($0.sequenceNumber) * 4 })
    }

    @Test("a run of losses longer than a feedback covers ends with the packet behind it")
    func longLoss() throws {
        var log = ArrivalLog()
        log.record(0, at: .ms(0))
        log.record(4_000, at: .ms(1))
        var found: [Status] = []
        for _ in 0..<4 { found += try feedback(&log, at: .ms(50)) }
        #expect(found.last == Status(sequenceNumber: 4_000, arrival: 4))
        #expect(!log.hasUnreported)
    }

    @Test("numbers that start over are followed after eight packets", arguments: [5_000, 20_000, 40_000] as [UInt16])
    func restart(back: UInt16) throws {
        var log = ArrivalLog()
        log.record(50_000, at: .ms(0))
        _ = try feedback(&log, at: .ms(1))
        for number in 0..<20 as Range<UInt16> { log.record(50_000 &- back &+ number, at: .ms(100 + Int64(number))) }
        let numbers = try feedback(&log, at: .ms(200)).map(\.sequenceNumber)
        #expect(numbers.last == 50_000 &- back &+ 19)
        #expect(numbers.count == (back == 40_000 ? 20 : 13))
    }

    @Test("every arrival is told, whatever is lost or reordered", arguments: 0..<20 as Range<UInt64>)
    func random(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var log = ArrivalLog()
        var expected: [UInt16: Int64] = [:]
        var told: [UInt16: Int64] = [:]
        var now = Monotonic.ms(1_000)
        var next: UInt16 = 65_000
        for _ in 0..<600 {
            now += .microseconds(Int64.random(in: 0...9_000, using: &random))
            next &+= UInt16.random(in: 1...3, using: &random)
            let number = Int.random(in: 0..<10, using: &random) == 0 ? next &- 7 : next
            if expected[number] == nil { expected[number] = now.nanoseconds / 250_000 }
            log.record(number, at: now)
            guard Int.random(in: 0..<20, using: &random) == 0 else { continue }
            for status in try feedback(&log, at: now) where status.arrival != nil {
                #expect(told[status.sequenceNumber] == nil || told[status.sequenceNumber] == status.arrival)
                told[status.sequenceNumber] = status.arrival
            }
        }
        for status in try feedback(&log, at: now) where status.arrival != nil {
            told[status.sequenceNumber] = status.arrival
        }
        #expect(told == expected)
    }
}
