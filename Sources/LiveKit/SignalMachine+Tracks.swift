package import Bytes
package import LiveKitProtocol

// Tracks, session descriptions and candidates.
extension SignalMachine {
    /// Publishes a track, now or when the room is joined, and again after each new join. `cid` must be the track id of
    /// its `a=msid`; a second track of one cid replaces nothing and is ignored.
    package mutating func publish(_ request: Livekit_AddTrackRequest, at now: Monotonic) {
        guard state != .ended, tracks.count < Limits.tracks,
            !tracks.contains(where: { $0.request.cid == request.cid })
        else { return }
        tracks.append(Track(request: request))
        guard state == .joined else { return }
        if !allowedCodecs.isEmpty, let refused = codecs.first(where: { !allowedCodecs.contains($0.lowercased()) }) {
            return end(.refused("the room does not allow \(refused)"), saysGoodbye: true)
        }
        self.request(tracks.count - 1, at: now)
    }

    /// Sends an offer. False, and nothing sent, without a joined room and while another offer waits for its answer.
    @discardableResult
    package mutating func sendOffer(sdp: String, at now: Monotonic) -> Bool {
        guard state == .joined, !isNegotiating else { return false }
        isNegotiating = true
        awaitsOffer = false
        offerID &+= 1
        var offer = Livekit_SessionDescription()
        offer.type = "offer"
        offer.sdp = sdp
        offer.id = offerID
        send(.offer(offer))
        timers[.negotiation] = now + timing.negotiation
        return true
    }

    /// Tells the server of a candidate of ours; nil: there are no more. Only after an offer.
    package mutating func sendCandidate(_ candidate: CandidateInit?) {
        guard state == .joined, offerID > 0 else { return }
        var trickle = Livekit_TrickleRequest()
        trickle.target = .publisher
        trickle.candidateInit = (candidate ?? CandidateInit(candidate: "")).text
        trickle.final = candidate == nil
        send(.trickle(trickle))
    }

    /// The server's name for a track, while it has one.
    package func sid(ofTrack cid: String) -> String? { tracks.first { $0.request.cid == cid }?.sid }

    /// Codecs of all tracks, as "video/H264".
    var codecs: [String] { tracks.flatMap { $0.request.simulcastCodecs.map(\.codec) } }

    mutating func request(_ index: Int, at now: Monotonic) {
        tracks[index].deadline = now + timing.publish
        send(.addTrack(tracks[index].request))
    }

    // MARK: - Answers and candidates

    mutating func receive(answer: Livekit_SessionDescription, at now: Monotonic) {
        // Servers before offers had numbers answer with zero.
        guard isNegotiating, answer.id == offerID || answer.id == 0 else { return }
        isNegotiating = false
        timers[.negotiation] = nil
        commands.append(.applyAnswer(sdp: answer.sdp))
        holdsRemoteCandidates = false
        commands.append(contentsOf: remoteCandidates.map { .addRemoteCandidate($0) })
        remoteCandidates = []
        if transport != .connected {
            timers[.transport] = now + (isResuming ? timing.resumedTransport : timing.transport)
        }
        finishRecovery()
    }

    mutating func receive(_ trickle: Livekit_TrickleRequest) {
        guard trickle.target == .publisher, let candidate = try? CandidateInit(parsing: trickle.candidateInit),
            !candidate.candidate.isEmpty
        else { return }
        if !holdsRemoteCandidates {
            commands.append(.addRemoteCandidate(candidate))
        } else if remoteCandidates.count < Limits.pendingCandidates {
            remoteCandidates.append(candidate)
        }
    }

    // MARK: - What becomes of tracks

    mutating func receive(_ published: Livekit_TrackPublishedResponse) {
        guard let index = tracks.firstIndex(where: { $0.request.cid == published.cid }) else { return }
        tracks[index].sid = published.track.sid
        tracks[index].deadline = nil
        events.append(.trackPublished(cid: published.cid, published.track))
        if published.track.muted { setMuted(true, index) }
    }

    mutating func forgetTrack(sid: String) {
        guard let index = index(sid: sid) else { return }
        let track = tracks.remove(at: index)
        events.append(.trackUnpublished(cid: track.request.cid))
    }

    mutating func receive(_ mute: Livekit_MuteTrackRequest) {
        guard let index = index(sid: mute.sid) else { return }
        setMuted(mute.muted, index)
    }

    mutating func setMuted(_ isMuted: Bool, _ index: Int) {
        guard tracks[index].isMuted != isMuted else { return }
        tracks[index].isMuted = isMuted
        events.append(.muted(cid: tracks[index].request.cid, isMuted))
    }

    mutating func receive(_ update: Livekit_SubscribedQualityUpdate) {
        guard let index = index(sid: update.trackSid) else { return }
        let request = tracks[index].request
        let qualities = SubscribedQualities(update, codec: request.simulcastCodecs.first?.codec ?? "")
        events.append(.qualities(cid: request.cid, qualities))
    }

    /// Answers that say why something was not done.
    mutating func receive(_ response: Livekit_RequestResponse, at now: Monotonic) {
        guard response.reason != .ok, response.reason != .queued else { return }
        let reason = response.message.isEmpty ? "\(response.reason)" : String(response.message.prefix(200))
        switch response.request {
        case .addTrack(let echo):
            guard let track = tracks.first(where: { $0.request.cid == echo.cid }), track.sid == nil else { return }
            let refusal = "the track \"\(track.request.name)\" was refused: \(reason)"
            end(
                SignalEnd(isRetryable: false, text: "room disconnected: \(refusal)", reason: .unknownReason),
                saysGoodbye: true)
        case .updateMetadata: events.append(.attributesRefused(reason))
        case .trickle, .mute, nil: break
        }
    }

    private func index(sid: String) -> Int? { sid.isEmpty ? nil : tracks.firstIndex { $0.sid == sid } }
}
