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
