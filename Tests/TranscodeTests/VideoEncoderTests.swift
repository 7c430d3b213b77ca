import Bytes
import CX264
import Media
import Testing
import Transcode

@Suite struct VideoEncoderTests {
    enum Kind: Sendable, CaseIterable { case h264, vp8 }

    private func make(_ kind: Kind, _ settings: EncoderSettings) throws -> any VideoEncoder {
        switch kind {
        case .h264: try H264Encoder(settings)
        case .vp8: try VP8Encoder(settings)
        }
    }

    /// Bits per second of `seconds` of test pictures at `rate`, after a second to settle.
    private func bitrate(
        _ encoder: any VideoEncoder, _ picture: borrowing TestPicture, rate: Int, seconds: Int, from start: Int = 0,
        tell: Bool = true
    ) throws -> Int {
        var bytes = 0
        for index in 0..<rate * seconds {
            picture.draw(index, noise: 4)
            if tell { try encoder.setFrameRate(Double(rate)) }
            let pts = Int64(start) * 1_000_000_000 + Int64(index) * 1_000_000_000 / Int64(rate)
            try encoder.encode(picture.frame, pts: pts, forceKey: false) {
                if index >= rate { bytes += $0.bytes.byteCount }
            }
        }
        return bytes * 8 / (seconds - 1)
    }

    @Test("one picture in, one frame out at once, a key frame first and then on demand alone", arguments: Kind.allCases)
    func oneForOne(kind: Kind) throws {
        let encoder = try make(
            kind, EncoderSettings(size: PictureSize(160, 96), bitrate: 200_000, frameRate: 30, threads: 1))
        let picture = try TestPicture(width: 160, height: 96)
        var keys: [Int] = []
        var count = 0
        for index in 0..<400 {
            picture.draw(index)
            try encoder.encode(picture.frame, pts: Int64(index) * 33_333_333, forceKey: index == 350) {
                count += 1
                if $0.isKey { keys.append(index) }
            }
        }
        #expect(count == 400)
        #expect(keys == [0, 350])
    }

    @Test(
        "bits per real second hold at half and at a third of the rate that the encoder was opened with",
        arguments: Kind.allCases, [30, 15, 10])
    func variableRate(kind: Kind, rate: Int) throws {
        let target = 120_000
        let encoder = try make(
            kind, EncoderSettings(size: PictureSize(192, 128), bitrate: target, frameRate: 30, threads: 1))
        let picture = try TestPicture(width: 192, height: 128)
        let measured = try bitrate(encoder, picture, rate: rate, seconds: 6)
        #expect((target * 80 / 100...target * 115 / 100).contains(measured), "\(measured)")
    }

    @Test("a new bit rate holds from then on", arguments: Kind.allCases)
    func reconfigure(kind: Kind) throws {
        let encoder = try make(
            kind, EncoderSettings(size: PictureSize(192, 128), bitrate: 150_000, frameRate: 15, threads: 1))
        let picture = try TestPicture(width: 192, height: 128)
        _ = try bitrate(encoder, picture, rate: 15, seconds: 4)
        try encoder.setBitrate(60_000)
        _ = try bitrate(encoder, picture, rate: 15, seconds: 3, from: 4)
        let measured = try bitrate(encoder, picture, rate: 15, seconds: 6, from: 7)
        #expect((45_000...72_000).contains(measured), "\(measured)")
    }

    @Test("a source's clock may jump either way without an encoder's complaint", arguments: Kind.allCases)
    func clockJumps(kind: Kind) throws {
        let settings = EncoderSettings(size: PictureSize(160, 96), bitrate: 100_000, frameRate: 30, threads: 1)
        let encoder = try make(kind, settings)
        let picture = try TestPicture(width: 160, height: 96)
        var sizes: [Int] = []
        for pts in [0, 33_000_000, 1 << 60, (1 << 60) + 33_000_000, -(1 << 60), 5, 6] as [Int64] {
            picture.draw(sizes.count)
            try encoder.encode(picture.frame, pts: pts, forceKey: false) { sizes.append($0.bytes.byteCount) }
        }
        #expect(sizes.count == 7 && sizes.allSatisfy { $0 > 0 && $0 < 20_000 }, "\(sizes)")
    }

    @Test("odd shapes and the smallest sizes can be encoded", arguments: Kind.allCases)
    func sizes(kind: Kind) throws {
        for size in [PictureSize(2, 2), PictureSize(2, 720), PictureSize(1280, 2), PictureSize(34, 18)] {
            let settings = EncoderSettings(size: size, bitrate: 50_000, frameRate: 30, threads: 4)
            let encoder = try make(kind, settings)
            let frame = try AVFrameRef(width: size.width, height: size.height)
            var count = 0
            try encoder.encode(frame, pts: 0, forceKey: true) { _ in count += 1 }
            #expect(count == 1, "\(size)")
        }
    }

    @Test("x264 takes every quantiser that rate control may ask for, and gives it")
    func quantizers() throws {
        let settings = EncoderSettings(size: PictureSize(160, 96), bitrate: 100_000, frameRate: 25, threads: 1)
        var parameters = try settings.x264Parameters()
        let encoder = try #require(shim_x264_encoder_open(&parameters))
        defer { x264_encoder_close(encoder) }
        x264_encoder_parameters(encoder, &parameters)
        let range = Int(parameters.rc.i_qp_min)...Int(parameters.rc.i_qp_max)
        #expect(range.contains(RateControl.Limits.quantizers.lowerBound))
        #expect(range.contains(RateControl.Limits.quantizers.upperBound))
    }

    @Test("colours that the source names are named in the stream")
    func colours() throws {
        let bt709 = ColorDescription(primaries: 1, transfer: 1, matrix: 1)
        let settings = EncoderSettings(
            size: PictureSize(160, 96), bitrate: 100_000, frameRate: 25, threads: 1, color: bt709)
        let encoder = try H264Encoder(settings)
        let picture = try TestPicture(width: 160, height: 96)
        picture.draw(0)
        var bytes: [UInt8] = []
        try encoder.encode(picture.frame, pts: 0, forceKey: true) { bytes = $0.bytes.copied() }
        let decoder = try VideoDecoder(VideoConfiguration(codec: .h264, record: nil))
        let decoded = AVFrameRef()
        try decoder.send(
            EncodedFrame(codec: .video(.h264), pts: 0, dts: 0, isKey: true, payload: SlabSlice(copying: bytes)))
        #expect(try decoder.receive(decoded))
        #expect(decoded.color == bt709)
    }

    @Test("the test picture carries its number and its bars move")
    func testPicture() throws {
        let picture = try TestPicture(width: 320, height: 180)
        var lumas: Set<Int> = []
        for number in [0, 1, 2, 59, 60, 1000, 0xFF_FFFF] {
            picture.draw(number)
            #expect(TestPicture.number(in: picture.frame) == number)
            lumas.insert(picture.frame.luma(300, 170))
        }
        #expect(lumas.count > 1)
        for width in [30, 33, -2] {
            #expect(throws: TranscodeError.formatOutOfLimits) { _ = try TestPicture(width: width, height: 32) }
        }
    }

    @Test("the test tone beeps for a tenth of each second")
    func testTone() {
        var tone = TestTone(channels: 2)
        var samples: [Float] = []
        let loud = (0..<100).map { _ in
            tone.next(into: &samples)
            return AudioLevel(of: samples.span).minusDecibels
        }
        #expect(samples.count == 1920)
        #expect(loud == (0..<100).map { $0 % 50 < 5 ? 15 : 127 })
    }
}
