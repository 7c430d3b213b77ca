package import Bytes
import Media
package import RTP
import Runtime
package import Transcode

/// A publisher's streams and the qualities that they are published as.
struct PassedMedia {
    struct Layer {
        var stream: Int
        var quality: LayerQuality
        /// What comes in, watched or not.
        var meter = RateMeter()
    }

    weak var source: (any PacketSource)?
    /// Lowest quality first.
    var layers: [Layer] = []
    var presence = LayerPresence()
    /// Of the layers, those that come.
    var qualities: [LayerQuality] { layers.map(\.quality).filter { !presence.missing.contains($0) } }
}

// Publishers whose packets go into the room as they are. A session beside them has their sound, when the room cannot take
// it; it is attached as any other.
extension RoomPublisher {
    /// Whether these tracks can go on as what is published already.
    package func canCarry(_ tracks: PassedTracks) -> Bool {
        guard !rungs.isEmpty, let video = tracks.video else { return true }
        let own = self.tracks
        return video.codec == own.codec && (video.spatialLayers > 1) == (own.spatialLayers > 1)
            && ["profile-id", "profile"].allSatisfy { video.parameters[$0] == own.parameters[$0] }
    }

    /// Sends this publisher's packets from now on, in place of those before, each layer from its next key frame. Call it
    /// again with the same source when its tracks are other ones.
    ///
    /// What is published keeps the sizes that it began with: servers take no others later.
    package func attach(_ tracks: PassedTracks, from source: any PacketSource, at now: Monotonic) {
        guard !hasEnded, canCarry(tracks) else { return }
        let isNew = passed?.source !== source
        if isNew { passed = PassedMedia(source: source) }
        if let video = tracks.video { adopt(video) }
        if let audio = tracks.audio { adopt(audio, at: now) }
        if isNew { startLayersAnew() }
        updateDemand(at: now)
        offerIfReady(at: now)
        pump(at: now)
    }

    /// Nothing is passed through until another publisher is attached; participant and tracks stay.
    package func detach(_ source: any PacketSource, at now: Monotonic) {
        guard passed?.source === source else { return }
        passed = nil
        active = []
    }

    /// The first description decides what is published.
    private func adopt(_ video: PassedTracks.Video) {
        if rungs.isEmpty {
            tracks.codec = video.codec
            tracks.parameters = video.parameters
            tracks.spatialLayers = video.spatialLayers
            tracks.isDescribed = video.spatialLayers > 1 && video.layers.allSatisfy(\.isDescribed)
            adopt(video.rungs, isFixed: true)
        }
        let layers = Self.assign(video.layers.map(\.stream), to: rungs.map(\.quality))
        let old = passed?.layers ?? []
        passed?.layers = layers.map { stream, quality in
            old.first { $0.stream == stream && $0.quality == quality } ?? .init(stream: stream, quality: quality)
        }
    }

    private func adopt(_ audio: PassedTracks.Audio, at now: Monotonic) {
        if soundSince == nil { tracks.audio = AudioSpec(channels: audio.isStereo ? 2 : 1) }
        noteSound(at: now)
    }

    /// The largest picture serves the highest quality that is published, and so on downwards.
    package nonisolated static func assign(
        _ streams: [Int], to qualities: [LayerQuality]
    ) -> [(stream: Int, quality: LayerQuality)] {
        zip(streams.reversed(), qualities.reversed()).map { (stream: $0, quality: $1) }.reversed()
    }

    /// A packet in order of arrival; `stream` is nil for sound.
    package func forward(_ packet: ForwardedPacket, stream: Int?, at now: Monotonic) {
        guard let stream else { return forwardSound(packet, at: now) }
        guard let index = passed?.layers.firstIndex(where: { $0.stream == stream }),
            let quality = passed?.layers[index].quality
        else { return }
        let frames = packet.marker ? 1 : 0
        passed?.layers[index].meter.add(bytes: packet.payload.count, events: frames, at: now)
        if passed?.presence.note(quality, endsPicture: packet.marker, at: now) == true { updateDemand(at: now) }
        guard active.contains(quality), let peer, let sent = peer.videoStream(of: quality) else { return }
        guard peer.forward(packet, on: sent, at: now) else {
            figures.framesDropped &+= UInt64(frames)
            return
        }
        figures.layers[quality.index].add(bytes: packet.payload.count, events: frames, at: now)
        noteFirst(.video, at: now)
        guard packet.marker else { return }
        let delay = Monotonic.now - now
        figures.videoLatencies[quality.index].add(delay)
        if quality == active.max() { figures.delay.add(delay) }
    }

    private func forwardSound(_ packet: ForwardedPacket, at now: Monotonic) {
        guard passed != nil, isSoundSendable, let peer, let stream = peer.audioStream,
            peer.forward(packet, on: stream, at: now)
        else { return }
        figures.audio.add(bytes: packet.payload.count, at: now)
        figures.audioLatencies.add(Monotonic.now - now)
        noteFirst(.audio, at: now)
    }

    func askForKeyFrame(_ quality: LayerQuality) {
        guard let media = passed else { return }
        for layer in media.layers where layer.quality == quality {
            media.source?.requestKeyFrame(ofStream: layer.stream)
        }
    }

    /// Layers take what their publisher gives them.
    func measurePassed(at now: Monotonic) {
        guard let layers = passed?.layers, !layers.isEmpty else { return }
        for layer in layers {
            var meter = layer.meter
            let measured = Int(meter.bitsPerSecond(at: now))
            let before = allocation?.rungs.first { $0.quality == layer.quality }?.bitrate ?? 0
            // A still picture for a moment says nothing of the next one.
            allocation?.setBitrate(max(measured, before - before / Self.bitrateFall), layer.quality)
        }
        peer?.setTargetBitrate(wantedBitrate)
    }

    /// What is expected of a layer falls by one such part a second.
    private static let bitrateFall = 16
}

extension PassedTracks.Video {
    /// The layers as they are published. One alone is the highest, two leave out the middle, as our own ladders do.
    ///
    /// Of VP9 it is the largest alone: livekit-server (1.13) takes the layer of each packet from the payload, which says
    /// the lowest in every stream, and mixes the streams.
    package var rungs: [LadderPlan.Rung] {
        let layers = codec == .vp9 ? self.layers.suffix(1) : self.layers[...]
        let qualities: [LayerQuality] =
            switch layers.count {
            case 0: []
            case 1: [.high]
            case 2: [.low, .high]
            default: LayerQuality.allCases
            }
        return zip(qualities, layers).map { quality, layer in
            LadderPlan.Rung(
                quality: quality, size: PictureSize(layer.size.width, layer.size.height), bitrate: layer.bitrate,
                frameRate: layer.frameRate)
        }
    }
}
