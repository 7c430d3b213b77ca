package import Bytes
package import Media
package import RTP
package import Runtime

/// A publisher's way into a `PassedSession`: keeps what it said of its tracks, for rooms that come later, and waits for
/// its first key frame before it takes over from a publisher that is still there.
@MediaLoop
package final class PassedSource: PacketSink {
    /// Sound without a picture takes over after this time.
    private static let audioOnlyTakeover = Interval.seconds(1)

    let encoder: String
    private(set) var tracks = PassedTracks()
    /// Of sound that has to be transcoded.
    private(set) var audioConfiguration: AudioConfiguration?
    /// Who sends; nil before the first description, and when it has gone.
    private(set) weak var publisher: (any PacketSource)?
    /// Nil once either side has ended the other.
    private var session: PassedSession?
    private var onEnd: (@MediaLoop (SessionEnd) -> Void)?
    private var firstPacketAt: Monotonic?

    init(encoder: String, session: PassedSession, onEnd: @escaping @MediaLoop (SessionEnd) -> Void) {
        self.encoder = encoder
        self.session = session
        self.onEnd = onEnd
    }

    package func describe(_ tracks: PassedTracks, from source: any PacketSource, at now: Monotonic) {
        self.tracks = tracks
        publisher = source
        session?.described(by: self, at: now)
    }

    package func forward(_ packet: ForwardedPacket, stream: Int?, at now: Monotonic) {
        guard let session else { return }
        if session.source !== self {
            guard isFitToTakeOver(isKeyFrame: stream != nil && packet.beginsKeyFrame, at: now) else { return }
            session.attach(self, at: now)
        }
        session.forward(packet, stream: stream, at: now)
    }

    /// Pictures come as packets only.
    package func configure(_ configuration: VideoConfiguration) {}

    package func configure(_ configuration: AudioConfiguration) {
        audioConfiguration = configuration
        session?.configuredSound(by: self, at: MediaLoop.now)
    }

    package func receive(_ frame: EncodedFrame, at now: Monotonic) {
        guard let session, frame.kind == .audio else { return }
        if session.source !== self {
            guard isFitToTakeOver(isKeyFrame: false, at: now) else { return }
            session.attach(self, at: now)
        }
        session.receiveSound(frame, at: now)
    }

    package func sourceEnded(_ reason: SessionEnd, at now: Monotonic) {
        onEnd = nil
        session.take()?.sourceEnded(self, reason, at: now)
    }

    /// Ends the publisher from the session's side.
    func end(_ reason: SessionEnd) {
        session = nil
        onEnd.take()?(reason)
    }

    private func isFitToTakeOver(isKeyFrame: Bool, at now: Monotonic) -> Bool {
        let first = firstPacketAt ?? now
        firstPacketAt = first
        if tracks.video != nil { return isKeyFrame }
        return now - first >= Self.audioOnlyTakeover
    }
}
