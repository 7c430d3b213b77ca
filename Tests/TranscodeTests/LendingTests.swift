import Bytes
import Media
import Testing
import Transcode

@Suite struct LendingTests {
    @Test("a slab lent to the decoder is released once the decoder is done with it")
    func released() throws {
        let video = try TestVideo(96, 64)
        let decoder = try VideoDecoder(VideoConfiguration(codec: .h264, record: nil))
        let picture = AVFrameRef()
        weak var storage: SlabStorage?
        do {
            let frame = try video.next(at: 0)
            frame.payload.withUnsafeStorage { owner, _ in storage = owner }
            try decoder.send(frame)
            #expect(try decoder.receive(picture))
        }
        let next = try video.next(at: 40)
        try decoder.send(next)
        #expect(try decoder.receive(picture))
        #expect(storage == nil)
    }

    @Test("a slice inside its slab decodes like one at its end")
    func unpadded() throws {
        let sample = MediaSample.h264WidePixels
        let pipeline = try VideoPipeline.small(qualities: [.high])
        try pipeline.configure(try #require(sample.videoConfiguration))
        var out = Collected()
        for var frame in sample.frames {
            let bytes = frame.payload.copied()
            let slab = SlabSlice(copying: [1, 2, 3] + bytes + [UInt8](repeating: 0xFF, count: 80))
            frame.payload = slab[3..<3 + bytes.count]
            #expect(!frame.payload.endsAtPadding)
            try pipeline.process(frame) { out.add($0) }
        }
        #expect(out.frames.count == sample.frames.count)
        #expect(pipeline.statistics.decoderErrors == 0)
    }

    @Test("frames beyond 16 MiB are refused before any decoder sees them")
    func tooLarge() throws {
        let decoder = try VideoDecoder(VideoConfiguration(codec: .h264, record: nil))
        let payload = SlabSlice(copying: [UInt8](repeating: 0, count: (16 << 20) + 1))
        let frame = EncodedFrame(codec: .video(.h264), pts: 0, dts: 0, isKey: true, payload: payload)
        #expect(throws: TranscodeError.frameTooLarge((16 << 20) + 1)) { try decoder.send(frame) }
    }
}
