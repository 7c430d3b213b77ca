package import Bytes
package import Media
package import Runtime
package import Transcode

/// Where a session's layers go: the local room's viewers, or a LiveKit room.
@MediaLoop
package protocol Publisher: AnyObject {
    /// The source has a track of this kind, or its codec changed; of a session that waits, once it is live.
    func session(_ session: IngestSession, configured kind: MediaKind, at now: Monotonic)
    /// The layers from the next frames on, lowest quality first.
    func session(_ session: IngestSession, announced ladder: [LadderPlan.Rung])
    /// One coded picture of one layer. Times are on the session timeline, which is the server's monotonic clock.
    func session(
        _ session: IngestSession, encoded frame: EncodedFrame, quality: LayerQuality, arrivedAt: Monotonic,
        at now: Monotonic)
    /// One Opus packet.
    func session(_ session: IngestSession, encoded packet: AudioOutput, at now: Monotonic)
    /// A session that waited for its first key frame is ready to take over.
    func sessionBecameReady(_ session: IngestSession, at now: Monotonic)
}

extension Publisher {
    package func session(_ session: IngestSession, configured kind: MediaKind, at now: Monotonic) {}
}

/// How a session ended, for the log and for the encoder.
package enum SessionEnd: Sendable, Equatable {
    /// The encoder said goodbye.
    case finished
    /// The connection went away.
    case disconnected
    /// A newer publisher of the same key took over.
    case replaced
    case failed(String)
    case serverStopping
}
