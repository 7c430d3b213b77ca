package import SDP
package import WebRTC

/// Why a request was refused; each case has its HTTP status.
package enum WHIPError: Error, Equatable, Sendable {
    /// No such path, stream or resource.
    case notFound
    /// The stream asks for a credential, and none or a wrong one came.
    case unauthorized
    case forbidden
    /// `allow` lists what the path knows.
    case methodNotAllowed(allow: String)
    case bodyTooLarge(limitBytes: Int)
    /// `expected` is the media type to send.
    case unsupportedMediaType(expected: String)
    case malformedPath
    /// The body is no session description.
    case malformedOffer(SDPError)
    /// The body is a session description that cannot be answered.
    case unusableOffer(MediaPlanError)
    /// The layer is none of q, h and f, or the body that should name it is no such JSON.
    case malformedLayer
    /// The stream has no such layer.
    case noSuchLayer
    /// `If-Match` names another state of the resource.
    case preconditionFailed
    /// Too many viewers, or the service is stopping.
    case unavailable
    case internalFault

    package var status: Int {
        switch self {
        case .malformedPath, .malformedOffer, .malformedLayer: 400
        case .unusableOffer(let error): error == .noCommonCodec ? 406 : 400
        case .unauthorized: 401
        case .forbidden: 403
        case .notFound: 404
        case .methodNotAllowed: 405
        case .noSuchLayer: 409
        case .preconditionFailed: 412
        case .bodyTooLarge: 413
        case .unsupportedMediaType: 415
        case .internalFault: 500
        case .unavailable: 503
        }
    }
}

extension WHIPError: CustomStringConvertible {
    /// One sentence for the client; tells nothing of other sessions.
    package var description: String {
        switch self {
        case .notFound: "There is no such stream or resource."
        case .unauthorized: "This stream needs a valid bearer token."
        case .forbidden: "This is not allowed."
        case .methodNotAllowed(let allow): "Use one of \(allow)."
        case .bodyTooLarge(let limit): "The body is longer than \(limit) bytes."
        case .unsupportedMediaType(let expected): "The body must be \(expected)."
        case .malformedPath: "The path or query is malformed."
        case .malformedOffer(let error): error.description
        case .unusableOffer(let error): error.description
        case .malformedLayer: "The layer must be q, h or f; in a body as {\"layer\":\"q\"}."
        case .noSuchLayer: "The stream does not have this layer."
        case .preconditionFailed: "The resource has changed: If-Match does not name its entity tag."
        case .unavailable: "No more viewers can be served now."
        case .internalFault: "The request failed."
        }
    }
}
