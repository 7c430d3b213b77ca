import Bytes
import RTP
import TestSupport
import Testing

@Suite struct FeedbackTests {
    private func nacked(_ bytes: [UInt8]) throws(RTPError) -> [UInt16] {
        var reader = RTCPReader(bytes.rawSpan)
        var found: [UInt16] = []
        while let packet = try reader.next() { try packet.forEachNacked { found.append($0) } }
        return found
    }

    @Test("a NACK word names a packet and those of the next sixteen whose bit is set")
    func nackBits() throws {
        let bytes = hex("81CD0003 00000001 00000002 FFFF 8001")
        #expect(try nacked(bytes) == [65_535, 0, 15])
    }

    @Test("lost packets survive writing and reading, across the wrap")
    func nackRoundTrip() throws {
        let lost: [UInt16] = [65_000, 65_530, 65_535, 0, 10, 11, 28, 5_000]
        var taken = 0
        let bytes = written {
            taken = Feedback.writeNack(sender: 1, media: 2, sequenceNumbers: lost, maxBytes: 1_200, into: &$0)
        }
        #expect(taken == lost.count)
        #expect(try nacked(bytes) == lost)
    }

    @Test("a NACK stops at its room and says how far it came")
    func nackRoom() throws {
        let lost = (0..<100).map { UInt16($0 * 100) }
        var taken = 0
        let bytes = written {
            taken = Feedback.writeNack(sender: 1, media: 2, sequenceNumbers: lost, maxBytes: 12 + 4 * 5 + 3, into: &$0)
        }
        #expect(taken == 5 && bytes.count == 32)
        #expect(try nacked(bytes) == Array(lost[..<5]))
    }

    @Test("a NACK has at most 512 words")
    func nackLimit() throws {
        func nack(words: Int) -> [UInt8] {
            let length = 2 + words
            return [0x81, 205, UInt8(length >> 8), UInt8(length & 0xFF)] + [UInt8](repeating: 0, count: 8 + words * 4)
        }
        #expect(try nacked(nack(words: 512)).count == 512)
        #expect(throws: RTPError.overLimit) { try nacked(nack(words: 513)) }
        #expect(throws: RTPError.badControlPacket(type: 205)) { try nacked(hex("81CD0001 00000001")) }
    }

    @Test("picture loss has no details")
    func pictureLoss() throws {
        let bytes = written { Feedback.writePictureLoss(sender: 1, media: 2, into: &$0) }
        #expect(bytes == hex("81CE0002 00000001 00000002"))
        #expect(try readFirst(bytes) { $0.isPictureLoss })
        #expect(try readFirst(bytes) { packet throws(RTPError) in try packet.feedbackSources() } == (1, 2))
    }

    @Test("full intra requests carry source and number, however many")
    func fullIntra() throws {
        let one = written { Feedback.writeFullIntra(sender: 1, media: 2, sequence: 3, into: &$0) }
        #expect(one == hex("84CE0004 00000001 00000000 00000002 03000000"))
        let two = hex("84CE0006 00000001 00000000 00000002 03000000 00000005 FF000000")
        var found: [[UInt32]] = []
        try readFirst(two) { packet throws(RTPError) in
            try packet.forEachFullIntra { found.append([$0, UInt32($1)]) }
        }
        #expect(found == [[2, 3], [5, 255]])
    }

    @Test(
        "bitrates survive with 18 significant bits",
        arguments: [
            (0, 0), (1, 1), (262_143, 262_143), (262_144, 262_144), (1_000_001, 1_000_000), (.max, 0x3FFFF << 46),
        ] as [(UInt64, UInt64)])
    func bitrate(bits: UInt64, expected: UInt64) throws {
        let bytes = written { Feedback.writeBitrate(sender: 1, bitsPerSecond: bits, ssrcs: [2, 3], into: &$0) }
        #expect(try readFirst(bytes) { packet throws(RTPError) in try packet.maximumBitrate() } == expected)
    }

    @Test("a bitrate beyond 64 bits saturates")
    func hugeBitrate() throws {
        let bytes = hex("8FCE0004 00000001 00000000 52454D42 00FFFFFF")
        #expect(try readFirst(bytes) { packet throws(RTPError) in try packet.maximumBitrate() } == .max)
    }

    @Test(
        "REMB with fewer sources than announced is refused, another application message is none",
        arguments: [
            ("8FCE0004 00000001 00000000 52454D42 01000001", true), ("8FCE0003 00000001 00000000 52454D42", true),
            ("8FCE0003 00000001 00000000 52454D43", false), ("8FCE0002 00000001 00000000", false),
        ])
    func malformedBitrate(text: String, isMalformed: Bool) throws {
        let bytes = hex(text)
        func parse() throws(RTPError) -> UInt64? {
            var reader = RTCPReader(bytes.rawSpan)
            guard let packet = try reader.next() else { return 0 }
            return try packet.maximumBitrate()
        }
        if isMalformed {
            #expect(throws: RTPError.badControlPacket(type: 206)) { try parse() }
        } else {
            #expect(try parse() == nil)
        }
    }
}

@Suite struct ExtendedReportTests {
    private func parse(_ bytes: [UInt8]) throws(RTPError) -> (UInt32, NTPTime?, [ExtendedReport.Delay]) {
        var reader = RTCPReader(bytes.rawSpan)
        var delays: [ExtendedReport.Delay] = []
        guard let packet = try reader.next() else { throw .truncated(offset: 0) }
        let (sender, time) = try packet.extendedReport { delays.append($0) }
        return (sender, time, delays)
    }

    @Test("reference time and delay have the layouts of RFC 3611")
    func layouts() throws {
        let time = NTPTime(rawValue: 0x0102_0304_0506_0708)
        let reference = written { ExtendedReport.write(referenceTime: time, sender: 9, into: &$0) }
        #expect(reference == hex("80CF0004 00000009 04000002 01020304 05060708"))
        #expect(reference.count == ExtendedReport.referenceTimeReportByteCount)
        #expect(try parse(reference).1 == time)
        let delay = ExtendedReport.Delay(ssrc: 1, lastReport: 2, delay: 3)
        let answer = written { ExtendedReport.write(delay, sender: 9, into: &$0) }
        #expect(answer == hex("80CF0005 00000009 05000003 00000001 00000002 00000003"))
        #expect(answer.count == ExtendedReport.delayReportByteCount)
        #expect(try parse(answer).2 == [delay])
    }

    @Test("unknown blocks are passed over")
    func unknownBlocks() throws {
        let bytes = hex("80CF0007 00000009 2A000001 FFFFFFFF 2B000000 04000002 00000000 00000001")
        #expect(try parse(bytes).1 == NTPTime(rawValue: 1))
    }

    @Test(
        "blocks that leave the packet or have a wrong size are refused",
        arguments: [
            "80CF0000", "80CF0002 00000009 04000001", "80CF0003 00000009 04000001 00000000",
            "80CF0003 00000009 05000001 00000000", "80CF0002 00000009 0400FFFF",
        ])
    func malformed(text: String) {
        let bytes = hex(text)
        #expect(throws: RTPError.badControlPacket(type: 207)) { try parse(bytes) }
    }
}
