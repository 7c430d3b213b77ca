/// Why something that a peer sent, or a description of it, was not used. None of these ends a session: the datagram
/// or the candidate is dropped and counted.
package enum ICEError: Error, Equatable, Sendable {
    // STUN syntax (RFC 8489 section 5)

    /// The bytes end before the header, an attribute or its padding does.
    case truncated
    /// The first two bits, the magic cookie or the length say that this is no STUN message.
    case notSTUN
    /// More bytes or attributes than `ICELimits` allows.
    case tooLarge
    /// An attribute that the message needs is not there.
    case missingAttribute(STUNAttribute)
    /// An attribute's value has a length or form that its type does not allow.
    case malformedAttribute(STUNAttribute)

    // STUN authentication (RFC 8489 section 9.1)

    case missingIntegrity
    case badIntegrity
    case missingFingerprint
    case badFingerprint
    /// The name is not `<local fragment>:<remote fragment>` with our own fragment.
    case unknownUsername

    // Agent

    /// A method other than Binding, or a class with no meaning here.
    case unexpectedMessage
    /// A request with an attribute that must be understood and is not; answered with 420.
    case unknownRequiredAttribute
    /// A response to no request of ours, or to one already answered.
    case unknownTransaction
    /// A response came on another path than its request went (RFC 8445 section 7.2.5.2.1).
    case asymmetricResponse
    /// The peer claims the role that we keep; answered with 487.
    case roleConflict
    /// The peer answered a request with this error code.
    case errorResponse(Int)
    /// Both peers asked for more work than `ICELimits` allows at once.
    case backlogFull
    /// The agent was closed or has failed.
    case closed

    // Text (RFC 8839 section 5)

    case malformedCandidate
    /// A transport or candidate type that this agent does not speak; the candidate can be skipped.
    case unsupportedCandidate
    case tooManyCandidates
    /// No relay can be used: the agent is lite, has no MD5, or knows this server already.
    case unsupportedServer
    /// A fragment or password of forbidden length or characters.
    case malformedCredentials

    /// No URL of RFC 7064 or RFC 7065.
    case malformedServerURL
    /// A scheme or transport that this agent does not speak; the server can be left out.
    case unsupportedServerURL

    // Framing (RFC 4571)

    case frameTooLarge(Int)
}
