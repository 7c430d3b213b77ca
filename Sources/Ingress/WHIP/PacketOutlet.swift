import Bytes
import Media
import RTP
import Runtime
import SDP
import WebRTC

/// A publisher's packets for a room that takes them as they are: says what the layers are once their key frames have
/// told, then hands packets on.
@MediaLoop
final class PacketOutlet {
    /// How long layers may take to show themselves before those that have not are foreseen, or pictures before sound goes
    /// on alone.
    static let layerWait = Interval.milliseconds(1_500)
    static let foreseenFrameRate = 30.0

    private struct Layer {
        var streamID: InlineBytes?
        var size: VideoSize?
        var spatialLayers = 1
        var isDescribed = false
        var frames = 0
        var firstAt: Monotonic
        var bytes = 0
        var lastTimestamp: UInt32?
    }

    weak var source: WHIPSource?
    private let sink: any PacketSink
    private let video: ReceivedSection?
    private let audio: ReceivedSection?
    /// By stream.
    private var layers: [Layer?] = []
    private var described: PassedTracks?
    private var dueAt: Monotonic?
    private var keyFrames: [Int] = []
    /// Sound that the room does not know.
    private var sound: FrameAssembler?
    private var soundClock = FrameClock()
    private var hasSound = false

    init(_ plan: ReceivePlan, to sink: any PacketSink, slabPool: SlabPool) {
        self.sink = sink
        video = plan.sections.first { $0.kind == .video }
        audio = plan.sections.first { $0.kind == .audio }
        guard let audio, audio.codec != .audio(.opus) else { return }
        sound = FrameAssembler(codec: audio.codec, pool: slabPool)
    }

    var nextDeadline: Monotonic? {
        guard let due = dueAt, let next = sound?.nextDeadline else { return dueAt ?? sound?.nextDeadline }
        return min(due, next)
    }

    /// The next stream that needs no key frame any more.
    func popKeyFrame() -> Int? { keyFrames.popLast() }

    func receive(_ packet: ReceivedPacket, time: MediaTime, of stream: WHIPSource.Stream, at now: Monotonic) {
        switch stream.codec {
        case .video(let codec): receiveVideo(packet, codec, time, stream, at: now)
        case .audio(.opus):
            if !hasSound {
                hasSound = true
                describeIfReady(at: now)
            }
            forward(packet, time, stream, stream: nil, isKey: true, at: now)
        case .audio(let codec):
            if !hasSound {
                hasSound = true
                if let audio { sink.configure(AudioConfiguration(codec: codec, audio)) }
            }
            soundClock.note(packet.timestamp, time)
            sound?.receive(JitterBuffer.Packet(packet))
            drainSound(at: now)
        }
    }

    func advance(to now: Monotonic) {
        if let due = dueAt, due <= now {
            dueAt = nil
            describe(at: now)
        }
        drainSound(at: now)
    }

    private func forward(
        _ packet: ReceivedPacket, _ time: MediaTime, _ of: WHIPSource.Stream, stream: Int?, isKey: Bool,
        at now: Monotonic
    ) {
        guard described != nil else { return }
        sink.forward(
            ForwardedPacket(
                source: of.source, sequenceNumber: packet.sequenceNumber, timestamp: packet.timestamp,
                marker: packet.marker, payload: packet.payload, pts: time, beginsKeyFrame: isKey,
                audioLevel: packet.audioLevel, descriptor: packet.descriptor), stream: stream, at: now)
    }

    private func drainSound(at now: Monotonic) {
        guard let codec = sound?.codec else { return }
        while let frame = sound?.pollFrame(at: now) {
            let time = soundClock.time(of: frame.frame.timestamp, orElse: now.nanoseconds)
            sink.receive(
                EncodedFrame(codec: codec, pts: time, dts: time, isKey: true, payload: frame.frame.payload),
                at: frame.arrivedAt)
        }
    }

    // MARK: - Pictures

