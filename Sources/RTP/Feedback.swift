import Bytes

/// Feedback messages of RFC 4585, RFC 5104 and draft-alvestrand-rmcat-remb. `sender` is the SSRC of whoever reports,
/// `media` that of the stream meant.
package enum Feedback {
    package static let nackFormat: UInt8 = 1
    package static let transportWideFormat: UInt8 = 15
    package static let pictureLossFormat: UInt8 = 1
    package static let fullIntraFormat: UInt8 = 4
    package static let applicationFormat: UInt8 = 15
    /// "REMB".
    static let bitrateMagic: UInt32 = 0x5245_4D42

    /// Appends a generic NACK (RFC 4585 section 6.2.1) and returns how many of `sequenceNumbers` it holds: those from
    /// the start whose words fit into `maxBytes`. Ascending order, across the wrap, packs best.
    package static func writeNack(
        sender: UInt32, media: UInt32, sequenceNumbers: [UInt16], maxBytes: Int, into output: inout OutputRawSpan
    ) -> Int {
        var taken = 0
        let start = output.byteCount
        writeHead(RTCPType.transportFeedback, nackFormat, 0, sender, media, &output)
        while taken < sequenceNumbers.count, output.byteCount - start + 4 <= maxBytes {
            let first = sequenceNumbers[taken]
            taken += 1
            var mask: UInt16 = 0
            while taken < sequenceNumbers.count {
                let distance = sequenceNumbers[taken] &- first
                guard (1...16).contains(distance) else { break }
                mask |= 1 << (distance - 1)
                taken += 1
            }
            output.append(bigEndian: UInt32(first) << 16 | UInt32(mask))
        }
        RTCPPacket.patchLength(from: start, in: &output)
        return taken
    }

    /// RFC 4585 section 6.3.1.
    package static func writePictureLoss(sender: UInt32, media: UInt32, into output: inout OutputRawSpan) {
        writeHead(RTCPType.payloadFeedback, pictureLossFormat, 0, sender, media, &output)
    }

    /// RFC 5104 section 4.3.1; `sequence` tells repeats of one request from a new request.
    package static func writeFullIntra(
        sender: UInt32, media: UInt32, sequence: UInt8, into output: inout OutputRawSpan
    ) {
        writeHead(RTCPType.payloadFeedback, fullIntraFormat, 8, sender, 0, &output)
        output.append(bigEndian: media)
        output.append(bigEndian: UInt32(sequence) << 24)
    }

    /// Receiver-estimated maximum bitrate, bits a second, for at most 255 streams. Rounded down to 18 significant bits.
    package static func writeBitrate(
        sender: UInt32, bitsPerSecond: UInt64, ssrcs: [UInt32], into output: inout OutputRawSpan
    ) {
        writeHead(RTCPType.payloadFeedback, applicationFormat, 8 + ssrcs.count * 4, sender, 0, &output)
        output.append(bigEndian: bitrateMagic)
        let exponent = max(0, 64 - bitsPerSecond.leadingZeroBitCount - 18)
        let mantissa = UInt32(truncatingIfNeeded: bitsPerSecond >> UInt64(exponent))
        output.append(UInt8(truncatingIfNeeded: ssrcs.count))
        output.append(uint24: UInt32(exponent) << 18 | mantissa)
        for ssrc in ssrcs { output.append(bigEndian: ssrc) }
    }

    static func writeHead(
        _ type: UInt8, _ format: UInt8, _ detailBytes: Int, _ sender: UInt32, _ media: UInt32,
        _ output: inout OutputRawSpan
    ) {
        RTCPPacket.writeHeader(type: type, count: format, bodyBytes: 8 + detailBytes, into: &output)
        output.append(bigEndian: sender)
        output.append(bigEndian: media)
    }
}

extension RTCPPacket {
    /// The SSRCs at the start of every feedback message.
    package func feedbackSources() throws(RTPError) -> (sender: UInt32, media: UInt32) {
        try require(8)
        return (body.bigEndian(at: 0, as: UInt32.self), body.bigEndian(at: 4, as: UInt32.self))
    }

    package var isNack: Bool { type == RTCPType.transportFeedback && count == Feedback.nackFormat }
    package var isTransportWide: Bool { type == RTCPType.transportFeedback && count == Feedback.transportWideFormat }
    package var isPictureLoss: Bool { type == RTCPType.payloadFeedback && count == Feedback.pictureLossFormat }
    package var isFullIntra: Bool { type == RTCPType.payloadFeedback && count == Feedback.fullIntraFormat }

    /// The sequence numbers of a generic NACK, in the order of its words.
    package func forEachNacked(_ visit: (UInt16) -> Void) throws(RTPError) {
        guard isNack else { throw malformed }
        try require(8)
        let words = (body.byteCount - 8) / 4
        guard words <= RTPLimits.maxNackWords else { throw .overLimit }
        for index in 0..<words {
            let word = body.bigEndian(at: 8 + index * 4, as: UInt32.self)
            let first = UInt16(word >> 16)
            visit(first)
            for bit in 0..<16 as Range<UInt16> where word >> UInt32(bit) & 1 == 1 { visit(first &+ bit &+ 1) }
        }
    }

    /// The requests of a FIR: which source, and the number that tells a repeat from a new request.
    package func forEachFullIntra(_ visit: (_ ssrc: UInt32, _ sequence: UInt8) -> Void) throws(RTPError) {
        guard isFullIntra else { throw malformed }
        try require(8)
        for offset in stride(from: 8, to: body.byteCount - 7, by: 8) {
            visit(body.bigEndian(at: offset, as: UInt32.self), body[offset + 4])
        }
    }

    /// The bitrate of a REMB in bits a second, saturating; nil when the packet is another application message.
    package func maximumBitrate() throws(RTPError) -> UInt64? {
        guard type == RTCPType.payloadFeedback, count == Feedback.applicationFormat else { return nil }
        guard body.byteCount >= 12, body.bigEndian(at: 8, as: UInt32.self) == Feedback.bitrateMagic else { return nil }
        try require(16)
        try require(16 + Int(body[12]) * 4)
        let word = body.uint24(at: 13)
        let (exponent, mantissa) = (UInt64(word >> 18), UInt64(word & 0x3FFFF))
        let isTooLarge = mantissa != 0 && exponent > UInt64(mantissa.leadingZeroBitCount)
        return isTooLarge ? .max : mantissa << exponent
    }
}
