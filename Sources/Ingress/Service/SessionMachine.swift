package import Bytes
package import LiveKitProtocol

/// One ingress session as LiveKit sees it, from acceptance to its end: what its state is, when it is told, and when source and
/// child must stop. A pure machine; `IngressSession` carries its commands out.
///
/// Source and room side come and go independently: an encoder that breaks off may return within `grace`, and a child that ends for a
/// reason that may pass is started again, both inside the same session.
package struct SessionMachine {
    package enum Phase: Hashable, Sendable {
        /// Accepted; nothing is published.
        case buffering
        case publishing
        case ended
    }

    package enum Command: Equatable, Sendable {
        /// The whole state, to be told to the server.
        case report(Livekit_IngressState)
        /// Tell the encoder and close its connection.
        case endSource(SessionEnd)
        case stopHandler
        /// The child has ended and another is to carry on.
        case startHandler
        /// Nothing comes after it.
        case finished
    }

    /// How a child ended.
    package enum HandlerEnd: Equatable, Sendable {
        /// It was asked to.
        case stopped
        case failed(IngressError)
        /// Killed by a signal, or gone without a word.
        case crashed(cause: String)
    }

    package enum Limits {
        /// Runs of children in one session, as LiveKit's ingress does.
        package static let runs = 3
        /// A run of this length was a good one: the count starts anew.
        package static let goodRun = Interval.seconds(60)
        /// A source that sends nothing for this long has failed.
        package static let mediaPatience = Interval.seconds(60)
        /// Media that another server carries, and tells nothing of for this long, has ended. It tells every 10 s.
        package static let noticePatience = Interval.seconds(180)
    }

    /// How it is known that media comes.
    package enum Watch: Sendable {
        /// It comes through this process.
        case media
        /// The server that carries it tells.
        case notices

        var patience: Interval { self == .media ? Limits.mediaPatience : Limits.noticePatience }
    }

    package private(set) var phase = Phase.buffering
    package private(set) var state: Livekit_IngressState
    package private(set) var hasSource = false
    private let grace: Interval
    private let isReusable: Bool
    private let watch: Watch
    private var runs = 1
    private var runStartedAt: Monotonic
    private var timers = TimerTable<SessionDeadline>()
    private var commands: [Command] = []
    /// The child is running or on its way.
    private var hasHandler = true

    /// - Parameters:
    ///   - unixNow: nanoseconds; the session's start, which must lie after that of every session of the ingress before it.
    ///   - grace: how long a broken connection may take to come back.
    package init(
        info: Livekit_IngressInfo, resourceID: String, grace: Interval, watch: Watch = .media, at now: Monotonic,
        unixNow: Int64
    ) {
        state = Livekit_IngressState()
        state.status = .endpointBuffering
        state.startedAt = max(unixNow, info.state.startedAt &+ 1)
        state.resourceID = resourceID
        self.grace = grace
        self.watch = watch
        isReusable = info.reusable || info.inputType != .urlInput
        runStartedAt = now
        timers[.media] = now + watch.patience
        report(unixNow)
    }

    package mutating func pollCommand() -> Command? { commands.isEmpty ? nil : commands.removeFirst() }

    package var nextDeadline: Monotonic? { timers.next }
}

/// What a session waits for.
package enum SessionDeadline: Int, CaseIterable, Sendable { case grace, media }

// MARK: - The source

extension SessionMachine {
    package mutating func sourceAttached(at now: Monotonic) {
        guard phase != .ended else { return }
        hasSource = true
        timers[.grace] = nil
        timers[.media] = now + watch.patience
    }

    /// A frame came in, or the notice of another server that carries the media.
    package mutating func mediaReceived(at now: Monotonic) {
        guard phase != .ended else { return }
        timers[.media] = now + watch.patience
    }

    /// The server that carries the media has tracks of it, of which it tells no more than the input's state.
    package mutating func carriedElsewhere(unixNow: Int64) {
        guard phase == .buffering else { return }
        phase = .publishing
        state.status = .endpointPublishing
        report(unixNow)
    }

    /// The encoder left: for good when it said goodbye, else perhaps for a moment.
    package mutating func sourceLost(_ reason: SessionEnd, at now: Monotonic, unixNow: Int64) {
        guard phase != .ended, hasSource else { return }
        hasSource = false
        timers[.media] = nil
        switch reason {
        case .replaced: return
        case .disconnected, .failed:
            if grace > .zero {
                timers[.grace] = now + grace
            } else {
                end(.stopped, unixNow)
            }
        case .finished, .serverStopping: end(.stopped, unixNow)
        }
    }

