import Bytes
import CFFmpeg
import COpus

/// libopus, called directly for Opus without a container, as WebRTC sends it.
///
/// Short gaps between the packets' times are losses: they are filled by the forward error correction of the packet
/// behind them, or else by what libopus makes of the sound before. Gaps of pauses (DTX) stay gaps.
final class OpusDecoder {
    /// Longest gap that is filled, in samples: 120 ms, what one packet may hold (RFC 6716 section 3.2.5).
    static let maxGap = 5_760
    /// Gaps are counted in the shortest frames of Opus, 2.5 ms; less than two are rounding of times.
    private static let step = 120

    private let raw: OpaquePointer
    private let channels: Int
    /// Interleaved: a filled gap and one packet.
    private var samples: [Float]
    private var sampleCount = 0
    /// Nanoseconds of the first of `samples`.
    private var start: Int64 = 0
    /// Nanoseconds behind the last packet; nil when nothing can be missing in front of the next.
    private var end: Int64?

    init(channels: Int) throws(TranscodeError) {
        var status: Int32 = 0
        self.channels = channels == 1 ? 1 : 2
        guard let decoder = opus_decoder_create(Int32(AudioSpec.sampleRate), Int32(self.channels), &status) else {
            throw .decoderRefused(status)
        }
        raw = decoder
        samples = [Float](repeating: 0, count: 2 * Self.maxGap * self.channels)
    }

    deinit { opus_decoder_destroy(raw) }

    /// Decodes one packet, and in front of it what is missing since the last.
    func send(_ packet: RawSpan, pts: Int64) throws(TranscodeError) {
        sampleCount = 0
        let filled = fillGap(before: packet, pts: pts)
        let count = decode(packet, at: filled, room: Self.maxGap, fec: false)
        guard count > 0 else { throw .undecodable(count) }
        start = pts &- AudioTimeline.duration(Int64(filled))
        sampleCount = filled + Int(count)
        // Packets of up to two bytes begin a pause.
        end = packet.byteCount > OpusEncoder.silenceBytes ? pts &+ AudioTimeline.duration(Int64(count)) : nil
    }

    /// Fills a frame with what the last packet gave; false when that was taken already.
    func receive(_ frame: borrowing AVFrameRef) throws(TranscodeError) -> Bool {
        guard sampleCount > 0 else { return false }
        frame.clear()
        let target = frame.raw
        target.pointee.format = AV_SAMPLE_FMT_FLT.rawValue
        target.pointee.sample_rate = Int32(AudioSpec.sampleRate)
        target.pointee.nb_samples = Int32(sampleCount)
        av_channel_layout_default(&target.pointee.ch_layout, Int32(channels))
        guard av_frame_get_buffer(target, 0) == 0, let plane = target.pointee.extended_data[0] else {
            throw .formatOutOfLimits
        }
        let count = sampleCount * channels
        samples.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            UnsafeMutableRawPointer(plane).copyMemory(from: base, byteCount: count * MemoryLayout<Float>.stride)
        }
        frame.pts = start
        sampleCount = 0
        return true
    }

    /// Samples that were made for a gap in front of `pts`.
    private func fillGap(before packet: RawSpan, pts: Int64) -> Int {
        guard let end else { return 0 }
        let gap = pts &- end
        // Rounded, for times of RTP clocks are.
        let steps = (gap &+ 500_000) / AudioTimeline.duration(Int64(Self.step))
        guard gap > 0, steps >= 2, steps <= Int64(Self.maxGap / Self.step) else { return 0 }
        let missing = Int(steps) * Self.step
        let count = decode(packet, at: 0, room: missing, fec: true)
        return count == Int32(missing) ? missing : 0
    }

    private func decode(_ packet: RawSpan, at offset: Int, room: Int, fec: Bool) -> Int32 {
        let skipped = offset * channels
        return samples.withUnsafeMutableBufferPointer { buffer in
            packet.withUnsafeBytes { bytes in
                guard let base = buffer.baseAddress, skipped + room * channels <= buffer.count else {
                    return OPUS_BUFFER_TOO_SMALL
                }
                return opus_decode_float(
                    raw, bytes.bindMemory(to: UInt8.self).baseAddress, Int32(clamping: bytes.count), base + skipped,
                    Int32(room), fec ? 1 : 0)
            }
        }
    }
}
