package import Bytes
package import LiveKitProtocol
package import PSRPC
package import Runtime

/// Tells livekit-server the states of one session, in order, each until it is taken or refused: a lost final state would leave an
/// ingress "publishing" for ever.
@MediaLoop
package final class StateReporter {
    package enum Limits {
        /// Between two tries, doubled each time up to the longest.
        package static let shortestPause = Interval.milliseconds(200)
        package static let longestPause = Interval.seconds(5)
        /// For a session that was in its room to leave it, before its end is told: livekit-server's webhooks shall tell of the
        /// tracks and the participant first.
        package static let farewell = Interval.milliseconds(100)
    }

    private let send: @MediaLoop (Livekit_IngressState) async throws(PSRPCError) -> Void
    private let pause: @MediaLoop (Interval) async -> Void
    private let onRefused: @MediaLoop (PSRPCError) -> Void
    private var waiting: [Livekit_IngressState] = []
    private var isSending = false
    private var isRefused = false
    private var hasPublished = false
    private var idleWaiters: [CheckedContinuation<Void, Never>] = []

    /// - Parameters:
    ///   - pause: waits; an argument so that tests need not.
    ///   - onRefused: the server knows the ingress no more, or a newer session of it; nothing more is sent.
    package init(
        send: @escaping @MediaLoop (Livekit_IngressState) async throws(PSRPCError) -> Void,
        pause: @escaping @MediaLoop (Interval) async -> Void,
        onRefused: @escaping @MediaLoop (PSRPCError) -> Void
    ) {
        self.send = send
        self.pause = pause
        self.onRefused = onRefused
    }

    /// A state that only refreshes the one that still waits replaces it; a change of status never gets lost.
    package func report(_ state: Livekit_IngressState) {
        guard !isRefused else { return }
        if let last = waiting.last, last.status == state.status { waiting.removeLast() }
        waiting.append(state)
        guard !isSending else { return }
        isSending = true
        Task { @MediaLoop in await self.run() }
    }

    /// Returns when nothing waits to be told.
    package func drained() async {
        guard isSending else { return }
        await withCheckedContinuation { idleWaiters.append($0) }
    }

    private func run() async {
        var wait = Limits.shortestPause
        while let state = waiting.first, !isRefused {
            if hasPublished, Self.isFinal(state) {
                hasPublished = false
                await pause(Limits.farewell)
                continue
            }
            waiting.removeFirst()
            hasPublished = state.status == .endpointPublishing
            do throws(PSRPCError) {
                try await send(state)
                wait = Limits.shortestPause
            } catch {
                guard Self.mayPass(error) else {
                    refuse(error)
                    break
                }
                // A newer state of the same status makes this one superfluous.
                if waiting.first?.status != state.status { waiting.insert(state, at: 0) }
                await pause(wait)
                wait = min(wait + wait, Limits.longestPause)
            }
        }
        isSending = false
        for waiter in idleWaiters { waiter.resume() }
        idleWaiters = []
    }

    private func refuse(_ error: PSRPCError) {
        isRefused = true
        waiting = []
        onRefused(error)
    }

    private static func isFinal(_ state: Livekit_IngressState) -> Bool {
        switch state.status {
        case .endpointInactive, .endpointError, .endpointComplete: true
        default: false
        }
    }

    private static func mayPass(_ error: PSRPCError) -> Bool {
        switch error.code {
        case .notFound, .failedPrecondition, .invalidArgument, .malformedRequest, .permissionDenied, .unauthenticated,
            .unimplemented:
            false
        default: true
        }
    }
}
