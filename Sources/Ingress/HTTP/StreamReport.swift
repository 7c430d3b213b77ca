/// What `GET /streams` says, and what the page plots. Rates are per second over the last two seconds; secrets are redacted.
package struct RoomReport: Codable, Sendable {
    package struct Server: Codable, Sendable {
        package var version: String
        package var uptimeSeconds: Double
        package var viewers: Int
        package var cpuPercent: Double
        package var memoryMB: Double
        /// Addresses to paste, with `KEY` for the stream key.
        package var rtmpURL: String
        package var rtmpsURL: String?
        package var whipURL: String
        package var whepURL: String

        enum CodingKeys: String, CodingKey {
            case version, viewers
            case uptimeSeconds = "uptime_s"
            case cpuPercent = "cpu_percent"
            case memoryMB = "memory_mb"
            case rtmpURL = "rtmp_url"
            case rtmpsURL = "rtmps_url"
            case whipURL = "whip_url"
            case whepURL = "whep_url"
        }
    }

    package var server: Server
    package var streams: [StreamReport]
}

package struct StreamReport: Codable, Sendable {
    package struct Video: Codable, Sendable {
        /// Codec, profile and level as people say it: "H.264 High 4.1".
        package var codec: String
        package var profile: String
        package var width: Int
        package var height: Int
        package var fps: Double
        package var gopSeconds: Double
        package var gopFrames: Int
        package var kbps: Double
        package var hasBFrames: Bool

        enum CodingKeys: String, CodingKey {
            case codec, profile, width, height, fps, kbps
            case gopSeconds = "gop_s"
            case gopFrames = "gop_frames"
            case hasBFrames = "b_frames"
        }
    }

    package struct Audio: Codable, Sendable {
        package var codec: String
        package var sampleRate: Int
        package var channels: Int
        package var kbps: Double
        /// Of the Opus track that viewers get; 0 while nobody listens.
        package var outKbps: Double

        enum CodingKeys: String, CodingKey {
            case codec, channels, kbps
            case sampleRate = "sample_rate"
            case outKbps = "out_kbps"
        }
    }

    package struct Layer: Codable, Sendable {
        package var rid: String
        package var quality: String
        package var width: Int
        package var height: Int
        package var fps: Double
        package var kbps: Double
        package var targetKbps: Double
        /// Milliseconds to scale and encode one frame, mean of the last half second.
        package var encodeMilliseconds: Double
        package var viewers: Int
        /// "encoded", or "paused" while nobody watches.
        package var state: String

        enum CodingKeys: String, CodingKey {
            case rid, quality, width, height, fps, kbps, viewers, state
            case targetKbps = "target_kbps"
            case encodeMilliseconds = "encode_ms"
        }
    }

    /// Last byte of a frame in to first RTP packet of its top layer out, the last few hundred frames.
    package struct Delay: Codable, Sendable {
        package var p50: Double
        package var p99: Double
    }

    /// Public name of the stream: says nothing of its key, and plays it just as well.
    package var id: String
    /// The key, redacted.
    package var key: String
    package var live: Bool
    /// Unix time at which the encoder that is there now began to publish; 0 when none is.
    package var since: Double
    package var liveSeconds: Double
    package var encoder: String
    package var inKbps: Double
    package var video: Video?
    package var audio: Audio?
    /// Highest quality first.
    package var layers: [Layer]
    package var delay: Delay
    /// Frames lost on the way through the server, whatever the reason.
    package var dropped: UInt64
    /// Where they were lost.
    package var drops: [String: UInt64]
    /// How much later the picture left the server than the sound of the same moment; 0 without both.
    package var skewMilliseconds: Double
    package var viewers: Int
    /// Sentences for the person at the encoder.
    package var advice: [String]

    enum CodingKeys: String, CodingKey {
        case id, key, live, since, encoder, video, audio, layers, dropped, drops, viewers, advice
        case liveSeconds = "live_s"
        case inKbps = "in_kbps"
        case delay = "delay_ms"
        case skewMilliseconds = "av_skew_ms"
    }
}
