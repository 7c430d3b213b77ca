import Bytes
import LiveKitProtocol

// Attempts to connect: the first, and those after a loss. After a loss the participant is resumed, until the server is
// reached; when that fails, or cannot work, all further attempts join anew.
extension SignalMachine {
    /// The connection is of no use any more: tries again, or gives up.
    /// - Parameter hasWaited: no pause is needed before the next attempt, for one, because this one got no answer in its time.
    mutating func lose(_ cause: String, rejoins: Bool, hasWaited: Bool = false, at now: Monotonic) {
        dropSocket()
        var attempts = self.attempts ?? Attempts(startedAt: now, isJoin: !canResume, cause: cause)
        if self.attempts == nil { events.append(.reconnecting(cause: cause)) }
        attempts.isJoin = attempts.isJoin || rejoins || !canResume
        attempts.cause = cause
        let delay = hasWaited ? .zero : timing.retryDelay(attempt: attempts.count)
        let patience = hasJoined ? timing.recovery : timing.firstJoin
        self.attempts = attempts
        guard now + delay - attempts.startedAt < patience else { return end(.exhausted(cause)) }
        if delay == .zero { return attempt(at: now) }
        state = .pausing
        timers[.retry] = now + delay
    }

    mutating func attempt(at now: Monotonic) {
        guard var attempts else { return }
        attempts.count += 1
        self.attempts = attempts
        state = .connecting
        isResuming = !attempts.isJoin
        dialledAt = now
        timers[.connect] = now + timing.dialTime(attempt: attempts.count, lastDial: lastDial)
        let reason: Livekit_ReconnectReason = transport == .lost ? .rrPublisherFailed : .rrSignalDisconnected
        let url = isResuming ? address.resume(sid: participantSID, reason: reason) : address.join
        commands.append(.openSocket(url: url, token: token))
    }

    /// All is well again when the signalling is up, the last offer is answered and media can flow.
    mutating func finishRecovery() {
        guard state == .joined, attempts != nil, !isNegotiating, !awaitsOffer else { return }
        guard tracks.isEmpty || transport == .connected else { return }
        let isFirst = !isRecovering
        attempts = nil
        if !isFirst { events.append(.recovered(isResuming ? .resumed : .rejoined)) }
        isRecovering = true
    }

    mutating func end(_ end: SignalEnd, saysGoodbye: Bool = false) {
        guard state != .ended else { return }
        if saysGoodbye, state == .joined {
            var leave = Livekit_LeaveRequest()
            leave.reason = .clientInitiated
            send(.leave(leave))
        }
        dropSocket()
        state = .ended
        attempts = nil
        events.append(.ended(end))
    }

    private var canResume: Bool { !participantSID.isEmpty && allowsResume && wasConnected }

    private mutating func dropSocket() {
        if state == .connecting || state == .joined { commands.append(.closeSocket) }
        isSocketOpen = false
        isNegotiating = false
        awaitsOffer = false
        timers.removeAll()
        for index in tracks.indices { tracks[index].deadline = nil }
    }
}
