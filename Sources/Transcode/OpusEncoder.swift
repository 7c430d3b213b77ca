import COpus

/// libopus, called directly: 20 ms of samples in, one packet out.
package final class OpusEncoder {
    private let raw: OpaquePointer
    private let channels: Int
    private var packet: [UInt8]
    /// The samples as they are coded: a copy, with peaks above full scale rounded off.
    private var staging: [Float]
    private var softClipState: [Float]
    private var wasSilent = false

    /// The largest packet of one 20 ms frame is 1,275 bytes and its header (RFC 6716, section 3.2).
    static let maxPacketBytes = 1276
    /// Opus codes silence under DTX by packets of up to two bytes, which need not be sent.
    static let silenceBytes = 2

    package init(_ spec: AudioSpec) throws(TranscodeError) {
        var status: Int32 = 0
        guard
            let encoder = opus_encoder_create(
                Int32(AudioSpec.sampleRate), Int32(spec.channels), OPUS_APPLICATION_AUDIO, &status)
        else { throw .encoderRefused(status) }
        raw = encoder
        channels = spec.channels
        packet = [UInt8](repeating: 0, count: Self.maxPacketBytes)
        staging = [Float](repeating: 0, count: AudioSpec.frameSamples * spec.channels)
        softClipState = [Float](repeating: 0, count: spec.channels)
        let statuses = [
            shim_opus_set_bitrate(encoder, Int32(spec.bitrate)), shim_opus_set_vbr(encoder, 1),
            shim_opus_set_complexity(encoder, Int32(spec.complexity)), shim_opus_set_inband_fec(encoder, 1),
            shim_opus_set_dtx(encoder, spec.usesDTX ? 1 : 0),
        ]
        if let failed = statuses.first(where: { $0 != OPUS_OK }) { throw .encoderRefused(failed) }
    }

    deinit { opus_encoder_destroy(raw) }

    /// Encodes `AudioSpec.frameSamples` samples per channel, interleaved, full scale at one; what is louder is rounded off.
    /// Lends the packet; nothing within a silence that DTX leaves out.
    package func encode(_ samples: Span<Float>, output: (RawSpan) -> Void) throws(TranscodeError) {
        precondition(samples.count == AudioSpec.frameSamples * channels, "an Opus packet takes 20 ms of samples")
        for index in samples.indices { staging[index] = samples[index] }
        opus_pcm_soft_clip(&staging, Int32(AudioSpec.frameSamples), Int32(channels), &softClipState)
        let count = opus_encode_float(raw, staging, Int32(AudioSpec.frameSamples), &packet, Int32(packet.count))
        guard count > 0 else { throw .encodingFailed(count) }
        let isSilent = count <= Self.silenceBytes
        defer { wasSilent = isSilent }
        // The first silent packet goes out: it tells the decoder that the pause is meant.
        if isSilent, wasSilent { return }
        output(packet.span.bytes.extracting(first: Int(count)))
    }

    /// Bits per second, held within Opus's range.
    package func setBitrate(_ bitrate: Int) {
        let held = min(max(bitrate, AudioSpec.bitrates.lowerBound), AudioSpec.bitrates.upperBound)
        _ = shim_opus_set_bitrate(raw, Int32(held))
    }

    /// Tells Opus how many packets of a hundred get lost; above zero it spends bits on forward error correction.
    package func setPacketLoss(percent: Int) { _ = shim_opus_set_packet_loss(raw, Int32(min(max(percent, 0), 100))) }
}
