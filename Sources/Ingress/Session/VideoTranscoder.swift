package import Bytes
package import Media
package import Runtime
import Synchronization
package import Transcode

/// A `VideoPipeline` on a thread of its own: frames go in from the loop, coded layers come back to it.
///
/// Neither side waits for the other. When the thread cannot keep up, it decodes without encoding until what it encodes is no
/// later than `delayBound`; when even decoding cannot, frames are dropped here up to the next key frame.
@MediaLoop
package final class VideoTranscoder {
    package enum Output: Sendable {
        case ladder([LadderPlan.Rung])
        /// `arrivedAt`: when the last byte of the source's frame came in.
        case frame(LayerQuality, EncodedFrame, arrivedAt: Monotonic)
        case statistics(VideoStatistics)
        /// A frame or a configuration that could not be used; the next may be.
        case failed(TranscodeError)
    }

    fileprivate enum Input: Sendable {
        case configure(VideoConfiguration)
        case frame(EncodedFrame, arrivedAt: Monotonic)
    }

    /// The latest that an encoded picture may be behind its arrival, unless it is the newest there is.
    package static nonisolated let delayBound = Interval.milliseconds(250)
    /// More than ten seconds of video that arrived at once.
    private static let queueCapacity = 512
    private static let outputCapacity = 512

    private let inputs: Handoff<Input>
    private let outputs: Handoff<Output>
    private let control: VideoControl
    private var isDroppingToKeyFrame = false

    /// Frames that were dropped because the thread could not even decode them in time.
    package private(set) var queueDrops: UInt64 = 0

    package init(
        spec: LadderSpec, slabPool: SlabPool, maxThreads: Int, deliver: @escaping @MediaLoop (Output) -> Void
    ) throws(RuntimeError) {
        let inputs = Handoff<Input>.toWorker(capacity: Self.queueCapacity)
        let outputs = Handoff<Output>.toLoop(capacity: Self.outputCapacity)
        let control = VideoControl()
        _ = try Worker(name: "video") {
            let runner = VideoRunner(
                VideoPipeline(spec: spec, slabPool: slabPool, maxThreads: maxThreads, clock: { Monotonic.now }),
                inputs, outputs, control)
            runner.run()
        }
        self.inputs = inputs
        self.outputs = outputs
        self.control = control
        outputs.deliver(to: { deliver($0) })
    }

    package func configure(_ configuration: VideoConfiguration) {
        if !inputs.push(.configure(configuration)) { isDroppingToKeyFrame = true }
    }

    package func push(_ frame: EncodedFrame, arrivedAt: Monotonic) {
        if isDroppingToKeyFrame && !frame.isKey {
            queueDrops &+= 1
            return
        }
        // Half the queue stays free for the key frame that ends the drop, and for configurations.
        guard inputs.count < inputs.capacity - 64 else {
            isDroppingToKeyFrame = true
            queueDrops &+= 1
            return
        }
        isDroppingToKeyFrame = false
        inputs.push(.frame(frame, arrivedAt: arrivedAt))
    }

    /// The layers that somebody watches; no others are encoded.
    package func setActiveLayers(_ layers: LayerSet) {
        control.activeLayers.store(layers.rawValue, ordering: .releasing)
    }

    /// The next picture starts a group: in one layer, or with nil in all active ones.
    package func requestKeyFrame(_ quality: LayerQuality? = nil) {
        let mask = quality.map { 1 << $0.rawValue } ?? VideoControl.allLayers
        control.wantedKeys.bitwiseOr(mask, ordering: .releasing)
    }

    /// What the layers' encoders are to make, bits a second; those not named make what the ladder says.
    package func setBitrates(_ bitrates: [LayerQuality: Int]) {
        for quality in LayerQuality.allCases { control.setBitrate(bitrates[quality] ?? 0, quality) }
    }

    /// Ends the thread after what it is at. Nothing is delivered any more.
    package func close() {
        outputs.abandon()
        inputs.close()
    }
}

/// What the loop tells the thread outside of the queue, so that it is never late and never lost.
private final class VideoControl: Sendable {
    /// One bit per `LayerQuality`.
    let activeLayers = Atomic<UInt8>(0)
    /// Likewise: those that are to start with a key frame.
    let wantedKeys = Atomic<UInt8>(0)
    /// Raised after each change of the rates.
    let bitrateChanges = Atomic<Int>(0)
    private let lowBitrate = Atomic<Int>(0)
    private let mediumBitrate = Atomic<Int>(0)
    private let highBitrate = Atomic<Int>(0)

    static let allLayers: UInt8 = LayerQuality.allCases.reduce(0) { $0 | 1 << $1.rawValue }

    /// 0: what the ladder says.
    func setBitrate(_ bitrate: Int, _ quality: LayerQuality) {
        switch quality {
        case .low: lowBitrate.store(bitrate, ordering: .relaxed)
        case .medium: mediumBitrate.store(bitrate, ordering: .relaxed)
        case .high: highBitrate.store(bitrate, ordering: .relaxed)
        }
        bitrateChanges.add(1, ordering: .releasing)
    }

    func bitrate(_ quality: LayerQuality) -> Int {
        switch quality {
        case .low: lowBitrate.load(ordering: .relaxed)
        case .medium: mediumBitrate.load(ordering: .relaxed)
        case .high: highBitrate.load(ordering: .relaxed)
        }
    }
}

/// The thread's side.
private final class VideoRunner {
    private static let statisticsInterval = Interval.milliseconds(500)
    /// After a gap of this length the layers start anew with key frames.
    private static let gapForKeyFrame = Interval.milliseconds(500)

