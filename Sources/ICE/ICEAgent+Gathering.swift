package import Bytes

/// A Binding request to a STUN server (RFC 8445 section 5.1.1.2).
struct Gathering {
    let path: ICEPath
    let transactionID: STUNTransactionID
    var schedule: RetransmitSchedule
}

extension ICEAgent {
    /// Says that more servers will be asked, as while their names are looked up: `gatheringFinished` waits for as many
    /// calls of `endGathering`.
    package mutating func beginGathering() {
        guard isLive else { return }
        gatheringHolds += 1
        isGathering = true
    }

    package mutating func endGathering() {
        gatheringHolds = max(gatheringHolds - 1, 0)
        finishGatheringIfDone()
    }

    mutating func finishGatheringIfDone() {
        guard isGathering, gatheringHolds == 0, gatherings.isEmpty,
            !relays.contains(where: { $0.client.state == .allocating })
        else { return }
        isGathering = false
        emit(.gatheringFinished)
    }

    /// Asks a STUN server how it sees a UDP socket for which a host candidate was added. Ends in `candidateFound`
    /// events and, when none is left, `gatheringFinished`.
    package mutating func gather(server: TransportAddress, from socket: ICESocket, at now: Monotonic) throws(ICEError) {
        guard isLive else { throw .closed }
        guard gatherings.count < ICELimits.gatherings else { throw .backlogFull }
        precondition(socket.transport == .udp, "server-reflexive candidates are gathered over UDP")
        gatherings.append(
            Gathering(
                path: ICEPath(socket: socket, remote: server), transactionID: random.nextTransactionID(),
                schedule: RetransmitSchedule(firstTimeout: timing.initialRTO, at: now)))
        isGathering = true
        reschedule()
    }

    mutating func runGatherings(at now: Monotonic) {
        guard !gatherings.isEmpty else { return }
        for index in gatherings.indices.reversed() {
            switch gatherings[index].schedule.advance(to: now, timing, transport: .udp) {
            case .wait: break
            case .send: enqueue(.gather(gatherings[index].path, gatherings[index].transactionID))
            case .giveUp: gatherings.remove(at: index)
            }
        }
        finishGatheringIfDone()
    }

    /// Servers answer without integrity: the transaction id and the address are all there is to check.
    mutating func finishGathering(
        at index: Int, _ message: STUNMessage, on path: ICEPath, at now: Monotonic
    ) throws(ICEError) {
        let server = gatherings[index].path.remote
        guard gatherings[index].path == path else { throw .asymmetricResponse }
        if message.hasFingerprint { try message.verifyFingerprint() }
        guard message.messageClass == .success else { throw .errorResponse(try message.errorCode() ?? 0) }
        guard let mapped = try message.xorAddress(.xorMappedAddress) else { throw .missingAttribute(.xorMappedAddress) }
        gatherings.remove(at: index)
        addReflexive(mapped, socket: path.socket, server: server)
        finishGatheringIfDone()
    }

    mutating func addReflexive(_ mapped: TransportAddress, socket: ICESocket, server: TransportAddress) {
        guard let base = locals.first(where: { $0.socket == socket && $0.candidate.kind == .host }),
            let address = base.candidate.address, address != mapped, locals.count < ICELimits.localCandidates,
            !locals.contains(where: { $0.socket == socket && $0.candidate.address == mapped })
        else { return }
        let preference = UInt16(truncatingIfNeeded: base.candidate.priority >> 8)
        let candidate = ICECandidate(
            kind: .serverReflexive, endpoint: .address(mapped),
            priority: ICECandidate.priority(.serverReflexive, localPreference: preference),
            foundation: ICECandidate.foundation(.serverReflexive, base: address, transport: .udp, server: server),
            related: address)
        locals.append(LocalCandidate(candidate: candidate, socket: socket))
        emit(.candidateFound(candidate))
    }
}
