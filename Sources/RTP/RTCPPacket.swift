import Bytes

/// The packet types of RTCP that are known here (IANA registry of RTCP control packet types).
package enum RTCPType {
    package static let senderReport: UInt8 = 200
    package static let receiverReport: UInt8 = 201
    package static let sourceDescription: UInt8 = 202
    package static let goodbye: UInt8 = 203
    /// RFC 4585 transport layer feedback: NACK, transport-wide feedback.
    package static let transportFeedback: UInt8 = 205
    /// RFC 4585 payload-specific feedback: PLI, FIR, REMB.
    package static let payloadFeedback: UInt8 = 206
    /// RFC 3611.
    package static let extendedReport: UInt8 = 207
}

/// One packet of a compound RTCP datagram, as a view; its typed readers stand with their types.
package struct RTCPPacket: ~Escapable {
    /// See `RTCPType`.
    package let type: UInt8
    /// The five bits behind version and padding: a count of blocks, or the feedback message type.
    package let count: UInt8
    /// Behind the four-byte header, without padding.
    package let body: RawSpan

    @_lifetime(copy body)
    init(type: UInt8, count: UInt8, body: RawSpan) {
        self.type = type
        self.count = count
        self.body = body
    }

    /// The packet does not hold what its type asks for.
    var malformed: RTPError { .badControlPacket(type: type) }

    func require(_ bytes: Int) throws(RTPError) {
        guard body.byteCount >= bytes else { throw malformed }
    }

    /// The header of a packet whose body has `bodyBytes`, a multiple of four.
    static func writeHeader(type: UInt8, count: UInt8, bodyBytes: Int, into output: inout OutputRawSpan) {
        precondition(bodyBytes % 4 == 0 && count < 32, "RTCP bodies are whole words with five-bit counts")
        output.append(0x80 | count)
        output.append(type)
        output.append(bigEndian: UInt16(truncatingIfNeeded: bodyBytes / 4))
    }

    /// Sets the length of the packet that begins at `start` to all that was written since: whole words.
    static func patchLength(from start: Int, in output: inout OutputRawSpan) {
        let bytes = output.byteCount - start
        precondition(bytes % 4 == 0 && bytes >= 4, "RTCP packets are whole words")
        output.patch(bigEndian: UInt16(truncatingIfNeeded: bytes / 4 - 1), at: start + 2)
    }
}

/// Walks the packets of a compound RTCP datagram (RFC 3550 section 6.1). A single feedback packet alone is fine (RFC
/// 5506).
package struct RTCPReader: ~Escapable {
    private let datagram: RawSpan
    private var offset = 0
    private var packetsRead = 0

    @_lifetime(copy datagram)
    package init(_ datagram: RawSpan) { self.datagram = datagram }

    /// The next packet; nil at the end. After an error the walk is over.
    @_lifetime(copy self)
    package mutating func next() throws(RTPError) -> RTCPPacket? {
        let at = offset
        guard at < datagram.byteCount else { return nil }
        offset = datagram.byteCount
        guard datagram.byteCount - at >= 4 else { throw .truncated(offset: at) }
        guard packetsRead < RTPLimits.maxCompoundPackets else { throw .overLimit }
        packetsRead += 1
        let first = datagram[at]
        guard first >> 6 == 2 else { throw .badVersion(first >> 6) }
        let length = Int(datagram.bigEndian(at: at + 2, as: UInt16.self)) * 4
        guard length <= datagram.byteCount - at - 4 else { throw .truncated(offset: at) }
        offset = at + 4 + length
        var padding = 0
        if first & 0x20 != 0 {
            guard length > 0 else { throw .badPadding }
            padding = Int(datagram[offset - 1])
            // RFC 3550 wants multiples of four here; senders of transport-wide feedback pad by one to three bytes.
            guard padding > 0, padding <= length else { throw .badPadding }
        }
        let body = datagram.extracting(at + 4..<offset - padding)
        return RTCPPacket(type: datagram[at + 1], count: first & 0x1F, body: body)
    }
}
