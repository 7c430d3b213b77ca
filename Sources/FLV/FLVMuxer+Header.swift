import Bytes
import Media

extension FLVMuxer {
    /// SoundFormat AAC with the flags that the specification fixes: 44 kHz, 16 bit, stereo, whatever the stream has.
    static let legacyAAC = AudioTag.aacFormat << 4 | 0x0F

    func usesLegacy(_ codec: VideoCodec) -> Bool { codec == .h264 && !prefersEnhanced }
    func usesLegacy(_ codec: AudioCodec) -> Bool { codec == .aac && !prefersEnhanced }

    func append(_ fourCC: FLVFourCC?, to writer: inout SlabWriter) throws(FLVError) {
        guard let fourCC else { throw .codecWithoutTag }
        for shift in [24, 16, 8, 0] as [UInt32] { writer.append(UInt8(truncatingIfNeeded: fourCC.rawValue >> shift)) }
    }

    /// Writes all that stands before a coded frame's data, and returns the message's timestamp in milliseconds.
    func appendHeader(_ frame: EncodedFrame, to writer: inout SlabWriter) throws(FLVError) -> Int64 {
        let milliseconds = frame.dts.ticks(rate: 1000)
        switch frame.codec {
        case .audio(let codec):
            if usesLegacy(codec) {
                writer.append([Self.legacyAAC, AudioTag.raw])
            } else {
                let mode = AudioTag.enhancedFormat << 4
                appendTypes(mode, AudioPacketType.codedFrames.rawValue, dts: frame.dts, to: &writer)
                try append(FLVFourCC(codec), to: &writer)
            }
        case .video(let codec):
            let frameType = frame.isKey ? VideoTag.FrameType.key : VideoTag.FrameType.inter
            // The remainder goes with the timestamp, so the composition time is the difference of the rest.
            let offset = try compositionMilliseconds(frame)
            if usesLegacy(codec) {
                writer.append([frameType << 4 | VideoTag.avc, VideoTag.codedUnits])
                Self.appendInt24(offset, to: &writer)
                return milliseconds
            }
            let hasOffset = (codec == .h264 || codec == .hevc) && offset != 0
            let isPlain = codec != .h264 && codec != .hevc
            let type: VideoPacketType = hasOffset || isPlain ? .codedFrames : .codedFramesX
            appendTypes(0x80 | frameType << 4, type.rawValue, dts: frame.dts, to: &writer)
            try append(FLVFourCC(codec), to: &writer)
            if hasOffset { Self.appendInt24(offset, to: &writer) }
        }
        return milliseconds
    }

    /// The first byte, with a ModEx in front of the packet type where there are nanoseconds to tell.
    private func appendTypes(_ mode: UInt8, _ packetType: UInt8, dts: MediaTime, to writer: inout SlabWriter) {
        let rest = dts - dts.ticks(rate: 1000) * 1_000_000
        guard writesNanoseconds, rest > 0 else { return writer.append(mode | packetType) }
        writer.append([mode | VideoPacketType.modEx.rawValue, 2])
        Self.appendInt24(Int32(rest), to: &writer)
        writer.append(packetType)
    }

    private func compositionMilliseconds(_ frame: EncodedFrame) throws(FLVError) -> Int32 {
        let difference = frame.pts.ticks(rate: 1000) - frame.dts.ticks(rate: 1000)
        guard let offset = Int32(exactly: difference),
            offset.magnitude <= FLVLimits.maxCompositionMilliseconds.magnitude
        else { throw .compositionTimeOutOfRange(milliseconds: Int32(clamping: difference)) }
        return offset
    }

    private static func appendInt24(_ value: Int32, to writer: inout SlabWriter) {
        for shift in [16, 8, 0] as [Int32] { writer.append(UInt8(truncatingIfNeeded: value >> shift)) }
    }
}
