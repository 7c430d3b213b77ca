package import Bytes
package import Media

/// How a source ended, as the main process saw it.
package enum RelaySourceEnd: Sendable, Equatable {
    /// The encoder said goodbye.
    case finished
    /// The connection went away.
    case disconnected
    /// A newer publisher of the same key took over.
    case replaced
    case serverStopping
    case failed(String)
}

/// What the main process tells a child.
///
/// One `start` opens a session. Sources come and go within it, each with its configurations before its frames.
package enum RelayCommand: Sendable {
    /// The session that the child is to run; what the bytes say is between the two services.
    case start(specification: [UInt8])
    /// A publisher is there; what its encoder calls itself.
    case sourceBegan(encoder: String)
    case videoConfiguration(VideoConfiguration)
    case audioConfiguration(AudioConfiguration)
    /// A frame with the source's own times. `arrivedAt`: when its last byte reached the main process, on the clock that
    /// both processes share.
    case frame(EncodedFrame, arrivedAt: Monotonic)
    case sourceEnded(RelaySourceEnd)
    /// The session is to end; the code says why and is between the two services.
    case requestStop(code: UInt8)
    /// The level's number is between the two services.
    case setLogLevel(UInt8)

    package var type: RelayMessageType {
        switch self {
        case .start: .start
        case .sourceBegan: .sourceBegan
        case .videoConfiguration: .videoConfiguration
        case .audioConfiguration: .audioConfiguration
        case .frame: .frame
        case .sourceEnded: .sourceEnded
        case .requestStop: .requestStop
        case .setLogLevel: .setLogLevel
        }
    }
}

// MARK: - Writing

extension RelayCommand {
    /// Bytes that `write` will need. Throws when the receiver would refuse the message for its size.
    package func encodedByteCount(_ limits: RelayLimits = RelayLimits()) throws(RelayError) -> Int {
        try type.encodedByteCount(tail: tailBytes(limits), limits)
    }

    /// Writes the message; `output` has room for `encodedByteCount` bytes.
    package func write(_ limits: RelayLimits = RelayLimits(), into output: inout OutputRawSpan) {
        type.writeHeader(tail: tailBytes(limits), into: &output)
        switch self {
        case .start(let specification): output.append(copying: specification)
        case .sourceBegan(let encoder): RelayText.write(encoder, limits, into: &output)
        case .videoConfiguration(let configuration):
            output.append(byte: configuration.codec.relayCode)
            Self.write(configuration.record, into: &output) { _ in }
        case .audioConfiguration(let configuration): Self.write(configuration, limits, into: &output)
        case .frame(let frame, let arrivedAt): Self.write(frame, arrivedAt, into: &output)
        case .sourceEnded(let end):
            output.append(byte: end.relayCode)
            if case .failed(let text) = end { RelayText.write(text, limits, into: &output) }
        case .requestStop(let code): output.append(byte: code)
        case .setLogLevel(let level): output.append(byte: level)
        }
    }

    private func tailBytes(_ limits: RelayLimits) -> Int {
        switch self {
        case .start(let specification): specification.count
        case .sourceBegan(let encoder): RelayText.byteCount(encoder, limits)
        case .videoConfiguration(let configuration): configuration.record?.count ?? 0
        case .audioConfiguration(let configuration): configuration.record?.count ?? 0
        case .frame(let frame, _): frame.payload.count
        case .sourceEnded(.failed(let text)): RelayText.byteCount(text, limits)
        case .sourceEnded, .requestStop, .setLogLevel: 0
        }
    }

    /// Whether there is a record, what stands between, and the record.
    private static func write(
        _ record: SlabSlice?, into output: inout OutputRawSpan, between fields: (inout OutputRawSpan) -> Void
    ) {
        output.append(byte: record == nil ? 0 : 1)
        fields(&output)
        if let record { output.append(copying: record.bytes) }
    }

