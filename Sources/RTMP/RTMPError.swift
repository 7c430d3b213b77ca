package import Media

/// Why an RTMP connection ends. Each of these is final for its connection: there is no way to find the next chunk border in a
/// byte stream that broke the rules once.
package enum RTMPError: Error, Equatable, Sendable {
    /// C0 or S0 names another version than 3. 22 is a TLS client, letters are HTTP, 6 is the encrypted variant.
    case unsupportedVersion(UInt8)
    /// A chunk stream's first header refers to one that was never sent (form 2 or 3).
    case missingMessageHeader(chunkStreamID: Int)
    case tooManyChunkStreams
    case messageTooLarge(bytes: Int)
    case tooManyUnfinishedBytes
    /// Length or type changed inside an unfinished message.
    case messageChanged(chunkStreamID: Int)
    case invalidChunkSize(UInt32)
    case malformedControlMessage(type: UInt8)
    case malformedAggregate
    case malformedCommand(AMF0Error)
    case malformedAMF3(AMF3Error)
    /// A command that needs `connect` came before it.
    case commandBeforeConnect
    case tooManyMessageStreams
    case smallChunkBudgetExceeded
    case controlBudgetExceeded
    case heldMediaOverflow
    case handshakeTimeout
    case publishTimeout
    case idleTimeout
    /// The connection is over already; nothing more is accepted.
    case closed
    /// Client: media was offered before the server accepted the stream or after the end.
    case notPublishing
}

/// Why AMF3 bytes were refused. Offsets count from the start of the AMF3 value.
package enum AMF3Error: Error, Equatable, Sendable {
    case truncated(offset: Int)
    /// XML, vectors, dictionaries and unknown types.
    case unsupportedMarker(UInt8, offset: Int)
    case externalizableClass(offset: Int)
    /// An index into a table that has no such entry, or into a value that is still being read.
    case invalidReference(offset: Int)
    case depthExceeded(offset: Int)
    case nodesExceeded(offset: Int)
    case stringTooLong(offset: Int)
}
