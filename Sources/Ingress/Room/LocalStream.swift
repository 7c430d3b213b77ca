package import Bytes
import Logging
package import Media
import RTP
package import Runtime
package import Transcode

/// One key's place in the room: its live session, when there is one, and its viewers, who stay when the session goes.
///
/// Every coded frame is cut into packets once, here, and shared by all viewers of its layer.
@MediaLoop
package final class LocalStream {
    /// Figures of one layer as it leaves.
    package struct LayerFigures: Sendable {
        package var meter = RateMeter()
        package var viewers = 0
    }

    /// Louder than this many decibels below full scale counts as voice for the audio level extension.
    private static let voiceLevel: UInt8 = 60

    /// Names the stream without telling its key.
    package let id: String
    package let redactedKey: String
    package var session: IngestSession?
    /// A publisher that is passed through; then `session` has its sound at most.
    var feed: PassedFeed?
    package private(set) var viewers: [Viewer] = []
    package private(set) var layers: [LayerQuality: LayerFigures] = [:]
    package private(set) var audioOut = RateMeter()
    /// Last byte of a frame in to first RTP packet of its top layer out.
    package private(set) var delay = DelayWindow()
    /// How much later than the sound of the same moment the picture leaves, smoothed.
    package private(set) var skew = Interval.zero

    unowned let room: LocalRoom
    /// Of the layers that there are, lowest first; empty before the first picture.
    var qualities: [LayerQuality] = []
    private var activeLayers: LayerSet = []
    private var pictureIDs: [LayerQuality: VP8PictureID] = [:]
    var videoLag: Interval?
    var audioLag: Interval?

    init(key: String, room: LocalRoom) {
        id = "s" + String(hex: Randomness.bytes(6))
        redactedKey = Redacted(key).description
        self.room = room
    }

    // MARK: - Sessions

    func attach(_ session: IngestSession, at now: Monotonic) {
        self.session = session
        resetFigures()
        room.log.info("live", metadata: ["stream": "\(redactedKey)", "encoder": "\(session.encoder)"])
        updateDemand()
    }

    func resetFigures() {
        delay = DelayWindow()
        videoLag = nil
        audioLag = nil
        layers = [:]
        audioOut = RateMeter()
    }

    /// Someone publishes.
    package var isLive: Bool { session != nil || feed != nil }

    /// Sends whoever publishes away.
    func endPublisher(_ reason: SessionEnd, at now: Monotonic) {
        if let feed {
            feed.end(reason)
            detach(feed, reason, at: now)
        } else {
            session?.end(reason)
            detach(reason, at: now)
        }
    }

    func detach(_ reason: SessionEnd, at now: Monotonic) {
        guard let session else { return }
        let statistics = session.statistics
        room.log.info(
            "ended",
            metadata: [
                "stream": "\(redactedKey)", "reason": "\(reason)",
                "seconds": "\(Int((now - session.startedAt).seconds))",
                "frames": "\(statistics.videoIn.totalEvents)", "packets": "\(statistics.audioIn.totalEvents)",
            ])
        self.session = nil
        sourceEnded()
    }

    func sourceEnded() {
        qualities = []
        activeLayers = []
        for viewer in viewers { viewer.sourceEnded() }
    }

    func close(at now: Monotonic) {
        endPublisher(.serverStopping, at: now)
        for viewer in viewers { viewer.close(at: now) }
        viewers = []
    }

    // MARK: - Viewers

    package func add(_ viewer: Viewer) {
        viewers.append(viewer)
        updateDemand()
    }

    func remove(_ viewer: Viewer) {
        viewers.removeAll { $0 === viewer }
        updateDemand()
        room.removeIdleStreams()
    }

    /// The layer that serves a wish: the wished one, or the next below, or the lowest there is.
    func available(_ wish: LayerQuality) -> LayerQuality? {
        qualities.last { $0 <= wish } ?? qualities.first
    }

    /// Asks for what a viewer needs to go on: of a publisher's layers, only the one that it waits for and the one that
    /// it has, since key frames cost all who watch.
    func requestKeyFrame(for viewer: Viewer) {
        guard let feed else {
            session?.requestKeyFrame()
            return
        }
        guard viewer.isConnected, viewer.hasVideo else { return }
        feed.requestKeyFrame(LayerSet([available(viewer.wish), viewer.current].compactMap(\.self)))
    }

    /// Tells the session what is watched. After every change of viewers, layers or connections.
    func updateDemand() {
        var wanted: LayerSet = []
        var isAudioWanted = false
        for quality in LayerQuality.allCases { layers[quality, default: LayerFigures()].viewers = 0 }
        for viewer in viewers where viewer.isConnected {
            isAudioWanted = isAudioWanted || viewer.hasAudio
            guard viewer.hasVideo else { continue }
            // Before the first picture nobody knows the ladder: everything that might serve is asked for.
            guard let quality = available(viewer.wish) else {
                wanted = .all
                continue
            }
            wanted.insert(quality)
            layers[quality, default: LayerFigures()].viewers += 1
            if let current = viewer.current { wanted.insert(current) }
        }
        activeLayers = wanted
        session?.setDemand(layers: feed == nil ? wanted : [], audio: isAudioWanted)
    }

    package func isEncoded(_ quality: LayerQuality) -> Bool { activeLayers.contains(quality) }
}

