import Bytes
import RTP
import TestSupport
import Testing

/// Walks a compound and gives the types, counts and body sizes of its packets.
private func walk(_ bytes: [UInt8]) throws(RTPError) -> [[Int]] {
    var reader = RTCPReader(bytes.rawSpan)
    var seen: [[Int]] = []
    while let packet = try reader.next() {
        seen.append([Int(packet.type), Int(packet.count), packet.body.byteCount])
    }
    return seen
}

private func blocks(_ bytes: [UInt8]) throws(RTPError) -> [ReportBlock] {
    var reader = RTCPReader(bytes.rawSpan)
    var found: [ReportBlock] = []
    while let packet = try reader.next() { try packet.forEachReportBlock { found.append($0) } }
    return found
}

@Suite struct RTCPReaderTests {
    @Test("a compound is walked packet by packet")
    func compound() throws {
        let bytes = hex("80C90001 00000001 81CB0001 00000002 80FF0000")
        #expect(try walk(bytes) == [[201, 0, 4], [203, 1, 4], [255, 0, 0]])
    }

    @Test(
        "padding is cut off and must lie inside its packet; transport-wide feedback pads by less than a word",
        arguments: [0, 1, 3, 4, 8, 12, 13, 16, 255] as [UInt8])
    func padding(count: UInt8) throws {
        let bytes = hex("A0C90003 00000001 00000000 000000") + [count]
        if (1...12).contains(count) {
            #expect(try walk(bytes) == [[201, 0, 12 - Int(count)]])
        } else {
            #expect(throws: RTPError.badPadding) { try walk(bytes) }
        }
        #expect(throws: RTPError.badPadding) { try walk(hex("A0C90000")) }
    }

    @Test("every truncation but that between packets is refused")
    func truncations() throws {
        let bytes = hex("80C90001 00000001 81CB0001 00000002")
        for count in 1..<bytes.count where count != 8 {
            #expect(throws: RTPError.self, "\(count) bytes") { try walk(Array(bytes[..<count])) }
        }
        #expect(try walk([]) == [])
    }

    @Test("a wrong version is refused and ends the walk")
    func version() {
        #expect(throws: RTPError.badVersion(1)) { try walk(hex("40C90000")) }
        let bytes = hex("40C90000 80C90001 00000001")
        var reader = RTCPReader(bytes.rawSpan)
        _ = try? reader.next()
        let isOver = (try? reader.next()) == nil
        #expect(isOver)
    }

    @Test("a compound has at most 64 packets")
    func tooMany() throws {
        let packet = hex("80FF0000")
        let most = Array(repeatElement(packet, count: RTPLimits.maxCompoundPackets).joined())
        #expect(try walk(most).count == RTPLimits.maxCompoundPackets)
        #expect(throws: RTPError.overLimit) { try walk(most + packet) }
    }
}

@Suite struct ReportTests {
    private let block = ReportBlock(
        ssrc: 0xA1A2_A3A4, fractionLost: 64, cumulativeLost: -2, highestSequence: 0x0001_FFFF, jitter: 900,
        lastSenderReport: 0x1122_3344, delaySinceSenderReport: 0x0001_8000)

    @Test("a sender report has the layout of RFC 3550 section 6.4.1")
    func senderReportLayout() throws {
        let report = SenderReport(
            ssrc: 1, ntp: NTPTime(rawValue: 0x0203_0405_0607_0809), rtpTimestamp: 10, packetCount: 11, octetCount: 12)
        let bytes = written { report.write(into: &$0) }
        #expect(bytes == hex("80C80006 00000001 02030405 06070809 0000000A 0000000B 0000000C"))
        #expect(try readFirst(bytes) { packet throws(RTPError) in try packet.senderReport() } == report)
    }

    @Test("report blocks survive writing and reading, signs included")
    func receiverReport() throws {
        let bytes = written { ReceiverReport.write(ssrc: 9, blocks: [block, ReportBlock(ssrc: 5)], into: &$0) }
        #expect(Array(bytes[..<8]) == hex("82C9000D 00000009"))
        #expect(Array(bytes[12..<16]) == hex("40 FFFFFE"))
        #expect(try blocks(bytes) == [block, ReportBlock(ssrc: 5)])
    }

    @Test("report blocks behind a sender report are found")
    func blocksOfSenderReport() throws {
        let rest = written { ReceiverReport.write(ssrc: 9, blocks: [block], into: &$0) }[8...]
        let bytes = hex("81C8000C 00000001") + [UInt8](repeating: 0, count: 20) + rest
        #expect(try blocks(bytes) == [block])
    }

    @Test("more blocks announced than present are refused", arguments: 2...31 as ClosedRange<UInt8>)
    func missingBlocks(count: UInt8) {
        var bytes = written { ReceiverReport.write(ssrc: 9, blocks: [block], into: &$0) }
        bytes[0] = 0x80 | count
        #expect(throws: RTPError.badControlPacket(type: 201)) { try blocks(bytes) }
    }

