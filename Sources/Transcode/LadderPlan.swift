/// Width and height of a picture with square pixels.
package struct PictureSize: Sendable, Hashable {
    package var width: Int
    package var height: Int

    package init(_ width: Int, _ height: Int) {
        self.width = width
        self.height = height
    }

    package var area: Int { width * height }
}

/// The layers that one source really gets: a pure function of the order and the source's size.
package struct LadderPlan: Sendable, Hashable {
    /// One layer as it is encoded and announced.
    package struct Rung: Sendable, Hashable {
        package let quality: LayerQuality
        /// Even, never larger than the source but for rounding up to even.
        package let size: PictureSize
        /// Bits per second.
        package let bitrate: Int
        /// Frames per second that the encoder is set up for; the source may be slower.
        package let frameRate: Double
        /// Encoder threads, each working on its own slice.
        package let threads: Int

        package init(quality: LayerQuality, size: PictureSize, bitrate: Int, frameRate: Double, threads: Int = 1) {
            self.quality = quality
            self.size = size
            self.bitrate = bitrate
            self.frameRate = frameRate
            self.threads = threads
        }

        package var rid: String { quality.rid }
    }

    package let codec: LadderCodec
    /// Lowest quality first, as they are announced; at least one.
    package let rungs: [Rung]

    /// One encoder thread for each 1280x720 pixels. Every further one cuts the picture into one more slice, which costs bits and
    /// work; a picture of this size takes one thread less than a quarter of its time at 30 a second.
    static let pixelsPerThread = 1280 * 720
    /// A layer that lost more than a tenth of its area to the fitting gets fewer bits; less is within rate control's
    /// noise.
    static let keptArea = 0.9

    /// - Parameters:
    ///   - source: display size of the source, its sample aspect ratio applied.
    ///   - maxThreads: processors at hand; more slices than processors cost quality and gain nothing.
    package init(spec: LadderSpec, source: PictureSize, maxThreads: Int = .max) {
        let source = PictureSize(
            min(max(source.width, 1), TranscodeLimits.maxSourceSide),
            min(max(source.height, 1), TranscodeLimits.maxSourceSide))
        var rungs: [Rung] = []
        for layer in spec.layers {
            let size = Self.fit(source, into: layer)
            let threads = (size.area + Self.pixelsPerThread - 1) / Self.pixelsPerThread
            rungs.append(
                Rung(
                    quality: layer.quality, size: size, bitrate: Self.bitrate(of: layer, at: size),
                    frameRate: spec.maxFrameRate,
                    threads: max(1, min(threads, maxThreads))))
            if layer.width >= source.width, layer.height >= source.height { break }
        }
        codec = spec.codec
        self.rungs = rungs
    }

    /// Sum of the rungs' bit rates.
    package var bitrate: Int { rungs.reduce(0) { $0 + $1.bitrate } }

    /// Shrinks by width, then by height, keeping the aspect ratio, and rounds up to even; a source inside the box stays
    /// as it is.
    static func fit(_ source: PictureSize, into layer: LadderSpec.Layer) -> PictureSize {
        var (width, height) = (source.width, source.height)
        if width > layer.width {
            width = layer.width
            height = width * source.height / source.width
        }
        if height > layer.height {
            height = layer.height
            width = height * source.width / source.height
        }
        return PictureSize(max(2, width + width % 2), max(2, height + height % 2))
    }

    static func bitrate(of layer: LadderSpec.Layer, at size: PictureSize) -> Int {
        let kept = Double(size.area) / Double(layer.width * layer.height)
        guard kept < keptArea else { return layer.bitrate }
        return max(
            Int(Double(layer.bitrate) * LadderSpec.threeQuarterPower(kept)), TranscodeLimits.layerBitrates.lowerBound)
    }
}
