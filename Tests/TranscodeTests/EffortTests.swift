import Bytes
import Media
import Testing
import Transcode

/// Pictures of 40 ms through an `EffortControl`, in virtual time.
private struct Source {
    var control = EffortControl()
    var now = Monotonic.zero
    var changes: [EncodingEffort] = []

    /// `share`: of the picture's time; nil leaves it out.
    mutating func run(seconds: Double, share: Double?) {
        for _ in 0..<Int(seconds * 25) {
            now = now + .milliseconds(40)
            let cost = share.map { Interval.microseconds(Int64($0 * 40_000)) }
            if control.record(cost: cost, spacing: .milliseconds(40), at: now) { changes.append(control.effort) }
        }
    }
}

@Suite struct EffortTests {
    @Test("with room there is full effort, for ever")
    func room() {
        var source = Source()
        source.run(seconds: 60, share: 0.7)
        #expect(source.changes.isEmpty && source.control.effort == .full)
    }

    @Test("pictures that take all their time get less, step by step")
    func pressed() {
        var source = Source()
        source.run(seconds: 1, share: 1.2)
        #expect(source.changes == [.reduced])
        source.run(seconds: 1, share: 1.2)
        #expect(source.changes == [.reduced, .least])
        source.run(seconds: 10, share: 1.2)
        #expect(source.changes.count == 2)
    }

    @Test("a step that was enough stays")
    func enough() {
        var source = Source()
        source.run(seconds: 0.9, share: 1.2)
        source.run(seconds: 60, share: 0.7)
        #expect(source.changes == [.reduced])
    }

    @Test("pictures that are left out are pressure, whatever the others cost")
    func leftOut() {
        var source = Source()
        source.run(seconds: 0.5, share: nil)
        #expect(source.changes == [.reduced])
    }

    @Test("one slow picture changes nothing")
    func spike() {
        var source = Source()
        source.run(seconds: 2, share: 0.5)
        source.run(seconds: 0.04, share: 3)
        source.run(seconds: 2, share: 0.5)
        #expect(source.changes.isEmpty)
    }

    @Test("effort comes back after a long time with room, and later each time that this was a mistake")
    func back() {
        var source = Source()
        source.run(seconds: 0.9, share: 1.2)
        source.run(seconds: 9, share: 0.3)
        #expect(source.changes == [.reduced])
        source.run(seconds: 3, share: 0.3)
        #expect(source.changes == [.reduced, .full])
        source.run(seconds: 1.2, share: 1.2)
        #expect(source.changes == [.reduced, .full, .reduced])
        source.run(seconds: 18, share: 0.3)
        #expect(source.changes.count == 3)
        source.run(seconds: 5, share: 0.3)
        #expect(source.changes == [.reduced, .full, .reduced, .full])
    }

    @Test("encoders change their effort between two pictures and lose none", arguments: [true, false])
    func encoders(isH264: Bool) throws {
        let settings = EncoderSettings(size: PictureSize(320, 180), bitrate: 400_000, frameRate: 30, threads: 1)
        let encoder: any VideoEncoder = isH264 ? try H264Encoder(settings) : try VP8Encoder(settings)
        let decoder = try VideoDecoder(
            VideoConfiguration(codec: isH264 ? .h264 : .vp8, record: nil), threads: 1)
        let picture = try TestPicture(width: 320, height: 180)
        let decoded = AVFrameRef()
        var (coded, shown) = (0, 0)
        for index in 0..<120 {
            picture.draw(index, noise: 3)
            try encoder.setEffort([.full, .reduced, .least, .full][index / 30])
            var frame: EncodedFrame?
            try encoder.encode(picture.frame, pts: Int64(index) * 33_333_333, forceKey: false) {
                coded += 1
                frame = EncodedFrame(
                    codec: .video(isH264 ? .h264 : .vp8), pts: Int64(index), dts: Int64(index), isKey: $0.isKey,
                    payload: SlabSlice(copying: $0.bytes))
            }
            try decoder.send(#require(frame))
            while try decoder.receive(decoded) { shown += 1 }
        }
        #expect(coded == 120 && shown >= 119)
    }
}
