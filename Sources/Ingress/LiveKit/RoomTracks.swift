package import LiveKit
package import LiveKitProtocol
package import Media
package import Transcode

/// What a room session publishes, by its configuration.
package struct RoomTracks: Sendable {
    package var ingressID: String
    /// The track id of the sound; that of the picture is the ingress's id.
    package let audioID: String
    package var audioName = ""
    package var audioSource = Livekit_TrackSource.unknown
    package var videoName = ""
    package var videoSource = Livekit_TrackSource.unknown
    package var audio: AudioSpec
    package var codec: VideoCodec
    /// `a=fmtp` of pictures that somebody else encoded.
    package var parameters: [String: String] = [:]
    /// Layers of each picture in the one stream of somebody else, which the room tells apart by dependency descriptors
    /// where there are any.
    package var spatialLayers = 1
    package var isDescribed = false

    /// - Parameter audioID: random, "TR_…".
    package init(ingressID: String, audioID: String, audio: AudioSpec, codec: LadderCodec) {
        self.ingressID = ingressID
        self.audioID = audioID
        self.audio = audio
        self.codec = codec == .h264 ? .h264 : .vp8
    }

    package var videoID: String { ingressID }

    package var audioRequest: Livekit_AddTrackRequest {
        var request = Livekit_AddTrackRequest()
        request.cid = audioID
        request.name = audioName
        request.type = .audio
        request.source = audioSource == .unknown ? .microphone : audioSource
        request.disableDtx = !audio.usesDTX
        request.stereo = audio.channels > 1
        return request
    }

    /// `ladder`: lowest quality first, at least one.
    package func videoRequest(_ ladder: [LadderPlan.Rung]) -> Livekit_AddTrackRequest {
        let isLayered = spatialLayers > 1 && ladder.count == 1
        let layers = (isLayered ? Self.split(ladder[0], into: spatialLayers) : ladder).map { rung in
            var layer = Livekit_VideoLayer()
            layer.quality = Livekit_VideoQuality(rung.quality)
            layer.width = UInt32(clamping: rung.size.width)
            layer.height = UInt32(clamping: rung.size.height)
            layer.bitrate = UInt32(clamping: rung.bitrate)
            return layer
        }
        var simulcast = Livekit_SimulcastCodec()
        simulcast.codec = codec.mimeType
        simulcast.cid = videoID
        simulcast.layers = layers
        simulcast.videoLayerMode = isLayered ? .multipleSpatialLayersPerStream : .oneSpatialLayerPerStream
        var request = Livekit_AddTrackRequest()
        request.cid = videoID
        request.name = videoName
        request.type = .video
        request.source = videoSource == .unknown ? .camera : videoSource
        request.width = layers.last?.width ?? 0
        request.height = layers.last?.height ?? 0
        request.layers = layers
        request.simulcastCodecs = [simulcast]
        return request
    }

    /// The layers of a picture as a room has them: each half as wide as the next, which is what browsers make.
    private static func split(_ rung: LadderPlan.Rung, into count: Int) -> [LadderPlan.Rung] {
        zip(LayerQuality.allCases, (0..<min(count, 3)).reversed()).map { quality, halvings in
            LadderPlan.Rung(
                quality: quality, size: PictureSize(rung.size.width >> halvings, rung.size.height >> halvings),
                bitrate: rung.bitrate >> (2 * halvings), frameRate: rung.frameRate)
        }
    }

    /// The layers of `published` to encode when the room watches `watched` and the source has `present`.
    ///
    /// A source that lacks all the watched layers serves them with the best of those that it has.
    package static func needed(
        _ watched: SubscribedQualities, published: [LayerQuality], present: [LayerQuality]
    ) -> LayerSet {
        let numbers = watched.needed(of: published.map { Int($0.rawValue) })
        let wanted = LayerSet(published.filter { numbers.contains(Int($0.rawValue)) })
        let usable = LayerSet(published.filter(present.contains))
        guard let top = wanted.max() else { return [] }
        let served = wanted.intersection(usable)
        if !served.isEmpty { return served }
        return LayerSet([usable.filter { $0 <= top }.max() ?? usable.min()].compactMap(\.self))
    }
}

extension Livekit_VideoQuality {
    package init(_ quality: LayerQuality) {
        switch quality {
        case .low: self = .low
        case .medium: self = .medium
        case .high: self = .high
        }
    }
}
