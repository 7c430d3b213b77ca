import ArgumentParser
import Bytes
import FLV
import Foundation
import Media
import Runtime
import Transcode

/// The least that the server's work can cost: the libraries' own calls in one loop, with the server's settings, and
/// nothing else.
struct FloorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "floor",
        abstract:
            "Decodes, scales and encodes a clip by bare calls of libavcodec, libswscale, x264 and libopus."
    )

    @Argument(help: "H.264 and AAC in FLV.") var clip: String
    @Option(help: "Media seconds that are measured.") var seconds = 20.0
    @Option(help: "Media seconds before, not measured.") var warmup = 3.0
    @Option(help: "Ladder of layers, by LiveKit's name.") var preset = "H264_720P_30FPS_3_LAYERS"
    @Option(help: "Bit rate of the sound, kbit/s.") var audioBitrate = 96
    @Flag(help: "At the pace of the media, as a live server has to work; otherwise as fast as it goes.") var paced =
        false
    @Flag(help: "Decode only.") var decodeOnly = false

    struct Report: Encodable {
        let cpuS: Double
        let mediaS: Double
        let wallS: Double
        let cores: Double
        let pictures: Int
        let encoded: Int
        let opusPackets: Int
        /// Bits that came out, so that nobody can say that the floor did less.
        let videoKbps: Double
    }

    func run() async throws {
        guard let preset = LadderSpec.Preset(name: preset) else {
            throw ValidationError("There is no preset \(preset).")
        }
        let ladder = decodeOnly ? nil : LadderSpec(preset: preset)
        let audio = AudioSpec(channels: 2, bitrate: audioBitrate * 1000, usesDTX: false)
        let source = try FloorSource(path: clip)
        let video = try source.videoRecord.map { try FloorVideo(record: $0, ladder: ladder) }
        let sound = try source.audioRecord.map { try FloorAudio(record: $0, spec: audio) }
        let start = Monotonic.now
        var window: (cpu: Interval, wall: Monotonic, bytes: Int, pictures: Int, encoded: Int, packets: Int)?
        var now = 0.0
        var repetition: Int64 = 0
        while now < warmup + seconds {
            for packet in source.packets {
                let time = packet.dts + repetition * source.duration
                now = Double(time) / 1e9
                if now >= warmup + seconds { break }
                if paced { Self.sleep(until: start + Interval(nanoseconds: time)) }
                if window == nil, now >= warmup {
                    window = (
                        SystemClock.processTime(), .now, video?.bytesOut ?? 0, video?.pictures ?? 0,
                        video?.encoded ?? 0,
                        sound?.packets ?? 0
                    )
                }
                if packet.isVideo {
                    try video?.process(packet.raw, pts: packet.pts + repetition * source.duration)
                } else if ladder != nil {
                    try sound?.process(packet.raw)
                }
            }
            repetition += 1
        }
        // The last frame's share of time belongs to the window as well.
        if paced { Self.sleep(until: start + Interval(seconds: warmup + seconds)) }
        guard let window else { throw BenchError("nothing was measured") }
        let cpu = (SystemClock.processTime() - window.cpu).seconds
        try printJSON(
            Report(
                cpuS: cpu, mediaS: seconds, wallS: (Monotonic.now - window.wall).seconds, cores: cpu / seconds,
                pictures: (video?.pictures ?? 0) - window.pictures, encoded: (video?.encoded ?? 0) - window.encoded,
                opusPackets: (sound?.packets ?? 0) - window.packets,
                videoKbps: Double((video?.bytesOut ?? 0) - window.bytes) * 8 / seconds / 1000))
    }

    private static func sleep(until deadline: Monotonic) {
        let wait = deadline - .now
        if wait > .zero { usleep(UInt32(clamping: wait.nanoseconds / 1000)) }
    }
}
