/// Turns 32-bit millisecond timestamps into 64-bit ones that do not wrap. Audio and video of a connection share one.
///
/// Some encoders keep 31 bits only and fall to 0 after 24.8 days. Since 2^31 divides 2^32, steps are taken modulo 2^31, which
/// serves both kinds and leaves room for steps of 12.4 days either way.
package struct TimestampUnwrapper {
    private var last: Int64?

    package init() {}

    /// The 64-bit time nearest to the last one; it becomes the last one.
    package mutating func unwrap(_ timestamp: UInt32) -> Int64 {
        let value = resolve(timestamp)
        last = value
        return value
    }

    /// The same without remembering: for data messages, whose timestamp is often 0 at any time.
    package func resolve(_ timestamp: UInt32) -> Int64 {
        guard let last else { return Int64(timestamp) }
        let difference = (timestamp &- UInt32(truncatingIfNeeded: last)) << 1
        return last &+ Int64(Int32(bitPattern: difference) >> 1)
    }
}
