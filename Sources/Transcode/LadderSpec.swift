/// The quality names of a simulcast ladder, lowest first; numbers are LiveKit's `VideoQuality`.
package enum LayerQuality: UInt8, Sendable, Hashable, Comparable, CaseIterable {
    case low = 0
    case medium = 1
    case high = 2

    /// 0 for the lowest.
    package var index: Int { Int(rawValue) }

    /// RTP stream id of the layer, as LiveKit's clients name them.
    package var rid: String {
        switch self {
        case .low: "q"
        case .medium: "h"
        case .high: "f"
        }
    }

    package init?(rid: some StringProtocol) {
        guard let quality = Self.allCases.first(where: { $0.rid == rid }) else { return nil }
        self = quality
    }

    package static func < (a: LayerQuality, b: LayerQuality) -> Bool { a.rawValue < b.rawValue }
}

/// Codecs that the ladder encodes.
package enum LadderCodec: Sendable, Hashable { case h264, vp8 }

/// Which rule of a ladder was broken.
package enum LadderFault: Error, Equatable, Sendable {
    case noLayers, tooManyLayers, repeatedQuality, badSize, badBitrate, badFrameRate
    /// The text is not `WxH[@kbps],…`.
    case badSyntax
}

/// What a session was asked to publish, before anything is known of its source.
package struct LadderSpec: Sendable, Hashable {
    package struct Layer: Sendable, Hashable {
        package var quality: LayerQuality
        /// The layer's box in pixels; the source is fitted into it.
        package var width: Int
        package var height: Int
        /// Bits per second.
        package var bitrate: Int

        package init(quality: LayerQuality, width: Int, height: Int, bitrate: Int) {
            self.quality = quality
            self.width = width
            self.height = height
            self.bitrate = bitrate
        }
    }

    package let codec: LadderCodec
    /// Frames per second that no layer exceeds; slower sources keep their own rate.
    package let maxFrameRate: Double
    /// One to three layers, lowest quality first.
    package let layers: [Layer]

    /// Sorts the layers by quality. Throws `invalidLadder` when a number is outside `TranscodeLimits`, a quality comes
    /// twice, or there is no layer.
    package init(codec: LadderCodec = .h264, maxFrameRate: Double = 30, layers: [Layer]) throws(TranscodeError) {
        guard !layers.isEmpty else { throw .invalidLadder(.noLayers) }
        guard layers.count <= LayerQuality.allCases.count else { throw .invalidLadder(.tooManyLayers) }
        guard Set(layers.map(\.quality)).count == layers.count else { throw .invalidLadder(.repeatedQuality) }
        guard TranscodeLimits.frameRates.contains(maxFrameRate) else { throw .invalidLadder(.badFrameRate) }
        for layer in layers {
            guard TranscodeLimits.layerSides.contains(layer.width), TranscodeLimits.layerSides.contains(layer.height)
            else {
                throw .invalidLadder(.badSize)
            }
            guard TranscodeLimits.layerBitrates.contains(layer.bitrate) else { throw .invalidLadder(.badBitrate) }
        }
        self.init(trusted: codec, maxFrameRate, layers.sorted { $0.quality < $1.quality })
    }

    private init(trusted codec: LadderCodec, _ maxFrameRate: Double, _ layers: [Layer]) {
        self.codec = codec
        self.maxFrameRate = maxFrameRate
        self.layers = layers
    }
}

// MARK: - Presets and the rules behind them

extension LadderSpec {
    /// LiveKit's `IngressVideoEncodingPreset`, names and numbers.
    package enum Preset: Int, Sendable, CaseIterable {
        case h264_720p30Layers3 = 0
        case h264_1080p30Layers3 = 1
        case h264_540p25Layers2 = 2
        case h264_720p30Layers1 = 3
        case h264_1080p30Layers1 = 4
        case h264_720p30Layers3HighMotion = 5
        case h264_1080p30Layers3HighMotion = 6
        case h264_540p25Layers2HighMotion = 7
        case h264_720p30Layers1HighMotion = 8
        case h264_1080p30Layers1HighMotion = 9

        /// The name in LiveKit's API.
        package var name: String {
            let shape = [
                "720P_30FPS_3_LAYERS", "1080P_30FPS_3_LAYERS", "540P_25FPS_2_LAYERS", "720P_30FPS_1_LAYER",
                "1080P_30FPS_1_LAYER",
            ]
            return "H264_" + shape[rawValue % 5] + (rawValue >= 5 ? "_HIGH_MOTION" : "")
        }

        package init?(name: some StringProtocol) {
            guard let preset = Self.allCases.first(where: { $0.name == name }) else { return nil }
            self = preset
        }

        fileprivate var top: (width: Int, height: Int, bitrate: Int) {
            switch self {
            case .h264_720p30Layers3, .h264_720p30Layers1: (1280, 720, 1_900_000)
            case .h264_1080p30Layers3, .h264_1080p30Layers1: (1920, 1080, 3_500_000)
            case .h264_540p25Layers2: (960, 540, 1_000_000)
            case .h264_720p30Layers3HighMotion, .h264_720p30Layers1HighMotion: (1280, 720, 2_500_000)
            case .h264_1080p30Layers3HighMotion, .h264_1080p30Layers1HighMotion: (1920, 1080, 4_500_000)
            case .h264_540p25Layers2HighMotion: (960, 540, 1_300_000)
            }
        }
    }

