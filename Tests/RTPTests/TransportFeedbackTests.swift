import Bytes
import RTP
import TestSupport
import Testing

@Suite struct TransportFeedbackTests {
    typealias Status = TransportFeedbackReader.Status

    private func statuses(_ bytes: [UInt8]) throws(RTPError) -> [Status] {
        var reader = RTCPReader(bytes.rawSpan)
        guard let packet = try reader.next() else { throw .truncated(offset: 0) }
        var feedback = try TransportFeedbackReader(packet)
        var found: [Status] = []
        while let status = feedback.next() { found.append(status) }
        return found
    }

    private func feedback(base: UInt16, count: UInt16, reference: String = "000001", _ rest: String) -> [UInt8] {
        var body =
            hex("00000001 00000002") + [UInt8(base >> 8), UInt8(base & 0xFF), UInt8(count >> 8), UInt8(count & 0xFF)]
        body += hex(reference) + [7] + hex(rest)
        body += [UInt8](repeating: 0, count: (4 - body.count % 4) % 4)
        return [0x8F, 205, 0, UInt8(body.count / 4)] + body
    }

    @Test("a run length chunk repeats one symbol")
    func runLength() throws {
        // Three small deltas of 1, 2 and 255 ticks after 64 ms.
        let found = try statuses(feedback(base: 65_535, count: 3, "2003 0102FF"))
        #expect(
            found == [
                Status(sequenceNumber: 65_535, arrival: 257), Status(sequenceNumber: 0, arrival: 259),
                Status(sequenceNumber: 1, arrival: 514),
            ])
    }

    @Test("a one-bit vector has fourteen symbols, the first in the highest bit")
    func oneBitVector() throws {
        let found = try statuses(feedback(base: 10, count: 14, "A001 0405"))
        #expect(found.count == 14)
        #expect(found.first == Status(sequenceNumber: 10, arrival: 260))
        #expect(found.last == Status(sequenceNumber: 23, arrival: 265))
        #expect(found.filter { $0.arrival == nil }.count == 12)
    }

    @Test("a two-bit vector has seven symbols, large deltas are signed")
    func twoBitVector() throws {
        // 10 01 00 00 00 00 10: large -1, small 2, four lost, large 0x0100.
        let found = try statuses(feedback(base: 10, count: 7, "E402 FFFF 02 0100"))
        #expect(found.map(\.arrival) == [255, 257, nil, nil, nil, nil, 513])
    }

    @Test("a negative reference time is read as such")
    func negativeReference() throws {
        let found = try statuses(feedback(base: 0, count: 1, reference: "FFFFFF", "2001 00"))
        #expect(found.map(\.arrival) == [-256])
    }

    @Test("symbols beyond the count are not read")
    func surplusSymbols() throws {
        #expect(try statuses(feedback(base: 0, count: 1, "BFFF 05")).map(\.arrival) == [261])
        #expect(try statuses(feedback(base: 0, count: 0, "")).isEmpty)
    }

    @Test(
        "missing chunks, missing deltas and reserved symbols are refused",
        arguments: [
            (1, ""), (15, "BFFF 01010101"), (8, "2008 01020304"), (1, "6001 0000"), (7, "FFFF 00000000000000"),
            (3, "0000 0000"),
        ] as [(UInt16, String)])
    func malformed(count: UInt16, rest: String) {
        let bytes = feedback(base: 0, count: count, rest)
        #expect(throws: RTPError.badControlPacket(type: 205)) { try statuses(bytes) }
    }

    @Test("a feedback covers at most 2,048 packets")
    func limit() throws {
        #expect(try statuses(feedback(base: 0, count: 2_048, "0800")).count == 2_048)
        #expect(throws: RTPError.overLimit) { try statuses(feedback(base: 0, count: 2_049, "0801")) }
    }

    @Test("every truncation of the body is refused or shorter than announced, never a trap")
    func truncations() {
        let whole = feedback(base: 0, count: 9, "E402 FFFF 0200 4007 02 0100")
        for words in 0..<whole.count / 4 - 1 {
            var short = Array(whole[..<(4 + words * 4)])
            short[3] = UInt8(words)
            #expect(throws: RTPError.self, "\(words) words") { try statuses(short) }
        }
    }

    @Test("written feedback reads back, for runs, gaps, jumps and disorder", arguments: 0..<40 as Range<UInt64>)
    func roundTrip(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var time = Int64.random(in: -1_000_000...1_000_000, using: &random)
        let lossPercent = [0, 5, 50, 95][Int(seed % 4)]
        var arrivals: [Int64?] = [time]
        for _ in 0..<Int.random(in: 0...300, using: &random) {
            time += Int64.random(in: seed % 3 == 0 ? -300...900 : 0...60, using: &random)
            arrivals.append(Int.random(in: 0..<100, using: &random) < lossPercent ? nil : time)
        }
        var covered = 0
        let bytes = written {
            covered = TransportFeedback.write(
                sender: 1, media: 2, baseSequence: 65_500, feedbackCount: 3, arrivals: arrivals, maxBytes: 1_200,
                into: &$0)
        }
        #expect(covered == arrivals.count && bytes.count <= 1_200)
        let found = try statuses(bytes)
        #expect(found.map(\.arrival) == arrivals)
        #expect(found.map(\.sequenceNumber) == (0..<arrivals.count).map { 65_500 &+ UInt16($0) })
    }

    @Test("writing stops where a delta cannot be coded or the room ends")
    func partial() throws {
        var covered = 0
        let jump = written {
            covered = TransportFeedback.write(
                sender: 1, media: 2, baseSequence: 0, feedbackCount: 0, arrivals: [0, nil, 40_000], maxBytes: 1_200,
                into: &$0)
        }
        #expect(covered == 2)
        #expect(try statuses(jump).map(\.arrival) == [0, nil])
        let short = written {
            covered = TransportFeedback.write(
                sender: 1, media: 2, baseSequence: 0, feedbackCount: 0, arrivals: Array(0..<500), maxBytes: 100,
                into: &$0)
        }
        #expect(short.count <= 100 && covered > 50)
        #expect(try statuses(short).map(\.arrival) == (0..<covered).map { Int64($0) })
    }
}

