import Bytes

// The checklist (RFC 8445 section 6.1.2) and its transactions.
extension ICEAgent {
    var isLive: Bool { state != .closed && state != .failed }

    func index(of path: ICEPath) -> Int? { pairs.firstIndex { $0.path == path } }

    /// Pairs a local base with a candidate of the peer (section 6.1.2.2).
    mutating func pair(_ local: LocalCandidate, _ remote: ICECandidate, at now: Monotonic) {
        guard mode == .full, local.isBase, let from = local.candidate.address, let to = remote.address,
            Self.canPair(local.candidate, from, remote, to)
        else { return }
        let path = ICEPath(socket: local.socket, remote: to)
        // After nomination only paths on which the peer itself appears are looked at, and what may be a backup.
        guard !isNominated || lacksBackup(path.route) else { return }
        if let index = index(of: path) {
            pairs[index].remotePriority = max(pairs[index].remotePriority, remote.priority)
            pairs[index].localPriority = max(pairs[index].localPriority, local.candidate.priority)
            pairs[index].rank(as: role)
            return
        }
        var pair = CandidatePair(
            path: path, localPriority: local.candidate.priority, remotePriority: remote.priority, at: now)
        pair.rank(as: role)
        if path.route == .tcp, pairs.count(where: { $0.route == .tcp }) >= ICELimits.tcpPairs { return }
        if pairs.count >= ICELimits.pairs {
            let worst = pairs.indices.filter { pairs[$0].state == .waiting && !pairs[$0].isAuthenticated }
                .min { pairs[$0].priority < pairs[$1].priority }
            guard let worst, pairs[worst].priority < pair.priority else { return }
            removePair(at: worst)
        }
        pairs.append(pair)
    }

    private static func canPair(
        _ local: ICECandidate, _ from: TransportAddress, _ remote: ICECandidate, _ to: TransportAddress
    ) -> Bool {
        guard local.transport == remote.transport else { return false }
        // Only the active end opens connections (RFC 6544 section 6.2); the passive one learns its pairs from requests.
        if local.transport == .tcp, local.tcpType != .active || remote.tcpType != .passive { return false }
        // A peer may not make us probe our own host unless we offered it.
        if to.ip.isLoopback, !from.ip.isLoopback { return false }
        switch (from.ip, to.ip) {
        // 169.254.0.0/16 has services of the host's cloud, which no peer can be.
        case (.v4, .v4): return from.ip.isLinkLocal || !to.ip.isLinkLocal
        case (.v6, .v6): return from.ip.isLinkLocal == to.ip.isLinkLocal
        default: return false
        }
    }

    /// A pair for a path on which the peer appeared by itself (section 7.3.1.3); makes room by forgetting the stalest.
    mutating func addPair(onto path: ICEPath, remotePriority: UInt32, at now: Monotonic) -> Int {
        let limit = mode == .lite ? ICELimits.litePaths : ICELimits.pairs
        if pairs.count >= limit {
            let stalest = pairs.indices.filter { pairs[$0].path != selectedPath && pairs[$0].path != nominating }
                .min { staleness(pairs[$0]) < staleness(pairs[$1]) }
            if let stalest { removePair(at: stalest) }
        }
        let base = locals.first { $0.socket == path.socket && $0.isBase }
        let unnamed = ICECandidate.host(path.remote, transport: path.socket.transport, tcpType: .passive)
        var pair = CandidatePair(
            path: path, localPriority: base?.candidate.priority ?? unnamed.priority,
            remotePriority: remotePriority, at: now)
        pair.rank(as: role)
        pairs.append(pair)
        return pairs.count - 1
    }

    private func staleness(_ pair: CandidatePair) -> (Int, Monotonic) { (pair.isValid ? 1 : 0, pair.lastActivity) }

    mutating func removePair(at index: Int) {
        let path = pairs[index].path
        triggered.removeAll { $0 == path }
        pairs.remove(at: index)
    }

    mutating func switchRole() {
        role = role.opposite
        nominating = nil
        for index in pairs.indices { pairs[index].rank(as: role) }
    }

    /// Answers a request with a check of our own on the same path (section 7.3.1.4).
    mutating func trigger(at index: Int, at now: Monotonic) {
        switch pairs[index].state {
        case .succeeded: break
        case .inProgress:
            // Rather than a second transaction: the one under way starts over.
            guard pairs[index].path.socket.transport == .udp else { break }
            let schedule = RetransmitSchedule(firstTimeout: firstTimeout, at: now)
            pairs[index].transaction?.schedule = schedule
        case .waiting, .failed:
            pairs[index].state = .waiting
            if !triggered.contains(pairs[index].path) { triggered.append(pairs[index].path) }
        }
    }

