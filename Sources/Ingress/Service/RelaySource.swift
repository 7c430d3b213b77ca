import Bytes
import Media
import Runtime

/// A publisher's way into an `IngressSession`: keeps its configurations, so that they can be told again when another child carries
/// on, and waits for its first key frame before it takes over from a publisher that is still there.
@MediaLoop
final class RelaySource: MediaSink {
    /// Sound without a picture takes over after this time.
    private static let audioOnlyTakeover = Interval.seconds(1)

    let encoder: String
    private(set) var videoConfiguration: VideoConfiguration?
    private(set) var audioConfiguration: AudioConfiguration?
    /// Nil once either side has ended the other.
    private var session: IngressSession?
    private var onEnd: (@MediaLoop (SessionEnd) -> Void)?
    private var firstFrameAt: Monotonic?

    init(encoder: String, session: IngressSession, onEnd: @escaping @MediaLoop (SessionEnd) -> Void) {
        self.encoder = encoder
        self.session = session
        self.onEnd = onEnd
    }

    func configure(_ configuration: VideoConfiguration) {
        videoConfiguration = configuration
        session?.configured(.video(configuration), by: self)
    }

    func configure(_ configuration: AudioConfiguration) {
        audioConfiguration = configuration
        session?.configured(.audio(configuration), by: self)
    }

    func receive(_ frame: EncodedFrame, at now: Monotonic) {
        guard let session else { return }
        if session.source !== self {
            if firstFrameAt == nil { firstFrameAt = now }
            guard isFitToTakeOver(frame, at: now) else { return }
            session.attach(self, at: now)
        }
        session.receive(frame, at: now)
    }

    func sourceEnded(_ reason: SessionEnd, at now: Monotonic) {
        onEnd = nil
        session.take()?.sourceEnded(self, reason, at: now)
    }

    /// Ends the publisher from the session's side.
    func end(_ reason: SessionEnd) {
        session = nil
        onEnd.take()?(reason)
    }

    private func isFitToTakeOver(_ frame: EncodedFrame, at now: Monotonic) -> Bool {
        if videoConfiguration != nil { return frame.kind == .video && frame.isKey }
        return firstFrameAt.map { now - $0 >= Self.audioOnlyTakeover } ?? false
    }
}

/// Either kind of configuration.
enum SourceConfiguration {
    case video(VideoConfiguration)
    case audio(AudioConfiguration)
}
