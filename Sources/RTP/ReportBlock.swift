package import Bytes

/// What one receiver saw of one source (RFC 3550 section 6.4.1).
package struct ReportBlock: Hashable, Sendable {
    package static let byteCount = 24

    /// The source that the block is about.
    package var ssrc: UInt32
    /// Loss since the previous report, in 1/256.
    package var fractionLost: UInt8
    /// 24 bits, signed: duplicates may make it negative.
    package var cumulativeLost: Int32
    /// Highest sequence number received, with the count of its wraps above it.
    package var highestSequence: UInt32
    /// Interarrival jitter in ticks of the source's clock.
    package var jitter: UInt32
    /// `NTPTime.compact` of the last sender report; 0 before the first.
    package var lastSenderReport: UInt32
    /// Time between that report's arrival and this block, in 1/65,536 s.
    package var delaySinceSenderReport: UInt32

    package init(
        ssrc: UInt32, fractionLost: UInt8 = 0, cumulativeLost: Int32 = 0, highestSequence: UInt32 = 0,
        jitter: UInt32 = 0,
        lastSenderReport: UInt32 = 0, delaySinceSenderReport: UInt32 = 0
    ) {
        self.ssrc = ssrc
        self.fractionLost = fractionLost
        self.cumulativeLost = cumulativeLost
        self.highestSequence = highestSequence
        self.jitter = jitter
        self.lastSenderReport = lastSenderReport
        self.delaySinceSenderReport = delaySinceSenderReport
    }

    /// `bytes` has at least 24 bytes from `offset` on; traps otherwise.
    init(_ bytes: RawSpan, at offset: Int) {
        ssrc = bytes.bigEndian(at: offset, as: UInt32.self)
        fractionLost = bytes[offset + 4]
        cumulativeLost = Int32(bitPattern: bytes.uint24(at: offset + 5) << 8) >> 8
        highestSequence = bytes.bigEndian(at: offset + 8, as: UInt32.self)
        jitter = bytes.bigEndian(at: offset + 12, as: UInt32.self)
        lastSenderReport = bytes.bigEndian(at: offset + 16, as: UInt32.self)
        delaySinceSenderReport = bytes.bigEndian(at: offset + 20, as: UInt32.self)
    }

    func write(into output: inout OutputRawSpan) {
        output.append(bigEndian: ssrc)
        output.append(fractionLost)
        output.append(uint24: UInt32(bitPattern: min(max(cumulativeLost, -0x80_0000), 0x7F_FFFF)))
        output.append(bigEndian: highestSequence)
        output.append(bigEndian: jitter)
        output.append(bigEndian: lastSenderReport)
        output.append(bigEndian: delaySinceSenderReport)
    }

    /// Round-trip time when the block arrived at `arrival` on the clock of the sender reports; nil before the first
    /// sender report, and when the peer's numbers give a negative time.
    package func roundTrip(arrival: NTPTime) -> Interval? {
        guard lastSenderReport != 0 else { return nil }
        let interval = NTPTime.interval(compact: arrival.compact &- lastSenderReport &- delaySinceSenderReport)
        return interval < .zero ? nil : interval
    }
}

/// RFC 3550 section 6.4.1, without its report blocks.
package struct SenderReport: Hashable, Sendable {
    package static let byteCount = 28

    package var ssrc: UInt32
    package var ntp: NTPTime
    /// The same instant as `ntp` on the source's RTP clock.
    package var rtpTimestamp: UInt32
    package var packetCount: UInt32
    /// Payload bytes.
    package var octetCount: UInt32

    package init(ssrc: UInt32, ntp: NTPTime, rtpTimestamp: UInt32, packetCount: UInt32, octetCount: UInt32) {
        self.ssrc = ssrc
        self.ntp = ntp
        self.rtpTimestamp = rtpTimestamp
        self.packetCount = packetCount
        self.octetCount = octetCount
    }

    /// Appends a report without report blocks.
    package func write(into output: inout OutputRawSpan) {
        RTCPPacket.writeHeader(type: RTCPType.senderReport, count: 0, bodyBytes: Self.byteCount - 4, into: &output)
        output.append(bigEndian: ssrc)
        output.append(bigEndian: ntp.rawValue)
        output.append(bigEndian: rtpTimestamp)
        output.append(bigEndian: packetCount)
        output.append(bigEndian: octetCount)
    }
}

/// RFC 3550 section 6.4.2.
package enum ReceiverReport {
    /// Appends a report with at most 31 blocks.
    package static func write(ssrc: UInt32, blocks: [ReportBlock], into output: inout OutputRawSpan) {
        RTCPPacket.writeHeader(
            type: RTCPType.receiverReport, count: UInt8(truncatingIfNeeded: blocks.count),
            bodyBytes: 4 + blocks.count * ReportBlock.byteCount, into: &output)
        output.append(bigEndian: ssrc)
        for block in blocks { block.write(into: &output) }
    }
}

extension RTCPPacket {
    /// Of a packet of type 200.
    package func senderReport() throws(RTPError) -> SenderReport {
        guard type == RTCPType.senderReport else { throw malformed }
        try require(SenderReport.byteCount - 4)
        return SenderReport(
            ssrc: body.bigEndian(at: 0, as: UInt32.self),
            ntp: NTPTime(rawValue: body.bigEndian(at: 4, as: UInt64.self)),
            rtpTimestamp: body.bigEndian(at: 12, as: UInt32.self),
            packetCount: body.bigEndian(at: 16, as: UInt32.self), octetCount: body.bigEndian(at: 20, as: UInt32.self))
    }

    /// The blocks of a sender or receiver report, at most 31, in order.
    package func forEachReportBlock(_ visit: (ReportBlock) -> Void) throws(RTPError) {
        let first: Int
        switch type {
        case RTCPType.senderReport: first = SenderReport.byteCount - 4
        case RTCPType.receiverReport: first = 4
        default: throw malformed
        }
        try require(first + Int(count) * ReportBlock.byteCount)
        for index in 0..<Int(count) { visit(ReportBlock(body, at: first + index * ReportBlock.byteCount)) }
    }
}