    package init(preset: Preset) {
        let count = [3, 3, 2, 1, 1][preset.rawValue % 5]
        self.init(trusted: .h264, count == 2 ? 25 : 30, Self.halvings(of: preset.top, count: count))
    }

    /// Options without layers: three layers below 1280x720 at 1.7 Mbit/s.
    package static func defaultLayers(codec: LadderCodec, maxFrameRate: Double) throws(TranscodeError) -> LadderSpec {
        try LadderSpec(codec: codec, maxFrameRate: maxFrameRate, layers: halvings(of: (1280, 720, 1_700_000), count: 3))
    }

    /// The bit rate of a custom layer that names none: 3.5 Mbit/s at 1080p30, growing with the 0.75th power of pixels
    /// and rate.
    package static func defaultBitrate(width: Int, height: Int, frameRate: Double) -> Int {
        let area = Double(width) * Double(height) / (1920 * 1080)
        return Int(3_500_000 * threeQuarterPower(frameRate / 30) * threeQuarterPower(area))
    }

    /// `ratio` to the power 0.75: how bit rate follows area and frame rate at equal quality.
    package static func threeQuarterPower(_ ratio: Double) -> Double { (ratio * ratio.squareRoot()).squareRoot() }

    /// Each lower layer halves both sides. Two layers are high and low.
    private static func halvings(of top: (width: Int, height: Int, bitrate: Int), count: Int) -> [Layer] {
        let qualities: [LayerQuality] = count == 1 ? [.high] : count == 2 ? [.high, .low] : [.high, .medium, .low]
        let layers = qualities.enumerated().map { index, quality in
            let (width, height) = (top.width >> index, top.height >> index)
            let area = Double(width * height) / Double(top.width * top.height)
            let bitrate = Int(Double(top.bitrate) * threeQuarterPower(area))
            return Layer(quality: quality, width: width, height: height, bitrate: bitrate)
        }
        return layers.reversed()
    }
}

// MARK: - Text

extension LadderSpec {
    /// Parses `WxH[@kbps],…` in any order: one layer is high, two are low and high. A missing rate follows
    /// `defaultBitrate`.
    package init(layers text: String, codec: LadderCodec = .h264, maxFrameRate: Double = 30) throws(TranscodeError) {
        guard TranscodeLimits.frameRates.contains(maxFrameRate) else { throw .invalidLadder(.badFrameRate) }
        let items = text.split(separator: ",", omittingEmptySubsequences: false)
        guard items.count <= LayerQuality.allCases.count else { throw .invalidLadder(.tooManyLayers) }
        var boxes: [Layer] = []
        for item in items { boxes.append(try Self.parse(item, maxFrameRate)) }
        boxes.sort { $0.width * $0.height < $1.width * $1.height }
        let qualities: [LayerQuality] =
            boxes.count == 1 ? [.high] : boxes.count == 2 ? [.low, .high] : [.low, .medium, .high]
        for index in boxes.indices { boxes[index].quality = qualities[index] }
        try self.init(codec: codec, maxFrameRate: maxFrameRate, layers: boxes)
    }

    private static func parse(_ item: Substring, _ frameRate: Double) throws(TranscodeError) -> Layer {
        let halves = item.split(separator: "@", omittingEmptySubsequences: false)
        let sides = (halves.first ?? "").split(separator: "x", omittingEmptySubsequences: false)
        guard halves.count <= 2, sides.count == 2, let width = Int(sides[0]), let height = Int(sides[1]) else {
            throw .invalidLadder(.badSyntax)
        }
        guard TranscodeLimits.layerSides.contains(width), TranscodeLimits.layerSides.contains(height) else {
            throw .invalidLadder(.badSize)
        }
        var bitrate = defaultBitrate(width: width, height: height, frameRate: frameRate)
        if halves.count == 2 {
            guard let kilobits = Int(halves[1]) else { throw .invalidLadder(.badSyntax) }
            guard (0...TranscodeLimits.layerBitrates.upperBound / 1000).contains(kilobits) else {
                throw .invalidLadder(.badBitrate)
            }
            bitrate = kilobits * 1000
        }
        return Layer(quality: .high, width: width, height: height, bitrate: bitrate)
    }
}
