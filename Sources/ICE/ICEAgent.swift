package import Bytes

/// One ICE agent for one data stream with one component (BUNDLE and rtcp-mux), without sockets and without a clock.
///
/// **Lite** (RFC 8445 section 2.5) answers checks and sends none. It is always controlled, needs no candidate of the
/// peer, and takes a path for valid when a request authenticated with its own password comes in on it. **Full**
/// checks pairs, answers, nominates when controlling, gathers server-reflexive candidates and keeps consent fresh
/// (RFC 7675).
///
/// Both: the selected path is the nominated one, before that the first valid one. A request from a new address (NAT
/// rebinding) makes a new path; what is selected follows USE-CANDIDATE alone. Requests that do not name our fragment
/// or fail integrity or FINGERPRINT are never answered, so the agent amplifies nothing.
///
/// TURN relays are candidates like others: see `addRelay`. The driver gives datagrams as they come and sends them as they
/// are; whoever handles what is not STUN asks `unwrap` first and `wrap` last.
///
/// Not here: freezing over several components, simultaneous-open TCP, RFC 3489 peers without the magic cookie.
///
/// Verbs: `receive`, `advance`, and whatever mutates; after each the driver drains `pollTransmit(into:)`, then
/// `pollEvent()`, then reads `nextDeadline`. A deadline that has passed already means: call `advance` now.
package struct ICEAgent: ~Copyable {
    package enum Mode: Sendable {
        case lite
        case full
    }

    package enum Role: Sendable {
        case controlling
        case controlled

        var opposite: Role { self == .controlling ? .controlled : .controlling }
    }

    package struct Configuration: Sendable {
        package var mode: Mode
        /// The role to begin with; a conflict may turn it. Lite is controlled whatever stands here.
        package var role: Role
        package var credentials: ICECredentials
        /// At least 16 cryptographically random bytes, of which transaction ids and the tie-breaker are made.
        package var seed: [UInt8]
        package var hmac: HMACSHA1
        /// For relays; without it there are none.
        package var md5: MD5Hash?
        package var timing = ICETiming()
        /// Checks, retransmissions included, that may go at once to addresses that have not answered yet; then
        /// `ICELimits.strangerChecksPerSecond`. For servers, to which anybody may name anybody's address. Nil: as many
        /// as the checklist has.
        package var strangerChecks: Int?
        /// Whether media that passed its own authentication proves consent as an answered check does; always so for
        /// the lite agent. For those who receive and send next to nothing: some encoders answer no checks once they
        /// are connected.
        package var mediaProvesConsent = false
        /// The first 32 bits of all transaction ids, by which a driver of many agents finds the one that an answer is
        /// for; the 64 that follow are random. Nil: all 96 are.
        package var transactionTag: UInt32?

        package init(
            mode: Mode, role: Role = .controlled, credentials: ICECredentials, seed: [UInt8],
            hmac: @escaping HMACSHA1
        ) {
            self.mode = mode
            self.role = role
            self.credentials = credentials
            self.seed = seed
            self.hmac = hmac
        }
    }

    /// What a restart leaves in force until the new generation has a nominated path (RFC 8445 section 9).
    struct PreviousGeneration {
        let local: ICECredentials
        let paths: [ICEPath]
    }

    struct LocalCandidate {
        let candidate: ICECandidate
        let socket: ICESocket

        /// Checks are sent from it (RFC 8445 section 4, "base"); reflexive candidates share that of a host candidate.
        var isBase: Bool { candidate.kind == .host || candidate.kind == .relayed }
    }

    let mode: Mode
    let hmac: HMACSHA1
    let md5: MD5Hash?
    let timing: ICETiming
    package let transactionTag: UInt32?
    let mediaProvesConsent: Bool
    /// For addresses that have not answered yet.
    var strangerBudget: CheckBudget?
    var random: ICERandom
    var tieBreaker: UInt64
    package internal(set) var role: Role
    package internal(set) var state = ICEState.checking
    /// Our fragment and password of the present generation.
    package internal(set) var localCredentials: ICECredentials
    var remoteCredentials: ICECredentials?
    var previous: PreviousGeneration?
    /// When `previous` is forgotten; nil while the new generation has no nominated path.
    var previousEndsAt: Monotonic?

    var locals: [LocalCandidate] = []
    var remotes: [ICECandidate] = []
    /// Full: the checklist. Lite: the paths on which authenticated requests came.
    var pairs: [CandidatePair] = []
    /// Paths to check before the others (RFC 8445 section 6.1.4.1), first come first.
    var triggered: [ICEPath] = []
    var gatherings: [Gathering] = []
    var relays: [Relay] = []
    /// Relays so far, which numbers them.
    var relayCount: Int32 = 0
    /// Calls of `beginGathering` without their `endGathering`.
    var gatheringHolds = 0
    /// Between the first server and `gatheringFinished`.
    var isGathering = false

    /// Where to send; nil when there is nothing yet or no more.
    package internal(set) var selectedPath: ICEPath?
    /// Whether `selectedPath` was nominated, or is only the first that worked.
    package internal(set) var isNominated = false
    /// `selectedPath` is one of the generation before.
    var selectionIsPrevious = false
    /// The controlling agent's pair whose nomination is under way.
    var nominating: ICEPath?
    var nominationCount: UInt64 = 0
    var firstValidAt: Monotonic?
    /// Keep-alive checks of the backups are due; nil before there is a nominated path.
    var keepaliveAt: Monotonic?
    /// When the selected path was last probed because of its silence.
    var probedAt = Monotonic.zero
    /// First answer from a backup in the present silence of the selected path; means nothing when older than
    /// `lastHeard`.
    var backupProvenAt = Monotonic.zero

    /// When looking for a path began; nil until the peer's credentials are known to the full agent.
    var startedAt: Monotonic?
    var nextCheckAt: Monotonic
    var startedChecks = 0
    /// When the next consent check is due; nil before there is a selected path.
    var consentAt: Monotonic?
    var consentAskedAt = Monotonic.zero
    /// Last proof of consent on the selected path.
    var lastConsent: Monotonic
    /// Last authenticated sign of life on the selected path.
    var lastHeard: Monotonic

    var transmits = RingDeque<Outgoing>(capacity: ICELimits.pendingTransmits)
    var events = RingDeque<ICEEvent>(capacity: ICELimits.pendingEvents)
    /// When `advance(to:)` has something to do; nil for never.
    package internal(set) var nextDeadline: Monotonic?
    /// Datagrams that were ignored, for the log of each second.
    package var tally = ErrorTally<ICEError>()

    package init(_ configuration: Configuration, at now: Monotonic) {
        mode = configuration.mode
        role = configuration.mode == .lite ? .controlled : configuration.role
        hmac = configuration.hmac
        md5 = configuration.md5
        timing = configuration.timing
        transactionTag = configuration.transactionTag
        mediaProvesConsent = configuration.mediaProvesConsent || configuration.mode == .lite
        strangerBudget = configuration.strangerChecks.map {
            CheckBudget(burst: $0, perSecond: ICELimits.strangerChecksPerSecond, at: now)
        }
        random = ICERandom(seed: configuration.seed, tag: configuration.transactionTag, hmac: configuration.hmac)
        tieBreaker = random.nextUInt64()
        localCredentials = configuration.credentials
        startedAt = mode == .lite ? now : nil
        nextCheckAt = now
        lastConsent = now
        lastHeard = now
        nextDeadline = startedAt.map { $0 + configuration.timing.patience }
    }
}

