import FoundationEssentials
import LiveKitProtocol
import SwiftProtobuf

/// Every payload on Redis: the type's name and the message. A Go peer ends when a known but wrong type comes on a channel,
/// so the types here are written by the one function that belongs to their channel.
package enum Envelope: Equatable, Sendable {
    case request(Internal_Request)
    case response(Internal_Response)
    case claimRequest(Internal_ClaimRequest)
    case claimResponse(Internal_ClaimResponse)

    private static let prefix = "type.googleapis.com/"

    /// Nil for anything that is too long, malformed, or of another type; all of it is to be dropped without a word.
    package init?(parsing payload: [UInt8], limits: PSRPCLimits = PSRPCLimits()) {
        guard payload.count <= limits.messageBytes, let outer = try? Internal_Msg(parsing: payload) else { return nil }
        // Whatever stands before the last slash, as for google.protobuf.Any.
        guard let slash = outer.typeURL.utf8.lastIndex(of: 0x2F) else { return nil }
        let value = [UInt8](outer.value)
        let parsed: Envelope?
        switch String(outer.typeURL[outer.typeURL.utf8.index(after: slash)...]) {
        case Internal_Request.protoMessageName: parsed = (try? Internal_Request(parsing: value)).map { .request($0) }
        case Internal_Response.protoMessageName: parsed = (try? Internal_Response(parsing: value)).map { .response($0) }
        case Internal_ClaimRequest.protoMessageName:
            parsed = (try? Internal_ClaimRequest(parsing: value)).map { .claimRequest($0) }
        case Internal_ClaimResponse.protoMessageName:
            parsed = (try? Internal_ClaimResponse(parsing: value)).map { .claimResponse($0) }
        default: parsed = nil
        }
        guard let parsed, parsed.hasUsableIdentifiers(limits) else { return nil }
        self = parsed
    }

    /// The payload to publish.
    package func wireBytes() -> [UInt8] {
        switch self {
        case .request(let message): Self.wrap(message)
        case .response(let message): Self.wrap(message)
        case .claimRequest(let message): Self.wrap(message)
        case .claimResponse(let message): Self.wrap(message)
        }
    }

    private static func wrap<Inner: Message>(_ message: Inner) -> [UInt8] {
        var outer = Internal_Msg()
        outer.typeURL = prefix + Inner.protoMessageName
        outer.value = Data(message.wireBytes())
        return outer.wireBytes()
    }

    private func hasUsableIdentifiers(_ limits: PSRPCLimits) -> Bool {
        let identifiers =
            switch self {
            case .request(let message): [message.requestID, message.clientID]
            case .response(let message): [message.requestID]
            case .claimRequest(let message): [message.requestID, message.serverID]
            case .claimResponse(let message): [message.requestID]
            }
        return identifiers.allSatisfy { !$0.isEmpty && $0.utf8.count <= limits.identifierBytes }
    }
}

extension Internal_Request {
    init(id: String, client: String, body: [UInt8], isMulti: Bool, sent: Int64, expiry: Int64) {
        self.init()
        requestID = id
        clientID = client
        sentAt = sent
        self.expiry = expiry
        multi = isMulti
        rawRequest = Data(body)
    }

    var body: [UInt8] { [UInt8](rawRequest) }
}

extension Internal_Response {
    init(to id: String, server: String, sent: Int64, _ result: Result<[UInt8], PSRPCError>) {
        self.init()
        requestID = id
        serverID = server
        sentAt = sent
        switch result {
        case .success(let body): rawResponse = Data(body)
        case .failure(let failure):
            // A failure without a text would be read as a success.
            error = failure.message.isEmpty ? failure.code.rawValue : failure.message
            code = failure.code.rawValue
        }
    }

    var result: Result<[UInt8], PSRPCError> {
        error.isEmpty ? .success([UInt8](rawResponse)) : .failure(PSRPCError(PSRPCCode(wire: code), error))
    }
}

extension Internal_ClaimRequest {
    init(for id: String, server: String, affinity: Float) {
        self.init()
        requestID = id
        serverID = server
        self.affinity = affinity
    }
}

extension Internal_ClaimResponse {
    init(for id: String, server: String) {
        self.init()
        requestID = id
        serverID = server
    }
}
