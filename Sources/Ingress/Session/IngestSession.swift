package import Bytes
package import Media
package import Runtime
package import Transcode

/// One publisher from its first configuration to its end: puts its frames on the session timeline, runs them through the
/// transcoders, and hands the layers to a `Publisher`.
///
/// Knows neither RTMP nor rooms. While a stream of the same key is live, a session waits, its frames unused, until its first key
/// frame makes it fit to take over.
@MediaLoop
package final class IngestSession {
    package struct Settings: Sendable {
        package var ladder: LadderSpec
        package var audio: AudioSpec
        /// Threads that one decoder or encoder may use.
        package var maxThreads: Int
        /// Frames carry times of the session timeline already, which others share.
        package var keepsTimes = false

        package init(ladder: LadderSpec, audio: AudioSpec, maxThreads: Int) {
            self.ladder = ladder
            self.audio = audio
            self.maxThreads = maxThreads
        }
    }

    private enum State {
        /// Another session of the key is live.
        case waiting
        case live
        case ended
    }

    /// Sound without a picture takes over after this time.
    private static let audioOnlyTakeover = Interval.seconds(1)

    /// What the encoder calls itself.
    package let encoder: String
    package let startedAt: Monotonic
    /// Unix nanoseconds.
    package let startedAtUnix: Int64
    package private(set) var statistics = SessionStatistics()
    package private(set) var ladder: [LadderPlan.Rung] = []

    private let settings: Settings
    private let slabPool: SlabPool
    private weak var publisher: (any Publisher)?
    private let onEnd: @MediaLoop (SessionEnd) -> Void

    private var state: State
    private var timeline = SourceTimeline()
    private var videoConfiguration: VideoConfiguration?
    private var audioConfiguration: AudioConfiguration?
    private var video: VideoTranscoder?
    private var audio: AudioTranscoder?
    private var activeLayers: LayerSet = []
    private var isAudioActive = false
    private var bitrates: [LayerQuality: Int] = [:]
    private var firstFrameAt: Monotonic?

    /// - Parameter onEnd: tells the source that the session is over; called once, unless the source ended it itself.
    package init(
        encoder: String, settings: Settings, slabPool: SlabPool, publisher: any Publisher, isWaiting: Bool,
        at now: Monotonic,
        onEnd: @escaping @MediaLoop (SessionEnd) -> Void
    ) {
        self.encoder = encoder
        self.settings = settings
        self.slabPool = slabPool
        self.publisher = publisher
        self.onEnd = onEnd
        state = isWaiting ? .waiting : .live
        startedAt = now
        startedAtUnix = SystemClock.unixNanoseconds()
    }

    // MARK: - Source side

    package func configure(_ configuration: VideoConfiguration) {
        videoConfiguration = configuration
        statistics.noteVideo(configuration)
        guard state == .live else { return }
        videoTranscoder()?.configure(configuration)
        publisher?.session(self, configured: .video, at: MediaLoop.now)
    }

    package func configure(_ configuration: AudioConfiguration) {
        audioConfiguration = configuration
        statistics.noteAudio(configuration)
        guard state == .live else { return }
        audioTranscoder()?.configure(configuration)
        publisher?.session(self, configured: .audio, at: MediaLoop.now)
    }

    /// Takes a frame with the source's own times. `now`: when its last byte came in.
    package func receive(_ frame: EncodedFrame, at now: Monotonic) {
        guard state != .ended else { return }
        if firstFrameAt == nil { firstFrameAt = now }
        statistics.noteFrame(frame, at: now)
        if state == .waiting {
            guard isFitToTakeOver(frame, at: now) else { return }
            publisher?.sessionBecameReady(self, at: now)
            guard state == .live else { return }
        }
        var mapped = frame
        if !settings.keepsTimes {
            mapped.dts = timeline.map(dts: frame.dts, kind: frame.kind, arrivedAt: now)
            mapped.pts = mapped.dts &+ (frame.pts &- frame.dts)
        }
        statistics.clockJumps = timeline.jumps
        statistics.stalls = timeline.stalls
        switch frame.kind {
        case .video: video?.push(mapped, arrivedAt: now)
        case .audio: audio?.push(mapped, arrivedAt: now)
        }
    }

    /// The source has gone.
    package func finish() { stop() }

    // MARK: - Room side

    /// From now on frames are transcoded: the session before has ended.
    package func goLive() {
        guard state == .waiting else { return }
        state = .live
        if let videoConfiguration { configure(videoConfiguration) }
        if let audioConfiguration { configure(audioConfiguration) }
    }

    /// What is watched; nothing else is encoded.
    package func setDemand(layers: LayerSet, audio isWanted: Bool) {
        if layers != activeLayers {
            activeLayers = layers
            video?.setActiveLayers(layers)
        }
        if isWanted != isAudioActive {
            isAudioActive = isWanted
            audio?.setActive(isWanted)
        }
    }

    /// Failures of the transcoders since the last call.
    package func drainFailures() -> (count: Int, last: TranscodeError)? { statistics.drainFailures() }

    /// Asks for a key frame: of one layer, or of all active ones in the same picture.
    package func requestKeyFrame(_ quality: LayerQuality? = nil) { video?.requestKeyFrame(quality) }

    /// What the layers' encoders are to make, bits a second; those not named make what the ladder says.
    package func setBitrates(_ bitrates: [LayerQuality: Int]) {
        guard bitrates != self.bitrates else { return }
        self.bitrates = bitrates
        video?.setBitrates(bitrates)
    }

    /// Ends the session from this side and tells the source why.
    package func end(_ reason: SessionEnd) {
        guard state != .ended else { return }
        stop()
        onEnd(reason)
    }

    package var isLive: Bool { state == .live }
    package var hasVideo: Bool { videoConfiguration != nil }
    package var hasAudio: Bool { audioConfiguration != nil }

    /// Frames lost in the queues in front of the transcoders.
    package var queueDrops: UInt64 { (video?.queueDrops ?? 0) &+ (audio?.queueDrops ?? 0) }
    /// Packets of sound that were too late to be heard.
    package var lateSound: UInt64 { audio?.lateDrops ?? 0 }

    // MARK: - Inside

    private func isFitToTakeOver(_ frame: EncodedFrame, at now: Monotonic) -> Bool {
        if videoConfiguration != nil { return frame.kind == .video && frame.isKey }
        return firstFrameAt.map { now - $0 >= Self.audioOnlyTakeover } ?? false
    }

    private func videoTranscoder() -> VideoTranscoder? {
        if video == nil {
            do throws(RuntimeError) {
                video = try VideoTranscoder(
                    spec: settings.ladder, slabPool: slabPool, maxThreads: settings.maxThreads
                ) { [weak self] output in self?.take(output) }
                video?.setActiveLayers(activeLayers)
                video?.setBitrates(bitrates)
            } catch {
                end(.failed("no thread for the video could be started (\(error))"))
            }
        }
        return video
    }

    private func audioTranscoder() -> AudioTranscoder? {
        if audio == nil {
            do throws(RuntimeError) {
                audio = try AudioTranscoder(spec: settings.audio, slabPool: slabPool) { [weak self] output in
                    self?.take(output)
                }
                audio?.setActive(isAudioActive)
            } catch {
                end(.failed("no thread for the sound could be started (\(error))"))
            }
        }
        return audio
    }

    private func take(_ output: VideoTranscoder.Output) {
        guard state == .live else { return }
        switch output {
        case .ladder(let rungs):
            ladder = rungs
            publisher?.session(self, announced: rungs)
        case .frame(let quality, let frame, let arrivedAt):
            publisher?.session(self, encoded: frame, quality: quality, arrivedAt: arrivedAt, at: MediaLoop.now)
        case .statistics(let video): statistics.take(video)
        case .failed(let error): statistics.noteFailure(error, of: .video)
        }
    }

    private func take(_ output: AudioTranscoder.Output) {
        guard state == .live else { return }
        switch output {
        case .packet(let packet, _): publisher?.session(self, encoded: packet, at: MediaLoop.now)
        case .statistics(let audio): statistics.take(audio)
        case .failed(let error): statistics.noteFailure(error, of: .audio)
        }
    }

    private func stop() {
        state = .ended
        video?.close()
        audio?.close()
        video = nil
        audio = nil
    }
}