    private static func write(
        _ configuration: AudioConfiguration, _ limits: RelayLimits, into output: inout OutputRawSpan
    ) {
        // Outside of what any codec knows counts as unknown, which is 0.
        let isKnownRate = (0...limits.sampleRate).contains(configuration.sampleRate)
        output.append(byte: configuration.codec.relayCode)
        write(configuration.record, into: &output) { output in
            output.append(bigEndian: isKnownRate ? UInt32(truncatingIfNeeded: configuration.sampleRate) : 0)
            output.append(byte: UInt8(exactly: configuration.channels) ?? 0)
        }
    }

    private static func write(_ frame: EncodedFrame, _ arrivedAt: Monotonic, into output: inout OutputRawSpan) {
        output.append(byte: frame.codec.relayCode)
        output.append(byte: frame.isKey ? 1 : 0)
        output.append(bigEndian: UInt64(bitPattern: frame.dts))
        output.append(bigEndian: UInt64(bitPattern: frame.pts))
        output.append(bigEndian: UInt64(bitPattern: arrivedAt.nanoseconds))
        output.append(copying: frame.payload.bytes)
    }
}

// MARK: - Reading

extension RelayCommand {
    /// `fixed` holds the type's fixed bytes, `tail` the rest, within its limit.
    init(
        _ type: RelayMessageType, fixed: RawSpan, tail: SlabSlice, _ limits: RelayLimits
    ) throws(RelayError) {
        switch type {
        case .start: self = .start(specification: tail.copied())
        case .sourceBegan: self = .sourceBegan(encoder: try RelayText.read(tail.bytes, of: type))
        case .videoConfiguration:
            guard let codec = VideoCodec(relayCode: fixed[0]) else { throw .malformed(type) }
            let record = try Self.record(tail, isThere: fixed[1], of: type)
            self = .videoConfiguration(VideoConfiguration(codec: codec, record: record))
        case .audioConfiguration:
            guard let codec = AudioCodec(relayCode: fixed[0]) else { throw .malformed(type) }
            let sampleRate = Int(fixed.bigEndian(at: 2, as: UInt32.self))
            guard sampleRate <= limits.sampleRate else { throw .malformed(type) }
            self = .audioConfiguration(
                AudioConfiguration(
                    codec: codec, record: try Self.record(tail, isThere: fixed[1], of: type), sampleRate: sampleRate,
                    channels: Int(fixed[6])))
        case .frame:
            guard let codec = EncodedFrame.Codec(relayCode: fixed[0]), fixed[1] <= 1 else { throw .malformed(type) }
            let frame = EncodedFrame(
                codec: codec, pts: fixed.bigEndian(at: 10, as: Int64.self), dts: fixed.bigEndian(at: 2, as: Int64.self),
                isKey: fixed[1] == 1, payload: tail)
            self = .frame(frame, arrivedAt: Monotonic(nanoseconds: fixed.bigEndian(at: 18, as: Int64.self)))
        case .sourceEnded: self = .sourceEnded(try RelaySourceEnd(code: fixed[0], tail.bytes))
        case .requestStop: self = .requestStop(code: fixed[0])
        case .setLogLevel: self = .setLogLevel(fixed[0])
        case .hello, .ready, .started, .report, .statistics, .keyFrameWanted, .sourceRefused, .ended:
            throw .unexpectedMessage(type)
        }
    }

    private static func record(
        _ tail: SlabSlice, isThere flag: UInt8, of type: RelayMessageType
    ) throws(RelayError) -> SlabSlice? {
        guard flag == 1 || (flag == 0 && tail.isEmpty) else { throw .malformed(type) }
        return flag == 1 ? tail : nil
    }
}

extension RelaySourceEnd {
    var relayCode: UInt8 {
        switch self {
        case .finished: 0
        case .disconnected: 1
        case .replaced: 2
        case .serverStopping: 3
        case .failed: 4
        }
    }

    init(code: UInt8, _ text: RawSpan) throws(RelayError) {
        switch code {
        case 0: self = .finished
        case 1: self = .disconnected
        case 2: self = .replaced
        case 3: self = .serverStopping
        case 4: self = .failed(try RelayText.read(text, of: .sourceEnded))
        default: throw .malformed(.sourceEnded)
        }
        guard code == 4 || text.byteCount == 0 else { throw .malformed(.sourceEnded) }
    }
}
