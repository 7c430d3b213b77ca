package import Bytes

/// One reassembled RTMP message (RTMP 1.0 section 6.1).
package struct RTMPMessage: Sendable {
    package var typeID: UInt8
    package var messageStreamID: UInt32
    /// Milliseconds, absolute, modulo 2^32.
    package var timestamp: UInt32
    package var payload: SlabSlice

    package init(typeID: UInt8, messageStreamID: UInt32, timestamp: UInt32, payload: SlabSlice) {
        self.typeID = typeID
        self.messageStreamID = messageStreamID
        self.timestamp = timestamp
        self.payload = payload
    }

    package var type: RTMPMessageType? { RTMPMessageType(rawValue: typeID) }
}

/// Message type ids (RTMP 1.0 sections 5.4 and 7.1).
package enum RTMPMessageType: UInt8 {
    case setChunkSize = 1
    case abort = 2
    case acknowledgement = 3
    case userControl = 4
    case windowAcknowledgementSize = 5
    case setPeerBandwidth = 6
    case audio = 8
    case video = 9
    case dataAMF3 = 15
    case commandAMF3 = 17
    case dataAMF0 = 18
    case commandAMF0 = 20
    case aggregate = 22
}

/// The content of a protocol control message (section 5.4) or user control message (section 7.1.7).
package enum RTMPControlMessage: Equatable {
    case setChunkSize(UInt32)
    /// Chunk stream whose unfinished message is given up.
    case abort(UInt32)
    case acknowledgement(UInt32)
    case windowAcknowledgementSize(UInt32)
    /// Limit types: 0 hard, 1 soft, 2 dynamic.
    case setPeerBandwidth(UInt32, limitType: UInt8)
    case streamBegin(UInt32)
    case streamEnd(UInt32)
    case setBufferLength(UInt32, milliseconds: UInt32)
    case pingRequest(UInt32)
    case pingResponse(UInt32)
    /// An event type that publishing does not need.
    case otherEvent(UInt16)

    /// Nil for messages that are no control messages.
    package init?(_ message: RTMPMessage) throws(RTMPError) {
        guard let type = message.type else { return nil }
        var reader = ByteReader(message.payload.bytes)
        do {
            switch type {
            case .setChunkSize: self = .setChunkSize(try reader.readUInt32())
            case .abort: self = .abort(try reader.readUInt32())
            case .acknowledgement: self = .acknowledgement(try reader.readUInt32())
            case .windowAcknowledgementSize: self = .windowAcknowledgementSize(try reader.readUInt32())
            case .setPeerBandwidth:
                // Some encoders leave the limit type out.
                self = .setPeerBandwidth(try reader.readUInt32(), limitType: reader.peek() ?? 2)
            case .userControl: self = try Self.userControl(&reader)
            default: return nil
            }
        } catch { throw .malformedControlMessage(type: message.typeID) }
    }

    @_lifetime(reader: copy reader)
    private static func userControl(_ reader: inout ByteReader) throws(Truncated) -> RTMPControlMessage {
        let event = try reader.readUInt16()
        switch event {
        case 0: return .streamBegin(try reader.readUInt32())
        case 1: return .streamEnd(try reader.readUInt32())
        case 3: return .setBufferLength(try reader.readUInt32(), milliseconds: try reader.readUInt32())
        case 6: return .pingRequest(try reader.readUInt32())
        case 7: return .pingResponse(try reader.readUInt32())
        default: return .otherEvent(event)
        }
    }

    package var type: RTMPMessageType {
        switch self {
        case .setChunkSize: .setChunkSize
        case .abort: .abort
        case .acknowledgement: .acknowledgement
        case .windowAcknowledgementSize: .windowAcknowledgementSize
        case .setPeerBandwidth: .setPeerBandwidth
        case .streamBegin, .streamEnd, .setBufferLength, .pingRequest, .pingResponse, .otherEvent: .userControl
        }
    }

    /// The message's payload.
    package var payload: [UInt8] {
        var writer = ByteWriter(reservingCapacity: 10)
        switch self {
        case .setChunkSize(let value), .abort(let value), .acknowledgement(let value),
            .windowAcknowledgementSize(let value):
            writer.write(value)
        case .setPeerBandwidth(let value, let limitType):
            writer.write(value)
            writer.write(limitType)
        case .streamBegin(let id): writer.writeEvent(0, id)
        case .streamEnd(let id): writer.writeEvent(1, id)
        case .setBufferLength(let id, let milliseconds):
            writer.writeEvent(3, id)
            writer.write(milliseconds)
        case .pingRequest(let time): writer.writeEvent(6, time)
        case .pingResponse(let time): writer.writeEvent(7, time)
        case .otherEvent(let event): writer.write(event)
        }
        return writer.bytes
    }
}

extension ByteWriter {
    fileprivate mutating func writeEvent(_ event: UInt16, _ value: UInt32) {
        write(event)
        write(value)
    }
}
