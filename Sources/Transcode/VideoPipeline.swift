// Transcode: coded media in, a simulcast ladder of H.264 or VP8 and Opus out.
//
// What it does: plans the layers for a source (`LadderSpec`, `LadderPlan`), decodes with libavcodec, scales with
// libswscale, resamples with libswresample, and encodes with x264, libvpx and libopus directly (`VideoPipeline`,
// `AudioPipeline`). What it does not: threads of its own beyond those the encoders use within one call, queues, clocks,
// deciding what to drop when late, deinterlacing, tone mapping. Verbs: `configure`, `process`, `finish`;
// `requestKeyFrame`, `setBitrate`, `activeLayers` in between; `statistics` at any time. Everything is synchronous and
// confined to one thread at a time. Limits stand in `TranscodeLimits`; errors that a peer's bytes can cause have the
// severity `drop`.

package import Bytes
package import Media

/// What a `VideoPipeline` hands out.
package enum VideoOutput: Sendable {
    /// The layers from the next frame on, lowest quality first. Comes before their first frames, which are key frames.
    case ladder([LadderPlan.Rung])
    /// One coded picture of one layer: H.264 in Annex B form with its parameter sets before each key frame, or a VP8
    /// frame. `pts` is the source's; `dts` equals it.
    case frame(LayerQuality, EncodedFrame)
}

