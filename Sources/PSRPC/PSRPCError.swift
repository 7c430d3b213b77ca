/// How a call failed; the raw value is what goes over the wire.
package enum PSRPCCode: String, Sendable, CaseIterable {
    case canceled
    case malformedRequest = "malformed_request"
    case malformedResult = "malformed_result"
    case deadlineExceeded = "deadline_exceeded"
    case unavailable
    case unknown
    case invalidArgument = "invalid_argument"
    case notFound = "not_found"
    case notAcceptable = "not_acceptable"
    case alreadyExists = "already_exists"
    case upstreamClientError = "upstream_client_error"
    case permissionDenied = "permission_denied"
    case resourceExhausted = "resource_exhausted"
    case failedPrecondition = "failed_precondition"
    case aborted
    case outOfRange = "out_of_range"
    case unimplemented
    case `internal`
    case dataLoss = "data_loss"
    case unauthenticated
    case unprocessableEntity = "unprocessable_entity"
    case upstreamServerError = "upstream_server_error"

    /// Codes that this side does not know count as `unknown`.
    package init(wire: String) { self = PSRPCCode(rawValue: wire) ?? .unknown }

    /// What an HTTP status of another server amounts to.
    package init(httpStatus: Int) {
        self =
            switch httpStatus {
            case 400, 405, 411, 413, 415, 428: .invalidArgument
            case 401: .unauthenticated
            case 403: .permissionDenied
            case 404, 410: .notFound
            case 406: .notAcceptable
            case 409: .alreadyExists
            case 412: .failedPrecondition
            case 422: .unprocessableEntity
            case 429: .resourceExhausted
            case 503: .unavailable
            default: .internal
            }
    }

    package var httpStatus: Int {
        switch self {
        case .canceled, .deadlineExceeded, .unavailable: 503
        case .malformedRequest, .invalidArgument: 400
        case .notFound: 404
        case .notAcceptable: 406
        case .alreadyExists, .aborted: 409
        case .upstreamClientError: 424
        case .permissionDenied: 403
        case .resourceExhausted: 429
        case .failedPrecondition: 412
        case .outOfRange: 416
        case .unimplemented: 501
        case .unauthenticated: 401
        case .unprocessableEntity: 422
        case .upstreamServerError: 502
        case .malformedResult, .unknown, .internal, .dataLoss: 500
        }
    }
}

/// A call that failed, here or at the other side.
package struct PSRPCError: Error, Equatable, Sendable, CustomStringConvertible {
    package var code: PSRPCCode
    package var message: String

    package init(_ code: PSRPCCode, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { "\(message) (\(code.rawValue))" }

    /// The same call may well succeed when it is made again.
    package var isRetryable: Bool { code == .unavailable || code == .deadlineExceeded }

    package static let noResponse = PSRPCError(.unavailable, "no response from servers")
    static let timedOut = PSRPCError(.deadlineExceeded, "request timed out")
    static let canceled = PSRPCError(.canceled, "request canceled")
    static let connectionLost = PSRPCError(.unavailable, "the connection to redis was lost")
    static let tooManyCalls = PSRPCError(.resourceExhausted, "too many calls are under way")
    static let tooLarge = PSRPCError(.invalidArgument, "the message is too large")
}

/// Bounds on what others may make this process hold.
package struct PSRPCLimits: Equatable, Sendable {
    /// Bytes of one published payload, in both directions.
    package var messageBytes = 1_024 * 1_024
    /// Bytes of a request's, client's or server's identifier.
    package var identifierBytes = 256
    /// Calls of one client that are under way.
    package var calls = 1_024
    /// Answers that a multi call gathers.
    package var gatheredAnswers = 256
    /// Requests of one server that are under way, from their arrival to the answer; more are left to other servers.
    package var requests = 512
    /// Registered methods and topics of one server.
    package var registrations = 8_192
    /// A request that claims to live longer is forgotten after this.
    package var longestRequestSeconds: Int64 = 300

    package init() {}
}
