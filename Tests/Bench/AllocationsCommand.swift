import AllocationCounter
import ArgumentParser
import Bytes
import DTLS
import FLV
import Media
import RTMP
import RTP
import Runtime

struct AllocationsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "allocations",
        abstract: "Counts heap allocations on the ways of packets and frames, once everything is warm.",
        discussion: "One line for each way. Optimised builds only: others allocate where these do not.")

    @Argument(help: "H.264 without B-frames and AAC in FLV.") var clip: String
    @Option(help: "Print the call stacks of so many allocations, 16 at most.") var stacks = 0

    struct Report: Encodable {
        let way: String
        let packets: Int
        var frames: Int?
        let allocations: Int
    }

    func run() async throws {
        try await report { try await PassedAllocations(stacks: stacks).run(try PassClip(path: clip)) }
        try await report { try rtmp() }
        try await report { try sender() }
    }

    private func report(_ measure: () async throws -> Report) async throws {
        try printJSON(try await measure())
        if stacks > 0 { allocation_counter_print_stacks() }
    }

    /// Chunks to messages, messages to frames.
    private func rtmp() throws -> Report {
        let clip = try Clip(path: clip)
        let pool = SlabPool()
        var configuration = RTMPClientConfiguration(app: "live", tcURL: "rtmp://h/live", streamName: "key")
        // What encoders use.
        configuration.chunkBytes = 4_096
        var client = RTMPClientSession(configuration: configuration, random: Randomness.bytes(1_528), at: .zero)
        var server = RTMPServerSession(slabPool: pool, hmac: nil, random: Randomness.bytes(1_528), at: .zero)
        var demuxer = FLVDemuxer(pool: pool)
        while !client.isPublishing {
            if let up = client.pollTransmit() { try server.receive(up.rawSpan, at: .zero) }
            while let event = server.pollEvent() {
                if case .publishRequested = event { server.acceptPublish(at: .zero) }
            }
            if let down = server.pollTransmit() { try client.receive(down.rawSpan, at: .zero) }
        }
        var pieces: [[UInt8]] = []
        for round in 0..<Int64(3) {
            for message in clip.messages where round == 0 || !message.isSetup {
                try client.send(
                    message.kind, payload: message.payload.bytes,
                    timestampMilliseconds: message.milliseconds + round * clip.milliseconds)
                if let bytes = client.pollTransmit() { pieces.append(bytes) }
            }
        }
        let warm = pieces.count / 3
        var (frames, chunks, now) = (0, 0, Monotonic.zero)
        for (index, piece) in pieces.enumerated() {
            if index == warm {
                (frames, chunks) = (0, 0)
                allocation_counter_start(Int32(stacks))
            }
            now = now + .milliseconds(10)
            chunks += piece.count / Int(configuration.chunkBytes) + 1
            try server.receive(piece.rawSpan, at: now)
            while let event = server.pollEvent() {
                switch event {
                case .video(let time, let payload): try demuxer.demuxVideo(payload, timestampMilliseconds: time)
                case .audio(let time, let payload): try demuxer.demuxAudio(payload, timestampMilliseconds: time)
                default: break
                }
                while let event = demuxer.pollEvent() { if case .frame = event { frames += 1 } }
            }
        }
        let count = allocation_counter_stop()
        return Report(way: "rtmp to frames", packets: chunks, frames: frames, allocations: count)
    }

    /// Frames to protected packets.
    private func sender() throws -> Report {
        let clip = try PassClip(path: clip)
        let clock = NTPClock(NTPTime(unixNanoseconds: 0), at: .zero)
        var sender = RTPSender(clock: clock, cname: InlineBytes(), targetBitrate: 100_000_000)
        let stream = sender.addStream(
            SendStream.Configuration(
                kind: .video, ssrc: 1, payloadType: 96, clockRate: 90_000, firstSequenceNumber: 1, timestampOffset: 0))
        let profile = SRTPProfile.aeadAES128GCM
        let key = [UInt8](repeating: 1, count: profile.keyBytes + profile.saltBytes)
        let srtp = try SRTPSession(.sending, profile: profile, key: key)
        let memory = UnsafeMutableRawBufferPointer.allocate(
            byteCount: RTPLimits.maxDatagramBytes + SRTPSession.protectionTailBytes, alignment: 16)
        defer { memory.deallocate() }
        let pictures = clip.items.filter { $0.codec == .video(.h264) }
        var (packets, frames) = (0, 0)
        for round in 0..<Int64(3) {
            for item in pictures {
                let now = Monotonic(nanoseconds: item.nanoseconds + round * clip.nanoseconds)
                if round == 1, packets > 0, frames == 0 { allocation_counter_start(Int32(stacks)) }
                let frame = EncodedFrame(
                    codec: item.codec, pts: now.nanoseconds, dts: now.nanoseconds, isKey: item.isKey,
                    payload: item.payload)
                sender.send(try PacketizedFrame(frame, as: .h264AnnexB), on: stream, at: now)
                if round > 0 { frames += 1 }
                while true {
                    var output = OutputRawSpan(buffer: memory, initializedCount: 0)
                    let transmit = sender.pollTransmit(into: &output, at: now)
                    let status: SRTPStatus? =
                        switch transmit {
                        case .media: srtp.protectRTP(&output)
                        case .control: srtp.protectRTCP(&output)
                        case nil: nil
                        }
                    _ = output.finalize(for: memory)
                    guard let status else { break }
                    guard status == .ok else { throw BenchError("a packet was not protected: \(status)") }
                    if round > 0 { packets += 1 } else { packets = 1 }
                }
            }
            if round == 0 { (packets, frames) = (1, 0) }
        }
        let count = allocation_counter_stop()
        return Report(way: "frames to packets", packets: packets, frames: frames, allocations: count)
    }
}