extension ICEAgent {
    /// Our candidates as known so far, for the description.
    package var localCandidates: [ICECandidate] { locals.map(\.candidate) }

    /// Whether DTLS and media may be taken from this path: an authenticated check has passed on it, or
    /// `noteAuthenticated` was told of it.
    package func isValidated(_ path: ICEPath) -> Bool {
        if path == selectedPath { return true }
        if let index = index(of: path), pairs[index].isValid || pairs[index].isAuthenticated { return true }
        return previous?.paths.contains(path) ?? false
    }

    /// Whether the peer has answered a check of ours on this path, which nobody can who only sends from there.
    package func hasAnswered(_ path: ICEPath) -> Bool {
        index(of: path).map { pairs[$0].lastProof != nil } ?? false
    }

    /// Whether this path may still be sent on or heard from; a TCP connection of another can be closed.
    package func isInUse(_ path: ICEPath) -> Bool {
        index(of: path) != nil || path == selectedPath || previous?.paths.contains(path) ?? false
            || relays.contains { $0.client.path == path }
    }

    /// Media under the peer's own keys came on a path that no check has come on: the peer's address has changed, by NAT
    /// perhaps. That says as much as a check of the peer's would, and is answered with one of ours.
    package mutating func noteAuthenticated(on path: ICEPath, at now: Monotonic) {
        guard isLive, !isValidated(path) else { return }
        noteRequest(
            on: path, priority: ICECandidate.priority(.peerReflexive, localPreference: 0), usesCandidate: false,
            at: now)
        reschedule()
    }

    /// Tells of media that passed its own authentication (SRTP or DTLS): a sign of life, and consent where the
    /// configuration says so. Cheap enough for each packet; moves no deadline, but may make an event.
    package mutating func recordMedia(on path: ICEPath, at now: Monotonic) {
        if path != selectedPath { followMedia(onto: path, at: now) }
        guard path == selectedPath else { return }
        hear(at: now, provesConsent: mediaProvesConsent)
    }

