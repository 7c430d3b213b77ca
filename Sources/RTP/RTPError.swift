/// Why a packet or a frame was refused. Always the peer's fault, and never worse than losing that packet.
public enum RTPError: Error, Equatable, Sendable {
    /// The bytes end before a field that starts at `offset`.
    case truncated(offset: Int)
    /// The version field, the first two bits, is not 2.
    case badVersion(UInt8)
    /// The padding count is zero or larger than what it pads (RFC 3550 section 5.1).
    case badPadding
    /// A header extension element leaves its block (RFC 8285 section 4).
    case badExtension(offset: Int)
    /// An RTCP packet's fields contradict its length or its definition.
    case badControlPacket(type: UInt8)
    /// A payload does not follow its payload format.
    case badPayload
    /// A count is legal but above the bound of `RTPLimits`.
    case overLimit
}
