package import Bytes
import Media

/// Codes for a refused publish that encoders show to their users or act upon.
package enum RTMPPublishRefusal: String, Sendable, CaseIterable {
    /// Unknown or malformed stream key; also one in use already.
    case badName = "NetStream.Publish.BadName"
    case denied = "NetStream.Publish.Denied"
    case rejected = "NetStream.Publish.Rejected"
    /// The server cannot take the stream for reasons of its own.
    case failed = "NetStream.Publish.Failed"
}

extension RTMPServerSession {
    /// What the server announces on `connect`: the window in bytes, and the size of its own chunks.
    static var announcedWindow: UInt32 { 2_500_000 }
    static var announcedChunkBytes: UInt32 { 4096 }

    /// Allows the publish request. Held media follows as events. Without effect when no request is open.
    package mutating func acceptPublish(at now: Monotonic) {
        guard case .startPublish(let id) = machine.handle(.publishAccepted) else { return }
        outbox.write(.streamBegin(id))
        writeStatus("NetStream.Publish.Start", "Publishing has begun.", messageStreamID: id)
        events.release()
        timers[.idle] = now + limits.idleTimeout
    }

    /// Refuses the publish request with a text for the encoder's user, and closes. Without effect when no request is open.
    package mutating func rejectPublish(_ refusal: RTMPPublishRefusal, description: String) {
        guard case .refusePublish(let id) = machine.handle(.publishRejected) else { return }
        events.dropHeld()
        writeStatus(refusal.rawValue, description, level: "error", messageStreamID: id)
    }

    /// Ends the connection from this side, with a text for the encoder's user.
    package mutating func close(description: String) {
        guard machine.handle(.closeRequested) == .sayGoodbye else { return }
        events.dropHeld()
        writeStatus("NetConnection.Connect.AppShutdown", description, level: "error", messageStreamID: 0)
    }

    /// Asks the encoder to connect anew, to `tcURL` if given, and to go on until then (E-RTMP v2 "Reconnect Request"). False when
    /// the encoder does not know how to.
    package mutating func requestReconnect(tcURL: String?, description: String) -> Bool {
        guard case .publishing(let request, _) = machine.state, request.extendedCapabilities & 1 != 0 else {
            return false
        }
        writeStatus(
            "NetConnection.Connect.ReconnectRequest", description, messageStreamID: 0,
            more: tcURL.map { [AMF0Property("tcUrl", .string($0))] } ?? [])
        return true
    }

    mutating func handle(_ command: RTMPCommand, messageStreamID: UInt32, at now: Monotonic) throws(RTMPError) {
        switch command.name {
        case "connect": try perform(.connectReceived(RTMPConnectRequest(command.object)), command, at: now)
        case "publish": try publish(command, messageStreamID: messageStreamID, at: now)
        case "FCUnpublish":
            answer(command, .undefined)
            writeFCStatus("onFCUnpublish", "NetStream.Unpublish.Success", of: command)
            try perform(.unpublishReceived, command, at: now)
        case "deleteStream":
            let id = command.arguments.first?.integerValue.flatMap { UInt32(exactly: $0) }
            try perform(.endReceived(messageStreamID: id), command, at: now)
        case "closeStream": try perform(.endReceived(messageStreamID: nil), command, at: now)
        case "_result", "_error", "onStatus", "onFCPublish", "onFCUnpublish", "onBWDone": break
        default: try perform(.callReceived, command, at: now)
        }
    }

    private mutating func publish(_ command: RTMPCommand, messageStreamID: UInt32, at now: Monotonic) throws(RTMPError)
    {
        let action = machine.handle(.publishReceived(messageStreamID: messageStreamID))
        switch action {
        case .requestDecision(let connect):
            timers[.publish] = nil
            let name = command.arguments.first?.stringValue ?? ""
            let type = command.arguments.count > 1 ? command.arguments[1].stringValue : nil
            let request = RTMPPublishRequest(connect: connect, name: name, publishType: type ?? "live")
            events.append(.publishRequested(request))
        case .refuseSecondPublish:
            writeStatus(
                RTMPPublishRefusal.badName.rawValue, "This connection publishes a stream already.", level: "error",
                messageStreamID: messageStreamID)
        case .fail(let error): throw error
        default: break
        }
    }

