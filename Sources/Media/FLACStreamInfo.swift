import Bytes

/// STREAMINFO of FLAC (RFC 9639 section 8.2).
package struct FLACStreamInfo: Equatable, Sendable {
    package static let byteCount = 34

    /// Samples a second.
    package var sampleRate: Int
    package var channels: Int
    package var bitsPerSample: Int

    /// Where the block stands in a sequence header: FFmpeg sends it alone, the specification of enhanced RTMP asks for
    /// the stream marker and the block's header in front.
    package static func range(in header: RawSpan) throws(MediaError) -> Range<Int> {
        if header.byteCount == byteCount { return 0..<byteCount }
        guard header.byteCount >= 8 + byteCount else { throw .truncated(offset: header.byteCount) }
        guard header.bigEndian(at: 0, as: UInt32.self) == 0x664C_6143, header[4] & 0x7F == 0 else {
            throw .malformed(.flacStreamInfo)
        }
        return 8..<8 + byteCount
    }

    /// `block` is STREAMINFO alone.
    package init(_ block: RawSpan) throws(MediaError) {
        var bits = HeaderBits(block)
        try bits.skipBits(80)  // block and frame sizes
        sampleRate = Int(try bits.readBits(20))
        channels = Int(try bits.readBits(3)) + 1
        bitsPerSample = Int(try bits.readBits(5)) + 1
        guard sampleRate > 0, bitsPerSample >= 4 else { throw .malformed(.flacStreamInfo) }
    }
}
