// LiveKit: publishing into a room of a LiveKit server, without media.
//
// `SignalMachine` is the client's side of the signalling protocol (version 17, one peer connection for publishing, which
// the client offers). It knows messages and time, not sockets, peers or clocks: what it wants done comes from
// `pollCommand`, what happened from `pollEvent`. Session descriptions pass through it as text.

package import Bytes
package import LiveKitProtocol

/// One participant's signalling, from the first connection to its end: joining, tracks, offers and answers, candidates,
/// keep-alive, resuming after a lost connection and joining anew when that fails.
///
/// After each input the driver does what `pollCommand` says, in order, then takes `pollEvent`, then reads
/// `nextDeadline`. After `closeSocket`, and after `openSocket` for the socket before, inputs of that socket must not be
/// handed in any more.
package struct SignalMachine: Sendable {
    package struct Configuration: Sendable {
        package var address: RoomAddress
        package var token: String
        /// Set on our participant after each join.
        package var attributes: [String: String]
        package var timing: SignalTiming

        package init(
            address: RoomAddress, token: String, attributes: [String: String] = [:],
            timing: SignalTiming = SignalTiming()
        ) {
            self.address = address
            self.token = token
            self.attributes = attributes
            self.timing = timing
        }
    }

    /// How the media connection may be made.
    package struct MediaServers: Equatable, Sendable {
        package var iceServers: [Livekit_ICEServer]
        /// Over TURN only.
        package var forcesRelay: Bool

        package init(iceServers: [Livekit_ICEServer], forcesRelay: Bool) {
            self.iceServers = iceServers
            self.forcesRelay = forcesRelay
        }
    }

    package enum Command: Equatable, Sendable {
        case openSocket(url: String, token: String)
        case send([UInt8])
        case closeSocket
        /// Make a new peer connection, in place of the one before, and offer all tracks on it by `sendOffer`; at once, or
        /// when there are tracks.
        case createPeer(MediaServers)
        /// Restart ICE on the peer connection and offer again by `sendOffer`. Tracks stay as they are.
        case restartICE(MediaServers)
        case applyAnswer(sdp: String)
        /// Comes only after the answer that it belongs to.
        case addRemoteCandidate(CandidateInit)
    }

    package enum Event: Equatable, Sendable {
        /// The room's sid may be empty and come later by `roomIdentified`.
        case joined(roomSID: String, participantSID: String)
        case roomIdentified(sid: String)
        case trackPublished(cid: String, Livekit_TrackInfo)
        /// The server took a track away; the others go on.
        case trackUnpublished(cid: String)
        /// The server muted a track, or no longer does.
        case muted(cid: String, Bool)
        case qualities(cid: String, SubscribedQualities)
        /// Others see our participant from now on.
        case active
        /// The connection is lost and being had back.
        case reconnecting(cause: String)
        /// The connection is back: the same participant, or one that joined anew.
        case recovered(Recovery)
        /// The attributes were not accepted.
        case attributesRefused(String)
        /// The last event.
        case ended(SignalEnd)
    }

    package enum Recovery: Hashable, Sendable {
        case resumed
        case rejoined
    }

    package enum State: Hashable, Sendable {
        case idle
        /// Dialling, or waiting for the first message of the server.
        case connecting
        case joined
        /// Between two attempts.
        case pausing
        case ended
    }

    enum Transport: Hashable, Sendable {
        /// No peer connection, or one that has not been connected yet.
        case new
        case connected
        /// Was connected; may come back by an ICE restart.
        case lost
    }

    enum Deadline: Int, CaseIterable, Sendable {
        case connect, negotiation, transport, goodbye, ping, pong, retry
    }

    struct Track: Sendable {
        var request: Livekit_AddTrackRequest
        var sid: String?
        /// When AddTrack counts as unanswered; nil while nothing is expected.
        var deadline: Monotonic?
        var isMuted = false
    }

    struct Attempts: Sendable {
        let startedAt: Monotonic
        var count = 0
        /// A resume failed, or cannot work.
        var isJoin: Bool
        var cause: String
    }

    let address: RoomAddress
    let timing: SignalTiming
    let attributes: [String: String]
    /// The newest that the server gave, so that a long session can come back.
    package internal(set) var token: String

    package internal(set) var state = State.idle
    var isResuming = false
    var isSocketOpen = false
    var transport = Transport.new
    /// The transport was connected at least once since the last join.
    var wasConnected = false
    /// Of the present attempt; of the last one that had success, until its first message.
    var dialledAt = Monotonic.zero
    var lastDial: Interval?
    /// The connection is being made or had back; nil while all is well.
    var attempts: Attempts?
    var timers = TimerTable<Deadline>()

    package internal(set) var participantSID = ""
    package internal(set) var roomSID = ""
    var hasJoined = false
    /// The first connection is complete; what comes later is a recovery.
    var isRecovering = false
    var serverProtocol: Int32 = 0
    var allowsResume = true
    var forcesRelay = false
    var iceServers: [Livekit_ICEServer] = []
    /// In lower case; empty allows all.
    var allowedCodecs: [String] = []
    var isActive = false
    var pingInterval: Interval?
    var pingTimeout = Interval.seconds(15)
    var roundTripMilliseconds: Int64 = 0

    /// In the order of publishing.
    var tracks: [Track] = []
    var offerID: UInt32 = 0
    /// An offer is without its answer.
    package internal(set) var isNegotiating = false
    /// ICE is to be restarted, and the offer for it is not out yet.
    var awaitsOffer = false
    /// Until the first answer of a peer connection, or of an ICE restart.
    var holdsRemoteCandidates = true
    var remoteCandidates: [CandidateInit] = []

    var commands: [Command] = []
    var events: [Event] = []

    package init(_ configuration: Configuration) {
        address = configuration.address
        timing = configuration.timing
        attributes = configuration.attributes
        token = configuration.token
    }
}