    private mutating func perform(
        _ event: ServerStateMachine.Event, _ command: RTMPCommand, at now: Monotonic
    ) throws(RTMPError) {
        switch machine.handle(event) {
        case .answerConnect(let request): answerConnect(request, command)
        case .answerCall: try answerCall(command)
        case .refuseCall: refuse(command)
        case .endPublish(let id):
            events.dropHeld()
            events.append(.publishEnded)
            writeStatus("NetStream.Unpublish.Success", "The stream has ended.", messageStreamID: id)
            timers.removeAll()
            timers[.linger] = now + limits.lingerTimeout
        case .fail(let error): throw error
        default: break
        }
    }

    private mutating func answerConnect(_ request: RTMPConnectRequest, _ command: RTMPCommand) {
        chunks.formThreeKeepsTimestamp = request.usesLibrtmp
        outbox.write(.windowAcknowledgementSize(Self.announcedWindow))
        outbox.write(.setPeerBandwidth(Self.announcedWindow, limitType: 2))
        outbox.write(.setChunkSize(Self.announcedChunkBytes))
        // Enhanced encoders look for the server's abilities in either object; others get a short answer.
        let enhanced = request.isEnhanced ? capabilities.properties : []
        let properties: [AMF0Property] = [
            AMF0Property("fmsVer", .string("FMS/3,0,1,123")), AMF0Property("capabilities", .number(31)),
        ]
        var information = Self.status("NetConnection.Connect.Success", "Connection succeeded.", level: "status")
        information.append(AMF0Property("objectEncoding", .number(Double(request.objectEncoding))))
        outbox.write(
            RTMPCommand(
                "_result", transactionID: command.transactionID, object: .object(properties + enhanced),
                arguments: [.object(information + enhanced)]))
    }

    /// The calls that encoders make around a publish, answered as they expect it.
    private mutating func answerCall(_ command: RTMPCommand) throws(RTMPError) {
        switch command.name {
        case "createStream":
            createdStreams += 1
            guard createdStreams <= limits.messageStreams else { throw .tooManyMessageStreams }
            answer(command, .number(Double(createdStreams)))
        case "releaseStream", "_checkbw", "checkBandwidth": answer(command, .undefined)
        case "FCPublish":
            answer(command, .undefined)
            writeFCStatus("onFCPublish", "NetStream.Publish.Start", of: command)
        case "getStreamLength": answer(command, .number(0))
        case "play", "play2":
            writeStatus(
                "NetStream.Play.StreamNotFound", "This server takes streams and plays none.", level: "error",
                messageStreamID: 0)
        default: refuse(command)
        }
    }

    /// `_result`, when the caller waits for one.
    private mutating func answer(_ command: RTMPCommand, _ value: AMF0Value) {
        guard command.transactionID != 0 else { return }
        outbox.write(RTMPCommand("_result", transactionID: command.transactionID, arguments: [value]))
    }

    private mutating func refuse(_ command: RTMPCommand) {
        guard command.transactionID != 0 else { return }
        let text = "The server knows no call of this name or cannot make it now."
        outbox.write(
            RTMPCommand(
                "_error", transactionID: command.transactionID,
                arguments: [.object(Self.status("NetConnection.Call.Failed", text, level: "error"))]))
    }

    private mutating func writeFCStatus(_ name: String, _ code: String, of command: RTMPCommand) {
        let stream = command.arguments.first?.stringValue ?? ""
        outbox.write(
            RTMPCommand(
                name, transactionID: 0,
                arguments: [
                    .object([AMF0Property("code", .string(code)), AMF0Property("description", .string(stream))])
                ]))
    }

    private mutating func writeStatus(
        _ code: String, _ description: String, level: String = "status", messageStreamID: UInt32,
        more: [AMF0Property] = []
    ) {
        let information = Self.status(code, description, level: level) + more
        outbox.write(
            RTMPCommand("onStatus", transactionID: 0, arguments: [.object(information)]),
            messageStreamID: messageStreamID)
    }

    private static func status(_ code: String, _ description: String, level: String) -> [AMF0Property] {
        [
            AMF0Property("level", .string(level)), AMF0Property("code", .string(code)),
            AMF0Property("description", .string(description)),
        ]
    }
}
