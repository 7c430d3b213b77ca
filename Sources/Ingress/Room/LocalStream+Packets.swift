import Bytes
import Logging
import Media
import RTP
import Runtime
import Transcode

// Publishers whose packets go to the viewers as they are.
extension LocalStream {
    func attach(_ feed: PassedFeed, at now: Monotonic) {
        self.feed = feed
        resetFigures()
        room.log.info("live, passed through", metadata: ["stream": "\(redactedKey)", "encoder": "\(feed.encoder)"])
    }

    func detach(_ feed: PassedFeed, _ reason: SessionEnd, at now: Monotonic) {
        guard feed === self.feed else { return }
        room.log.info(
            "ended",
            metadata: [
                "stream": "\(redactedKey)", "reason": "\(reason)",
                "seconds": "\(Int((now - feed.startedAt).seconds))",
            ])
        self.feed = nil
        session = nil
        sourceEnded()
        room.removeIdleStreams()
    }

    /// The feed's layers are known, or others than before. Viewers that were promised another codec have to ask anew.
    func feed(_ feed: PassedFeed, has qualities: [LayerQuality], at now: Monotonic) {
        guard feed === self.feed else { return }
        self.qualities = qualities
        if let codec = feed.video?.codec {
            for viewer in viewers where viewer.hasVideo && viewer.videoCodec != codec { viewer.leave(at: now) }
        }
        updateDemand()
        // Whoever has its layer goes on with it.
        for viewer in viewers where viewer.current != available(viewer.wish) { requestKeyFrame(for: viewer) }
    }

    func adopt(sound: IngestSession, of feed: PassedFeed) {
        guard feed === self.feed else { return }
        session = sound
        updateDemand()
    }

    func forward(video packet: ForwardedPacket, quality: LayerQuality, from feed: PassedFeed, at now: Monotonic) {
        guard feed === self.feed else { return }
        let isDescribed = packet.descriptor != nil
        // Once for all of them.
        let joined =
            feed.hasLayersToJoin && viewers.contains { !(isDescribed && $0.readsDescriptors) }
            ? packet.withJoinedLayers : nil
        var isDemandStale = false
        for viewer in viewers
        where viewer.accepts(quality, isKey: packet.beginsKeyFrame, serving: available(viewer.wish)) {
            let packet = isDescribed && viewer.readsDescriptors ? packet : joined ?? packet
            if viewer.forward(video: packet, quality: quality, at: now) { isDemandStale = true }
        }
        if isDemandStale { updateDemand() }
        guard packet.marker, quality == qualities.last else { return }
        let left = Monotonic.now
        noteDelay(left - now)
        note(videoLag: left - Monotonic(nanoseconds: packet.pts))
    }

    func forward(audio packet: ForwardedPacket, from feed: PassedFeed, at now: Monotonic) {
        guard feed === self.feed else { return }
        for viewer in viewers { viewer.forward(audio: packet, at: now) }
        note(audioLag: now - Monotonic(nanoseconds: packet.pts))
    }
}