// MARK: - What a session hands out

extension LocalStream: Publisher {
    package func session(_ session: IngestSession, announced ladder: [LadderPlan.Rung]) {
        guard session === self.session else { return }
        qualities = ladder.map(\.quality)
        updateDemand()
    }

    package func session(
        _ session: IngestSession, encoded frame: EncodedFrame, quality: LayerQuality, arrivedAt: Monotonic,
        at now: Monotonic
    ) {
        guard session === self.session else { return }
        layers[quality, default: LayerFigures()].meter.add(bytes: frame.payload.count, at: now)
        var packetized: PacketizedFrame?
        var isDemandStale = false
        for viewer in viewers where viewer.accepts(quality, isKey: frame.isKey, serving: available(viewer.wish)) {
            if packetized == nil { packetized = packetize(frame, quality) }
            guard let packetized else { break }
            if viewer.send(video: packetized, quality: quality, at: now) { isDemandStale = true }
        }
        if isDemandStale { updateDemand() }
        guard quality == qualities.last || !activeLayers.contains(where: { $0 > quality }) else { return }
        let left = Monotonic.now
        if packetized != nil { noteDelay(left - arrivedAt) }
        note(videoLag: left - Monotonic(nanoseconds: frame.pts))
    }

    package func session(_ session: IngestSession, encoded packet: AudioOutput, at now: Monotonic) {
        guard session === self.session else { return }
        audioOut.add(bytes: packet.frame.payload.count, at: now)
        let level = HeaderExtensionValues.AudioLevel(
            level: packet.level.minusDecibels, isVoice: packet.level.minusDecibels < Self.voiceLevel)
        guard let packetized = try? PacketizedFrame(packet.frame, as: .opus, audioLevel: level) else { return }
        for viewer in viewers { viewer.send(audio: packetized, at: now) }
        note(audioLag: now - Monotonic(nanoseconds: packet.frame.pts))
    }

    package func sessionBecameReady(_ session: IngestSession, at now: Monotonic) { room.takeOver(session, at: now) }

    private func packetize(_ frame: EncodedFrame, _ quality: LayerQuality) -> PacketizedFrame? {
        switch frame.codec {
        case .video(.vp8):
            let pictureID = pictureIDs[quality, default: VP8PictureID(0)].next()
            return try? PacketizedFrame(frame, as: .vp8(pictureID))
        default: return try? PacketizedFrame(frame, as: .h264AnnexB)
        }
    }

    func noteDelay(_ interval: Interval) { delay.add(interval) }

    func note(videoLag lag: Interval) {
        videoLag = Self.smoothed(videoLag, lag)
        noteSkew()
    }

    func note(audioLag lag: Interval) {
        audioLag = Self.smoothed(audioLag, lag)
        noteSkew()
    }

    private static func smoothed(_ mean: Interval?, _ lag: Interval) -> Interval {
        mean.map { $0 + (lag - $0) / 16 } ?? lag
    }

    private func noteSkew() {
        if let videoLag, let audioLag { skew = videoLag - audioLag }
    }
}
