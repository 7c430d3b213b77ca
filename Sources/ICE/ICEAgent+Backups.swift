import Bytes

// Paths that stand by. The controlling agent keeps one working pair of each route that is not in use, so that a
// network that begins to drop UDP costs seconds and not the connection.
extension ICEAgent {
    var keepsBackups: Bool { mode == .full && role == .controlling }

    /// Whether a pair of this route would be a backup that is not there yet.
    func lacksBackup(_ route: ICERoute) -> Bool {
        guard keepsBackups, let selectedPath, selectedPath.route != route else { return false }
        return !pairs.contains { $0.route == route && ($0.isValid || $0.state == .inProgress) }
    }

    /// The best valid pair of each route that is not in use.
    private var backups: [Int] {
        guard keepsBackups, isNominated, let selectedPath else { return [] }
        let routes: [ICERoute] = [.udp, .tcp, .relayed]
        return routes.compactMap { route in
            guard route != selectedPath.route else { return nil }
            return pairs.indices.filter { pairs[$0].isValid && pairs[$0].route == route }
                .max { pairs[$0].priority < pairs[$1].priority }
        }
    }

    /// When `tendBackups` has something to do.
    var backupDeadline: Monotonic? {
        guard let keepaliveAt, !backups.isEmpty else { return nil }
        var earliest = min(keepaliveAt, probeDue)
        if let fallbackDue { earliest = min(earliest, fallbackDue) }
        return earliest
    }

    private var probeDue: Monotonic { max(lastHeard + timing.probeAfter, probedAt + timing.probeInterval) }

    private var fallbackDue: Monotonic? {
        guard backupProvenAt > lastHeard else { return nil }
        return max(lastHeard + timing.fallbackAfter, backupProvenAt + timing.fallbackProof)
    }

    /// A request on a path that is not the selected one was answered.
    mutating func noteBackupProof(at now: Monotonic) {
        guard now >= lastHeard + timing.probeAfter, backupProvenAt <= lastHeard else { return }
        backupProvenAt = now
    }

    mutating func tendBackups(at now: Monotonic) {
        guard keepsBackups, isNominated else { return }
        if keepaliveAt == nil { keepaliveAt = now + timing.keepaliveInterval }
        dropDeadBackups(at: now)
        fallBackIfDue(at: now)
        let backups = backups
        guard !backups.isEmpty, let keepaliveAt else { return }
        let isProbing = probeDue <= now
        guard isProbing || keepaliveAt <= now else { return }
        self.keepaliveAt = now + timing.keepaliveInterval
        for index in backups where pairs[index].transaction?.isRoutine ?? true { begin(.keepalive, at: index, at: now) }
        guard isProbing else { return }
        probedAt = now
        guard let selectedPath, let index = index(of: selectedPath), pairs[index].transaction?.isRoutine ?? true else {
            return
        }
        begin(.consent, at: index, at: now)
    }

    /// Without an answer for as long as consent lasts, a pair is no backup (RFC 7675 section 5.1).
    private mutating func dropDeadBackups(at now: Monotonic) {
        for index in pairs.indices where pairs[index].isValid && pairs[index].path != selectedPath {
            guard let proof = pairs[index].lastProof, proof + timing.consentExpiry <= now else { continue }
            fail(at: index, at: now)
        }
    }

    /// The selected path is silent while a backup answers.
    private mutating func fallBackIfDue(at now: Monotonic) {
        guard let fallbackDue, fallbackDue <= now, let selectedPath else { return }
        let proven = pairs.indices.filter { index in
            guard pairs[index].isValid, pairs[index].path != selectedPath, let proof = pairs[index].lastProof else {
                return false
            }
            return proof >= backupProvenAt
        }
        guard let backup = proven.max(by: { pairs[$0].priority < pairs[$1].priority }) else { return }
        if let old = index(of: selectedPath) {
            pairs[old].state = .failed
            pairs[old].isValid = false
            pairs[old].transaction = nil
            pairs[old].earlierTransactionID = nil
        }
        let path = pairs[backup].path
        select(path, isNominated: true, at: now)
        guard let index = index(of: path) else { return }
        nominating = path
        begin(.nomination, at: index, at: now)
    }

    /// The connection of a TCP pair is gone. If it worked once, or is all there was, it is tried again.
    mutating func losePair(at index: Int, at now: Monotonic) {
        guard mode == .full, pairs[index].isValid, pairs[index].path.socket.transport == .tcp else {
            return removePair(at: index)
        }
        let path = pairs[index].path
        triggered.removeAll { $0 == path }
        pairs[index].transaction = nil
        pairs[index].earlierTransactionID = nil
        pairs[index].isValid = false
        pairs[index].isAuthenticated = false
        pairs[index].state = .waiting
        pairs[index].heldUntil = now + timing.redialDelay * (1 << min(pairs[index].losses, 6))
        pairs[index].losses += 1
    }
}