    @Test("loss counts saturate at 24 bits", arguments: [(.max, 0x7F_FFFF), (.min, -0x80_0000)] as [(Int32, Int32)])
    func lossSaturates(lost: Int32, expected: Int32) throws {
        let bytes = written {
            ReceiverReport.write(ssrc: 9, blocks: [ReportBlock(ssrc: 1, cumulativeLost: lost)], into: &$0)
        }
        #expect(try blocks(bytes).map(\.cumulativeLost) == [expected])
    }

    @Test("the round trip of RFC 3550 figure 2 comes out")
    func roundTrip() throws {
        // Arrival b710:8000, LSR b705:2000, DLSR 5.250 s: 6.125 s are left.
        let block = ReportBlock(ssrc: 1, lastSenderReport: 0xB705_2000, delaySinceSenderReport: 0x0005_4000)
        #expect(block.roundTrip(arrival: NTPTime(rawValue: 0xB44D_B710_8000_0000)) == .milliseconds(6_125))
    }

    @Test("no round trip before the first sender report, nor from impossible numbers")
    func noRoundTrip() {
        let arrival = NTPTime(rawValue: 0x1_0000_0000_0000)
        #expect(ReportBlock(ssrc: 1, delaySinceSenderReport: 1).roundTrip(arrival: arrival) == nil)
        let impossible = ReportBlock(ssrc: 1, lastSenderReport: arrival.compact, delaySinceSenderReport: 1)
        #expect(impossible.roundTrip(arrival: arrival) == nil)
    }

    @Test("statistics are in seconds and parts of one")
    func statistics() {
        var statistics = ReceiveReportStatistics()
        // The report was sent at 0x1122.3344 and stayed 1.5 s; it arrives 1.5 s and 1/4 s later.
        let arrival = NTPTime(rawValue: 0x1122_3344 << 16).advanced(by: .milliseconds(1_750))
        statistics.receive(block, clockRate: 90_000, arrival: arrival, at: .ms(7))
        #expect(statistics.fractionLost == 0.25)
        #expect(statistics.cumulativeLost == -2)
        #expect(statistics.jitter == .milliseconds(10))
        #expect(statistics.roundTrip == .milliseconds(250))
        #expect(statistics.highestSequence == 0x1_FFFF)
        #expect(statistics.lastReportAt == .ms(7) && statistics.reportCount == 1)
    }
}

@Suite struct SourceDescriptionTests {
    private func names(_ bytes: [UInt8]) throws(RTPError) -> [UInt32: String] {
        var reader = RTCPReader(bytes.rawSpan)
        var found: [UInt32: String] = [:]
        while let packet = try reader.next() {
            try packet.forEachCanonicalName { found[$0] = String(decoding: $1.copied(), as: UTF8.self) }
        }
        return found
    }

    @Test("canonical names of all lengths are padded to words and read back", arguments: 0...16)
    func roundTrip(count: Int) throws {
        let cname = try #require(InlineBytes(String(repeating: "c", count: count)))
        let bytes = written { SourceDescription.write(ssrc: 3, cname: cname, into: &$0) }
        #expect(bytes.count == SourceDescription.byteCount(cname: cname))
        #expect(bytes.count % 4 == 0 && bytes.last == 0)
        #expect(try names(bytes) == [3: String(repeating: "c", count: count)])
    }

    @Test("other items and further chunks are walked")
    func manyChunks() throws {
        // Chunk 1: NAME "x", CNAME "ab", end at a word. Chunk 2: CNAME "c", padded.
        let bytes = hex("82CA0005 00000001 020178 01026162 00 00000002 010163 00")
        #expect(throws: Never.self) { try names(bytes) }
        #expect(try names(bytes) == [1: "ab", 2: "c"])
    }

    @Test(
        "items that leave the packet are refused",
        arguments: [
            "81CA0000", "81CA0001 00000001", "81CA0002 00000001 01036162", "81CA0002 00000001 01026162",
            "82CA0002 00000001 00000000",
        ])
    func malformed(text: String) {
        let bytes = hex(text)
        #expect(throws: RTPError.badControlPacket(type: 202)) { try names(bytes) }
    }

    @Test("BYE lists its sources")
    func goodbye() throws {
        let bytes = written { Goodbye.write(ssrcs: [1, 0xFFFF_FFFF], into: &$0) }
        #expect(bytes == hex("82CB0002 00000001 FFFFFFFF"))
        var found: [UInt32] = []
        try readFirst(bytes) { packet throws(RTPError) in try packet.forEachGoodbye { found.append($0) } }
        #expect(found == [1, .max])
        let short = hex("83CB0002 00000001 FFFFFFFF")
        #expect(throws: RTPError.badControlPacket(type: 203)) {
            try readFirst(short) { packet throws(RTPError) in try packet.forEachGoodbye { _ in } }
        }
    }
}
