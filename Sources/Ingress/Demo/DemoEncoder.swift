import Bytes
import FLV
import Media
import Runtime
import Synchronization
import Transcode

/// Draws and codes the test picture with its beep, as FLV messages at their own pace, on a thread of its own.
///
/// Flash and beep fall together: once a second, so that a viewer can judge sync.
final class DemoEncoder: Sendable {
    static let width = 1280
    static let height = 720
    static let frameRate = 30
    static let bitrate = 3_000_000

    private let isStopped = Atomic<Bool>(false)

    /// `messages` gets what a publisher would send, in order of time; a message that does not fit is left out.
    func run(into messages: Handoff<FLVTag>) throws(RuntimeError) {
        _ = try Worker(name: "demo") { [self] in
            do throws(TranscodeError) {
                try produce(into: messages)
            } catch {
                messages.close()
            }
        }
    }

    func stop() { isStopped.store(true, ordering: .releasing) }

    private func produce(into messages: Handoff<FLVTag>) throws(TranscodeError) {
        let picture = try TestPicture(width: Self.width, height: Self.height)
        let video = try H264Encoder(
            EncoderSettings(
                size: PictureSize(Self.width, Self.height), bitrate: Self.bitrate, frameRate: Double(Self.frameRate),
                threads: 1))
        let sound = try OpusEncoder(AudioSpec(usesDTX: false))
        var tone = TestTone(channels: 2)
        var samples: [Float] = []
        let muxer = FLVMuxer()
        sendHeaders(muxer, into: messages)
        let start = Monotonic.now
        let pacing = WorkerSignal()
        var packet: Int64 = 0
        var frame = 0
        while !isStopped.load(ordering: .acquiring) {
            let due = Interval(nanoseconds: Int64(frame) * 1_000_000_000 / Int64(Self.frameRate))
            while Interval.milliseconds(packet * 20) <= due {
                tone.next(into: &samples)
                let pts = Interval.milliseconds(packet * 20).nanoseconds
                try sound.encode(samples.span) { send(sound: $0, pts: pts, muxer, into: messages) }
                packet += 1
            }
            _ = pacing.wait(until: start + due)
            picture.draw(frame)
            let isKey = frame % (2 * Self.frameRate) == 0
            try video.encode(picture.frame, pts: due.nanoseconds, forceKey: isKey) { coded in
                send(coded, pts: due.nanoseconds, muxer, into: messages)
            }
            frame += 1
        }
        messages.close()
    }

    private func sendHeaders(_ muxer: FLVMuxer, into messages: Handoff<FLVTag>) {
        var metadata = StreamMetadata()
        metadata.width = Self.width
        metadata.height = Self.height
        metadata.frameRate = Double(Self.frameRate)
        metadata.encoder = "ingress demo"
        messages.push(muxer.metadata(metadata))
        let opus = AudioConfiguration(
            codec: .opus, record: SlabSlice(copying: OpusHead(channels: 2).encoded()), sampleRate: 48_000, channels: 2)
        if let tag = try? muxer.sequenceStart(opus) { messages.push(tag) }
    }

    private func send(sound: RawSpan, pts: MediaTime, _ muxer: FLVMuxer, into messages: Handoff<FLVTag>) {
        let frame = EncodedFrame(
            codec: .audio(.opus), pts: pts, dts: pts, isKey: true, payload: SlabSlice(copying: sound))
        if let tag = try? muxer.frame(frame) { messages.push(tag) }
    }

    private func send(_ coded: EncodedPicture, pts: MediaTime, _ muxer: FLVMuxer, into messages: Handoff<FLVTag>) {
        let milliseconds = pts / 1_000_000
        if coded.isKey,
            let header = try? muxer.sequenceStart(
                annexB: coded.bytes, codec: .h264, timestampMilliseconds: milliseconds)
        {
            messages.push(header)
        }
        let tag = try? muxer.frame(annexB: coded.bytes, codec: .h264, pts: pts, dts: pts, isKey: coded.isKey)
        if let tag { messages.push(tag) }
    }
}
