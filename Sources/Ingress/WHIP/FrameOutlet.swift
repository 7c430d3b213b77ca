import Bytes
import Media
import RTP
import Runtime
import WebRTC

/// A publisher's packets as frames for a session that decodes them. Of several layers the best one is taken.
@MediaLoop
final class FrameOutlet {
    private let sink: any MediaSink
    private let slabPool: SlabPool
    private var choice: LayerChoice
    private var video: FrameAssembler?
    private var videoClock = FrameClock()
    private var audio: FrameAssembler?
    private var audioClock = FrameClock()
    /// Of sound that has not begun: what is announced is published, and an encoder may never send it.
    private var audioConfiguration: AudioConfiguration?
    private var hasVideoConfiguration = false
    private var wishes: [Int] = []
    private var keyFrames: [Int] = []
    private let videoCodec: VideoCodec?

    init(_ plan: ReceivePlan, to sink: any MediaSink, slabPool: SlabPool) {
        self.sink = sink
        self.slabPool = slabPool
        var videoCodec: VideoCodec?
        var expected = 1
        for section in plan.sections {
            switch section.codec {
            case .video(let codec):
                videoCodec = codec
                expected = max(section.streamIDs.count, 1)
            case .audio(let codec):
                audio = FrameAssembler(codec: section.codec, pool: slabPool)
                audioConfiguration = AudioConfiguration(codec: codec, section)
            }
        }
        self.videoCodec = videoCodec
        choice = LayerChoice(expected: expected)
    }

    /// When `advance` is due.
    var nextDeadline: Monotonic? {
        let (video, audio) = (video?.nextDeadline, audio?.nextDeadline)
        guard let video, let audio else { return video ?? audio }
        return min(video, audio)
    }

    func receive(_ packet: ReceivedPacket, time: MediaTime, of stream: WHIPSource.Stream, at now: Monotonic) {
        let buffered = JitterBuffer.Packet(packet)
        switch stream.codec {
        case .audio:
            if let configuration = audioConfiguration.take() { sink.configure(configuration) }
            audioClock.note(packet.timestamp, time)
            audio?.receive(buffered)
        case .video(let codec):
            guard choose(packet, codec, at: now) else { return }
            videoClock.note(packet.timestamp, time)
            video?.receive(buffered)
        }
        advance(to: now)
    }

    func advance(to now: Monotonic) {
        while let frame = video?.pollFrame(at: now), let codec = video?.codec { hand(frame, codec, videoClock, now) }
        while let frame = audio?.pollFrame(at: now), let codec = audio?.codec { hand(frame, codec, audioClock, now) }
        guard let current = choice.current, let needsKeyFrame = video?.needsKeyFrame else { return }
        if needsKeyFrame { wishes.append(current) } else { keyFrames.append(current) }
    }

    /// The next stream whose publisher is to be asked for a key frame.
    func popKeyFrameWish() -> Int? { wishes.popLast() }

    /// The next stream that needs none any more.
    func popKeyFrame() -> Int? { keyFrames.popLast() }

    private func hand(_ frame: FrameAssembler.Frame, _ codec: EncodedFrame.Codec, _ clock: FrameClock, _ now: Monotonic)
    {
        let time = clock.time(of: frame.frame.timestamp, orElse: now.nanoseconds)
        sink.receive(
            EncodedFrame(codec: codec, pts: time, dts: time, isKey: frame.frame.isKey, payload: frame.frame.payload),
            at: frame.arrivedAt)
    }

    // MARK: - Layers

    /// Whether the packet is of the stream that is decoded, perhaps from now on.
    private func choose(_ packet: ReceivedPacket, _ codec: VideoCodec, at now: Monotonic) -> Bool {
        let payload = packet.payload
        let isKey = PacketInspector.beginsKeyFrame(payload.bytes, codec)
        let verdict = choice.note(
            LayerChoice.Packet(
                stream: packet.stream, isKey: isKey,
                size: isKey ? PacketInspector.pictureSize(payload.bytes, codec) : nil,
                mayGrow: isKey && PacketInspector.mayGrow(payload.bytes, codec)), at: now)
        switch verdict {
        case .current: return true
        case .taken:
            begin(codec)
            return true
        case .passedOver(let wantsKeyFrame):
            // It was asked for to learn the layer's size.
            if isKey { keyFrames.append(packet.stream) }
            if wantsKeyFrame { wishes.append(packet.stream) }
            return false
        }
    }

    private func begin(_ codec: VideoCodec) {
        video = FrameAssembler(codec: .video(codec), pool: slabPool)
        if !hasVideoConfiguration {
            hasVideoConfiguration = true
            sink.configure(VideoConfiguration(codec: codec, record: nil))
        }
    }
}

/// The times of the frames that are being put together, by their RTP timestamps.
struct FrameClock {
    private var entries: [(timestamp: UInt32, time: MediaTime)] = []
    private var next = 0
    private static let capacity = 128

    mutating func note(_ timestamp: UInt32, _ time: MediaTime) {
        guard entries.last?.timestamp != timestamp || entries.count == Self.capacity else { return }
        if entries.contains(where: { $0.timestamp == timestamp }) { return }
        if entries.count < Self.capacity {
            entries.append((timestamp, time))
        } else {
            entries[next] = (timestamp, time)
            next = (next + 1) % Self.capacity
        }
    }

    func time(of timestamp: UInt32, orElse other: MediaTime) -> MediaTime {
        entries.first { $0.timestamp == timestamp }?.time ?? other
    }
}

extension JitterBuffer.Packet {
    init(_ packet: ReceivedPacket) {
        self.init(
            sequenceNumber: packet.sequenceNumber, timestamp: packet.timestamp, marker: packet.marker,
            payloadType: packet.payloadType, payload: packet.payload, arrival: packet.arrival,
            followsGap: packet.didRestart)
    }
}

extension AudioConfiguration {
    /// Of sound from RTP, whose headers say nothing.
    init(codec: AudioCodec, _ section: ReceivedSection) {
        let rate =
            switch codec {
            case .opus: 48_000
            case .g722: 16_000
            default: 8_000
            }
        self.init(codec: codec, record: nil, sampleRate: rate, channels: max(section.channels, 1))
    }
}
