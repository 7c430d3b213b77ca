import Bytes

extension ICEAgent {
    /// The pair works: it may carry media, at once if none did before.
    mutating func validate(at index: Int, at now: Monotonic) {
        let path = pairs[index].path
        let isNew = !isValidated(path)
        pairs[index].state = .succeeded
        pairs[index].isValid = true
        if firstValidAt == nil { firstValidAt = now }
        if isNew { emit(.pathValidated(path)) }
        if selectedPath == nil || selectionIsPrevious { select(path, isNominated: false, at: now) }
        // UDP that comes late, as by a trickled candidate, replaces what stood in for it.
        if keepsBackups, isNominated, nominating == nil, path.route == .udp, let selectedPath,
            selectedPath.route != .udp
        {
            nominating = path
            begin(.nomination, at: index, at: now)
        }
    }

    /// USE-CANDIDATE came on a pair (RFC 8445 section 7.3.1.5).
    ///
    /// One nomination per generation is the rule, but peers nominate aggressively (RFC 5245) or change their mind. So
    /// a second path is taken over when it ranks higher; when it is new and ranks the same, as after NAT rebinding;
    /// or when the peer has named it twice without naming the present one again.
    mutating func nominateByPeer(at index: Int, at now: Monotonic) {
        guard pairs[index].isValid else {
            pairs[index].nominatesOnSuccess = true
            return
        }
        pairs[index].nominatesOnSuccess = false
        let before = pairs[index].nomination
        nominationCount += 1
        pairs[index].nomination = nominationCount
        let path = pairs[index].path
        if isNominated, let selectedPath, selectedPath != path, let current = self.index(of: selectedPath) {
            let rank = pairs[index].priority
            let currentRank = pairs[current].priority
            let isFresh = before == 0 && rank == currentRank
            let isInsisted = before > pairs[current].nomination
            guard rank > currentRank || isFresh || isInsisted else { return }
        }
        select(path, isNominated: true, at: now)
    }

    /// Media comes on a valid path that is not the selected one, which is silent: the peer's address has changed, by NAT
    /// perhaps, and it does not nominate anew.
    mutating func followMedia(onto path: ICEPath, at now: Monotonic) {
        guard role == .controlled, lastHeard + timing.followAfter <= now else { return }
        if selectionIsPrevious { return followPrevious(onto: path, at: now) }
        guard isNominated, let index = index(of: path), pairs[index].isValid else { return }
        select(path, isNominated: true, at: now)
    }

    /// Browsers restart ICE when UDP breaks, and before the restart reaches us they may find a way by TCP under the
    /// credentials of the generation before, on which they stay. Of UDP it would have to be shown first that somebody
    /// answers there.
    private mutating func followPrevious(onto path: ICEPath, at now: Monotonic) {
        guard path.route == .tcp, previous?.paths.contains(path) ?? false else { return }
        selectedPath = path
        lastHeard = now
        lastConsent = now
        emit(.selectedPathChanged(path))
    }

    /// Controlling: nominates the best valid pair, at once when no better one is pending, else after `nominationDelay`.
    mutating func nominateIfDue(at now: Monotonic) {
        guard let due = nominationDue, due <= now, let index = bestValid() else { return }
        nominating = pairs[index].path
        begin(.nomination, at: index, at: now)
    }

    var nominationDue: Monotonic? {
        guard mode == .full, role == .controlling, !isNominated, nominating == nil, let firstValidAt,
            let best = bestValid()
        else { return nil }
        let hasBetter = pairs.contains { $0.isPending && $0.priority > pairs[best].priority }
        guard hasBetter else { return firstValidAt }
        let standsIn = pairs[best].route != .udp && pairs.contains { $0.isPending && $0.route == .udp }
        return firstValidAt + (standsIn ? timing.preferenceDelay : timing.nominationDelay)
    }

    func bestValid() -> Int? {
        pairs.indices.filter { pairs[$0].isValid }.max { pairs[$0].priority < pairs[$1].priority }
    }

    mutating func select(_ path: ICEPath, isNominated nominated: Bool, at now: Monotonic) {
        let hasMoved = path != selectedPath
        selectedPath = path
        selectionIsPrevious = false
        if nominated {
            isNominated = true
            // What the peer sent before it changed over is still on its way.
            if previous != nil, previousEndsAt == nil { previousEndsAt = now + timing.previousGrace }
            // Section 8.1.2: what was not checked yet will not be, unless it may become a backup.
            let keepsOthers = keepsBackups
            pairs.removeAll {
                $0.state == .waiting && $0.path != path && !$0.isAuthenticated
                    && !(keepsOthers && $0.route != path.route)
            }
            triggered = triggered.filter { index(of: $0) != nil }
        }
        lastHeard = now
        lastConsent = now
        if mode == .full, hasMoved || consentAt == nil { scheduleConsent(at: now) }
        if hasMoved, path.socket.isRelayed { bindChannel(on: path, at: now) }
        if hasMoved { emit(.selectedPathChanged(path)) }
        setState(.connected)
    }

    /// The selected path is gone; falls back to the best that is left.
    mutating func reselect(at now: Monotonic) {
        selectedPath = nil
        isNominated = false
        selectionIsPrevious = false
        consentAt = nil
        keepaliveAt = nil
        if let index = bestValid() {
            select(pairs[index].path, isNominated: false, at: now)
        } else {
            firstValidAt = nil
            startedAt = now
            // All that failed when it was not needed has another try.
            for index in pairs.indices where pairs[index].state == .failed { pairs[index].state = .waiting }
            setState(.disconnected)
        }
    }

    /// Stops all traffic and forgets the peer.
    mutating func drop() {
        selectedPath = nil
        isNominated = false
        selectionIsPrevious = false
        nominating = nil
        previous = nil
        previousEndsAt = nil
        consentAt = nil
        keepaliveAt = nil
        pairs.removeAll()
        triggered.removeAll()
        gatherings.removeAll()
        transmits.removeAll()
        nextDeadline = nil
    }

    mutating func setState(_ new: ICEState) {
        guard state != new else { return }
        state = new
        emit(.stateChanged(new))
    }

    mutating func emit(_ event: ICEEvent) { events.append(event) }

    mutating func enqueue(_ message: Outgoing) {
        if !transmits.append(message) { tally.record(.backlogFull) }
    }
}
