package import Bytes
package import Media

/// What one peer may cost. Every number that a peer announces meets one of these before it allocates, loops or waits.
package struct RTMPLimits: Sendable {
    /// Chunk streams in use on one connection (RTMP 1.0 section 5.3.1.1 allows 65,597).
    package var chunkStreams = 64
    /// Bytes of one message (section 6.1.1 allows 16 MiB - 1).
    package var messageBytes = 16 * 1024 * 1024
    /// Bytes received so far of all unfinished messages of one connection.
    package var unfinishedBytes = 24 * 1024 * 1024
    /// A larger chunk size is accepted and clamped to this (section 5.4.1).
    package var chunkBytes = 16 * 1024 * 1024
    /// Depth, nodes and string bytes of each command; the same numbers hold for AMF3.
    package var amf = AMF0Limits()
    /// Bytes of one control or command message; metadata and media are bound by `messageBytes`.
    package var commandBytes = 256 * 1024
    /// Message streams that one connection may create.
    package var messageStreams = 8
    /// Chunks per second with fewer than `smallChunkBytes` of payload. Larger chunks pay for themselves, so no chunk size is
    /// refused as such; chunks of a byte each exhaust this budget instead of the processor.
    package var smallChunksPerSecond = 50_000
    package var smallChunkBytes = 64
    /// Control and command messages per second.
    package var controlMessagesPerSecond = 200
    /// Media kept while the driver decides about the publish request. From `heldBytesPause` on the driver should stop reading
    /// from the socket; past `heldBytes` the connection fails.
    package var heldBytesPause = 4 * 1024 * 1024
    package var heldBytes = 16 * 1024 * 1024

    /// From the first byte's arrival chance to the end of the handshake.
    package var handshakeTimeout = Interval.seconds(5)
    /// From the end of the handshake to the publish command.
    package var publishTimeout = Interval.seconds(10)
    /// Without audio or video while publishing.
    package var idleTimeout = Interval.seconds(30)
    /// From FCUnpublish to deleteStream, which encoders send right behind it and do not like to find the door closed for.
    package var lingerTimeout = Interval.seconds(2)

    package init() {}
}

/// Counts uses per second of the caller's clock.
package struct RateBudget {
    package let perSecond: Int
    private var windowStart = Monotonic.zero
    private var used = 0

    package init(perSecond: Int) { self.perSecond = perSecond }

    /// False when the budget of the running second is exceeded.
    package mutating func spend(_ count: Int, at now: Monotonic) -> Bool {
        if now - windowStart >= .seconds(1) {
            windowStart = now
            used = 0
        }
        used += count
        return used <= perSecond
    }
}
