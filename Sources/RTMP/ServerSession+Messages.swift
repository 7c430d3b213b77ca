import Bytes
import Media

extension RTMPServerSession {
    /// Carries one message out, whatever its type; unknown types and shared objects are passed over.
    mutating func handle(_ message: RTMPMessage, at now: Monotonic) throws(RTMPError) {
        guard let type = message.type else { return }
        switch type {
        case .audio, .video: try handleMedia(message, at: now)
        case .dataAMF0: try handleData(message.payload, timestamp: message.timestamp)
        case .dataAMF3:
            let values = try commandValues(of: message, isAMF3: true, at: now)
            try handleData(SlabSlice(copying: AMF0Writer.encode(values)), timestamp: message.timestamp)
        case .aggregate: try handleAggregate(message, at: now)
        case .commandAMF0: try handleCommand(message, isAMF3: false, at: now)
        case .commandAMF3: try handleCommand(message, isAMF3: true, at: now)
        case .setChunkSize, .abort, .acknowledgement, .userControl, .windowAcknowledgementSize, .setPeerBandwidth:
            try handleControl(message, at: now)
        }
    }

    private mutating func handleControl(_ message: RTMPMessage, at now: Monotonic) throws(RTMPError) {
        try spendControl(message, at: now)
        guard let control = try RTMPControlMessage(message) else { return }
        switch control {
        case .setChunkSize(let size): try chunks.setChunkSize(size)
        case .abort(let id): chunks.abort(chunkStreamID: id)
        case .windowAcknowledgementSize(let bytes): window.set(bytes)
        case .setPeerBandwidth(let bytes, _): outbox.write(.windowAcknowledgementSize(bytes))
        case .pingRequest(let time): outbox.write(.pingResponse(time))
        case .acknowledgement, .streamBegin, .streamEnd, .setBufferLength, .pingResponse, .otherEvent: break
        }
    }

    private func checkCommandSize(_ message: RTMPMessage) throws(RTMPError) {
        guard message.payload.count <= limits.commandBytes else {
            throw .messageTooLarge(bytes: message.payload.count)
        }
    }

    private mutating func spendControl(_ message: RTMPMessage, at now: Monotonic) throws(RTMPError) {
        try checkCommandSize(message)
        guard controlBudget.spend(1, at: now) else { throw .controlBudgetExceeded }
    }

    private mutating func commandValues(
        of message: RTMPMessage, isAMF3: Bool, at now: Monotonic
    ) throws(RTMPError) -> [AMF0Value] {
        try spendControl(message, at: now)
        return try RTMPCommand.readValues(message.payload.bytes, isAMF3: isAMF3, limits: limits.amf)
    }

    private mutating func handleCommand(_ message: RTMPMessage, isAMF3: Bool, at now: Monotonic) throws(RTMPError) {
        let values = try commandValues(of: message, isAMF3: isAMF3, at: now)
        // Some hardware encoders send their metadata as a command.
        if let name = values.first?.stringValue, name == "@setDataFrame" || name == "onMetaData" {
            return try handleData(SlabSlice(copying: AMF0Writer.encode(values)), timestamp: message.timestamp)
        }
        guard let command = RTMPCommand(values) else { return }
        try handle(command, messageStreamID: message.messageStreamID, at: now)
    }

    private mutating func handleMedia(_ message: RTMPMessage, at now: Monotonic) throws(RTMPError) {
        // Encoders send empty messages as keep-alives and end marks.
        guard !message.payload.isEmpty else { return }
        let time = timestamps.unwrap(message.timestamp)
        let event =
            message.type == .audio
            ? RTMPServerEvent.audio(timestampMilliseconds: time, payload: message.payload)
            : .video(timestampMilliseconds: time, payload: message.payload)
        try emit(event, bytes: message.payload.count)
        if timers[.idle] != nil { timers[.idle] = now + limits.idleTimeout }
    }

    private mutating func handleData(_ payload: SlabSlice, timestamp: UInt32) throws(RTMPError) {
        let body = Self.withoutFrameCall(payload)
        guard !body.isEmpty else { return }
        let time = timestamps.resolve(timestamp)
        try emit(.data(timestampMilliseconds: time, payload: body), bytes: body.count)
    }

    /// Data without the leading `@setDataFrame`, which asks servers to keep it; empty for `@clearDataFrame`.
    private static func withoutFrameCall(_ payload: SlabSlice) -> SlabSlice {
        let bytes = payload.bytes
        if bytes.hasPrefix(setDataFrame) { return payload[setDataFrame.count..<payload.count] }
        return bytes.hasPrefix(clearDataFrame) ? payload[0..<0] : payload
    }

    private static let setDataFrame = AMF0Writer.encode([.string("@setDataFrame")])
    private static let clearDataFrame = AMF0Writer.encode([.string("@clearDataFrame")])

    private mutating func emit(_ event: RTMPServerEvent, bytes: Int) throws(RTMPError) {
        switch machine.handle(.mediaReceived) {
        case .deliverMedia: events.append(event)
        case .holdMedia:
            guard events.heldBytes + bytes <= limits.heldBytes else { throw .heldMediaOverflow }
            events.hold(event, bytes: bytes + RTMPLimits.heldMessageBytes)
        default: break
        }
    }

    /// Several messages in one (RTMP 1.0 section 7.1.6): FLV tags with their back pointers. Their times are moved so that the
    /// first has the aggregate's.
    private mutating func handleAggregate(_ message: RTMPMessage, at now: Monotonic) throws(RTMPError) {
        let payload = message.payload
        var offset = 0
        var shift: UInt32?
        while payload.count - offset >= Self.tagHeaderBytes {
            let bytes = payload.bytes
            let typeID = bytes[offset]
            let length = Int(bytes.bigEndian24(at: offset + 1))
            let time = bytes.bigEndian24(at: offset + 4) | UInt32(bytes[offset + 7]) << 24
            let start = offset + Self.tagHeaderBytes
            guard length <= payload.count - start else { throw .malformedAggregate }
            let base = shift ?? (message.timestamp &- time)
            shift = base
            let part = RTMPMessage(
                typeID: typeID, messageStreamID: message.messageStreamID, timestamp: time &+ base,
                payload: payload[start..<start + length])
            switch part.type {
            case .audio, .video: try handleMedia(part, at: now)
            case .dataAMF0: try handleData(part.payload, timestamp: part.timestamp)
            default: break
            }
            // The back pointer behind the last tag is at times left out.
            offset = min(start + length + 4, payload.count)
        }
    }

    /// Type, length, time with its high byte, stream id.
    private static var tagHeaderBytes: Int { 11 }
}

extension RTMPLimits {
    /// What a held message counts besides its payload, so that a flood of tiny ones meets the bound as well.
    static var heldMessageBytes: Int { 256 }
}

extension RawSpan {
    fileprivate func hasPrefix(_ prefix: [UInt8]) -> Bool {
        byteCount >= prefix.count && extracting(0..<prefix.count).elementsEqual(prefix.rawSpan)
    }
}
