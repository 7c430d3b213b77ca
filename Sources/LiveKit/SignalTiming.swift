package import Bytes

/// Intervals of the signalling; the defaults are those of LiveKit's Go SDK where it has one.
package struct SignalTiming: Sendable {
    /// From the dial to the first message.
    package var connect = Interval.seconds(5)
    /// Likewise when a lost connection is to be had back, but at least four times what the last dial took; after
    /// `quickDials` each attempt has one more of it, up to `connect`. For seconds after a crash, a server that came up
    /// again sends who comes to its predecessor; those hang, but whoever dials after that is taken at once.
    package var reconnect = Interval.milliseconds(500)
    package var quickDials = 12
    /// From AddTrack to TrackPublished.
    package var publish = Interval.seconds(10)
    /// From offer to answer.
    package var negotiation = Interval.seconds(15)
    /// From answer to a connected transport, after a join …
    package var transport = Interval.seconds(15)
    /// … and after a resume, which a join replaces when it fails.
    package var resumedTransport = Interval.seconds(5)
    /// For the reason to come after the server closed the media connection.
    package var goodbye = Interval.seconds(1)
    /// Attempt n (from 0) waits n² of these, unless the one before was waited for in vain …
    package var retryStep = Interval.milliseconds(300)
    /// … but no longer than this, so that a server that is back is not waited for in vain.
    package var retryCap = Interval.seconds(3)
    /// How long a lost connection is tried to be had back.
    package var recovery = Interval.seconds(60)
    /// Likewise the first one: an encoder should hear soon that its room cannot be reached.
    package var firstJoin = Interval.seconds(10)

    package init() {}

    /// `attempt`: from 1. `lastDial`: from the last dial that had success to its first message; nil before there is one.
    func dialTime(attempt: Int, lastDial: Interval?) -> Interval {
        guard let lastDial else { return connect }
        let share = Int64(max(1, min(attempt, 100) - quickDials + 1))
        return min(max(reconnect, min(lastDial, connect) * 4) * share, connect)
    }

    func retryDelay(attempt: Int) -> Interval {
        let attempt = Int64(min(attempt, 100))
        return min(retryStep * (attempt * attempt), retryCap)
    }
}

extension SignalMachine {
    /// Bounds for what a signalling server can make grow. Messages are bounded by the socket.
    package enum Limits {
        /// Candidates that wait for an answer.
        package static let pendingCandidates = 64
        /// Tracks of one participant; the server takes 20 that are pending.
        package static let tracks = 16
        /// STUN and TURN servers of one answer.
        package static let iceServers = 16
        /// Seconds that the server may name for pings.
        package static let pingSeconds: ClosedRange<Int64> = 1...600
        /// The token, a URL or another text that is kept.
        package static let tokenBytes = 65_536
    }
}
