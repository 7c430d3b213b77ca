import Bytes

/// One Opus packet is one RTP payload (RFC 7587 section 4.2). The marker stays clear: without discontinuous
/// transmission no packet begins a talk spurt.
package enum OpusPacketizer {
    static func cut(_ bytes: RawSpan, _ maxBytes: Int, into fragments: inout [PayloadFragment]) throws(RTPError) {
        guard bytes.byteCount > 0 else { return }
        guard bytes.byteCount <= maxBytes else { throw .overLimit }
        try fragments.add(PayloadFragment(range: 0..<bytes.byteCount))
    }
}
