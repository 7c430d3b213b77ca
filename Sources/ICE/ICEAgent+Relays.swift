package import Bytes

/// What a datagram is to the agent's relays.
package enum ICEUnwrapped: Equatable, Sendable {
    /// Nothing to do with a relay.
    case direct
    /// Between us and the TURN server, or dropped.
    case handled
    /// The bytes of `range` came over a relay, on `path`.
    case relayed(Range<Int>, ICEPath)
}

// TURN allocations as local candidates. A relay has a socket of its own, with a negative number; what is sent on its
// paths is wrapped and leaves on the path to the server, which is all that the driver sees.
extension ICEAgent {
    struct Relay {
        let socket: ICESocket
        let localPreference: UInt16
        var client: TURNClient
    }

    /// Asks a TURN server for a relayed address. Ends in `candidateFound`, or in `relayFailed`.
    ///
    /// `localPreference` ranks relays: those over UDP should come first. The driver gives the TURN server's datagrams, or
    /// over TCP its frames (`StreamFraming.turn`), to `receive`, on the configuration's path.
    package mutating func addRelay(
        _ configuration: TURNClient.Configuration, localPreference: UInt16 = 65_535, at now: Monotonic
    ) throws(ICEError) {
        guard isLive else { throw .closed }
        guard mode == .full, let md5, !relays.contains(where: { $0.client.path == configuration.path }) else {
            throw .unsupportedServer
        }
        guard relays.count < ICELimits.relays else { throw .backlogFull }
        relayCount += 1
        let seed = (0..<2).flatMap { _ in random.nextBytes() }
        let client = TURNClient(configuration, seed: seed, hmac: hmac, md5: md5, timing: timing, at: now)
        relays.append(
            Relay(socket: ICESocket(id: -relayCount), localPreference: localPreference, client: client))
        isGathering = true
        reschedule()
    }

    /// Relays that are there or asked for.
    package var liveRelayCount: Int { relays.count }

    /// Looks at a datagram before anything else does. Give what is relayed on with the path that stands beside it.
    package mutating func unwrap(_ datagram: RawSpan, on path: ICEPath, at now: Monotonic) -> ICEUnwrapped {
        guard !relays.isEmpty, let index = relays.firstIndex(where: { $0.client.path == path }),
            TURNClient.claims(datagram)
        else { return .direct }
        switch relays[index].client.receive(datagram, at: now) {
        case .data(let range, let peer):
            return .relayed(range, ICEPath(socket: relays[index].socket, remote: peer))
        case .handled: break
        case .ignored(let error): tally.record(error)
        }
        settleRelays(at: now)
        reschedule()
        return .handled
    }

    /// Makes the datagram in `output` ready to leave on `path` and says on which path it does: the same one, or that
    /// to the TURN server. Nil when there is no way; `output` is as it was then. Needs
    /// `ICELimits.relayOverheadBytes` more room on a relayed path.
    package func wrap(_ output: inout OutputRawSpan, on path: ICEPath) -> ICEPath? {
        guard path.socket.isRelayed else { return path }
        guard let relay = relays.first(where: { $0.socket == path.socket }),
            relay.client.wrap(&output, to: path.remote)
        else { return nil }
        return relay.client.path
    }

    /// Gives all allocations back; `pollTransmit` has what the servers must know. False when there is none.
    package mutating func releaseRelays(at now: Monotonic) -> Bool {
        guard !relays.isEmpty else { return false }
        for index in relays.indices { relays[index].client.close(at: now) }
        return relays.contains { $0.client.hasTransmit }
    }

    // MARK: Inside

    mutating func advanceRelays(at now: Monotonic) {
        guard !relays.isEmpty else { return }
        for index in relays.indices { relays[index].client.advance(to: now) }
        settleRelays(at: now)
    }

    var relayDeadline: Monotonic? { relays.compactMap(\.client.nextDeadline).min() }

    /// Before a check over a relay.
    mutating func permitRelaying(on path: ICEPath, at now: Monotonic) {
        guard let index = relays.firstIndex(where: { $0.socket == path.socket }) else { return }
        relays[index].client.permit(path.remote.ip, at: now)
    }

    /// The path is in use from now on: its datagrams are worth a channel.
    mutating func bindChannel(on path: ICEPath, at now: Monotonic) {
        guard let index = relays.firstIndex(where: { $0.socket == path.socket }) else { return }
        relays[index].client.bind(path.remote, at: now)
    }

    mutating func pollRelay(into output: inout OutputRawSpan) -> ICEPath? {
        for index in relays.indices where relays[index].client.pollTransmit(into: &output) {
            return relays[index].client.path
        }
        return nil
    }

    /// The stream to a TURN server broke. False when the path is no server's.
    mutating func loseRelay(on path: ICEPath, at now: Monotonic) -> Bool {
        guard let index = relays.firstIndex(where: { $0.client.path == path }) else { return false }
        relays[index].client.connectionLost()
        settleRelays(at: now)
        return true
    }

    private mutating func settleRelays(at now: Monotonic) {
        var ended: [Relay] = []
        for index in relays.indices {
            let relay = relays[index]
            while let event = relays[index].client.pollEvent() {
                switch event {
                case .allocated(let relayed, let mapped): addRelayed(relayed, mapped: mapped, of: relay, at: now)
                case .failed(let failure):
                    ended.append(relay)
                    emit(.relayFailed(failure, server: relay.client.path.remote))
                }
            }
        }
        for relay in ended { removeRelay(relay, at: now) }
        finishGatheringIfDone()
    }

    private mutating func addRelayed(
        _ relayed: TransportAddress, mapped: TransportAddress?, of relay: Relay, at now: Monotonic
    ) {
        let server = relay.client.path
        if let mapped, server.socket.transport == .udp {
            addReflexive(mapped, socket: server.socket, server: server.remote)
        }
        guard locals.count < ICELimits.localCandidates else { return }
        let candidate = ICECandidate(
            kind: .relayed, endpoint: .address(relayed),
            priority: ICECandidate.priority(.relayed, localPreference: relay.localPreference),
            foundation: ICECandidate.foundation(
                .relayed, base: relayed, transport: server.socket.transport, server: server.remote),
            related: mapped)
        let local = LocalCandidate(candidate: candidate, socket: relay.socket)
        locals.append(local)
        emit(.candidateFound(candidate))
        guard remoteCredentials != nil else { return }
        for remote in remotes { pair(local, remote, at: now) }
    }

    private mutating func removeRelay(_ relay: Relay, at now: Monotonic) {
        relays.removeAll { $0.socket == relay.socket }
        locals.removeAll { $0.socket == relay.socket }
        for index in pairs.indices.reversed() where pairs[index].path.socket == relay.socket { removePair(at: index) }
        if nominating?.socket == relay.socket { nominating = nil }
        if selectedPath?.socket == relay.socket { reselect(at: now) }
    }
}
