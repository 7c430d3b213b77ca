import Bytes

/// The start of a VP8 frame (RFC 6386 section 9.1).
package struct VP8FrameHeader: Equatable, Sendable {
    package var isKey: Bool
    /// Pixels; nil unless it is a key frame. The upscaling hint is left out.
    package var size: VideoSize?

    package init(_ frame: RawSpan) throws(MediaError) {
        guard frame.byteCount >= 3 else { throw .truncated(offset: 0) }
        isKey = frame[0] & 1 == 0
        guard isKey else { return }
        guard frame.byteCount >= 10 else { throw .truncated(offset: 3) }
        guard frame[3] == 0x9D, frame[4] == 0x01, frame[5] == 0x2A else { throw .malformed(.vp8FrameHeader) }
        let width = Int(frame[6]) | Int(frame[7] & 0x3F) << 8
        let height = Int(frame[8]) | Int(frame[9] & 0x3F) << 8
        guard width > 0, height > 0 else { throw .malformed(.vp8FrameHeader) }
        size = VideoSize(width: width, height: height)
    }
}

/// The start of a VP9 frame (VP9 bitstream specification section 6.2).
package struct VP9FrameHeader: Equatable, Sendable {
    /// 0…3.
    package var profile: UInt8
    package var isKey = false
    /// Pixels; nil unless it is a key frame.
    package var size: VideoSize?

    package init(_ frame: RawSpan) throws(MediaError) {
        var bits = HeaderBits(frame)
        guard try bits.readBits(2) == 2 else { throw .malformed(.vp9FrameHeader) }
        let low = UInt8(try bits.readBits(1))
        profile = low | UInt8(try bits.readBits(1)) << 1
        if profile == 3, try bits.readFlag() { throw .malformed(.vp9FrameHeader) }
        if try bits.readFlag() { return }  // show_existing_frame
        isKey = !(try bits.readFlag())
        try bits.skipBits(2)  // show_frame, error_resilient_mode
        guard isKey else { return }
        guard try bits.readBits(24) == 0x49_83_42 else { throw .malformed(.vp9FrameHeader) }
        try skipColor(&bits)
        let width = Int(try bits.readBits(16)) + 1
        let height = Int(try bits.readBits(16)) + 1
        guard width <= MediaLimits.maxDimension, height <= MediaLimits.maxDimension else {
            throw .overLimit(.vp9FrameHeader)
        }
        size = VideoSize(width: width, height: height)
    }

    /// color_config (section 6.2.2).
    private func skipColor(_ bits: inout HeaderBits) throws(MediaError) {
        if profile >= 2 { try bits.skipBits(1) }  // ten_or_twelve_bit
        let isRGB = try bits.readBits(3) == 7
        if !isRGB { try bits.skipBits(1) }  // color_range
        // Profiles 1 and 3 have subsampling flags and a reserved bit, for RGB the reserved bit alone.
        if profile & 1 == 1 { try bits.skipBits(isRGB ? 1 : 3) }
    }
}

/// VPCodecConfigurationRecord (VP codecs in ISOBMFF), with the version and flags in front as FLV carries it.
package struct VPConfiguration: Equatable, Sendable {
    package var profile: UInt8
    /// Ten times the level; 0 is unknown.
    package var level: UInt8
    /// Bits a sample.
    package var bitDepth: UInt8

    package init(_ record: RawSpan) throws(MediaError) {
        var reader = HeaderReader(record)
        guard try reader.readUInt32() >> 24 == 1 else { throw .malformed(.vpConfiguration) }
        profile = try reader.readUInt8()
        level = try reader.readUInt8()
        bitDepth = try reader.readUInt8() >> 4
    }

    package init(profile: UInt8, level: UInt8, bitDepth: UInt8) {
        self.profile = profile
        self.level = level
        self.bitDepth = bitDepth
    }

    /// The record's bytes, for 4:2:0 with colours unspecified.
    package func encoded() -> [UInt8] { [1, 0, 0, 0, profile, level, bitDepth << 4 | 1 << 1, 2, 2, 2, 0, 0] }
}
