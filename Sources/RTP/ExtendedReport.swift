import Bytes

/// The two blocks of RFC 3611 by which a pure receiver measures the round trip: it sends a reference time (section
/// 4.4), the sender answers with the time passed since (section 4.5).
package enum ExtendedReport {
    static let referenceTimeBlock: UInt8 = 4
    static let delayBlock: UInt8 = 5
    package static let delayReportByteCount = 24
    package static let referenceTimeReportByteCount = 20

    /// One sub-block of a DLRR block.
    package struct Delay: Hashable, Sendable {
        /// Who sent the reference time.
        package var ssrc: UInt32
        /// `NTPTime.compact` of that reference time.
        package var lastReport: UInt32
        /// Time since its arrival, in 1/65,536 s.
        package var delay: UInt32

        package init(ssrc: UInt32, lastReport: UInt32, delay: UInt32) {
            self.ssrc = ssrc
            self.lastReport = lastReport
            self.delay = delay
        }
    }

    /// Appends a report with one DLRR sub-block.
    package static func write(_ delay: Delay, sender: UInt32, into output: inout OutputRawSpan) {
        writeHead(sender: sender, block: delayBlock, blockBytes: 12, into: &output)
        output.append(bigEndian: delay.ssrc)
        output.append(bigEndian: delay.lastReport)
        output.append(bigEndian: delay.delay)
    }

    /// Appends a report with a receiver reference time.
    package static func write(referenceTime: NTPTime, sender: UInt32, into output: inout OutputRawSpan) {
        writeHead(sender: sender, block: referenceTimeBlock, blockBytes: 8, into: &output)
        output.append(bigEndian: referenceTime.rawValue)
    }

    private static func writeHead(sender: UInt32, block: UInt8, blockBytes: Int, into output: inout OutputRawSpan) {
        RTCPPacket.writeHeader(type: RTCPType.extendedReport, count: 0, bodyBytes: 8 + blockBytes, into: &output)
        output.append(bigEndian: sender)
        output.append(block)
        output.append(0 as UInt8)
        output.append(bigEndian: UInt16(truncatingIfNeeded: blockBytes / 4))
    }
}

extension RTCPPacket {
    /// What an extended report says: its sender, the reference time if it has one, and each DLRR sub-block to `visit`.
    /// Other blocks are passed over.
    package func extendedReport(
        _ visit: (ExtendedReport.Delay) -> Void
    ) throws(RTPError) -> (sender: UInt32, referenceTime: NTPTime?) {
        guard type == RTCPType.extendedReport else { throw malformed }
        try require(4)
        var referenceTime: NTPTime?
        var offset = 4
        while offset < body.byteCount {
            try require(offset + 4)
            let length = Int(body.bigEndian(at: offset + 2, as: UInt16.self)) * 4
            let start = offset + 4
            try require(start + length)
            switch body[offset] {
            case ExtendedReport.referenceTimeBlock:
                guard length == 8 else { throw malformed }
                referenceTime = NTPTime(rawValue: body.bigEndian(at: start, as: UInt64.self))
            case ExtendedReport.delayBlock:
                guard length % 12 == 0 else { throw malformed }
                for at in stride(from: start, to: start + length, by: 12) {
                    visit(
                        ExtendedReport.Delay(
                            ssrc: body.bigEndian(at: at, as: UInt32.self),
                            lastReport: body.bigEndian(at: at + 4, as: UInt32.self),
                            delay: body.bigEndian(at: at + 8, as: UInt32.self)))
                }
            default: break
            }
            offset = start + length
        }
        return (body.bigEndian(at: 0, as: UInt32.self), referenceTime)
    }
}
