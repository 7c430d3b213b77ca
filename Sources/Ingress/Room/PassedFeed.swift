package import Bytes
package import Media
package import RTP
package import Runtime
import Transcode

/// A publisher of the local room whose packets go to viewers as they are.
@MediaLoop
package final class PassedFeed {
    /// Figures of one layer as it comes.
    struct Layer {
        let quality: LayerQuality
        var passed: PassedLayer
        var meter = RateMeter()
        var frameBytes = 0
    }

    let encoder: String
    let startedAt: Monotonic
    let startedAtUnix: Int64
    private(set) var tracks = PassedTracks()
    /// Lowest quality first.
    private(set) var layers: [Layer] = []
    private(set) var audioIn = RateMeter()
    /// Makes Opus of sound that viewers do not know.
    private(set) var sound: IngestSession?
    private(set) var soundCodec: AudioCodec?

    private weak var stream: LocalStream?
    private weak var source: (any PacketSource)?
    private var presence = LayerPresence()
    private let makeSound: @MediaLoop () -> IngestSession
    private let onEnd: @MediaLoop (SessionEnd) -> Void
    private var isOver = false

    init(
        encoder: String, stream: LocalStream, at now: Monotonic, makeSound: @escaping @MediaLoop () -> IngestSession,
        onEnd: @escaping @MediaLoop (SessionEnd) -> Void
    ) {
        self.encoder = encoder
        self.stream = stream
        self.makeSound = makeSound
        self.onEnd = onEnd
        startedAt = now
        startedAtUnix = SystemClock.unixNanoseconds()
    }

    /// What a viewer's answer has to offer; nil before it is known.
    var video: PassedTracks.Video? { tracks.video }

    /// Viewers that read no dependency descriptors need its layers in one piece.
    var hasLayersToJoin: Bool { tracks.video.map { $0.codec == .av1 && $0.spatialLayers > 1 } ?? false }

    func requestKeyFrame(_ wanted: LayerSet) {
        for layer in layers where wanted.contains(layer.quality) {
            source?.requestKeyFrame(ofStream: layer.passed.stream)
        }
    }

    /// Ends the publication from the room's side.
    func end(_ reason: SessionEnd) {
        guard !isOver else { return }
        stop()
        onEnd(reason)
    }

    private func stop() {
        isOver = true
        sound?.finish()
        sound = nil
    }

    /// Qualities of one, two or three layers, as LiveKit has them.
    private static func qualities(_ count: Int) -> [LayerQuality] { Array(LayerQuality.allCases.suffix(count)) }
}

extension PassedFeed: PacketSink {
    package func describe(_ tracks: PassedTracks, from source: any PacketSource, at now: Monotonic) {
        guard !isOver else { return }
        self.tracks = tracks
        self.source = source
        let passed = tracks.video?.layers ?? []
        layers = zip(Self.qualities(passed.count), passed).map { Layer(quality: $0, passed: $1) }
        presence = LayerPresence()
        tellLayers(at: now)
    }

    package func forward(_ packet: ForwardedPacket, stream received: Int?, at now: Monotonic) {
        guard !isOver, let stream else { return }
        guard let received else {
            audioIn.add(bytes: packet.payload.count, at: now)
            return stream.forward(audio: packet, from: self, at: now)
        }
        // In place in an array: a dictionary would allocate for each change of a value.
        guard let index = layers.firstIndex(where: { $0.passed.stream == received }) else { return }
        if presence.note(layers[index].quality, endsPicture: packet.marker, at: now) { tellLayers(at: now) }
        layers[index].frameBytes += packet.payload.count
        if packet.marker {
            layers[index].meter.add(bytes: layers[index].frameBytes, at: now)
            layers[index].frameBytes = 0
        }
        stream.forward(video: packet, quality: layers[index].quality, from: self, at: now)
    }

    private func tellLayers(at now: Monotonic) {
        stream?.feed(self, has: layers.map(\.quality).filter { !presence.missing.contains($0) }, at: now)
    }

    package func configure(_ configuration: VideoConfiguration) {}

    package func configure(_ configuration: AudioConfiguration) {
        guard !isOver else { return }
        if sound == nil {
            let session = makeSound()
            sound = session
            stream?.adopt(sound: session, of: self)
        }
        soundCodec = configuration.codec
        sound?.configure(configuration)
    }

    package func receive(_ frame: EncodedFrame, at now: Monotonic) {
        audioIn.add(bytes: frame.payload.count, at: now)
        sound?.receive(frame, at: now)
    }

    package func sourceEnded(_ reason: SessionEnd, at now: Monotonic) {
        guard !isOver else { return }
        stop()
        stream?.detach(self, reason, at: now)
    }
}
