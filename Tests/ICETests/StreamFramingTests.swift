import Bytes
import ICE
import TestSupport
import Testing

@Suite struct StreamFramingTests {
    private static let frames: [[UInt8]] = [[1, 2, 3], [4], [UInt8](repeating: 5, count: 300)]
    private static let stream = frames.flatMap { frame in
        captureOutput { StreamFraming.append(frame.rawSpan, to: &$0) }.bytes
    }

    private static func feed(_ bytes: [UInt8], _ reader: inout StreamFrameReader) throws(ICEError) {
        try reader.receive(bytes.rawSpan)
    }

    private static func drain(_ reader: inout StreamFrameReader) throws(ICEError) -> [[UInt8]] {
        var frames: [[UInt8]] = []
        while let frame = reader.frame?.copied() {
            frames.append(frame)
            try reader.removeFrame()
        }
        return frames
    }

    @Test("frames come out as they went in, wherever the stream is cut")
    func everySplit() throws {
        for (head, tail) in splits(of: Self.stream) {
            var reader = StreamFrameReader()
            try Self.feed(head, &reader)
            var frames = try Self.drain(&reader)
            try Self.feed(tail, &reader)
            frames += try Self.drain(&reader)
            #expect(frames == Self.frames)
            let left = reader.bufferedBytes
            #expect(left == 0)
        }
    }

    @Test("frames come out when the stream comes byte by byte")
    func byteByByte() throws {
        var reader = StreamFrameReader()
        var frames: [[UInt8]] = []
        for byte in Self.stream {
            try Self.feed([byte], &reader)
            frames += try Self.drain(&reader)
        }
        #expect(frames == Self.frames)
    }

    @Test("empty frames are passed over")
    func emptyFrames() throws {
        var reader = StreamFrameReader()
        try Self.feed(hex("0000 0000 000107 0000 000108 0000"), &reader)
        #expect(try Self.drain(&reader) == [[7], [8]])
        let left = reader.bufferedBytes
        #expect(left == 0)
    }

    @Test("the longest frame passes, and one byte more is refused before its bytes come")
    func limit() throws {
        var reader = StreamFrameReader(maximumFrameBytes: 4)
        try Self.feed(hex("0004 01020304"), &reader)
        #expect(try Self.drain(&reader) == [[1, 2, 3, 4]])
        #expect(throws: ICEError.frameTooLarge(5)) { try Self.feed(hex("0005"), &reader) }
    }

    @Test("a frame that is too long is noticed behind others and behind an empty one")
    func lateLimit() throws {
        var reader = StreamFrameReader(maximumFrameBytes: 4)
        try Self.feed(hex("000101 ffff"), &reader)
        #expect(throws: ICEError.frameTooLarge(65_535)) { try Self.drain(&reader) }
        var other = StreamFrameReader(maximumFrameBytes: 4)
        #expect(throws: ICEError.frameTooLarge(5)) { try Self.feed(hex("0000 0005"), &other) }
    }

    @Test("an incomplete frame waits for the rest")
    func incomplete() throws {
        var reader = StreamFrameReader()
        try Self.feed(hex("0003 0102"), &reader)
        let isEmpty = reader.frame == nil
        #expect(isEmpty)
        try reader.removeFrame()
        let left = reader.bufferedBytes
        #expect(left == 4)
    }
}

@Suite struct TURNFramingTests {
    private let messages = [
        makeMessage(.allocate, .success, fingerprint: true), [0x40, 0, 0, 5, 1, 2, 3, 4, 5, 0, 0, 0], [0x40, 1, 0, 0],
        TURNServerModel.dataIndication([1, 2, 3], from: address("192.0.2.1", 1), hmac: testHMAC),
    ]

    private func frames(_ stream: [UInt8], step: Int) throws(ICEError) -> [[UInt8]] {
        var reader = StreamFrameReader(.turn)
        var frames: [[UInt8]] = []
        for start in stride(from: 0, to: stream.count, by: step) {
            try reader.receive(Array(stream[start..<min(start + step, stream.count)]).rawSpan)
            while let frame = reader.frame?.copied() {
                frames.append(frame)
                try reader.removeFrame()
            }
        }
        return frames
    }

    @Test("TURN messages and padded channel data are told apart however the stream is cut")
    func splits() throws {
        let stream = messages.flatMap { $0 }
        for step in 1...stream.count { #expect(try frames(stream, step: step) == messages) }
    }

    @Test("what is neither ends the connection", arguments: [UInt8(4), 20, 63, 80, 128, 255])
    func nonsense(first: UInt8) {
        #expect(throws: ICEError.notSTUN) { try frames([first, 0, 0, 0], step: 1) }
    }

    @Test("lengths are bounded and those of messages are multiples of four")
    func lengths() {
        #expect(throws: ICEError.frameTooLarge(65_540)) { try frames([0x40, 0, 0xFF, 0xFF], step: 4) }
        #expect(throws: ICEError.notSTUN) { try frames([1, 3, 0, 2], step: 4) }
    }
}
