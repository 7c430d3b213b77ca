package import Bytes
import LiveKit
package import Media
import RTP
import Runtime
package import Transcode

// Sessions, what they are asked for and what they hand out.
extension RoomPublisher {
    /// Sends this session from now on, in place of the one before, which is the caller's to end. One that waits goes live.
    package func attach(_ session: IngestSession, at now: Monotonic) {
        guard !hasEnded, session !== self.session else { return }
        self.session?.setDemand(layers: [], audio: false)
        self.session = session
        // What the encoders before left cannot be gone on with.
        if passed == nil { startLayersAnew() }
        session.goLive()
        if session.hasAudio { noteSound(at: now) }
        if !session.ladder.isEmpty { adopt(session.ladder) }
        updateDemand(at: now)
        offerIfReady(at: now)
        pump(at: now)
    }

    /// Nothing is sent until another session is attached; participant and tracks stay.
    package func detach(_ session: IngestSession, at now: Monotonic) {
        guard session === self.session else { return }
        session.setDemand(layers: [], audio: false)
        self.session = nil
        if passed == nil { active = [] }
    }

    func startLayersAnew() {
        for rung in rungs { peer?.requireKeyFrame(rung.quality) }
        active = []
    }

    func noteSound(at now: Monotonic) {
        if soundSince == nil { soundSince = now }
    }

    /// The first ladder decides what is published.
    func adopt(_ ladder: [LadderPlan.Rung], isFixed: Bool = false) {
        guard rungs.isEmpty, !ladder.isEmpty else { return }
        rungs = ladder
        allocation = BitrateAllocation(
            rungs: ladder.map { .init(quality: $0.quality, bitrate: $0.bitrate) }, soundBitrate: 0, isFixed: isFixed)
        peer?.needsOffer()
    }

    /// Bits a second of the layers that are watched.
    var wantedBitrate: Int {
        allocation?.wantedBitrate ?? settings.ladder.layers.reduce(0) { $0 + $1.bitrate }
    }

    /// Tells the session what is to be encoded. After every change of what is watched, muted, connected or possible.
    func updateDemand(at now: Monotonic) {
        let published = rungs.map(\.quality).filter { peer?.videoStream(of: $0) != nil }
        // Before a session's first picture nobody knows its layers; its first picture should not be lost.
        let ladder = passed?.qualities ?? session?.ladder.map(\.quality) ?? []
        let needed = RoomTracks.needed(watched, published: published, present: ladder.isEmpty ? published : ladder)
        let isUp = peer?.isUp ?? false
        let wanted = isUp && isSendable(tracks.videoID) ? needed : []
        for rung in rungs { _ = allocation?.setActive(wanted.contains(rung.quality), rung.quality) }
        let targets = allocation?.targets ?? []
        let encoded = wanted.intersection(LayerSet(targets.filter(\.isEncoded).map(\.quality)))
        let begun = encoded.subtracting(active)
        for quality in begun {
            // What nobody could watch until now may begin anywhere.
            if passed != nil, !self.needed.contains(quality) {
                peer?.resumeForwarding(quality)
            } else {
                peer?.requireKeyFrame(quality)
            }
        }
        self.needed = needed
        active = encoded
        peer?.setTargetBitrate(wantedBitrate)
        for quality in begun { askForKeyFrame(quality) }
        guard let session else { return }
        session.setBitrates(Dictionary(uniqueKeysWithValues: targets.map { ($0.quality, $0.bitrate) }))
        session.setDemand(layers: encoded, audio: isUp && soundSince != nil && isSendable(tracks.audioID))
    }

    func isSendable(_ track: String) -> Bool {
        machine.sid(ofTrack: track) != nil && !mutedTracks.contains(track) && !removedTracks.contains(track)
    }

    /// A new estimate of what the path carries, bits a second.
    func note(estimate: Int, at now: Monotonic) {
        figures.estimate = estimate
        if allocation?.update(estimate: estimate, at: now) ?? false { updateDemand(at: now) }
    }

    /// The same when the path is back after a black-out.
    func restore(estimate: Int, at now: Monotonic) {
        figures.estimate = estimate
        if allocation?.restore(estimate: estimate, at: now) ?? false { updateDemand(at: now) }
    }

    func tick(at now: Monotonic) {
        measurePassed(at: now)
        if let estimate = figures.estimate { note(estimate: estimate, at: now) }
    }
}

extension RoomPublisher: Publisher {
    package func session(_ session: IngestSession, configured kind: MediaKind, at now: Monotonic) {
        guard session === self.session, kind == .audio, soundSince == nil else { return }
        noteSound(at: now)
        updateDemand(at: now)
        offerIfReady(at: now)
        pump(at: now)
    }

    package func session(_ session: IngestSession, announced ladder: [LadderPlan.Rung]) {
        guard session === self.session, passed == nil else { return }
        let now = MediaLoop.now
        adopt(ladder)
        updateDemand(at: now)
        offerIfReady(at: now)
        pump(at: now)
    }

    package func session(
        _ session: IngestSession, encoded frame: EncodedFrame, quality: LayerQuality, arrivedAt: Monotonic,
        at now: Monotonic
    ) {
        guard session === self.session, active.contains(quality), let peer, let stream = peer.videoStream(of: quality),
            let packetized = packetize(frame, quality)
        else {
            figures.framesDropped &+= 1
            return
        }
        guard peer.send(packetized, on: stream, at: now) else {
            figures.framesDropped &+= 1
            return
        }
        figures.layers[quality.index].add(bytes: frame.payload.count, at: now)
        noteFirst(.video, at: now)
        let delay = Monotonic.now - arrivedAt
        figures.videoLatencies[quality.index].add(delay)
        if quality == active.max() { figures.delay.add(delay) }
    }

    package func session(_ session: IngestSession, encoded packet: AudioOutput, at now: Monotonic) {
        guard session === self.session, let peer, let stream = peer.audioStream,
            isSoundSendable
        else { return }
        let level = HeaderExtensionValues.AudioLevel(
            level: packet.level.minusDecibels, isVoice: packet.level.minusDecibels < Self.voiceLevel)
        guard let packetized = try? PacketizedFrame(packet.frame, as: .opus, audioLevel: level),
            peer.send(packetized, on: stream, at: now)
        else { return }
        figures.audio.add(bytes: packet.frame.payload.count, at: now)
        noteFirst(.audio, at: now)
    }

    /// A second encoder on the key: the tracks go on with its pictures.
    package func sessionBecameReady(_ session: IngestSession, at now: Monotonic) {
        guard !hasEnded else { return }
        let old = self.session
        attach(session, at: now)
        old?.end(.replaced)
        delegate?.room(self, switchedTo: session)
    }

    /// Louder than this many decibels below full scale counts as voice.
    private static let voiceLevel: UInt8 = 60

    private func packetize(_ frame: EncodedFrame, _ quality: LayerQuality) -> PacketizedFrame? {
        switch frame.codec {
        case .video(.vp8):
            let pictureID = pictureIDs[quality, default: VP8PictureID(0)].next()
            return try? PacketizedFrame(frame, as: .vp8(pictureID))
        default: return try? PacketizedFrame(frame, as: .h264AnnexB)
        }
    }

    func noteFirst(_ kind: MediaKind, at now: Monotonic) {
        guard !sentKinds.contains(kind) else { return }
        sentKinds.append(kind)
        delegate?.room(self, sentFirst: kind, at: now)
    }
}