    package mutating func inputChanged(
        video: Livekit_InputVideoState?, audio: Livekit_InputAudioState?, unixNow: Int64
    ) {
        guard phase != .ended else { return }
        let before = state
        if var video {
            video.averageBitrate = state.video.averageBitrate
            if !state.hasVideo || video != state.video { state.video = video }
        }
        if var audio {
            audio.averageBitrate = state.audio.averageBitrate
            if !state.hasAudio || audio != state.audio { state.audio = audio }
        }
        if state != before, phase == .publishing { report(unixNow) }
    }

    /// Mean bit rates since the session's start. Told along with the next report, and at once when `isDue`.
    package mutating func measured(videoBitrate: UInt32, audioBitrate: UInt32, isDue: Bool, unixNow: Int64) {
        guard phase != .ended else { return }
        if state.hasVideo { state.video.averageBitrate = videoBitrate }
        if state.hasAudio { state.audio.averageBitrate = audioBitrate }
        if isDue, phase == .publishing { report(unixNow) }
    }
}

// MARK: - The room

extension SessionMachine {
    package mutating func roomJoined(sid: String, unixNow: Int64) {
        guard phase != .ended, !sid.isEmpty, sid != state.roomID else { return }
        state.roomID = sid
        if phase == .publishing { report(unixNow) }
    }

    package mutating func tracksPublished(_ tracks: [Livekit_TrackInfo], unixNow: Int64) {
        guard phase != .ended, !tracks.isEmpty, phase == .buffering || tracks != state.tracks else { return }
        state.tracks = tracks
        phase = .publishing
        state.status = .endpointPublishing
        report(unixNow)
    }

    package mutating func handlerEnded(_ end: HandlerEnd, at now: Monotonic, unixNow: Int64) {
        guard phase != .ended else { return }
        hasHandler = false
        switch end {
        case .failed(let error) where error.isRetryable:
            if now - runStartedAt >= Limits.goodRun { runs = 0 }
            guard runs < Limits.runs else { return self.end(.failed(error), unixNow) }
            runs += 1
            runStartedAt = now
            hasHandler = true
            commands.append(.startHandler)
        case .failed, .crashed: self.end(end, unixNow)
        // Only a child that was asked to stops by itself, and then the session is over already.
        case .stopped: self.end(.failed(.roomDisconnected), unixNow)
        }
    }
}

// MARK: - The end

extension SessionMachine {
    /// Update, delete, or the end of the service.
    package mutating func stop(_ reason: SessionEnd, unixNow: Int64) {
        guard phase != .ended else { return }
        end(.stopped, unixNow, telling: reason)
    }

    package mutating func fail(_ error: IngressError, unixNow: Int64) {
        guard phase != .ended else { return }
        end(.failed(error), unixNow)
    }

    package mutating func advance(to now: Monotonic, unixNow: Int64) {
        while let due = timers.popExpired(at: now) {
            switch due {
            case .grace: end(.stopped, unixNow)
            case .media: end(watch == .media ? .failed(.sourceNotReady) : .stopped, unixNow)
            }
        }
    }

    private mutating func end(_ how: HandlerEnd, _ unixNow: Int64, telling reason: SessionEnd = .finished) {
        guard phase != .ended else { return }
        phase = .ended
        timers = TimerTable()
        var told = reason
        switch how {
        case .stopped: state.status = isReusable ? .endpointInactive : .endpointComplete
        case .failed(let error):
            state.status = .endpointError
            state.error = error.text
            told = .failed(error.advice)
        case .crashed(let cause):
            state.status = .endpointError
            state.error = "the process that carried the session ended: " + cause
            told = .failed("The server failed on this stream (\(cause)). Connect again.")
        }
        state.endedAt = max(unixNow, state.startedAt)
        if hasSource { commands.append(.endSource(told)) }
        hasSource = false
        if hasHandler { commands.append(.stopHandler) }
        report(unixNow)
        commands.append(.finished)
    }

    private mutating func report(_ unixNow: Int64) {
        state.updatedAt = max(unixNow, state.updatedAt &+ 1, state.startedAt)
        commands.append(.report(state))
    }
}
