package import Bytes

extension ICEAgent {
    /// Does what is due at `now`.
    package mutating func advance(to now: Monotonic) {
        guard isLive else { return }
        runGatherings(at: now)
        advanceRelays(at: now)
        runTransactions(at: now)
        startNextCheck(at: now)
        nominateIfDue(at: now)
        sendConsentIfDue(at: now)
        tendBackups(at: now)
        forgetPrevious(at: now)
        checkLiveness(at: now)
        reschedule()
    }

    /// Works out `nextDeadline`; last in whatever mutates. Media that only proves life moves no deadline forward: the
    /// old one passes and finds nothing to do.
    mutating func reschedule() {
        guard isLive else {
            nextDeadline = nil
            return
        }
        var earliest = Monotonic.distantFuture
        for pair in pairs {
            if let next = pair.transaction?.schedule.next { earliest = min(earliest, next) }
        }
        for gathering in gatherings { earliest = min(earliest, gathering.schedule.next) }
        if let relayDeadline { earliest = min(earliest, relayDeadline) }
        if let nextCheckDue { earliest = min(earliest, nextCheckDue) }
        if let backupDeadline { earliest = min(earliest, backupDeadline) }
        if let nominationDue { earliest = min(earliest, nominationDue) }
        if let consentDue { earliest = min(earliest, consentDue) }
        if let previousEndsAt { earliest = min(earliest, previousEndsAt) }
        if let livenessDeadline { earliest = min(earliest, livenessDeadline) }
        nextDeadline = earliest == .distantFuture ? nil : earliest
    }

    /// A sign of life on the selected path.
    mutating func hear(at now: Monotonic, provesConsent: Bool) {
        lastHeard = max(lastHeard, now)
        if provesConsent { lastConsent = max(lastConsent, now) }
        if state == .disconnected { setState(.connected) }
    }

    private mutating func forgetPrevious(at now: Monotonic) {
        guard let ends = previousEndsAt, ends <= now else { return }
        previous = nil
        previousEndsAt = nil
    }

    private var livenessDeadline: Monotonic? {
        let expiry = lastConsent + timing.consentExpiry
        guard selectedPath != nil, !selectionIsPrevious else {
            // A restart that comes to nothing ends nothing that goes on without it.
            return startedAt.map { selectionIsPrevious ? max($0 + timing.patience, expiry) : $0 + timing.patience }
        }
        return state == .connected ? min(expiry, lastHeard + timing.disconnectedAfter) : expiry
    }

    private mutating func checkLiveness(at now: Monotonic) {
        guard let livenessDeadline, livenessDeadline <= now else { return }
        let isLooking = selectedPath == nil || selectionIsPrevious
        if isLooking || lastConsent + timing.consentExpiry <= now {
            drop()
            setState(.failed)
        } else {
            setState(.disconnected)
        }
    }

    /// 0.8 to 1.2 of the interval from now (RFC 7675 section 5.1).
    mutating func scheduleConsent(at now: Monotonic) {
        let permille = 800 + Int64(random.nextUInt64() % 401)
        consentAt = now + timing.consentInterval * permille / 1_000
    }

    private var consentDue: Monotonic? {
        guard let consentAt else { return nil }
        guard let askAfter = timing.askAfter, role == .controlling, isNominated else { return consentAt }
        return min(consentAt, max(lastHeard, consentAskedAt) + askAfter)
    }

    private mutating func sendConsentIfDue(at now: Monotonic) {
        guard let due = consentDue, due <= now else { return }
        scheduleConsent(at: now)
        consentAskedAt = now
        guard !selectionIsPrevious, let selectedPath, let index = index(of: selectedPath) else { return }
        // A nomination under way asks the same question.
        guard pairs[index].transaction?.purpose != .nomination else { return }
        begin(.consent, at: index, at: now)
    }
}
