/// Wraps a stream key, token or address so that it reaches a log only as a short tag: the same secret gives the same tag
/// within one process and tells nothing of itself.
public struct Redacted: CustomStringConvertible, Sendable {
    public let description: String

    public init(_ secret: some StringProtocol) {
        var hasher = Hasher()
        hasher.combine(String(secret))
        let tag = String(UInt32(truncatingIfNeeded: hasher.finalize()), radix: 36)
        description = secret.isEmpty ? "(empty)" : "***" + tag
    }

    public init(_ address: TransportAddress) { self.init(address.description) }
}
