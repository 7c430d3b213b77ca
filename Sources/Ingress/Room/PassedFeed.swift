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
        var passed: PassedLayer
        var meter = RateMeter()
        var frameBytes = 0
    }

    let encoder: String
    let startedAt: Monotonic
    let startedAtUnix: Int64
    private(set) var tracks = PassedTracks()
    private(set) var layers: [LayerQuality: Layer] = [:]
    private(set) var audioIn = RateMeter()
    /// Makes Opus of sound that viewers do not know.
    private(set) var sound: IngestSession?
    private(set) var soundCodec: AudioCodec?

    private weak var stream: LocalStream?
    private weak var source: (any PacketSource)?
    private var qualities: [Int: LayerQuality] = [:]
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

    func requestKeyFrame(_ wanted: Set<LayerQuality>) {
        for quality in wanted {
            if let layer = layers[quality] { source?.requestKeyFrame(ofStream: layer.passed.stream) }
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
        layers = [:]
        qualities = [:]
        for (quality, layer) in zip(Self.qualities(passed.count), passed) {
            layers[quality] = Layer(passed: layer)
            qualities[layer.stream] = quality
        }
        stream?.feed(self, has: layers.keys.sorted(), at: now)
    }

    package func forward(_ packet: ForwardedPacket, stream index: Int?, at now: Monotonic) {
        guard !isOver, let stream else { return }
        guard let index else {
            audioIn.add(bytes: packet.payload.count, at: now)
            return stream.forward(audio: packet, from: self, at: now)
        }
        guard let quality = qualities[index] else { return }
        layers[quality]?.frameBytes += packet.payload.count
        if packet.marker, let bytes = layers[quality]?.frameBytes {
            layers[quality]?.meter.add(bytes: bytes, at: now)
            layers[quality]?.frameBytes = 0
        }
        stream.forward(video: packet, quality: quality, from: self, at: now)
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