/// Coded video in, a ladder of coded layers out: decode, scale, encode, one picture at a time and without a queue.
///
/// Confined to one thread at a time. Threads, queues and what to do when late are the caller's; it passes
/// `skipEncoding` for pictures it has no time for. Of one picture the top layer is encoded first and handed out before
/// the next is begun. Layers that are not active cost nothing; without any, nothing is decoded either once the source is
/// known: its frames are kept until the next key frame, and decoded first when a layer becomes active (`catchUp`).
///
/// Time is the source's presentation time throughout. Output times grow strictly; a source that jumps back by more than
/// `longestStepBack` starts anew with key frames at its new time, smaller steps back are dropped.
package final class VideoPipeline {
    /// Two key frames of one layer are at least this far apart, however many are asked for.
    package static let keyFrameSpacing = Interval.milliseconds(300)
    /// A larger step back of the source's clock is a new timeline.
    package static let longestStepBack = Interval.seconds(1)
    /// Pictures that one frame may release: the deepest reordering of any codec, with room.
    static let maxPicturesPerFrame = 64

    let spec: LadderSpec
    let keyFrameInterval: Interval
    let slabPool: SlabPool?
    let maxThreads: Int
    let clock: () -> Monotonic

    private var decoder: VideoDecoder?
    /// The decoder before the last change of codec, until its held-back pictures are out.
    private var retiring: VideoDecoder?
    private var configuration: VideoConfiguration?
    let picture = AVFrameRef()

    var shape: SourceShape?
    /// Lowest quality first; empty before the first picture.
    var rungs: [LadderRung] = []
    var pacer: FramePacer
    var sourceMeter = FrameRateMeter()
    var encodingMeter = FrameRateMeter()
    var lastPTS: Int64?
    /// Source time of the last key frame of all active layers together.
    var lastAlignedKey: Int64?
    private var gop = GroupCounter()
    private var held = HeldGroup()
    /// Pictures of this decoder so far.
    private var picturesKnown = 0

    package internal(set) var statistics = VideoStatistics()

    /// The layers worth encoding; all of them at first. One that comes back starts with a key frame.
    package var activeLayers = LayerSet.all {
        didSet {
            for rung in rungs where activeLayers.contains(rung.plan.quality) && !oldValue.contains(rung.plan.quality) {
                rung.isKeyWanted = true
                rung.lastKey = nil
            }
        }
    }

    /// How much work goes into each picture, of all layers.
    package var effort = EncodingEffort.full { didSet { statistics.effort = effort } }

    /// - Parameters:
    ///   - keyFrameInterval: source time between the scheduled key frames, which all active layers have together.
    ///   - slabPool: where output frames get their memory.
    ///   - maxThreads: the most threads that a decoder or an encoder gets; processors of the machine.
    ///   - clock: read around decoding and encoding, for `statistics` only.
    package init(
        spec: LadderSpec, keyFrameInterval: Interval = .seconds(4), slabPool: SlabPool? = nil, maxThreads: Int = .max,
        clock: @escaping () -> Monotonic = { .zero }
    ) {
        self.spec = spec
        self.keyFrameInterval = keyFrameInterval
        self.slabPool = slabPool
        self.maxThreads = maxThreads
        self.clock = clock
        pacer = FramePacer(maxFrameRate: spec.maxFrameRate)
    }

    /// Takes the source's configuration, at the start and whenever it changes. Repeats of the same one are free. What
    /// the last decoder held back comes out with the next `process` or `finish`.
    package func configure(_ configuration: VideoConfiguration) throws(TranscodeError) {
        if decoder != nil, let current = self.configuration, current.isSame(as: configuration) { return }
        let threads = min(maxThreads, Self.decoderThreads)
        let next = try VideoDecoder(configuration, threads: threads)
        retiring = decoder
        decoder = next
        held.clear()
        picturesKnown = 0
        self.configuration = configuration
        gop = GroupCounter()
        statistics.source.codec = configuration.codec
    }

    /// Decodes one frame and encodes the pictures that come out.
    ///
    /// After an error of severity `drop` the next frame may be tried; pictures that the frame still gave were handed
    /// out before.
    /// - Parameter skipEncoding: the caller is late; decode only, so that later frames have their references.
    package func process(
        _ frame: EncodedFrame, skipEncoding: Bool = false, output: (VideoOutput) -> Void
    ) throws(TranscodeError) {
        try drainRetiring(output)
        guard let decoder, frame.codec == .video(decoder.codec) else { throw .notConfigured }
        guard TranscodeLimits.times.contains(frame.pts), TranscodeLimits.times.contains(frame.dts) else {
            throw .formatOutOfLimits
        }
        noteInput(frame)
        if rests(at: frame) {
            hold(frame, for: decoder)
        } else {
            catchUp()
            try decode(frame, with: decoder, for: skipEncoding ? .references : .layers, output)
        }
    }

    /// Decodes what was kept while nobody watched; `process` does so too. For callers that measure what a frame costs.
    package func catchUp() {
        guard let decoder else { return }
        while let frame = held.takeOldest() { decodeHeld(frame, with: decoder) }
    }

    /// Nobody watches, and what the layers would be is known.
    private func rests(at frame: EncodedFrame) -> Bool {
        activeLayers.isEmpty && !rungs.isEmpty && picturesKnown >= Self.picturesToKnow && (frame.isKey || !held.isEmpty)
    }

    private func hold(_ frame: EncodedFrame, for decoder: VideoDecoder) {
        held.hold(frame)
        if let rate = sourceMeter.record(frame.dts) { statistics.source.framesPerSecond = rate }
        let decoded = statistics.decode
        let cost = decoded.count > 0 ? decoded.sum / Int64(clamping: decoded.count) : .zero
        while held.isFull(at: cost), let oldest = held.takeOldest() { decodeHeld(oldest, with: decoder) }
    }

    /// Failures are counted; the frames behind it may do better.
    private func decodeHeld(_ frame: EncodedFrame, with decoder: VideoDecoder) {
        if frame.isKey, held.hasGap {
            decoder.flush()
            held.closeGap()
        }
        try? decode(frame, with: decoder, for: .later) { _ in }
    }

    /// What a frame is decoded for.
    private enum Purpose {
        case layers
        /// The caller is late.
        case references
        /// Nobody watched when it came.
        case later
    }

    private func decode(
        _ frame: EncodedFrame, with decoder: VideoDecoder, for purpose: Purpose, _ output: (VideoOutput) -> Void
    ) throws(TranscodeError) {
        let start = clock()
        var failure: TranscodeError?
        do { try decoder.send(frame) } catch { failure = error }
        var decodeTime = clock() - start
        for _ in 0..<Self.maxPicturesPerFrame {
            let receiveStart = clock()
            let isPicture = receive(from: decoder, failure: &failure)
            decodeTime += clock() - receiveStart
            guard isPicture else { break }
            try handlePicture(from: decoder, for: purpose, output)
        }
        statistics.decode.record(decodeTime)
        guard let failure else { return }
        if failure == .awaitingKeyFrame { statistics.framesBeforeKey &+= 1 } else { statistics.decoderErrors &+= 1 }
        throw failure
    }

    /// The source ended: hands out what the decoder held back. `configure` starts again.
    package func finish(output: (VideoOutput) -> Void) throws(TranscodeError) {
        held.clear()
        try drainRetiring(output)
        retiring = decoder
        decoder = nil
        try drainRetiring(output)
    }

    /// Asks for a key frame: of one layer, or with nil of all active layers in the same picture. Requests that come
    /// closer than `keyFrameSpacing` to the layer's last key frame are answered together once that time is over.
    package func requestKeyFrame(_ quality: LayerQuality? = nil) {
        for rung in rungs where quality == nil || rung.plan.quality == quality { rung.isKeyWanted = true }
    }

    /// Changes a layer's bit rate, in bits per second, until the ladder is built again. Values are held within
    /// `TranscodeLimits.layerBitrates`; a quality that the ladder does not have is passed over.
    package func setBitrate(_ quality: LayerQuality, _ bitrate: Int) throws(TranscodeError) {
        let range = TranscodeLimits.layerBitrates
        let held = min(max(bitrate, range.lowerBound), range.upperBound)
        for rung in rungs where rung.plan.quality == quality { try rung.setBitrate(held) }
    }

    /// Pictures that tell what there is to know of a source: size, order, frame rate.
    static let picturesToKnow = 60

    /// Slices of one picture that are worth decoding at a time; more finds no work in live streams.
    static let decoderThreads = 4

    private func drainRetiring(_ output: (VideoOutput) -> Void) throws(TranscodeError) {
        guard let old = retiring else { return }
        retiring = nil
        old.drain()
        var failure: TranscodeError?
        for _ in 0..<Self.maxPicturesPerFrame where receive(from: old, failure: &failure) {
            try handlePicture(from: old, for: .layers, output)
        }
        picture.clear()
    }

    /// Takes the next picture into `picture`; a failure is kept for later and ends the round.
    private func receive(from decoder: VideoDecoder, failure: inout TranscodeError?) -> Bool {
        do {
            return try decoder.receive(picture)
        } catch {
            failure = failure ?? error
            return false
        }
    }

    private func noteInput(_ frame: EncodedFrame) {
        statistics.framesIn &+= 1
        statistics.bytesIn &+= UInt64(frame.payload.count)
        if let length = gop.record(isKey: frame.isKey) { statistics.source.gopLength = length }
    }

    private func handlePicture(
        from decoder: VideoDecoder, for purpose: Purpose, _ output: (VideoOutput) -> Void
    ) throws(TranscodeError) {
        defer { picture.clear() }
        statistics.picturesDecoded &+= 1
        noteSource(decoder)
        picturesKnown += 1
        guard let pts = admitTime(picture.pts), purpose != .later else { return }
        if let rate = sourceMeter.record(pts) { statistics.source.framesPerSecond = rate }
        guard purpose == .layers else {
            statistics.droppedForLateness &+= 1
            return
        }
        guard pacer.admit(pts) else {
            statistics.droppedForRate &+= 1
            return
        }
        try rebuildIfNeeded(for: decoder, output)
        try encodeLadder(pts, claimedRate: decoder.description.claimedFrameRate, output)
    }
}

/// Counts frames from one key frame to the next.
struct GroupCounter {
    private var length: Int?

    /// The length of the group that this frame ends.
    mutating func record(isKey: Bool) -> Int? {
        let ended = isKey ? length : nil
        length = isKey ? 1 : length.map { $0 &+ 1 }
        return ended
    }
}

extension VideoConfiguration {
    /// Same codec and same record, byte for byte.
    func isSame(as other: VideoConfiguration) -> Bool {
        guard codec == other.codec else { return false }
        return switch (record, other.record) {
        case (nil, nil): true
        case (let a?, let b?): a.bytes.elementsEqual(b.bytes)
        default: false
        }
    }
}
