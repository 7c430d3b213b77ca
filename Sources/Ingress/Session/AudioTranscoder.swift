package import Bytes
package import Media
package import Runtime
import Synchronization
package import Transcode

/// An `AudioPipeline` on a thread of its own, so that no picture, however late, holds up the sound.
///
/// While nobody listens nothing is decoded; packets of audio do not depend on each other for longer than a few milliseconds.
/// What lies further behind the newest packet than `backlogBound` is left out, so that sound is never late for long.
@MediaLoop
package final class AudioTranscoder {
    package enum Output: Sendable {
        case packet(AudioOutput, arrivedAt: Monotonic)
        case statistics(AudioStatistics)
        case failed(TranscodeError)
    }

    fileprivate enum Input: Sendable {
        case configure(AudioConfiguration)
        case frame(EncodedFrame, arrivedAt: Monotonic)
    }

    /// How far behind the newest packet, in source time, one may be and still be heard.
    package static nonisolated let backlogBound = Interval.milliseconds(500)
    /// About ten seconds of AAC.
    private static let queueCapacity = 512

    private let inputs: Handoff<Input>
    private let outputs: Handoff<Output>
    private let control: AudioControl

    /// Packets that came faster than they could be decoded.
    package private(set) var queueDrops: UInt64 = 0
    /// Packets that were left out because newer ones were waiting.
    package var lateDrops: UInt64 { control.lateDrops.load(ordering: .relaxed) }

    package init(
        spec: AudioSpec, slabPool: SlabPool, deliver: @escaping @MediaLoop (Output) -> Void
    ) throws(RuntimeError) {
        let inputs = Handoff<Input>.toWorker(capacity: Self.queueCapacity)
        let outputs = Handoff<Output>.toLoop(capacity: Self.queueCapacity)
        let control = AudioControl()
        _ = try Worker(name: "audio") { AudioRunner(spec, slabPool, inputs, outputs, control).run() }
        self.inputs = inputs
        self.outputs = outputs
        self.control = control
        outputs.deliver(to: { deliver($0) })
    }

    package func configure(_ configuration: AudioConfiguration) {
        if !inputs.push(.configure(configuration)) { queueDrops &+= 1 }
    }

    package func push(_ frame: EncodedFrame, arrivedAt: Monotonic) {
        // Not even woken up: two hundred streams without listeners cost two hundred wake-ups fewer each 20 ms.
        guard control.isActive.load(ordering: .relaxed) else { return }
        control.newest.store(frame.pts, ordering: .relaxed)
        if !inputs.push(.frame(frame, arrivedAt: arrivedAt)) { queueDrops &+= 1 }
    }

    package func setActive(_ isActive: Bool) { control.isActive.store(isActive, ordering: .releasing) }

    /// Ends the thread. Nothing is delivered any more.
    package func close() {
        outputs.abandon()
        inputs.close()
    }
}

private final class AudioControl: Sendable {
    let isActive = Atomic<Bool>(false)
    /// Presentation time of the last packet that was pushed.
    let newest = Atomic<MediaTime>(.min)
    let lateDrops = Atomic<UInt64>(0)
}

/// The thread's side.
private final class AudioRunner {
    private static let statisticsInterval = Interval.milliseconds(500)

    private let spec: AudioSpec
    private let slabPool: SlabPool
    private let inputs: Handoff<AudioTranscoder.Input>
    private let outputs: Handoff<AudioTranscoder.Output>
    private let control: AudioControl
    /// Made by the first packet that somebody listens to.
    private var pipeline: AudioPipeline?
    private var configuration: AudioConfiguration?
    private var statisticsDue: Monotonic = .zero

    init(
        _ spec: AudioSpec, _ slabPool: SlabPool, _ inputs: Handoff<AudioTranscoder.Input>,
        _ outputs: Handoff<AudioTranscoder.Output>, _ control: AudioControl
    ) {
        self.spec = spec
        self.slabPool = slabPool
        self.inputs = inputs
        self.outputs = outputs
        self.control = control
    }

    func run() {
        while case .element(let input) = inputs.pop() {
            do throws(TranscodeError) {
                switch input {
                case .configure(let configuration):
                    self.configuration = configuration
                    try pipeline?.configure(configuration)
                case .frame(let frame, let arrivedAt): try process(frame, arrivedAt)
                }
            } catch {
                outputs.push(.failed(error))
            }
        }
        outputs.close()
    }

    private func process(_ frame: EncodedFrame, _ arrivedAt: Monotonic) throws(TranscodeError) {
        guard control.isActive.load(ordering: .acquiring), let configuration else { return }
        if control.newest.load(ordering: .relaxed) &- frame.pts > AudioTranscoder.backlogBound.nanoseconds {
            control.lateDrops.add(1, ordering: .relaxed)
            return
        }
        let pipeline: AudioPipeline
        if let existing = self.pipeline {
            pipeline = existing
        } else {
            pipeline = try AudioPipeline(spec: spec, slabPool: slabPool, clock: { Monotonic.now })
            try pipeline.configure(configuration)
            self.pipeline = pipeline
        }
        defer {
            let now = Monotonic.now
            if now >= statisticsDue {
                statisticsDue = now + Self.statisticsInterval
                outputs.push(.statistics(pipeline.statistics))
            }
        }
        try pipeline.process(frame) { outputs.push(.packet($0, arrivedAt: arrivedAt)) }
    }
}
