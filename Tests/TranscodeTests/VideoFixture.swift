import Bytes
import Media
import Transcode

/// Coded test pictures from one of our own encoders, one each time it is asked.
final class TestVideo {
    let codec: VideoCodec
    private let picture: TestPicture
    private let encoder: any VideoEncoder
    private(set) var number = 0

    init(_ width: Int, _ height: Int, codec: VideoCodec = .h264, frameRate: Double = 30) throws {
        picture = try TestPicture(width: width, height: height)
        self.codec = codec
        let settings = EncoderSettings(
            size: PictureSize(width, height), bitrate: 1_000_000, frameRate: frameRate, threads: 1)
        encoder = codec == .h264 ? try H264Encoder(settings) : try VP8Encoder(settings)
    }

    /// The next picture, coded, at `milliseconds`.
    func next(at milliseconds: Int64, isKey: Bool = false, noise: Int = 0) throws -> EncodedFrame {
        picture.draw(number, noise: noise)
        var frame: EncodedFrame?
        let pts = milliseconds * 1_000_000
        try encoder.encode(picture.frame, pts: Int64(number) * 33_333_333, forceKey: isKey) { coded in
            frame = EncodedFrame(
                codec: .video(codec), pts: pts, dts: pts, isKey: coded.isKey, payload: SlabSlice(copying: coded.bytes))
        }
        number += 1
        guard let frame else { throw TranscodeError.encodingFailed(0) }
        return frame
    }
}

/// What came out of a pipeline, in order.
struct Collected {
    enum Item: Equatable {
        case ladder([PictureSize])
        case frame(LayerQuality, milliseconds: Int64, isKey: Bool)
    }
    var items: [Item] = []
    var frames: [(quality: LayerQuality, frame: EncodedFrame)] = []

    mutating func add(_ output: VideoOutput) {
        switch output {
        case .ladder(let rungs): items.append(.ladder(rungs.map(\.size)))
        case .frame(let quality, let frame):
            items.append(.frame(quality, milliseconds: frame.pts / 1_000_000, isKey: frame.isKey))
            frames.append((quality, frame))
        }
    }

    /// Milliseconds of the key frames of one layer.
    func keys(_ quality: LayerQuality) -> [Int64] {
        frames.filter { $0.quality == quality && $0.frame.isKey }.map { $0.frame.pts / 1_000_000 }
    }

    func times(_ quality: LayerQuality) -> [Int64] {
        frames.filter { $0.quality == quality }.map { $0.frame.pts / 1_000_000 }
    }

    /// The numbers that the layer's pictures show after decoding, nil where a picture is not readable.
    func numbers(_ quality: LayerQuality) throws -> [Int?] {
        let layer = frames.filter { $0.quality == quality }.map(\.frame)
        return try decodedPictures(layer).map(\.number)
    }

    func luma(_ quality: LayerQuality) throws -> [Int] {
        try decodedPictures(frames.filter { $0.quality == quality }.map(\.frame)).map(\.centre)
    }
}

struct DecodedPicture {
    let size: PictureSize
    let number: Int?
    /// Luma in the middle.
    let centre: Int
}

/// Decodes a layer as a receiver would.
func decodedPictures(_ frames: [EncodedFrame]) throws -> [DecodedPicture] {
    guard let first = frames.first, case .video(let codec) = first.codec else { return [] }
    let decoder = try VideoDecoder(VideoConfiguration(codec: codec, record: nil))
    let picture = AVFrameRef()
    var pictures: [DecodedPicture] = []
    for frame in frames {
        try decoder.send(frame)
        while try decoder.receive(picture) {
            let size = picture.size
            let centre = picture.luma(size.width / 2, size.height / 2)
            pictures.append(DecodedPicture(size: size, number: TestPicture.number(in: picture), centre: centre))
        }
    }
    return pictures
}

extension VideoPipeline {
    /// A small ladder: 160x90, 80x45 rounded up, in three layers or the qualities given.
    static func small(
        codec: LadderCodec = .h264, frameRate: Double = 30, qualities: [LayerQuality] = LayerQuality.allCases,
        keyFrameInterval: Interval = .seconds(4), clock: @escaping () -> Monotonic = { .zero }
    ) throws -> VideoPipeline {
        let boxes: [LayerQuality: (Int, Int, Int)] = [
            .low: (96, 64, 60_000), .medium: (192, 128, 150_000), .high: (384, 256, 400_000),
        ]
        let layers = qualities.map { quality in
            let box = boxes[quality] ?? (96, 64, 60_000)
            return LadderSpec.Layer(quality: quality, width: box.0, height: box.1, bitrate: box.2)
        }
        let spec = try LadderSpec(codec: codec, maxFrameRate: frameRate, layers: layers)
        return VideoPipeline(
            spec: spec, keyFrameInterval: keyFrameInterval, slabPool: SlabPool(), maxThreads: 2, clock: clock)
    }

    /// Runs `count` pictures of `video` through, `interval` milliseconds apart.
    func run(
        _ video: TestVideo, count: Int, from start: Int64 = 0, interval: Int64 = 40, into collected: inout Collected
    ) throws {
        for index in 0..<Int64(count) {
            try process(try video.next(at: start + index * interval)) { collected.add($0) }
        }
    }

    func run(_ sample: MediaSample, from start: Int64 = 0, into collected: inout Collected) throws {
        if let configuration = sample.videoConfiguration { try configure(configuration) }
        for var frame in sample.frames {
            frame.pts += start * 1_000_000
            frame.dts += start * 1_000_000
            try process(frame) { collected.add($0) }
        }
    }
}
