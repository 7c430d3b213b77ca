import Bytes
import CFFmpeg
import Media

/// Everything about a decoded picture that scalers and encoders are set up by.
struct SourceShape: Equatable {
    let codec: VideoCodec
    let size: PictureSize
    /// Pixels' width to height, reduced to sane values.
    let sampleAspect: (num: Int, den: Int)
    let format: Int32
    let isFullRange: Bool
    let color: ColorDescription

    init(_ codec: VideoCodec, _ picture: borrowing AVFrameRef) {
        let frame = picture.raw.pointee
        self.codec = codec
        size = picture.size
        let aspect = frame.sample_aspect_ratio
        let (num, den) = (Int(aspect.num), Int(aspect.den))
        let limit = TranscodeLimits.maxSampleAspect
        sampleAspect = num > 0 && den > 0 && num <= den * limit && den <= num * limit ? (num, den) : (1, 1)
        format = frame.format
        isFullRange = PixelFormat.isFullRange(frame)
        color = PixelFormat.color(of: frame)
    }

    /// The size on a screen with square pixels; the height is kept.
    var displaySize: PictureSize {
        PictureSize(max(1, (size.width * sampleAspect.num + sampleAspect.den / 2) / sampleAspect.den), size.height)
    }

    /// An encoder can take the decoder's planes for a rung of this size.
    func fits(_ rung: LadderPlan.Rung) -> Bool {
        format == AV_PIX_FMT_YUV420P.rawValue && !isFullRange && rung.size == size && displaySize == size
    }

    static func == (a: SourceShape, b: SourceShape) -> Bool {
        a.codec == b.codec && a.size == b.size && a.sampleAspect == b.sampleAspect && a.format == b.format
            && a.isFullRange == b.isFullRange && a.color == b.color
    }
}

extension VideoPipeline {
    /// Brings the decoder's picture into `statistics`.
    func noteSource(_ decoder: VideoDecoder) {
        let frame = picture.raw.pointee
        let description = decoder.description
        if frame.flags & AV_FRAME_FLAG_CORRUPT != 0 || frame.decode_error_flags != 0 {
            statistics.picturesCorrupt &+= 1
        }
        statistics.source.profile = description.profile
        statistics.source.size = picture.size
        statistics.source.hasReordering = description.reorderDepth > 0
        statistics.source.isInterlaced = frame.interlaced_frame != 0
    }

    /// The picture's time if it moves on, or starts anew far enough back; nil when the picture has to be dropped.
    func admitTime(_ pts: Int64) -> Int64? {
        guard TranscodeLimits.times.contains(pts) else {
            statistics.droppedForTime &+= 1
            return nil
        }
        if let last = lastPTS, pts <= last {
            guard last - pts > Self.longestStepBack.nanoseconds else {
                statistics.droppedForTime &+= 1
                return nil
            }
            pacer.reset()
            lastAlignedKey = nil
            for rung in rungs {
                rung.isKeyWanted = true
                rung.lastKey = nil
            }
        }
        lastPTS = pts
        return pts
    }

    /// Builds the ladder when the picture's shape is not that of the last one, and announces it.
    func rebuildIfNeeded(for decoder: VideoDecoder, _ output: (VideoOutput) -> Void) throws(TranscodeError) {
        let next = SourceShape(decoder.codec, picture)
        guard next != shape else { return }
        let side = TranscodeLimits.maxSourceSide
        guard (1...side).contains(next.size.width), (1...side).contains(next.size.height) else {
            throw .formatOutOfLimits
        }
        let plan = LadderPlan(spec: spec, source: next.displaySize, maxThreads: maxThreads)
        var built: [LadderRung] = []
        for rung in plan.rungs { built.append(try LadderRung(rung, sharesSource: next.fits(rung))) }
        rungs = built
        shape = next
        lastAlignedKey = nil
        encodingMeter = FrameRateMeter()
        statistics.rebuilds &+= 1
        statistics.source.displaySize = next.displaySize
        for rung in plan.rungs { statistics[rung.quality].size = rung.size }
        output(.ladder(plan.rungs))
    }

    /// Encodes `picture` for the active layers, the top one first. Each layer is scaled from the next active one above
    /// it.
    func encodeLadder(_ pts: Int64, claimedRate: Double, _ output: (VideoOutput) -> Void) throws(TranscodeError) {
        let newRate = encodingMeter.record(pts)
        scheduleKeyFrames(pts)
        var above: LadderRung?
        var keys = 0, encoded = 0
        for rung in rungs.reversed() where activeLayers.contains(rung.plan.quality) {
            if !rung.sharesSource { try scale(rung, from: above) }
            above = rung
            let frameRate = startingRate(claimed: claimedRate)
            let encoder = try rung.encoder(codec: spec.codec, frameRate: frameRate, color: shape?.color ?? .unspecified)
            if let newRate { try encoder.setFrameRate(min(newRate, spec.maxFrameRate)) }
            try encoder.setEffort(effort)
            encoded += 1
            if try encode(rung, encoder, pts, output) { keys += 1 }
        }
        if encoded > 0, keys == encoded { lastAlignedKey = pts }
    }

    /// The rate an encoder begins with: measured, else claimed by the stream, else the ladder's.
    private func startingRate(claimed: Double) -> Double {
        let measured = encodingMeter.framesPerSecond
        let known = measured > 0 ? measured : claimed > 0 ? claimed : spec.maxFrameRate
        return min(max(known, TranscodeLimits.frameRates.lowerBound), spec.maxFrameRate)
    }

    private func scheduleKeyFrames(_ pts: Int64) {
        guard let last = lastAlignedKey else { return }
        guard pts - last >= keyFrameInterval.nanoseconds else { return }
        for rung in rungs {
            rung.isKeyWanted = true
            rung.lastKey = nil
        }
    }

    private func scale(_ rung: LadderRung, from above: LadderRung?) throws(TranscodeError) {
        let start = clock()
        if let above, !above.sharesSource {
            try rung.scaler.scale(above.scaler.picture)
        } else {
            try rung.scaler.scale(picture)
        }
        statistics[rung.plan.quality].scale.record(clock() - start)
    }

    /// Returns whether the layer's frame is a key frame.
    private func encode(
        _ rung: LadderRung, _ encoder: any VideoEncoder, _ pts: Int64, _ output: (VideoOutput) -> Void
    ) throws(TranscodeError) -> Bool {
        let isSpaced = rung.lastKey.map { pts - $0 >= Self.keyFrameSpacing.nanoseconds } ?? true
        let forceKey = rung.isKeyWanted && isSpaced
        let quality = rung.plan.quality
        let codec: EncodedFrame.Codec = .video(spec.codec == .h264 ? .h264 : .vp8)
        let start = clock()
        var isKey = false
        func emit(_ coded: EncodedPicture) {
            statistics[quality].encode.record(clock() - start)
            isKey = coded.isKey
            statistics[quality].framesOut &+= 1
            statistics[quality].keyFramesOut &+= coded.isKey ? 1 : 0
            statistics[quality].bytesOut &+= UInt64(coded.bytes.byteCount)
            let payload = SlabSlice(copying: coded.bytes, pool: slabPool)
            output(
                .frame(quality, EncodedFrame(codec: codec, pts: pts, dts: pts, isKey: coded.isKey, payload: payload)))
        }
        if rung.sharesSource {
            try encoder.encode(picture, pts: pts, forceKey: forceKey, output: emit)
        } else {
            try encoder.encode(rung.scaler.picture, pts: pts, forceKey: forceKey, output: emit)
        }
        if isKey {
            rung.lastKey = pts
            rung.isKeyWanted = false
        }
        return isKey
    }
}