    private func receiveVideo(
        _ packet: ReceivedPacket, _ codec: VideoCodec, _ time: MediaTime, _ stream: WHIPSource.Stream,
        at now: Monotonic
    ) {
        let isKey = PacketInspector.beginsKeyFrame(packet.payload.bytes, codec)
        while layers.count <= packet.stream { layers.append(nil) }
        var isNew = layers[packet.stream] == nil
        var layer = layers[packet.stream] ?? Layer(firstAt: now)
        layer.bytes += packet.payload.count
        if layer.lastTimestamp != packet.timestamp {
            layer.lastTimestamp = packet.timestamp
            layer.frames += 1
        }
        if isKey {
            keyFrames.append(packet.stream)
            if let size = PacketInspector.pictureSize(packet.payload.bytes, codec), size != layer.size {
                layer.size = size
                isNew = true
            }
            if let count = PacketInspector.spatialLayers(packet.payload.bytes, codec) { layer.spatialLayers = count }
            layer.isDescribed = packet.descriptor != nil
        }
        layers[packet.stream] = layer
        if isNew { describeIfReady(at: now) }
        forward(packet, time, stream, stream: packet.stream, isKey: isKey, at: now)
    }

    /// The number of layers that are to come.
    private var expected: Int { max(video?.streamIDs.count ?? 0, 1) }

    /// Browsers begin with few of a picture's layers, VP9 says only those, and a room keeps what it is told first.
    private var mayGrow: Bool { video?.codec == .video(.vp9) && layers.contains { $0?.spatialLayers ?? 1 > 1 } }

    private func describeIfReady(at now: Monotonic) {
        let known = layers.count { $0?.size != nil }
        let isWhole = video == nil || known >= expected && !mayGrow
        if isWhole || described?.video != nil { return describe(at: now) }
        if dueAt == nil { dueAt = now + Self.layerWait }
    }

    private func describe(at now: Monotonic) {
        guard let source else { return }
        var tracks = PassedTracks()
        if audio?.codec == .audio(.opus), hasSound || described?.audio != nil {
            tracks.audio = .init(isStereo: audio?.channels == 2)
        }
        if let video, case .video(let codec) = video.codec, layers.contains(where: { $0?.size != nil }) {
            let parameters = video.parameters.parameters.map { ($0.name.lowercased(), $0.value ?? "") }
            tracks.video = .init(
                codec: codec, parameters: Dictionary(parameters, uniquingKeysWith: { first, _ in first }),
                layers: passedLayers(at: now))
        }
        guard tracks != PassedTracks(), tracks != described else { return }
        dueAt = nil
        described = tracks
        sink.describe(tracks, from: source, at: now)
        // What came before the room knew is lost to it.
        for layer in tracks.video?.layers ?? [] { source.requestKeyFrame(ofStream: layer.stream) }
    }

    /// Layers from small to large; bit rates are measured once there is enough to measure.
    private func passedLayers(at now: Monotonic) -> [PassedLayer] {
        let known = layers.enumerated().compactMap { stream, layer -> PassedLayer? in
            guard let layer, let size = layer.size else { return nil }
            let seconds = max((now - layer.firstAt).seconds, 0.001)
            let isMeasured = seconds > 0.5
            var passed = PassedLayer(
                stream: stream, size: size,
                bitrate: isMeasured ? Int(Double(layer.bytes) * 8 / seconds) : Self.usualBitrate(size),
                frameRate: isMeasured ? (Double(layer.frames) / seconds).rounded() : Self.foreseenFrameRate)
            passed.spatialLayers = layer.spatialLayers
            passed.isDescribed = layer.isDescribed
            return passed
        }
        return known.sorted {
            ($0.size.width * $0.size.height, $0.stream) < ($1.size.width * $1.size.height, $1.stream)
        }
    }

    private static func usualBitrate(_ size: VideoSize) -> Int { size.width * size.height * 2 }
}