// MARK: - Driving

extension SignalMachine {
    /// Dials. Once only.
    package mutating func start(at now: Monotonic) {
        guard state == .idle else { return }
        attempts = Attempts(startedAt: now, isJoin: true, cause: "")
        attempt(at: now)
    }

    package mutating func pollCommand() -> Command? { commands.isEmpty ? nil : commands.removeFirst() }

    package mutating func pollEvent() -> Event? { events.isEmpty ? nil : events.removeFirst() }

    /// When to call `advance(to:)`; nil for never.
    package var nextDeadline: Monotonic? {
        guard state != .ended else { return nil }
        var earliest = timers.next
        for track in tracks {
            guard let deadline = track.deadline else { continue }
            earliest = min(earliest ?? deadline, deadline)
        }
        return earliest
    }

    package mutating func advance(to now: Monotonic) {
        while state != .ended, let deadline = timers.popExpired(at: now) { expire(deadline, at: now) }
        guard state == .joined, let late = tracks.first(where: { $0.deadline.map { $0 <= now } ?? false }) else {
            return
        }
        lose("the server did not answer the publication of \(late.request.name)", rejoins: true, at: now)
    }

    /// Leaves the room in good order. `ended` follows at once.
    package mutating func close() {
        guard state != .ended else { return }
        end(.left, saysGoodbye: true)
    }

    private mutating func expire(_ deadline: Deadline, at now: Monotonic) {
        switch deadline {
        case .connect: lose("the server did not answer in time", rejoins: isResuming, hasWaited: true, at: now)
        case .negotiation: lose("the server did not answer the offer", rejoins: true, at: now)
        case .transport: lose("no media connection was made in time", rejoins: true, at: now)
        case .goodbye: lose("the media connection was closed by the server", rejoins: true, at: now)
        case .ping: ping(at: now)
        case .pong: lose("the signalling connection is silent", rejoins: false, at: now)
        case .retry: attempt(at: now)
        }
    }

    mutating func send(_ message: Livekit_SignalRequest.OneOf_Message) {
        guard isSocketOpen else { return }
        var request = Livekit_SignalRequest()
        request.message = message
        commands.append(.send(request.wireBytes()))
    }

