public import Bytes

/// The fixed header of an RTP packet (RFC 3550 section 5.1), with the places of the parts that follow it.
///
/// Reading checks every length once; afterwards `payload(of:)` and the extension reader slice without failing. Writing
/// appends the twelve fixed bytes alone.
public struct RTPHeader: Equatable, Sendable {
    public static let byteCount = 12

    public var marker: Bool
    /// Seven bits.
    public var payloadType: UInt8
    public var sequenceNumber: UInt16
    /// In ticks of the payload's clock, with a random offset.
    public var timestamp: UInt32
    public var ssrc: UInt32

    /// The 16 bits "defined by profile" of the extension block; nil without one.
    public private(set) var extensionProfile: UInt16?
    /// The extension block's bytes behind its four-byte header, as offsets in the packet.
    public private(set) var extensionRange: Range<Int> = 0..<0
    /// Without header, extensions and padding.
    public private(set) var payloadRange: Range<Int> = 0..<0
    public private(set) var paddingCount: Int = 0

    @inlinable
    public init(marker: Bool, payloadType: UInt8, sequenceNumber: UInt16, timestamp: UInt32, ssrc: UInt32) {
        self.marker = marker
        self.payloadType = payloadType & 0x7F
        self.sequenceNumber = sequenceNumber
        self.timestamp = timestamp
        self.ssrc = ssrc
    }

    /// Parses the header of a whole packet. The padding count stands in the packet's last byte, so that it must be
    /// decrypted before.
    public init(parsing packet: RawSpan) throws(RTPError) {
        guard packet.byteCount >= Self.byteCount else { throw .truncated(offset: 0) }
        let first = packet[0]
        guard first >> 6 == 2 else { throw .badVersion(first >> 6) }
        let second = packet[1]
        self.init(
            marker: second & 0x80 != 0, payloadType: second,
            sequenceNumber: packet.bigEndian(at: 2, as: UInt16.self),
            timestamp: packet.bigEndian(at: 4, as: UInt32.self), ssrc: packet.bigEndian(at: 8, as: UInt32.self))
        var offset = Self.byteCount + Int(first & 0x0F) * 4
        if first & 0x10 != 0 {
            guard packet.byteCount >= offset + 4 else { throw .truncated(offset: offset) }
            let length = Int(packet.bigEndian(at: offset + 2, as: UInt16.self)) * 4
            guard packet.byteCount - offset - 4 >= length else { throw .truncated(offset: offset) }
            extensionProfile = packet.bigEndian(at: offset, as: UInt16.self)
            extensionRange = offset + 4..<offset + 4 + length
            offset += 4 + length
        }
        guard packet.byteCount >= offset else { throw .truncated(offset: Self.byteCount) }
        if first & 0x20 != 0 {
            guard packet.byteCount > offset else { throw .badPadding }
            paddingCount = Int(packet[packet.byteCount - 1])
            guard paddingCount > 0, paddingCount <= packet.byteCount - offset else { throw .badPadding }
        }
        payloadRange = offset..<packet.byteCount - paddingCount
    }

    /// The payload of the packet that this header was parsed from, without padding.
    @inlinable
    @_lifetime(copy packet)
    public func payload(of packet: RawSpan) -> RawSpan { packet.extracting(payloadRange) }

    /// Appends the fixed header without contributing sources. With `hasExtension` the caller appends the extension
    /// block next; with `hasPadding` padding last, whose last byte is its count.
    @inlinable
    public func write(hasExtension: Bool, hasPadding: Bool = false, into output: inout OutputRawSpan) {
        output.append(0x80 | (hasExtension ? 0x10 as UInt8 : 0) | (hasPadding ? 0x20 : 0))
        output.append((marker ? 0x80 : 0) | payloadType)
        output.append(bigEndian: sequenceNumber)
        output.append(bigEndian: timestamp)
        output.append(bigEndian: ssrc)
    }
}
