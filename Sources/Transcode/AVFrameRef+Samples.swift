import CFFmpeg

extension AVFrameRef {
    /// Fills the frame with planar float samples, for tests.
    /// - Parameters:
    ///   - mask: the speakers as libavutil's layout mask.
    ///   - value: the sample of a channel and an index.
    package func fillFloat(
        mask: UInt64, rate: Int, samples: Int, _ value: (_ channel: Int, _ index: Int) -> Float
    ) throws(TranscodeError) {
        clear()
        raw.pointee.format = AV_SAMPLE_FMT_FLTP.rawValue
        raw.pointee.sample_rate = Int32(clamping: rate)
        raw.pointee.nb_samples = Int32(clamping: samples)
        guard av_channel_layout_from_mask(&raw.pointee.ch_layout, mask) == 0, av_frame_get_buffer(raw, 0) == 0 else {
            throw .formatOutOfLimits
        }
        for channel in 0..<Int(raw.pointee.ch_layout.nb_channels) {
            guard let plane = raw.pointee.extended_data[channel] else { throw .formatOutOfLimits }
            plane.withMemoryRebound(to: Float.self, capacity: samples) { target in
                for index in 0..<samples { target[index] = value(channel, index) }
            }
        }
    }
}
