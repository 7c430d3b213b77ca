package import SDP
package import WebRTC

/// Why a request was refused; each case has its HTTP status.
package enum WHIPError: Error, Equatable, Sendable {
    /// No such path, stream or resource.
    case notFound
    /// A publisher's key that belongs to no stream.
    case unknownKey
    /// A publisher without a key.
    case missingKey
    /// The stream asks for a credential, and none or a wrong one came.
    case unauthorized
    /// The key or token is not the one that the resource was made with.
    case forbidden
    /// The stream is there, and switched off.
    case disabled
    /// `allow` lists what the path knows.
    case methodNotAllowed(allow: String)
    /// The client refuses answers of this media type.
    case notAcceptable(offered: String)
    case bodyTooLarge(limitBytes: Int)
    /// `expected` is the media type to send.
    case unsupportedMediaType(expected: String)
    case malformedPath
    case emptyBody(expected: String)
    /// The body is no session description.
    case malformedOffer(SDPError)
    /// The body is a session description that cannot be answered.
    case unusableOffer(MediaPlanError)
    /// The body is no fragment.
    case malformedFragment(SDPError)
    /// The body is a fragment, and not one for this session.
    case unusableFragment(FragmentFault)
    case trickleUnsupported
    case restartUnsupported
    /// The layer is none of q, h and f, or the body that should name it is no such JSON.
    case malformedLayer
    /// The stream has no such layer.
    case noSuchLayer
    /// Another encoder holds the stream.
    case conflict
    /// `If-Match` names another state of the resource.
    case preconditionFailed
    /// `If-Match` is missing.
    case preconditionRequired
    /// From this address, in this time.
    case tooManyRequests(retryAfterSeconds: Int)
    /// This machine has no room for what the session would cost.
    case capacityExceeded
    /// Too many sessions of all.
    case unavailable
    case shuttingDown
    /// Whoever decides on publishers said no, in a sentence for the person at the encoder.
    case refused(status: Int, sentence: String)
    /// What another server, which has to judge, answered; `text` is cut and cleaned before it is shown.
    case upstream(status: Int, text: String)
    case internalFault

    package enum FragmentFault: Equatable, Sendable {
        /// Only one of user name and password is new, or one of them is missing.
        case halfCredentials
        /// Sections do not agree on user name and password.
        case severalCredentials
        /// Shorter or longer than RFC 8839 section 5.4 lets them be.
        case credentialLength
        case unknownSection
    }

    package var status: Int {
        switch self {
        case .malformedPath, .malformedOffer, .malformedLayer, .malformedFragment, .emptyBody: 400
        case .unusableOffer(let error): error == .noCommonCodec ? 422 : 400
        case .unauthorized, .missingKey: 401
        case .forbidden, .disabled: 403
        case .notFound, .unknownKey: 404
        case .methodNotAllowed: 405
        case .notAcceptable: 406
        case .noSuchLayer, .conflict: 409
        case .preconditionFailed: 412
        case .bodyTooLarge: 413
        case .unsupportedMediaType: 415
        case .unusableFragment, .trickleUnsupported, .restartUnsupported: 422
        case .preconditionRequired: 428
        case .tooManyRequests, .capacityExceeded: 429
        case .internalFault: 500
        case .refused(let status, _): status
        case .upstream(let status, _): (400...599).contains(status) ? status : 502
        case .unavailable, .shuttingDown: 503
        }
    }

    /// After how long asking again may have another outcome.
    package var retryAfterSeconds: Int? {
        switch self {
        case .unavailable: 2
        case .shuttingDown: 5
        case .capacityExceeded: 10
        case .tooManyRequests(let seconds): max(1, seconds)
        case .refused(let status, _) where status == 503: 5
        case .upstream where status == 429 || status == 503: 5
        default: nil
        }
    }
}

extension WHIPError: CustomStringConvertible {
    /// One sentence for the client that says what to change; tells nothing of other sessions.
    package var description: String {
        switch self {
        case .notFound: "There is no such stream or resource: check the URL."
        case .unknownKey: "No stream has this key: copy the stream key once more, all of it."
        case .missingKey: "The stream key is missing: set it as bearer token, or as the last part of the URL."
        case .unauthorized: "This stream needs a valid bearer token."
        case .forbidden: "The key or token is not the one that this session was started with."
        case .disabled: "This stream is switched off: enable it, or publish with another key."
        case .methodNotAllowed(let allow): "The method does not fit: use one of \(allow)."
        case .notAcceptable(let offered): "The answer is \(offered), which the Accept header refuses: add it there."
        case .bodyTooLarge(let limit): "The body is longer than \(limit) bytes."
        case .unsupportedMediaType(let expected): "The body must be \(expected): set Content-Type accordingly."
        case .malformedPath: "The path or query is malformed: check the URL for a broken %-escape."
        case .emptyBody(let expected): "The body is empty: send \(expected)."
        case .malformedOffer(let error): error.description
        case .unusableOffer(let error): error.description
        case .malformedFragment(let error): error.description
        case .unusableFragment(let fault): fault.description
        case .trickleUnsupported:
            "This session takes no further candidates: send all of them in the offer, or restart ICE."
        case .restartUnsupported: "This session cannot restart ICE: end it and publish anew."
        case .malformedLayer: "The layer must be q, h or f; in a body as {\"layer\":\"q\"}."
        case .noSuchLayer: "The stream does not have this layer."
        case .conflict: "Another encoder is publishing with this key: stop that one, or use another key."
        case .preconditionFailed: "The resource has changed: If-Match does not name its entity tag."
        case .preconditionRequired: "If-Match is missing: send the entity tag of the session, or * to restart ICE."
        case .tooManyRequests(let seconds):
            "Too many requests or sessions from this address: wait \(max(1, seconds)) s before the next."
        case .capacityExceeded: "The server has no capacity left for this stream: try again later."
        case .unavailable: "No more sessions can be served now: try again later."
        case .shuttingDown: "The server is shutting down: try again, another one may answer."
        case .refused(_, let sentence): sentence
        case .upstream(let status, let text): "The LiveKit server refused with \(status)\(Self.shown(text))"
        case .internalFault: "The request failed; the fault is the server's."
        }
    }

    /// Printable, short, and on one line.
    private static func shown(_ text: String) -> String {
        let printable = text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? " " : $0 }
        var shown = ""
        for scalar in printable where shown.utf8.count < WHIPLimits.upstreamTextBytes {
            shown.unicodeScalars.append(scalar)
        }
        return shown.trimmed.isEmpty ? "." : ": " + shown.trimmed
    }
}

extension WHIPError.FragmentFault: CustomStringConvertible {
    package var description: String {
        switch self {
        case .halfCredentials: "ice-ufrag and ice-pwd belong together: both stay as they are, or both are new."
        case .severalCredentials: "The sections do not agree on ice-ufrag and ice-pwd: a bundle has one pair."
        case .credentialLength:
            "ice-ufrag has \(WHIPLimits.iceUfrag.lowerBound) to 256 characters, ice-pwd "
                + "\(WHIPLimits.icePassword.lowerBound) to 256."
        case .unknownSection: "A mid of the fragment is not one of the offer's."
        }
    }
}
