package import Bytes
import LiveKitProtocol

extension SignalMachine {
    /// Takes one binary message. What cannot be read is a lost connection, since it might have been anything.
    package mutating func socketReceived(_ message: [UInt8], at now: Monotonic) {
        guard state == .connecting || state == .joined else { return }
        guard let response = Self.parse(message) else {
            return lose("the server sent a message that cannot be read", rejoins: true, at: now)
        }
        if state == .joined, pingInterval != nil { timers[.pong] = now + pingTimeout }
        guard let content = response.message else { return }
        if state == .connecting {
            receiveFirst(content, at: now)
        } else {
            receive(content, at: now)
        }
    }

    private static func parse(_ message: [UInt8]) -> Livekit_SignalResponse? {
        try? Livekit_SignalResponse(parsing: message)
    }

    /// Before `join` or `reconnect` only a goodbye and a token count.
    private mutating func receiveFirst(_ message: Livekit_SignalResponse.OneOf_Message, at now: Monotonic) {
        switch message {
        case .join(let join) where !isResuming: receive(join, at: now)
        case .reconnect(let reconnect) where isResuming: receive(reconnect, at: now)
        case .leave(let leave): receive(leave, at: now)
        case .refreshToken(let token): keep(token: token)
        default: break
        }
    }

    private mutating func receive(_ message: Livekit_SignalResponse.OneOf_Message, at now: Monotonic) {
        switch message {
        case .answer(let answer): receive(answer: answer, at: now)
        case .trickle(let trickle): receive(trickle)
        case .update(let update): receive(update)
        case .trackPublished(let published): receive(published)
        case .trackUnpublished(let unpublished): forgetTrack(sid: unpublished.trackSid)
        case .leave(let leave): receive(leave, at: now)
        case .mute(let mute): receive(mute)
        case .roomUpdate(let update): identify(update.room)
        case .subscribedQualityUpdate(let update): receive(update)
        case .refreshToken(let token): keep(token: token)
        case .pongResp(let pong): receive(pong, at: now)
        case .requestResponse(let response): receive(response, at: now)
        case .roomMoved(let moved):
            keep(token: moved.token)
            if !moved.participant.sid.isEmpty { participantSID = moved.participant.sid }
            identify(moved.room)
        // An offer would be for subscriptions, which our participant may not have.
        case .join, .reconnect, .offer, .pong: break
        }
    }

    private mutating func receive(_ join: Livekit_JoinResponse, at now: Monotonic) {
        beginSession(join.serverInfo, join.clientConfiguration, at: now)
        participantSID = join.participant.sid
        roomSID = join.room.sid
        hasJoined = true
        isActive = false
        transport = .new
        wasConnected = false
        if join.pingInterval > 0, join.pingTimeout > 0 {
            let range = Limits.pingSeconds
            pingInterval = .seconds(min(max(Int64(join.pingInterval), range.lowerBound), range.upperBound))
            pingTimeout = .seconds(min(max(Int64(join.pingTimeout), range.lowerBound), range.upperBound))
            startPings(at: now)
        } else {
            pingInterval = nil
        }
        let allowed = join.enabledPublishCodecs.map { $0.mime.lowercased() }
        if !allowed.isEmpty, let refused = codecs.first(where: { !allowed.contains($0.lowercased()) }) {
            return end(.refused("the room does not allow \(refused)"), saysGoodbye: true)
        }
        allowedCodecs = allowed
        events.append(.joined(roomSID: roomSID, participantSID: participantSID))
        sendAttributes()
        for index in tracks.indices {
            tracks[index].sid = nil
            setMuted(false, index)
            request(index, at: now)
        }
        commands.append(.createPeer(take(join.iceServers)))
        finishRecovery()
    }

    private mutating func receive(_ reconnect: Livekit_ReconnectResponse, at now: Monotonic) {
        beginSession(reconnect.serverInfo, reconnect.clientConfiguration, at: now)
        startPings(at: now)
        for index in tracks.indices where tracks[index].sid == nil { request(index, at: now) }
        restartICE(reconnect.iceServers, at: now)
    }

    private mutating func beginSession(
        _ server: Livekit_ServerInfo, _ configuration: Livekit_ClientConfiguration, at now: Monotonic
    ) {
        state = .joined
        lastDial = now - dialledAt
        timers.removeAll()
        awaitsOffer = false
        serverProtocol = server.protocol
        allowsResume = configuration.resumeConnection != .disabled
        forcesRelay = configuration.forceRelay == .enabled
        holdsRemoteCandidates = true
        remoteCandidates = []
    }

    private mutating func startPings(at now: Monotonic) {
        guard let pingInterval else { return }
        timers[.ping] = now + pingInterval
        timers[.pong] = now + pingTimeout
    }

    /// Until the offer that follows is out and answered nothing is recovered.
    mutating func restartICE(_ servers: [Livekit_ICEServer], at now: Monotonic) {
        awaitsOffer = true
        holdsRemoteCandidates = true
        timers[.negotiation] = now + timing.negotiation
        commands.append(.restartICE(take(servers)))
    }

    private mutating func take(_ servers: [Livekit_ICEServer]) -> MediaServers {
        iceServers = Array(servers.prefix(Limits.iceServers))
        return MediaServers(iceServers: iceServers, forcesRelay: forcesRelay)
    }

    private mutating func sendAttributes() {
        guard !attributes.isEmpty else { return }
        var update = Livekit_UpdateParticipantMetadata()
        update.attributes = attributes
        send(.updateMetadata(update))
    }

    private mutating func keep(token: String) {
        if !token.isEmpty, token.utf8.count <= Limits.tokenBytes { self.token = token }
    }

    private mutating func identify(_ room: Livekit_Room) {
        guard !room.sid.isEmpty, room.sid != roomSID else { return }
        roomSID = room.sid
        events.append(.roomIdentified(sid: roomSID))
    }

    private mutating func receive(_ update: Livekit_ParticipantUpdate) {
        guard let own = update.participants.first(where: { $0.sid == participantSID }) else { return }
        if own.state == .active, !isActive {
            isActive = true
            events.append(.active)
        }
    }

    private mutating func receive(_ pong: Livekit_Pong, at now: Monotonic) {
        let elapsed = now.nanoseconds / 1_000_000 &- pong.lastPingTimestamp
        if (0...60_000).contains(elapsed) { roundTripMilliseconds = elapsed }
    }

    /// Servers before protocol 13 knew no action, only whether coming back makes sense.
    private mutating func receive(_ leave: Livekit_LeaveRequest, at now: Monotonic) {
        let cause = "the server said goodbye (\(leave.reason))"
        switch leave.action {
        case .resume: lose(cause, rejoins: isResuming && state == .connecting, at: now)
        // A server that is there and does not know the participant needs no pause before it is joined.
        case .reconnect: lose(cause, rejoins: true, hasWaited: isResuming && state == .connecting, at: now)
        case .disconnect, .UNRECOGNIZED:
            let isOld = (1..<13).contains(serverProtocol)
            // A server that goes down has a successor, or will be back.
            if isOld && leave.canReconnect || leave.reason == .serverShutdown {
                lose(cause, rejoins: true, at: now)
            } else {
                end(.disconnected(leave.reason))
            }
        }
    }
}
