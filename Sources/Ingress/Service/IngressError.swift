package import PSRPC

/// A failure with what every outside party is told of it: a text that LiveKit's own service would give, the code of the RPC, whose
/// fault it is in the eyes of an encoder, and whether another try may help.
package struct IngressError: Error, Equatable, Sendable {
    package var code: PSRPCCode
    /// Goes into `IngressState.error` and into RPC answers.
    package var text: String
    /// What the person at the encoder should do about it; the text where nothing better is known.
    package var advice: String
    package var isRetryable = false

    package init(_ code: PSRPCCode, _ text: String, advice: String? = nil, isRetryable: Bool = false) {
        self.code = code
        self.text = text
        self.advice = advice ?? text
        self.isRetryable = isRetryable
    }
}

extension IngressError {
    package static let missingStreamKey = IngressError(
        .invalidArgument, "missing stream key",
        advice: "No stream key: put it into the encoder's stream key field, or behind the last slash of the URL.")
    package static let shuttingDown = IngressError(
        .unavailable, "server shutting down", advice: "This server is shutting down; another will take the stream.")
    package static let disabled = IngressError(
        .permissionDenied, "session is disabled", advice: "This ingress is disabled; enable it to publish.")
    package static let invalidType = IngressError(
        .invalidArgument, "invalid ingress type",
        advice: "This stream key belongs to an ingress of another type: use the URL that was created with it.")
    package static let capacityExceeded = IngressError(
        .resourceExhausted, "server capacity exceeded", advice: "This server has no capacity left for another stream.")
    package static let sourceNotReady = IngressError(
        .failedPrecondition, "source encoder not ready",
        advice: "The encoder sent nothing for a minute.")
    package static let roomDisconnected = IngressError(.notAcceptable, "room disconnected")
    package static let roomDisconnectedUnexpectedly = IngressError(
        .unavailable, "room disconnected unexpectedly", isRetryable: true)

    package static func invalidIngress(_ what: String) -> IngressError {
        IngressError(.invalidArgument, "invalid ingress: " + what)
    }
    package static func invalidBypass(_ what: String) -> IngressError {
        IngressError(.invalidArgument, "invalid transcoding bypass configuration: " + what)
    }
    package static func invalidVideo(_ what: String) -> IngressError {
        IngressError(.invalidArgument, "invalid video parameters: " + what)
    }
    package static func invalidAudio(_ what: String) -> IngressError {
        IngressError(.invalidArgument, "invalid audio parameters: " + what)
    }

    /// What asking the server for an ingress failed with.
    package init(lookup error: PSRPCError) {
        switch error.code {
        case .notFound:
            self.init(error.code, error.message, advice: "This stream key is not known here.")
        case .unavailable, .deadlineExceeded, .canceled:
            self.init(
                error.code, error.message,
                advice: "The stream key could not be checked: Redis or LiveKit does not answer. Try again.")
        default: self.init(error.code, error.message)
        }
    }
}

extension IngressError {
    /// How an encoder is refused.
    package var refusal: PublishRefusal {
        let fault: PublishRefusal.Fault =
            switch code {
            case .notFound, .invalidArgument: .key
            case .permissionDenied, .unauthenticated: .denied
            case .resourceExhausted: .capacity
            case .unavailable where text == IngressError.shuttingDown.text: .stopping
            default: .server
            }
        return PublishRefusal(fault, advice)
    }

    /// The label of upstream's `publish_status` counter: codes of the caller's fault count as 4xx, all others as internal.
    package var publishStatus: PublishStatus {
        switch code {
        case .malformedRequest, .invalidArgument, .notFound, .notAcceptable, .alreadyExists, .permissionDenied,
            .resourceExhausted, .failedPrecondition, .aborted, .outOfRange, .unauthenticated, .unprocessableEntity:
            .clientError
        default: .internalError
        }
    }
}

/// Values of the label `status` of `livekit_ingress_publish_status`.
package enum PublishStatus: String, Sendable, CaseIterable {
    case success
    case clientError = "4xx"
    case serverError = "5xx"
    case internalError = "internal"
}
