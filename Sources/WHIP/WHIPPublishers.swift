import Bytes
package import SDP

/// A publisher that asks to be let in.
package struct WHIPOpening: Equatable, Sendable {
    /// Names the session from now on.
    package var resourceID: String
    /// First part of the path; means nothing here.
    package var app: String
    /// A secret: never to be logged as it is.
    package var key: String
    package var offer: SessionDescription
    /// The offer as it came.
    package var offerText: [UInt8]
    /// IP address in text, of the client rather than of a proxy before us. Never to be logged as it is.
    package var clientAddress: String?
    package var userAgent: String?

    package init(
        resourceID: String, app: String, key: String, offer: SessionDescription, offerText: [UInt8],
        clientAddress: String? = nil, userAgent: String? = nil
    ) {
        self.resourceID = resourceID
        self.app = app
        self.key = key
        self.offer = offer
        self.offerText = offerText
        self.clientAddress = clientAddress
        self.userAgent = userAgent
    }
}

extension WHIPOpening: CustomStringConvertible {
    /// Without its secrets, however it gets printed.
    package var description: String { "WHIP session for key \(Redacted(key))" }
}

package struct WHIPAccepted: Equatable, Sendable {
    /// The session description as it goes out, with all candidates: none follow.
    package var answer: [UInt8]
    /// What other servers call the session; nil where there are none. No secret, so requests that use it need the key.
    package var sessionID: String?
    /// Values of `Link` headers with the ICE servers of whoever answered, to go out as they are instead of our own; none: our
    /// own. They can break no header's line.
    package var links: [String]

    package init(answer: [UInt8], sessionID: String? = nil, links: [String] = []) {
        self.answer = answer
        self.sessionID = sessionID
        self.links = links
    }
}

/// What became of a PATCH.
package enum WHIPPatched: Equatable, Sendable {
    /// Candidates were taken.
    case taken
    /// ICE was restarted: our fragment, and the session's new entity tag, quotes included.
    case restarted(fragment: [UInt8], entityTag: String)
}

/// Makes and ends the sessions behind the resources. For one resource, no call comes before the last one has returned,
/// except `close`.
package protocol WHIPPublishers: Sendable {
    /// Judges key and capacity, makes the session, and gives its answer.
    func open(_ opening: WHIPOpening) async throws(WHIPError) -> WHIPAccepted

    /// Takes candidates of the running ICE generation; those that are of no use are no error.
    func trickle(_ fragment: TrickleFragment, resourceID: String) async throws(WHIPError)

    /// Restarts ICE: the fragment has new credentials. Gives ours, and our candidates. When it throws, the session must go on
    /// as it was.
    func restart(_ fragment: TrickleFragment, resourceID: String) async throws(WHIPError) -> TrickleFragment

    /// Ends the session, which exists.
    func close(resourceID: String) async

    /// Ends a session of another server, or one of this server whose publisher is away; `notFound` when nobody has it.
    func closeElsewhere(sessionID: String, key: String) async throws(WHIPError)

    /// Has another server carry out a PATCH on its session; `notFound` when nobody has it.
    func patchElsewhere(
        _ fragment: [UInt8], ifMatch: String, sessionID: String, key: String
    ) async throws(WHIPError) -> WHIPPatched
}

/// A server alone.
extension WHIPPublishers {
    package func closeElsewhere(sessionID: String, key: String) async throws(WHIPError) { throw .notFound }

    package func patchElsewhere(
        _ fragment: [UInt8], ifMatch: String, sessionID: String, key: String
    ) async throws(WHIPError) -> WHIPPatched { throw .notFound }
}