    /// RFC 8445 section 14.3.
    private var firstTimeout: Interval {
        let pending = pairs.count { $0.state == .waiting || $0.state == .inProgress }
        return max(timing.initialRTO, timing.pacing * Int64(pending))
    }

    /// The pair whose check is to start next, by its index.
    private func nextToCheck() -> Int? {
        guard mode == .full, remoteCredentials != nil else { return nil }
        if let path = triggered.first, let index = index(of: path) { return index }
        let waiting = pairs.indices.filter {
            pairs[$0].state == .waiting && pairs[$0].heldUntil <= nextCheckAt
                && (!isNominated || lacksBackup(pairs[$0].route))
        }
        let best = waiting.max { pairs[$0].priority < pairs[$1].priority }
        // However many UDP candidates the peer names, TCP and relays have their turn in time for a network that drops
        // UDP.
        guard startedChecks % 3 == 2 else { return best }
        let begun = Set(pairs.filter { $0.state != .waiting }.map(\.route))
        return waiting.filter { !begun.contains(pairs[$0].route) }
            .max { pairs[$0].priority < pairs[$1].priority } ?? best
    }

    /// When the next check may start; nil when none waits.
    var nextCheckDue: Monotonic? {
        if nextToCheck() != nil { return nextCheckAt }
        return nextHeldCheck
    }

    private var nextHeldCheck: Monotonic? {
        guard mode == .full, remoteCredentials != nil else { return nil }
        return pairs.filter { $0.state == .waiting && (!isNominated || lacksBackup($0.route)) }.map(\.heldUntil).min()
    }

    /// Starts at most one check per `ICETiming.pacing`.
    mutating func startNextCheck(at now: Monotonic) {
        // A pair that was held counts from now.
        nextCheckAt = max(nextCheckAt, min(now, nextHeldCheck ?? nextCheckAt))
        guard nextCheckAt <= now, let index = nextToCheck() else { return }
        startedChecks &+= 1
        let path = pairs[index].path
        triggered.removeAll { $0 == path }
        pairs[index].state = .inProgress
        nextCheckAt = now + timing.pacing
        begin(.check, at: index, at: now)
    }

    mutating func begin(_ purpose: CheckTransaction.Purpose, at index: Int, at now: Monotonic) {
        pairs[index].earlierTransactionID = pairs[index].transaction?.id
        // Consent checks repeat the nomination, so that a lite peer follows when our NAT gives us a new address.
        let usesCandidate = role == .controlling && (purpose == .nomination || purpose == .consent && isNominated)
        let transaction = CheckTransaction(
            id: random.nextTransactionID(), purpose: purpose, role: role,
            usesCandidate: usesCandidate,
            schedule: RetransmitSchedule(firstTimeout: firstTimeout, at: now))
        pairs[index].transaction = transaction
        runTransaction(at: index, at: now)
    }

    mutating func runTransactions(at now: Monotonic) {
        for index in pairs.indices { runTransaction(at: index, at: now) }
    }

    private mutating func runTransaction(at index: Int, at now: Monotonic) {
        let path = pairs[index].path
        guard var transaction = pairs[index].transaction else { return }
        switch transaction.schedule.advance(to: now, timing, transport: path.socket.transport) {
        case .wait: return
        case .giveUp: return fail(at: index, at: now)
        case .send: break
        }
        if transaction.isRoutine { transaction.schedule.stop() }
        pairs[index].transaction = transaction
        guard mayCheck(pairs[index], at: now) else { return }
        if path.socket.isRelayed { permitRelaying(on: path, at: now) }
        enqueue(
            .check(
                OutgoingCheck(
                    path: path, transactionID: transaction.id, priority: reflexivePriority(at: index),
                    role: transaction.role, usesCandidate: transaction.usesCandidate)))
    }

    /// What may not be sent counts as lost, and has its next turn.
    private mutating func mayCheck(_ pair: CandidatePair, at now: Monotonic) -> Bool {
        guard pair.lastProof == nil, !pair.isValid else { return true }
        return strangerBudget?.take(named: !pair.isAuthenticated, at: now) ?? true
    }

    /// PRIORITY of a request: what the peer shall give the candidate if it is new to it (section 7.1.1).
    private func reflexivePriority(at index: Int) -> UInt32 {
        pairs[index].localPriority & 0x00FF_FFFF | ICECandidateKind.peerReflexive.preference << 24
    }

    /// A check was refused or ran out.
    mutating func fail(at index: Int, at now: Monotonic) {
        let path = pairs[index].path
        pairs[index].state = .failed
        pairs[index].transaction = nil
        pairs[index].isValid = false
        if nominating == path { nominating = nil }
        if selectedPath == path { reselect(at: now) }
    }
}