    private mutating func ping(at now: Monotonic) {
        guard state == .joined, let pingInterval else { return }
        var message = Livekit_Ping()
        message.timestamp = now.nanoseconds / 1_000_000
        message.rtt = roundTripMilliseconds
        send(.pingReq(message))
        timers[.ping] = now + pingInterval
    }
}

// MARK: - What the socket says

extension SignalMachine {
    package mutating func socketOpened(at now: Monotonic) {
        guard state == .connecting else { return }
        isSocketOpen = true
    }

    /// The server refused the websocket with an HTTP status. Statuses that time does not heal are final.
    private mutating func socketRefused(status: Int, body: String, at now: Monotonic) {
        guard state == .connecting else { return }
        isSocketOpen = false
        let text = body.prefix(200).filter { $0.isASCII && !$0.isNewline }
        let cause = "the server answered \(status)" + (text.isEmpty ? "" : ": \(text)")
        if (400..<500).contains(status), status != 408, status != 429, !isResuming { return end(.refused(cause)) }
        lose(cause, rejoins: isResuming && !Self.gatewayFailures.contains(status), at: now)
    }

    /// Something before the server answered for it: 502, 503 and 504 (RFC 9110 section 15.6).
    private static let gatewayFailures = 502...504

    /// The socket is gone, or was never opened.
    package mutating func socketClosed(_ reason: SignalSocketClosed, at now: Monotonic) {
        switch reason {
        case .refused(let status, let body): socketRefused(status: status, body: body, at: now)
        case .unreachable(let text):
            // Who did not get there has not been told that the participant is gone.
            socketLost(cause: "the server cannot be reached (\(text))", rejoins: false, at: now)
        case .tls(let text): socketLost(cause: "no secure connection to the server (\(text))", at: now)
        case .closedByPeer(let code):
            let detail = code.map { " with code \($0)" } ?? ""
            socketLost(cause: "the signalling connection was closed\(detail)", at: now)
        case .protocolViolation(let text):
            socketLost(cause: "the signalling server broke its protocol (\(text))", at: now)
        case .timedOut: socketLost(cause: "the server did not answer in time", hasWaited: true, at: now)
        case .closedHere: socketLost(cause: "the signalling connection was closed", at: now)
        }
    }

    private mutating func socketLost(
        cause: String, rejoins: Bool = true, hasWaited: Bool = false, at now: Monotonic
    ) {
        guard state == .connecting || state == .joined else { return }
        isSocketOpen = false
        lose(cause, rejoins: rejoins && state == .connecting && isResuming, hasWaited: hasWaited, at: now)
    }
}

// MARK: - What the peer connection says

extension SignalMachine {
    /// ICE and DTLS are up, or the peer is heard again.
    package mutating func transportConnected(at now: Monotonic) {
        guard state != .ended else { return }
        transport = .connected
        wasConnected = true
        timers[.transport] = nil
        finishRecovery()
    }

    /// The peer is not heard any more; an ICE restart may help.
    package mutating func transportLost(at now: Monotonic) {
        guard state != .ended, transport == .connected else { return }
        transport = .lost
        // While the signalling is being had back, ICE will be restarted anyway.
        guard state == .joined, attempts == nil else { return }
        lose("the media connection was lost", rejoins: false, at: now)
    }

    /// Media fell back to a path that the server may not follow: restarts ICE over the signalling that there is.
    package mutating func transportMoved(at now: Monotonic) {
        guard state == .joined, attempts == nil, !isNegotiating, !awaitsOffer else { return }
        restartICE(iceServers, at: now)
    }

    /// The server closed the peer connection. The signalling is about to say why; without a reason it is a failure.
    package mutating func transportClosed(at now: Monotonic) {
        guard state == .joined else { return transportFailed("the media connection was closed by the server", at: now) }
        transport = .new
        wasConnected = false
        timers[.transport] = nil
        timers[.goodbye] = now + timing.goodbye
    }

    /// The peer connection has ended, or could not use the answer: only a new one helps.
    package mutating func transportFailed(_ cause: String, at now: Monotonic) {
        guard state != .ended else { return }
        transport = .new
        wasConnected = false
        switch state {
        case .joined: lose(cause, rejoins: true, at: now)
        default: attempts?.isJoin = true
        }
    }
}
