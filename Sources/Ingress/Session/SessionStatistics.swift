package import Bytes
package import Media
package import Transcode

/// What is known of a running session; the source of `GET /streams`, of the advice and of the log.
package struct SessionStatistics: Sendable {
    package private(set) var videoConfiguration: VideoConfiguration?
    package private(set) var audioConfiguration: AudioConfiguration?
    package private(set) var videoIn = RateMeter()
    package private(set) var audioIn = RateMeter()
    package private(set) var video = VideoStatistics()
    package private(set) var audio = AudioStatistics()
    /// The statistics before `video`: rates and means are differences.
    package private(set) var previousVideo = VideoStatistics()
    package private(set) var failures = ErrorTally<TranscodeError>()
    /// The last failure of each kind that a whole track suffered from.
    package private(set) var lastFailure: [MediaKind: TranscodeError] = [:]
    package internal(set) var clockJumps = 0
    package internal(set) var stalls = 0

    /// Source time between the last two key frames, in nanoseconds; 0 before the second.
    package private(set) var keyFrameDistance: Interval = .zero
    package private(set) var framesSinceKey = 0
    package private(set) var gopFrames = 0
    /// Some frame is shown later than it is decoded.
    package private(set) var hasBFrames = false
    private var lastKey: MediaTime?

    package init() {}

    mutating func noteVideo(_ configuration: VideoConfiguration) { videoConfiguration = configuration }
    mutating func noteAudio(_ configuration: AudioConfiguration) { audioConfiguration = configuration }

    mutating func noteFrame(_ frame: EncodedFrame, at now: Monotonic) {
        switch frame.kind {
        case .audio: audioIn.add(bytes: frame.payload.count, at: now)
        case .video:
            videoIn.add(bytes: frame.payload.count, at: now)
            framesSinceKey += 1
            // A source without reordering may still show everything one constant delay late; B-frames vary it.
            if video.source.hasReordering { hasBFrames = true }
            guard frame.isKey else { return }
            if let lastKey {
                keyFrameDistance = Interval(nanoseconds: frame.pts &- lastKey)
                gopFrames = framesSinceKey
            }
            lastKey = frame.pts
            framesSinceKey = 0
        }
    }

    mutating func take(_ statistics: VideoStatistics) {
        previousVideo = video
        video = statistics
    }

    mutating func take(_ statistics: AudioStatistics) { audio = statistics }

    mutating func noteFailure(_ error: TranscodeError, of kind: MediaKind) {
        failures.record(error)
        lastFailure[kind] = error
    }

    mutating func drainFailures() -> (count: Int, last: TranscodeError)? { failures.drain() }
}