    /// Adds one of our addresses. Full: host candidates begin to be paired; others are only kept for the description,
    /// their checks go out from their base.
    package mutating func addLocalCandidate(
        _ candidate: ICECandidate, socket: ICESocket, at now: Monotonic
    ) throws(ICEError) {
        guard isLive else { throw .closed }
        guard locals.count < ICELimits.localCandidates else { throw .tooManyCandidates }
        precondition(candidate.transport == socket.transport, "a candidate's transport is that of its socket")
        let local = LocalCandidate(candidate: candidate, socket: socket)
        locals.append(local)
        if remoteCredentials != nil {
            for remote in remotes { pair(local, remote, at: now) }
        }
        reschedule()
    }

    /// Forgets our candidates, after a restart and before others are added. Paths in use stay.
    package mutating func removeLocalCandidates(at now: Monotonic) {
        locals.removeAll { !$0.socket.isRelayed }
        gatherings.removeAll()
        reschedule()
    }

    /// The peer's fragment and password. Full: checking starts here.
    package mutating func setRemoteCredentials(_ credentials: ICECredentials, at now: Monotonic) {
        guard isLive, credentials != remoteCredentials else { return }
        remoteCredentials = credentials
        if startedAt == nil { startedAt = now }
        remotes.removeAll { $0.fragment.map { $0 != credentials.fragment } ?? false }
        for local in locals {
            for remote in remotes { pair(local, remote, at: now) }
        }
        reschedule()
    }

    /// Adds one of the peer's candidates, at any time. An unresolved name is kept for nothing: add it again with its
    /// address.
    package mutating func addRemoteCandidate(_ candidate: ICECandidate, at now: Monotonic) throws(ICEError) {
        guard isLive else { throw .closed }
        guard candidate.component == 1, let named = candidate.address, Self.isUnicast(named) else {
            throw .unsupportedCandidate
        }
        var candidate = candidate
        // In mapped form an address would pass for one of the other family, this host's own among them.
        candidate.endpoint = .address(TransportAddress(ip: named.ip.unmapped, port: named.port))
        if let fragment = candidate.fragment, let remoteCredentials, fragment != remoteCredentials.fragment {
            throw .unknownUsername
        }
        guard mode == .full else { return }
        guard !remotes.contains(where: { $0.isSameEndpoint(as: candidate) }) else { return }
        guard remotes.count < ICELimits.remoteCandidates else { throw .tooManyCandidates }
        remotes.append(candidate)
        if remoteCredentials != nil {
            for local in locals { pair(local, candidate, at: now) }
        }
        reschedule()
    }

    /// Starts a new generation (RFC 8445 section 9). The selected path stays in use until the new generation has one;
    /// requests of the old one are answered until then. The peer's new credentials and candidates come after this.
    package mutating func restart(credentials: ICECredentials, at now: Monotonic) {
        guard state != .closed else { return }
        precondition(credentials.fragment != localCredentials.fragment, "a restart needs a new fragment")
        let paths = pairs.filter { $0.isValid || $0.isAuthenticated }.map(\.path)
        let earlier = previous?.paths.filter { $0 == selectedPath } ?? []
        previous =
            selectedPath == nil ? nil : PreviousGeneration(local: localCredentials, paths: paths + earlier)
        previousEndsAt = nil
        localCredentials = credentials
        remoteCredentials = nil
        tieBreaker = random.nextUInt64()
        remotes.removeAll()
        pairs.removeAll()
        triggered.removeAll()
        transmits.removeAll()
        selectionIsPrevious = selectedPath != nil
        isNominated = false
        nominating = nil
        firstValidAt = nil
        consentAt = nil
        keepaliveAt = nil
        startedAt = now
        setState(.checking)
        reschedule()
    }

    /// A TCP connection ended, or was never made: its path is gone. What worked before is dialled again after a while.
    package mutating func pathLost(_ path: ICEPath, at now: Monotonic) {
        guard isLive else { return }
        defer { reschedule() }
        if loseRelay(on: path, at: now) { return }
        if let index = index(of: path) { losePair(at: index, at: now) }
        if nominating == path { nominating = nil }
        if selectedPath == path { reselect(at: now) }
    }

    /// Relays are given back before, by `releaseRelays`, or forgotten.
    package mutating func close() {
        guard state != .closed else { return }
        drop()
        relays.removeAll()
        setState(.closed)
    }

    package mutating func pollEvent() -> ICEEvent? { events.popFirst() }

    private static func isUnicast(_ address: TransportAddress) -> Bool {
        guard address.port != 0 else { return false }
        switch address.ip.unmapped {
        case .v4(let ip): return ip >> 24 != 0 && ip >> 28 < 0xE
        case .v6(let high, let low): return high >> 56 != 0xFF && (high, low) != (0, 0)
        }
    }
}

extension ICECandidate {
    func isSameEndpoint(as other: ICECandidate) -> Bool {
        endpoint == other.endpoint && transport == other.transport && tcpType == other.tcpType
    }
}
