package import Bytes

extension ICEAgent {
    /// Takes one datagram that `STUNDemux` calls STUN, relayed or not.
    package mutating func receive(_ datagram: RawSpan, on path: ICEPath, at now: Monotonic) -> ICEReceiveResult {
        defer { reschedule() }
        var (datagram, path) = (datagram, path)
        switch unwrap(datagram, on: path, at: now) {
        case .direct: break
        case .handled: return .accepted
        case .relayed(let range, let inner): (datagram, path) = (datagram.extracting(range), inner)
        }
        do {
            try handle(datagram, on: path, at: now)
            return .accepted
        } catch {
            tally.record(error)
            return .ignored(error)
        }
    }

    private mutating func handle(_ datagram: RawSpan, on path: ICEPath, at now: Monotonic) throws(ICEError) {
        guard isLive else { throw .closed }
        let message = try STUNMessage(datagram)
        guard message.method == .binding else { throw .unexpectedMessage }
        switch message.messageClass {
        case .request: try handleRequest(message, on: path, at: now)
        case .success, .error: try handleResponse(message, on: path, at: now)
        // Keepalives (RFC 8445 section 11) are not authenticated and prove nothing.
        case .indication: break
        }
    }

    // MARK: Requests

    private mutating func handleRequest(
        _ message: STUNMessage, on path: ICEPath, at now: Monotonic
    ) throws(ICEError) {
        let isPrevious = try authenticate(message)
        let reply = Reply(path: path, transactionID: message.transactionID, isPrevious: isPrevious)
        let unknown = message.unknownRequiredAttributes()
        guard unknown.isEmpty else {
            enqueue(.failure(reply, code: 420, unknown: unknown))
            throw .unknownRequiredAttribute
        }
        guard !isPrevious else {
            enqueue(.success(reply))
            if path == selectedPath { hear(at: now, provesConsent: mode == .lite) }
            return
        }
        // Consent checks of some peers come without PRIORITY.
        let priority =
            try message.uint32(.priority) ?? ICECandidate.priority(.peerReflexive, localPreference: 0)
        guard try keepsRole(message) else {
            enqueue(.failure(reply, code: 487, unknown: []))
            throw .roleConflict
        }
        enqueue(.success(reply))
        noteRequest(on: path, priority: priority, usesCandidate: message.has(.useCandidate), at: now)
    }

    /// Whether the request is for the generation before.
    private func authenticate(_ message: STUNMessage) throws(ICEError) -> Bool {
        guard let username = message.value(of: .username) else { throw .missingAttribute(.username) }
        var credentials = localCredentials
        let isPrevious = !localCredentials.isNamed(by: username)
        if isPrevious {
            guard let previous, previous.local.isNamed(by: username) else { throw .unknownUsername }
            credentials = previous.local
        }
        try message.verifyFingerprint()
        try message.verifyIntegrity(key: credentials.passwordBytes, hmac: hmac)
        return isPrevious
    }

    /// Settles a role conflict (RFC 8445 section 7.3.1.1), perhaps by taking the other role. False: the peer has to
    /// take it.
    private mutating func keepsRole(_ message: STUNMessage) throws(ICEError) -> Bool {
        let theirClaim = try message.uint64(role == .controlling ? .iceControlling : .iceControlled)
        guard let theirClaim else { return true }
        guard mode == .full else { return false }
        let weWin = tieBreaker >= theirClaim
        // The winner controls, so each side turns when its role is not what the tie-breakers say.
        guard weWin == (role == .controlled) else { return false }
        switchRole()
        return true
    }

    mutating func noteRequest(on path: ICEPath, priority: UInt32, usesCandidate: Bool, at now: Monotonic) {
        let index = index(of: path) ?? addPair(onto: path, remotePriority: priority, at: now)
        let isNew = !isValidated(path)
        pairs[index].lastActivity = now
        pairs[index].isAuthenticated = true
        if isNew { emit(.pathValidated(path)) }
        if path == selectedPath { hear(at: now, provesConsent: mode == .lite) }
        switch mode {
        case .lite: validate(at: index, at: now)
        case .full: trigger(at: index, at: now)
        }
        if usesCandidate, role == .controlled { nominateByPeer(at: index, at: now) }
    }

    // MARK: Responses

    private mutating func handleResponse(
        _ message: STUNMessage, on path: ICEPath, at now: Monotonic
    ) throws(ICEError) {
        if let gathering = gatherings.firstIndex(where: { $0.transactionID == message.transactionID }) {
            return try finishGathering(at: gathering, message, on: path, at: now)
        }
        guard let remoteCredentials, let index = pairs.firstIndex(where: { $0.awaits(message.transactionID) }) else {
            throw .unknownTransaction
        }
        if message.hasFingerprint { try message.verifyFingerprint() }
        try message.verifyIntegrity(key: remoteCredentials.passwordBytes, hmac: hmac)
        guard pairs[index].path == path else {
            if pairs[index].transaction?.purpose == .check { fail(at: index, at: now) }
            throw .asymmetricResponse
        }
        if message.messageClass == .success {
            // Some encoders (FFmpeg) leave XOR-MAPPED-ADDRESS out; here it would only name a candidate of our own.
            succeed(at: index, message.transactionID, at: now)
        } else {
            try refused(at: index, message.transactionID, code: message.errorCode() ?? 0, at: now)
        }
    }

    private mutating func succeed(at index: Int, _ id: STUNTransactionID, at now: Monotonic) {
        let path = pairs[index].path
        let answered = pairs[index].transaction.flatMap { $0.id == id ? $0 : nil }
        pairs[index].earlierTransactionID = nil
        if answered != nil { pairs[index].transaction = nil }
        // A late answer to the check before proves the path too, unless a nomination is still under way on it.
        if pairs[index].transaction?.purpose == .check { pairs[index].transaction = nil }
        pairs[index].state = .succeeded
        pairs[index].lastActivity = now
        pairs[index].lastProof = now
        if path == selectedPath { hear(at: now, provesConsent: true) } else { noteBackupProof(at: now) }
        validate(at: index, at: now)
        if answered?.purpose == .nomination, answered?.role == .controlling, role == .controlling {
            nominating = nil
            select(path, isNominated: true, at: now)
        } else if pairs[index].nominatesOnSuccess, role == .controlled {
            nominateByPeer(at: index, at: now)
        }
    }

    private mutating func refused(
        at index: Int, _ id: STUNTransactionID, code: Int, at now: Monotonic
    ) throws(ICEError) {
        guard let transaction = pairs[index].transaction, transaction.id == id else { throw .unknownTransaction }
        // A refused consent check gives no consent; consent runs out by itself if the next ones fare no better.
        guard !transaction.isRoutine else { throw .errorResponse(code) }
        guard code == 487 else {
            fail(at: index, at: now)
            throw .errorResponse(code)
        }
        if transaction.role == role { switchRole() }
        if nominating == pairs[index].path { nominating = nil }
        pairs[index].transaction = nil
        pairs[index].state = .failed
        trigger(at: index, at: now)
    }
}
