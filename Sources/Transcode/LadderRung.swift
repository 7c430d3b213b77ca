/// One layer at work: its scaler, its encoder and its key frame book-keeping. Made by `VideoPipeline` for one source
/// shape.
final class LadderRung {
    let plan: LadderPlan.Rung
    /// Made by the first picture that is encoded, so that a layer nobody ever watches takes no memory.
    private(set) var encoder: (any VideoEncoder)?
    private(set) var bitrate: Int
    /// The layer's pixels, when it does not share the decoded picture.
    var scaler: VideoScaler
    /// The decoded picture is this layer's picture as it is.
    let sharesSource: Bool

    /// The next picture has to start a new group, as soon as the spacing allows.
    var isKeyWanted = true
    /// Source time of the last key frame; nil when the next one need not wait.
    var lastKey: Int64?

    init(_ plan: LadderPlan.Rung, sharesSource: Bool) throws(TranscodeError) {
        self.plan = plan
        self.sharesSource = sharesSource
        bitrate = plan.bitrate
        scaler = try VideoScaler(size: sharesSource ? PictureSize(2, 2) : plan.size)
    }

    /// The layer's encoder, made now if it does not exist.
    func encoder(
        codec: LadderCodec, frameRate: Double, color: ColorDescription
    ) throws(TranscodeError) -> any VideoEncoder {
        if let encoder { return encoder }
        let settings = EncoderSettings(
            size: plan.size, bitrate: bitrate, frameRate: frameRate, threads: plan.threads, color: color)
        let made: any VideoEncoder =
            switch codec {
            case .h264: try H264Encoder(settings)
            case .vp8: try VP8Encoder(settings)
            }
        encoder = made
        return made
    }

    func setBitrate(_ bitrate: Int) throws(TranscodeError) {
        self.bitrate = bitrate
        try encoder?.setBitrate(bitrate)
    }
}