    private let pipeline: VideoPipeline
    private let inputs: Handoff<VideoTranscoder.Input>
    private let outputs: Handoff<VideoTranscoder.Output>
    private let control: VideoControl

    private var activeMask: UInt8 = 0
    private var ladder: [LadderPlan.Rung] = []
    /// What the encoders make now.
    private var bitrates: [LayerQuality: Int] = [:]
    private var bitrateChanges = 0
    private var arrivals = ArrivalTable()
    /// A slowly moving mean of what one frame costs from decoding to its last layer.
    private var frameCost = Interval.milliseconds(10)
    private var skippedSince: Monotonic?
    private var effort = EffortControl()
    private var statisticsDue: Monotonic = .zero

    init(
        _ pipeline: VideoPipeline, _ inputs: Handoff<VideoTranscoder.Input>, _ outputs: Handoff<VideoTranscoder.Output>,
        _ control: VideoControl
    ) {
        self.pipeline = pipeline
        self.inputs = inputs
        self.outputs = outputs
        self.control = control
        pipeline.activeLayers = []
    }

    func run() {
        while case .element(let input) = inputs.pop() {
            do throws(TranscodeError) {
                switch input {
                case .configure(let configuration): try pipeline.configure(configuration)
                case .frame(let frame, let arrivedAt): try process(frame, arrivedAt)
                }
            } catch {
                outputs.push(.failed(error))
            }
        }
        outputs.close()
    }

    private func process(_ frame: EncodedFrame, _ arrivedAt: Monotonic) throws(TranscodeError) {
        applyControl()
        arrivals.record(frame.pts, arrivedAt)
        if activeMask != 0 { pipeline.catchUp() }
        let start = Monotonic.now
        let skips = isTooLate(arrivedAt, at: start)
        if skips {
            if skippedSince == nil { skippedSince = arrivedAt }
        } else if let since = skippedSince.take(), start - since > Self.gapForKeyFrame {
            pipeline.requestKeyFrame()
        }
        defer {
            let end = Monotonic.now
            noteEffort(skips ? nil : end - start, at: end)
            if !skips { frameCost = frameCost + (end - start - frameCost) / 16 }
            if end >= statisticsDue {
                statisticsDue = end + Self.statisticsInterval
                outputs.push(.statistics(pipeline.statistics))
            }
        }
        try pipeline.process(frame, skipEncoding: skips) { output in
            switch output {
            case .ladder(let rungs):
                ladder = rungs
                bitrates = Dictionary(uniqueKeysWithValues: rungs.map { ($0.quality, $0.bitrate) })
                outputs.push(.ladder(rungs))
                // Rates that were set before hold for the new encoders too, from the next picture on.
                bitrateChanges = -1
            case .frame(let quality, let coded):
                outputs.push(.frame(quality, coded, arrivedAt: arrivals.arrival(of: coded.pts) ?? arrivedAt))
            }
        }
    }

    /// On a machine without time for all pictures, plainer ones are better than fewer.
    private func noteEffort(_ cost: Interval?, at now: Monotonic) {
        let rate = pipeline.statistics.source.framesPerSecond
        let spacing = Interval.milliseconds(rate > 0 ? Int64(1_000 / max(rate, 1)) : 33)
        // With nothing to encode, the cost says nothing of what encoding will take.
        guard activeMask != 0, effort.record(cost: cost, spacing: spacing, at: now) else { return }
        pipeline.effort = effort.effort
    }

    /// The newest frame is always worth encoding; an older one only if it and those behind it can be done within the bound.
    private func isTooLate(_ arrivedAt: Monotonic, at now: Monotonic) -> Bool {
        let waiting = inputs.count
        guard waiting > 0 else { return false }
        return now - arrivedAt + frameCost * Int64(waiting) > VideoTranscoder.delayBound
    }

    private func applyControl() {
        let mask = control.activeLayers.load(ordering: .acquiring)
        if mask != activeMask {
            activeMask = mask
            pipeline.activeLayers = LayerSet(rawValue: mask)
        }
        let keys = control.wantedKeys.exchange(0, ordering: .acquiringAndReleasing)
        if keys & VideoControl.allLayers == VideoControl.allLayers {
            pipeline.requestKeyFrame()
        } else {
            for quality in LayerQuality.allCases where keys >> quality.rawValue & 1 == 1 {
                pipeline.requestKeyFrame(quality)
            }
        }
        let changes = control.bitrateChanges.load(ordering: .acquiring)
        if changes != bitrateChanges {
            bitrateChanges = changes
            applyBitrates()
        }
    }

    /// After a change of the rates, and of the ladder, which begins with its own.
    private func applyBitrates() {
        for rung in ladder {
            let limit = control.bitrate(rung.quality)
            let bitrate = limit == 0 ? rung.bitrate : min(limit, rung.bitrate)
            guard bitrates[rung.quality] != bitrate else { continue }
            bitrates[rung.quality] = bitrate
            do throws(TranscodeError) {
                try pipeline.setBitrate(rung.quality, bitrate)
            } catch {
                outputs.push(.failed(error))
            }
        }
    }
}

/// When the last frames came in, by presentation time: decoders give pictures back in another order.
private struct ArrivalTable {
    private var entries: [(pts: MediaTime, arrival: Monotonic)] = Array(repeating: (.min, .zero), count: 32)
    private var next = 0

    mutating func record(_ pts: MediaTime, _ arrival: Monotonic) {
        entries[next] = (pts, arrival)
        next = (next + 1) % entries.count
    }

    func arrival(of pts: MediaTime) -> Monotonic? { entries.first { $0.pts == pts }?.arrival }
}
