import Bytes
import Media
import Runtime
import Transcode

/// Sentences for the person at the encoder: what to change there, and why.
@MediaLoop
enum Advice {
    static func sentences(for session: IngestSession, fps: Double) -> [String] {
        let statistics = session.statistics
        var lines: [String] = []
        let source = statistics.video.source
        if statistics.hasBFrames {
            lines.append(
                "Your encoder sends B-frames, which hold every picture back by their number: set B-frames to 0.")
        }
        let distance = statistics.keyFrameDistance.seconds
        if distance > 4.5 {
            let seconds = String(Int(distance.rounded()))
            lines.append(
                "A key frame comes every \(seconds) s only: set the key frame interval to 2 s, so that lost pictures heal."
            )
        }
        if source.isInterlaced {
            lines.append("The picture is interlaced and shows combs when it moves: deinterlace in the encoder.")
        }
        if fps > 0, statistics.video.droppedForRate > statistics.video.picturesDecoded / 4 {
            lines.append(
                "The source has \(Int(fps.rounded())) frames a second, more than the layers carry: fewer would save bit rate."
            )
        }
        if statistics.audioConfiguration == nil, statistics.videoIn.totalEvents > 150 {
            lines.append("No sound arrives: if there should be any, check the encoder's audio settings.")
        }
        if statistics.video.droppedForLateness > 30 {
            lines.append(
                "This server does not keep up and leaves out pictures: choose fewer or smaller layers, or a larger machine."
            )
        }
        if statistics.video.effort != .full {
            lines.append(
                "This machine is short of time, so that the layers are encoded with less care: choose fewer or smaller layers."
            )
        }
        if statistics.clockJumps > 0 {
            lines.append(
                "The encoder's clock has jumped \(statistics.clockJumps) times; sound and picture were set anew each time."
            )
        }
        if let failure = statistics.lastFailure[.video], failure.severity == .closeStream {
            lines.append("The video cannot be used (\(failure)): H.264, HEVC, AV1, VP9 and VP8 are understood.")
        }
        if let failure = statistics.lastFailure[.audio], failure.severity == .closeStream {
            lines.append("The sound cannot be used (\(failure)): AAC, Opus, MP3, FLAC and AC-3 are understood.")
        }
        return lines
    }
}
