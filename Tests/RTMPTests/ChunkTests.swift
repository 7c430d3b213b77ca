import Bytes
import RTMP
import TestSupport
import Testing

/// What tests compare of a message.
struct Seen: Equatable {
    var type: UInt8
    var stream: UInt32
    var time: UInt32
    var bytes: [UInt8]

    init(_ type: UInt8, stream: UInt32 = 1, time: UInt32, _ bytes: [UInt8]) {
        self.type = type
        self.stream = stream
        self.time = time
        self.bytes = bytes
    }

    init(_ message: RTMPMessage) {
        self.init(
            message.typeID, stream: message.messageStreamID, time: message.timestamp, message.payload.copied())
    }
}

func pattern(_ count: Int, seed: Int = 0) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ seed) }
}

func parse(_ bytes: [UInt8], extended: UInt32? = nil) -> (header: ChunkHeader, byteCount: Int)? {
    ChunkHeader.parse(bytes.rawSpan, at: 0) { _ in extended }
}

func glue(_ parts: [UInt8]...) -> [UInt8] { parts.reduce(into: []) { $0 += $1 } }

@Suite struct ChunkHeaderTests {
    @Test("the three basic header forms carry ids 2 to 65,599", arguments: [2, 3, 63, 64, 319, 320, 65_598, 65_599])
    func ids(id: Int) throws {
        for form: UInt8 in 0...3 {
            var header = ChunkHeader(form: form, chunkStreamID: id)
            if form < 3 { header.timestamp = 0x01_0203 }
            if form < 2 {
                header.messageLength = 0x04_0506
                header.messageTypeID = 9
            }
            if form == 0 { header.messageStreamID = 0x0708_090A }
            var writer = ByteWriter()
            header.write(to: &writer)
            let basic = id < 64 ? 1 : id < 320 ? 2 : 3
            #expect(writer.count == basic + [11, 7, 3, 0][Int(form)])
            let read = try #require(parse(writer.bytes))
            #expect(read.header == header)
            #expect(read.byteCount == writer.count)
        }
    }

    @Test("a complete header has the specified layout, its stream id little-endian")
    func layout() throws {
        let bytes = hex("03 000102 000304 14 01000000")
        let read = try #require(parse(bytes))
        #expect(read.header.timestamp == 0x0102)
        #expect(read.header.messageLength == 0x0304)
        #expect(read.header.messageTypeID == 20)
        #expect(read.header.messageStreamID == 1)
    }

    @Test("every truncation of a header asks for more bytes")
    func truncations() {
        let headers = [
            "03 000102 000304 14 01000000", "00 06 FFFFFF 000304 14 01000000 01020304", "81 0001 FFFFFF 01020304",
        ]
        for header in headers {
            let bytes = hex(header)
            for length in 0..<bytes.count {
                #expect(parse(Array(bytes[..<length])) == nil)
            }
            #expect(parse(bytes)?.byteCount == bytes.count)
        }
    }

    @Test("the extended timestamp replaces the field's mark")
    func extended() throws {
        let bytes = hex("43 FFFFFF 000001 08 00FFFFFF")
        let read = try #require(parse(bytes))
        #expect(read.header.isExtended)
        #expect(read.header.timestamp == 0xFF_FFFF)
    }

    @Test("form 3 takes four bytes for the repeated timestamp only when they equal it")
    func repeated() throws {
        let same = try #require(parse(hex("C3 01020304"), extended: 0x0102_0304))
        #expect(same.byteCount == 5)
        #expect(same.header.isExtended)
        let other = try #require(parse(hex("C3 01020305"), extended: 0x0102_0304))
        #expect(other.byteCount == 1)
        #expect(parse(hex("C3 0102"), extended: 0x0102_0304) == nil)
        #expect(parse(hex("C3 0103"), extended: 0x0102_0304)?.byteCount == 1)
    }
}

@Suite struct ChunkReaderTests {
    @Test("a message of one chunk arrives with type, stream, time and bytes")
    func single() throws {
        #expect(try read(hex("04 0000FF 000003 08 01000000 010203")) == [Seen(8, time: 255, [1, 2, 3])])
    }

    @Test("the specification's audio example: forms 0, 2 and 3 add up the deltas")
    func specificationExample1() throws {
        let body = pattern(32)
        let bytes = glue(
            hex("03 0003E8 000020 08 39300000"), body, hex("83 000014"), body, hex("C3"), body, hex("C3"), body)
        let messages = try read(bytes)
        #expect(messages.map(\.time) == [1000, 1020, 1040, 1060])
        #expect(messages.allSatisfy { $0.stream == 12345 && $0.bytes == body && $0.type == 8 })
    }

