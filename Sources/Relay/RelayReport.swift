import Bytes

/// How a child's session came to its end.
package enum RelaySessionEnd: Sendable, Equatable {
    /// As it was meant to, a requested stop included.
    case finished
    /// Whether the same session may do better when it is tried again, and why this one failed.
    case failed(String, isRetryable: Bool)
}

/// What a child tells the main process. `hello` is the first message of a connection and comes once.
package enum RelayReport: Sendable {
    case hello(RelayToken)
    /// The child has done what it can do before a session, and waits for one.
    case ready
    /// The session runs: it takes frames.
    case started
    /// A change of state; kind and bytes are between the two services.
    case report(kind: UInt8, [UInt8])
    /// A row of figures; the bytes are between the two services.
    case statistics([UInt8])
    /// The decoder needs a key frame of the source.
    case keyFrameWanted
    /// The child is done with the present source but not with the session; why, in a sentence.
    case sourceRefused(String)
    /// The session is over; nothing follows.
    case ended(RelaySessionEnd)

    package var type: RelayMessageType {
        switch self {
        case .hello: .hello
        case .ready: .ready
        case .started: .started
        case .report: .report
        case .statistics: .statistics
        case .keyFrameWanted: .keyFrameWanted
        case .sourceRefused: .sourceRefused
        case .ended: .ended
        }
    }
}

// MARK: - Writing

extension RelayReport {
    /// Bytes that `write` will need. Throws when the receiver would refuse the message for its size.
    package func encodedByteCount(_ limits: RelayLimits = RelayLimits()) throws(RelayError) -> Int {
        try type.encodedByteCount(tail: tailBytes(limits), limits)
    }

    /// Writes the message; `output` has room for `encodedByteCount` bytes.
    package func write(_ limits: RelayLimits = RelayLimits(), into output: inout OutputRawSpan) {
        type.writeHeader(tail: tailBytes(limits), into: &output)
        switch self {
        case .hello(let token): output.append(copying: token.bytes)
        case .ready, .started, .keyFrameWanted: break
        case .report(let kind, let bytes):
            output.append(byte: kind)
            output.append(copying: bytes)
        case .statistics(let bytes): output.append(copying: bytes)
        case .sourceRefused(let text): RelayText.write(text, limits, into: &output)
        case .ended(.finished):
            output.append(byte: 0)
            output.append(byte: 0)
        case .ended(.failed(let text, let isRetryable)):
            output.append(byte: 1)
            output.append(byte: isRetryable ? 1 : 0)
            RelayText.write(text, limits, into: &output)
        }
    }

    private func tailBytes(_ limits: RelayLimits) -> Int {
        switch self {
        case .report(_, let bytes), .statistics(let bytes): bytes.count
        case .sourceRefused(let text), .ended(.failed(let text, _)): RelayText.byteCount(text, limits)
        case .hello, .ready, .started, .keyFrameWanted, .ended(.finished): 0
        }
    }
}

// MARK: - Reading

extension RelayReport {
    /// `fixed` holds the type's fixed bytes, `tail` the rest, within its limit.
    init(_ type: RelayMessageType, fixed: RawSpan, tail: SlabSlice) throws(RelayError) {
        switch type {
        case .hello: self = .hello(RelayToken(fixed.copied()))
        case .ready: self = .ready
        case .started: self = .started
        case .report: self = .report(kind: fixed[0], tail.copied())
        case .statistics: self = .statistics(tail.copied())
        case .keyFrameWanted: self = .keyFrameWanted
        case .sourceRefused: self = .sourceRefused(try RelayText.read(tail.bytes, of: type))
        case .ended where fixed[0] == 0:
            guard fixed[1] == 0, tail.isEmpty else { throw .malformed(type) }
            self = .ended(.finished)
        case .ended:
            guard fixed[0] == 1, fixed[1] <= 1 else { throw .malformed(type) }
            self = .ended(.failed(try RelayText.read(tail.bytes, of: type), isRetryable: fixed[1] == 1))
        case .start, .sourceBegan, .videoConfiguration, .audioConfiguration, .frame, .sourceEnded, .requestStop,
            .setLogLevel:
            throw .unexpectedMessage(type)
        }
    }
}
