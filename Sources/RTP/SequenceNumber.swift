/// Counts on where a wrapping counter on the wire starts over: RTP sequence numbers and timestamps.
///
/// Each value is taken to be the one nearest to the highest value before it. Values older than the very first come out
/// below it, possibly negative.
public struct WrapCounter<Wire: FixedWidthInteger & UnsignedInteger & Sendable>: Sendable {
    @usableFromInline var newest: Int64?

    @inlinable
    public init() {}

    /// The highest value so far, unwrapped; nil before the first.
    @inlinable
    public var highest: Int64? { newest }

    @inlinable
    public mutating func unwrap(_ value: Wire) -> Int64 {
        let unwrapped = peek(value)
        if unwrapped > newest ?? .min { newest = unwrapped }
        return unwrapped
    }

    /// As `unwrap`, without moving on.
    @inlinable
    public func peek(_ value: Wire) -> Int64 {
        guard let newest else { return Int64(value) }
        let half = Int64(1) << Int64(Wire.bitWidth - 1)
        let forward = Int64(value &- Wire(truncatingIfNeeded: newest))
        return newest &+ (forward < half ? forward : forward - 2 * half)
    }
}

public typealias SequenceCounter = WrapCounter<UInt16>
public typealias TimestampCounter = WrapCounter<UInt32>

extension FixedWidthInteger where Self: UnsignedInteger {
    /// Serial-number order (RFC 1982): less than half of the number range ahead of `other`.
    @inlinable
    public func isAhead(of other: Self) -> Bool {
        let distance = self &- other
        return distance != 0 && distance < 1 << (Self.bitWidth - 1)
    }
}