@Suite struct SentPacketHistoryTests {
    private func match(_ history: inout SentPacketHistory, base: UInt16, _ arrivals: [Int64?]) throws
        -> [SentPacketHistory.Outcome]
    {
        let bytes = written {
            _ = TransportFeedback.write(
                sender: 1, media: 2, baseSequence: base, feedbackCount: 0, arrivals: arrivals, maxBytes: 1_200,
                into: &$0)
        }
        var reader = RTCPReader(bytes.rawSpan)
        var outcomes: [SentPacketHistory.Outcome] = []
        while let packet = try reader.next() { try history.match(packet, into: &outcomes) }
        return outcomes
    }

    @Test("packets are numbered on over the wrap and found by feedback")
    func numbering() throws {
        var history = SentPacketHistory(firstSequence: 65_535)
        for index in 0..<3 { history.record(byteCount: 100 + index, at: .ms(Int64(index))) }
        #expect(history.nextSequence == 2)
        let outcomes = try match(&history, base: 65_535, [400, nil, 408])
        #expect(outcomes.map(\.sequenceNumber) == [65_535, 0, 1])
        #expect(outcomes.map(\.byteCount) == [100, 101, 102])
        #expect(outcomes.map(\.sentAt) == [.ms(0), .ms(1), .ms(2)])
        #expect(outcomes.map(\.arrival) == [400, nil, 408])
    }

    @Test("an arrival counts once, a loss may turn into an arrival")
    func once() throws {
        var history = SentPacketHistory()
        for _ in 0..<2 { history.record(byteCount: 1, at: .zero) }
        _ = try match(&history, base: 0, [0, nil])
        #expect(try match(&history, base: 0, [0, 5]).map(\.sequenceNumber) == [1])
    }

    @Test("packets that were never sent or are overwritten are left out")
    func unknown() throws {
        var history = SentPacketHistory(capacity: 4)
        for _ in 0..<6 { history.record(byteCount: 1, at: .zero) }
        #expect(try match(&history, base: 0, [0, 1, 2, 3, 4, 5, 6]).map(\.sequenceNumber) == [2, 3, 4, 5])
    }

    @Test("arrivals count on when the reference time wraps")
    func referenceWrap() throws {
        var history = SentPacketHistory()
        for _ in 0..<2 { history.record(byteCount: 1, at: .zero) }
        let range = Int64(1) << 31
        let first = try #require(try match(&history, base: 0, [range - 10]).first?.arrival)
        let second = try #require(try match(&history, base: 1, [range + 10]).first?.arrival)
        #expect(second - first == 20)
    }
}
