package import Bytes

/// Numbers from the wire, and state that a peer can make grow, are held against these.
package enum ICELimits {
    /// Longest STUN message looked at. Checks are about 100 bytes; RFC 8489 section 6.1 keeps messages under the path
    /// MTU. `STUNMessage.verifyIntegrity` has a buffer of this size.
    package static let messageBytes = 1_500
    /// Attributes in one message; checks carry about ten.
    package static let attributes = 32
    /// Fragment and password, in characters (RFC 8839 section 5.4).
    package static let fragmentCharacters = 4...256
    package static let passwordCharacters = 22...256
    /// Foundation, in characters (RFC 8839 section 5.1).
    package static let foundationCharacters = 1...32
    /// One candidate in text.
    package static let candidateBytes = 512
    /// URL of a STUN or TURN server.
    package static let serverURLBytes = 512
    /// A host name in place of an address.
    package static let nameBytes = 255
    package static let localCandidates = 32
    package static let remoteCandidates = 64
    /// Candidate pairs of the full agent (RFC 8445 section 6.1.2.5).
    package static let pairs = 100
    /// Of them over TCP, each of which opens a connection to where the peer says.
    package static let tcpPairs = 8
    /// Checks to addresses that have not answered, once `ICEAgent.Configuration.strangerChecks` are used up.
    package static let strangerChecksPerSecond = 4
    /// Paths of the lite agent: a peer that moves on gets its oldest path forgotten.
    package static let litePaths = 16
    /// STUN servers asked by one agent, over all sockets.
    package static let gatherings = 16
    /// Messages waiting to be polled; the driver drains them after each call, so this is a margin.
    package static let pendingTransmits = 128
    package static let pendingEvents = 64
    /// Unknown attributes named in a 420 response (RFC 8489 section 14.9).
    package static let unknownAttributesReported = 4
    /// Room that `pollTransmit(into:)` needs: the largest message the agent writes, with both fragments at their
    /// longest, or a TURN request with all names at theirs.
    package static let transmitBytes = 1_280
    /// TURN servers used at a time.
    package static let relays = 4
    /// Name and password for a TURN server, in bytes; RFC 8489 section 14.3 allows 508.
    package static let turnNameBytes = 256
    /// REALM and NONCE, in bytes; RFC 8489 sections 14.9 and 14.10 allow 763.
    package static let realmBytes = 256
    package static let nonceBytes = 512
    /// Addresses that one TURN server relays for us at a time (RFC 8656 section 9).
    package static let permissions = 32
    /// Channels of one allocation (RFC 8656 section 12).
    package static let channels = 8
    /// Lifetime of an allocation in seconds, whatever the server says (RFC 8656 section 7.2).
    package static let allocationSeconds: ClosedRange<Int64> = 30...3_600
    /// Requests again after a new nonce, within one transaction.
    package static let authenticationAttempts = 4
    /// What a relay adds to a datagram, padding included.
    package static let relayOverheadBytes = 52
    /// Shortest random seed of an agent, in bytes.
    package static let seedBytes = 16
    /// Longest frame taken from a TCP connection.
    package static let frameBytes = 4_096
}

/// Intervals of the agent; the defaults are those of the RFCs.
package struct ICETiming: Sendable {
    /// Ta, between two new checks (RFC 8445 section 14.2).
    package var pacing = Interval.milliseconds(50)
    /// The shortest first retransmission time-out (RFC 8445 section 14.3).
    package var initialRTO = Interval.milliseconds(500)
    /// Rc, requests sent in one transaction (RFC 8489 section 6.2.1).
    package var requestCount = 7
    /// Rm, multiple of `initialRTO` that is waited after the last request.
    package var lastWaitFactor: Int64 = 16
    /// Ti, for a transaction over TCP, which is not retransmitted (RFC 8489 section 6.2.2).
    package var reliableTimeout = Interval.milliseconds(39_500)
    /// How long the controlling agent waits for a better pair once it has a valid one.
    package var nominationDelay = Interval.milliseconds(200)
    /// How long the controlling agent waits for a UDP pair once it has only a valid pair over TCP or a relay: time for
    /// a second request, should the first be lost.
    package var preferenceDelay = Interval.seconds(1)
    /// Between keep-alive checks of backup pairs; shorter than what NATs and TURN permissions forget after.
    package var keepaliveInterval = Interval.seconds(8)
    /// Silence on the selected path after which it and its backups are probed.
    package var probeAfter = Interval.milliseconds(1_500)
    package var probeInterval = Interval.milliseconds(500)
    /// Silence on the selected path after which a backup that answers takes over.
    package var fallbackAfter = Interval.seconds(3)
    /// For how long the backup must have answered alone: when a whole network comes back, the selected path answers
    /// within that time too.
    package var fallbackProof = Interval.seconds(1)
    /// For how long paths and credentials of the generation before are good once the new one has its path.
    package var previousGrace = Interval.seconds(3)
    /// Silence on the selected path after which the controlled agent goes where media comes from.
    package var followAfter = Interval.milliseconds(300)
    /// Before a broken TCP connection is dialled again; doubles each time.
    package var redialDelay = Interval.seconds(1)
    /// Mean time between consent checks; each wait is 0.8 to 1.2 of it (RFC 7675 section 5.1).
    package var consentInterval = Interval.seconds(5)
    /// Silence on the selected path after which the controlling agent asks for consent before its time, and again after
    /// each such time: should a NAT have forgotten the path, the peer hears of the new one. Nil for never; useful where the
    /// peer is heard more often.
    package var askAfter: Interval?
    /// Without proof of consent for so long, the agent fails (RFC 7675 section 5.1). The lite agent sends no checks
    /// and counts the peer's authenticated requests and media instead.
    package var consentExpiry = Interval.seconds(30)
    /// Without a sign of life on the selected path for so long, the agent reports `disconnected`.
    package var disconnectedAfter = Interval.seconds(10)
    /// How long the agent looks for a first path before it fails (RFC 8863 section 4).
    package var patience = Interval.milliseconds(39_500)

    package init() {}
}
