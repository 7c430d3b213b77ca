import Bytes

/// A path and what is known of it. With one component and one base per socket, pairs that RFC 8445 section 6.1.2.4
/// would prune have the same path, so the path is the identity.
struct CandidatePair {
    enum CheckState {
        /// To be checked; all pairs start here. Freezing (section 6.1.2.6) orders checks over several components and
        /// streams, of which there is one.
        case waiting
        case inProgress
        case succeeded
        case failed
    }

    let path: ICEPath
    var localPriority: UInt32
    var remotePriority: UInt32
    /// Of the pair, under the agent's present role (section 6.1.2.3).
    var priority: UInt64 = 0
    var state = CheckState.waiting
    /// May be sent on: full, our own check was answered; lite, an authenticated request came.
    var isValid = false
    /// An authenticated request came, so the peer owns the other end.
    var isAuthenticated = false
    /// Ordinal of the last USE-CANDIDATE among those of all pairs; 0 for never.
    var nomination: UInt64 = 0
    /// USE-CANDIDATE came before our own check was answered (section 7.3.1.5).
    var nominatesOnSuccess = false
    var transaction: CheckTransaction?
    /// The transaction before, whose answer may be late.
    var earlierTransactionID: STUNTransactionID?
    var lastActivity: Monotonic
    /// When a request of ours was last answered.
    var lastProof: Monotonic?
    /// Not to be checked before; for TCP connections that broke.
    var heldUntil = Monotonic.zero
    var losses: Int64 = 0

    init(path: ICEPath, localPriority: UInt32, remotePriority: UInt32, at now: Monotonic) {
        self.path = path
        self.localPriority = localPriority
        self.remotePriority = remotePriority
        lastActivity = now
    }

    var route: ICERoute { path.route }

    var isPending: Bool { state == .waiting || state == .inProgress }

    func awaits(_ id: STUNTransactionID) -> Bool { transaction?.id == id || earlierTransactionID == id }

    mutating func rank(as role: ICEAgent.Role) {
        let (controlling, controlled) =
            role == .controlling ? (localPriority, remotePriority) : (remotePriority, localPriority)
        let low = UInt64(min(controlling, controlled))
        let high = UInt64(max(controlling, controlled))
        // 2^32 * MIN + 2 * MAX + (G > D): wraps for no pair of 31-bit priorities, and harmlessly for a peer's 32-bit
        // ones.
        priority = low << 32 &+ high << 1 &+ (controlling > controlled ? 1 : 0)
    }
}

/// One STUN transaction of ours.
struct CheckTransaction {
    enum Purpose {
        case check
        case nomination
        case consent
        /// Of a backup.
        case keepalive
    }

    /// Its loss is made good by the next one.
    var isRoutine: Bool { purpose == .consent || purpose == .keepalive }

    let id: STUNTransactionID
    let purpose: Purpose
    /// Our role in the request, to know what a 487 answers.
    let role: ICEAgent.Role
    let usesCandidate: Bool
    var schedule: RetransmitSchedule
}

/// When to send a request again and when to give up (RFC 8489 section 6.2).
struct RetransmitSchedule {
    private var sent = 0
    private var timeout: Interval
    private(set) var next: Monotonic

    /// The first request is due at `now`.
    init(firstTimeout: Interval, at now: Monotonic) {
        timeout = firstTimeout
        next = now
    }

    /// What is due at `now`; a request counts as sent by this call.
    enum Action {
        case wait
        case send
        case giveUp
    }

    mutating func advance(to now: Monotonic, _ timing: ICETiming, transport: ICETransport) -> Action {
        guard next <= now else { return .wait }
        let limit = transport == .tcp ? 1 : timing.requestCount
        guard sent < limit else { return .giveUp }
        sent += 1
        if transport == .tcp {
            next = now + timing.reliableTimeout
        } else if sent == limit {
            next = now + timing.initialRTO * timing.lastWaitFactor
        } else {
            next = now + timeout
            timeout = timeout * 2
        }
        return .send
    }

    /// Never again: for requests whose loss is made good by the next one.
    mutating func stop() { next = .distantFuture }
}

/// Unpredictable numbers from the seed that the driver gave: HMAC-SHA1 of a counter.
struct ICERandom {
    private let seed: [UInt8]
    private let tag: UInt32?
    private var counter: UInt64 = 0
    private let hmac: HMACSHA1

    /// - Parameter tag: stands in for the first 32 bits of transaction ids.
    init(seed: [UInt8], tag: UInt32? = nil, hmac: @escaping HMACSHA1) {
        precondition(seed.count >= ICELimits.seedBytes, "an agent's seed has at least 16 random bytes")
        self.seed = seed
        self.tag = tag
        self.hmac = hmac
    }

    mutating func nextTransactionID() -> STUNTransactionID {
        counter += 1
        var block = [8 of UInt8](repeating: 0)
        for index in 0..<8 { block[index] = UInt8(truncatingIfNeeded: counter >> UInt64(index * 8)) }
        let digest = hmac(seed, block.span.raw)
        let bytes = digest.span.raw
        return STUNTransactionID(
            high: tag ?? bytes.bigEndian(at: 8, as: UInt32.self), low: bytes.bigEndian(at: 0, as: UInt64.self))
    }

    /// 12 bytes.
    mutating func nextBytes() -> [UInt8] {
        let id = nextTransactionID()
        return (0..<4).map { UInt8(truncatingIfNeeded: id.high >> ($0 * 8)) }
            + (0..<8).map { UInt8(truncatingIfNeeded: id.low >> ($0 * 8)) }
    }

    mutating func nextUInt64() -> UInt64 { nextTransactionID().low }
}