    @Test("the specification's video example: 307 bytes in chunks of 128")
    func specificationExample2() throws {
        let body = pattern(307)
        let bytes = glue(
            hex("04 0003E8 000133 09 3A300000"), Array(body[..<128]), hex("C4"), Array(body[128..<256]), hex("C4"),
            Array(body[256...]))
        #expect(try read(bytes) == [Seen(9, stream: 12346, time: 1000, body)])
    }

    @Test("a stream of chunks reads the same cut at every byte")
    func splitAnywhere() throws {
        let bytes = try busyStream()
        let whole = try read(bytes)
        #expect(whole.count == 6)
        for (head, tail) in splits(of: bytes) { #expect(try read(head, tail) == whole) }
    }

    @Test("a stream of chunks reads the same byte by byte")
    func byteByByte() throws {
        let bytes = try busyStream()
        var reader = ChunkReader(limits: RTMPLimits(), pool: nil)
        var seen: [Seen] = []
        for byte in bytes { seen += try drain(&reader, [byte]) }
        #expect(seen == (try read(bytes)))
    }

    @Test("messages of several chunk streams interleave")
    func interleaved() throws {
        let video = pattern(300)
        let audio = pattern(140, seed: 9)
        let bytes = glue(
            hex("06 000010 00012C 09 01000000"), Array(video[..<128]), hex("04 000011 00008C 08 01000000"),
            Array(audio[..<128]), hex("C6"), Array(video[128..<256]), hex("C4"), Array(audio[128...]), hex("C6"),
            Array(video[256...]))
        #expect(try read(bytes) == [Seen(8, time: 17, audio), Seen(9, time: 16, video)])
    }

    @Test("the extended timestamp is repeated in form 3 chunks of a message")
    func extendedRepeated() throws {
        let body = pattern(200)
        let bytes = glue(
            hex("04 FFFFFF 0000C8 09 01000000 01000000"), Array(body[..<128]), hex("C4 01000000"), Array(body[128...]))
        for (head, tail) in splits(of: bytes) { #expect(try read(head, tail) == [Seen(9, time: 0x0100_0000, body)]) }
    }

    @Test("encoders that do not repeat the extended timestamp are read as well")
    func extendedNotRepeated() throws {
        let body = pattern(200)
        let bytes = glue(
            hex("04 FFFFFF 0000C8 09 01000000 01000000"), Array(body[..<128]), hex("C4"), Array(body[128...]))
        for (head, tail) in splits(of: bytes) { #expect(try read(head, tail) == [Seen(9, time: 0x0100_0000, body)]) }
    }

    @Test("payload that begins like the extended timestamp is payload again when the likeness ends, wherever it is cut")
    func extendedLookalike() throws {
        // The second chunk holds two bytes that open like the timestamp; a new message's header follows at once.
        let body = pattern(128) + [1, 0]
        let bytes = glue(
            hex("04 FFFFFF 000082 09 01000000 01000001"), Array(body[..<128]), hex("C4"), Array(body[128...]),
            hex("05 000000 000001 08 01000000 77"))
        let expected = [Seen(9, time: 0x0100_0001, body), Seen(8, time: 0, [0x77])]
        #expect(try read(bytes) == expected)
        for (head, tail) in splits(of: bytes) { #expect(try read(head, tail) == expected) }
        var reader = ChunkReader(limits: RTMPLimits(), pool: nil)
        var seen: [Seen] = []
        for byte in bytes { seen += try drain(&reader, [byte]) }
        #expect(seen == expected)
    }

    @Test("an extended delta is added, modulo 2^32")
    func extendedDelta() throws {
        let bytes = hex("04 000010 000001 08 01000000 AA 44 FFFFFF 000001 08 FFFFFFFF BB")
        #expect(try read(bytes).map(\.time) == [16, 15])
    }

    @Test("form 3 behind form 0 reuses a small time as delta and no large one")
    func impliedDelta() throws {
        let small = hex("04 000017 000001 08 01000000 AA C4 BB")
        #expect(try read(small).map(\.time) == [23, 46])
        let large = hex("04 002711 000001 08 01000000 AA C4 BB")
        #expect(try read(large).map(\.time) == [10_001, 10_001])
    }

    @Test("for librtmp a message that opens with form 3 keeps the time")
    func librtmp() throws {
        let bytes = hex("04 000000 000001 08 01000000 AA 84 000017 BB C4 CC")
        #expect(try read(bytes).map(\.time) == [0, 23, 46])
        var reader = ChunkReader(limits: RTMPLimits(), pool: nil)
        reader.formThreeKeepsTimestamp = true
        #expect(try drain(&reader, bytes).map(\.time) == [0, 23, 23])
    }

    @Test("a changed chunk size holds from the next chunk on and is clamped")
    func chunkSize() throws {
        var reader = ChunkReader(limits: RTMPLimits(), pool: nil)
        try reader.setChunkSize(1)
        #expect(try drain(&reader, hex("04 000000 000002 08 01000000 AA C4 BB")) == [Seen(8, time: 0, [0xAA, 0xBB])])
        try reader.setChunkSize(0x7FFF_FFFF)
        let body = pattern(100_000)
        #expect(try drain(&reader, hex("04 000000 0186A0 08 01000000") + body) == [Seen(8, time: 0, body)])
    }

    @Test("chunk sizes of 0 and with the top bit are refused", arguments: [0, 0x8000_0000, 0xFFFF_FFFF])
    func badChunkSize(size: UInt32) {
        var reader = ChunkReader(limits: RTMPLimits(), pool: nil)
        #expect(throws: RTMPError.invalidChunkSize(size)) { try reader.setChunkSize(size) }
    }

    @Test("an empty message arrives with its header alone")
    func empty() throws {
        #expect(try read(hex("04 000005 000000 09 01000000")) == [Seen(9, time: 5, [])])
    }

    @Test("abort drops the unfinished message of its chunk stream and no other")
    func abort() throws {
        var reader = ChunkReader(limits: RTMPLimits(), pool: nil)
        let body = pattern(200)
        let starts = glue(
            hex("04 000000 0000C8 09 01000000"), Array(body[..<128]), hex("05 000000 0000C8 08 01000000"),
            Array(body[..<128]))
        #expect(try drain(&reader, starts).isEmpty)
        reader.abort(chunkStreamID: 4)
        reader.abort(chunkStreamID: 99)
        #expect(try drain(&reader, glue(hex("C5"), Array(body[128...]))) == [Seen(8, time: 0, body)])
        #expect(try drain(&reader, hex("04 000001 000001 09 01000000 AA")) == [Seen(9, time: 1, [0xAA])])
    }

    @Test("a length or type that changes inside a message is an error")
    func changedInside() {
        let start = hex("04 000000 0000C8 09 01000000") + pattern(128)
        for next in ["04 000000 0000C9 09 01000000", "44 000000 0000C8 08"] {
            #expect(throws: RTMPError.messageChanged(chunkStreamID: 4)) { try read(start + hex(next)) }
        }
    }

    @Test("a header repeated in full inside a message is borne")
    func repeatedHeader() throws {
        let body = pattern(200)
        let bytes = glue(
            hex("04 000007 0000C8 09 01000000"), Array(body[..<128]), hex("04 000007 0000C8 09 01000000"),
            Array(body[128...]))
        #expect(try read(bytes) == [Seen(9, time: 7, body)])
    }

    @Test("a chunk stream may open with form 1 and not with forms 2 and 3")
    func firstForm() throws {
        #expect(try read(hex("42 000000 000001 04 AA")) == [Seen(4, stream: 0, time: 0, [0xAA])])
        #expect(throws: RTMPError.missingMessageHeader(chunkStreamID: 5)) { try read(hex("85 000000")) }
        #expect(throws: RTMPError.missingMessageHeader(chunkStreamID: 5)) { try read(hex("C5")) }
    }

    @Test("chunk streams up to the limit are read and one more is refused")
    func streamLimit() throws {
        var limits = RTMPLimits()
        limits.chunkStreams = 3
        let message = hex("000000 000001 08 01000000 AA")
        let ids: [UInt8] = [4, 5, 6, 4]
        let allowed = ids.reduce(into: [UInt8]()) { bytes, id in bytes += [id] + message }
        #expect(try read(allowed, limits: limits).count == 4)
        #expect(throws: RTMPError.tooManyChunkStreams) { try read(allowed + [7] + message, limits: limits) }
    }

    @Test("a message of the limit's length is read and a byte more is refused at its header")
    func messageLimit() throws {
        var limits = RTMPLimits()
        limits.messageBytes = 100
        #expect(try read(hex("04 000000 000064 08 01000000") + pattern(100), limits: limits).count == 1)
        #expect(throws: RTMPError.messageTooLarge(bytes: 101)) {
            try read(hex("04 000000 000065 08 01000000"), limits: limits)
        }
        #expect(throws: Never.self) { try read(hex("04 000000 FFFFFF 08 01000000")) }
    }

    @Test("unfinished bytes of all streams meet one limit and finished ones do not count")
    func unfinishedLimit() throws {
        var limits = RTMPLimits()
        limits.unfinishedBytes = 256
        let part = hex("000000 0000C8 09 01000000") + pattern(128)
        let two = [4] + part + [5] + part
        #expect(try read(two, limits: limits).isEmpty)
        #expect(throws: RTMPError.tooManyUnfinishedBytes) { try read(two + [6] + part, limits: limits) }
        let rest = [0xC4] + pattern(72)
        let full = [4] + part + rest
        #expect(try read(full + full + full, limits: limits).count == 3)
    }

    @Test("small chunks are counted and large ones are not")
    func smallChunks() throws {
        var reader = ChunkReader(limits: RTMPLimits(), pool: nil)
        _ = try drain(&reader, glue(hex("04 000000 0000C8 08 01000000"), pattern(128), hex("C4"), pattern(72)))
        #expect(reader.takeSmallChunkCount() == 0)
        _ = try drain(&reader, hex("04 000000 000001 08 01000000 AA 04 000000 000001 08 01000000 AA"))
        #expect(reader.takeSmallChunkCount() == 2)
        #expect(reader.takeSmallChunkCount() == 0)
    }

    /// Several forms, sizes and streams, three of them extended.
    private func busyStream() throws -> [UInt8] {
        var writer = ChunkWriter()
        var output = ByteWriter()
        for (index, time) in [0, 40, 80, 0x0100_0000, 0x0100_0028, 0x0100_0050].enumerated() {
            writer.write(
                9, payload: pattern(150 + index / 3, seed: index).rawSpan, timestamp: UInt32(time), messageStreamID: 1,
                chunkStreamID: index.isMultiple(of: 2) ? 6 : 400, to: &output)
        }
        return output.bytes
    }

    private func read(_ pieces: [UInt8]..., limits: RTMPLimits = RTMPLimits()) throws(RTMPError) -> [Seen] {
        var reader = ChunkReader(limits: limits, pool: nil)
        var seen: [Seen] = []
        for piece in pieces { seen += try drain(&reader, piece) }
        return seen
    }
}

func drain(_ reader: inout ChunkReader, _ bytes: [UInt8]) throws(RTMPError) -> [Seen] {
    var offset = 0
    var seen: [Seen] = []
    while let message = try reader.nextMessage(bytes.rawSpan, from: &offset) { seen.append(Seen(message)) }
    return seen
}

@Suite struct ChunkWriterTests {
    @Test("the shortest form is chosen, and form 3 opens a message only behind a delta")
    func forms() {
        let times: [UInt32] = [100, 120, 140, 160]
        let forms = written(times.map { ($0, 4) }).map { $0[0] >> 6 }
        #expect(forms == [0, 2, 3, 3])
        #expect(written([(100, 4), (120, 5)]).map { $0[0] >> 6 } == [0, 1])
        #expect(written([(100, 4), (90, 4)]).map { $0[0] >> 6 } == [0, 0])
    }

    @Test("what is written is read again, over sizes around the chunk size and the extended mark")
    func roundTrip() throws {
        var generator = SeededGenerator(seed: 1)
        for chunkBytes in [1, 127, 128, 4096] {
            var writer = ChunkWriter()
            writer.chunkBytes = chunkBytes
            var reader = ChunkReader(limits: RTMPLimits(), pool: nil)
            try reader.setChunkSize(UInt32(chunkBytes))
            for time: UInt32 in [0, 23, 46, 46, 0xFF_FFFE, 0xFF_FFFF, 0x0100_0000, 5, .max, 0] {
                let size =
                    [0, 1, chunkBytes - 1, chunkBytes, chunkBytes + 1, 3 * chunkBytes]
                    .randomElement(using: &generator) ?? 0
                var output = ByteWriter()
                let body = generator.bytes(size)
                writer.write(
                    9, payload: body.rawSpan, timestamp: time, messageStreamID: 1, chunkStreamID: 6, to: &output)
                #expect(try drain(&reader, output.bytes) == [Seen(9, time: time, body)])
            }
        }
    }

    private func written(_ messages: [(time: UInt32, size: Int)]) -> [[UInt8]] {
        var writer = ChunkWriter()
        return messages.map { message in
            var output = ByteWriter()
            writer.write(
                8, payload: pattern(message.size).rawSpan, timestamp: message.time, messageStreamID: 1,
                chunkStreamID: 4, to: &output)
            return output.bytes
        }
    }
}
