import Bytes

/// A message waiting to be written. Kept as what it says rather than as bytes: a retransmission is the same value
/// again.
enum Outgoing {
    case success(Reply)
    case failure(Reply, code: Int, unknown: [STUNAttribute])
    case check(OutgoingCheck)
    case gather(ICEPath, STUNTransactionID)
}

/// What a response needs of its request.
struct Reply {
    let path: ICEPath
    let transactionID: STUNTransactionID
    /// Signed with the password of the generation before.
    let isPrevious: Bool
}

struct OutgoingCheck {
    let path: ICEPath
    let transactionID: STUNTransactionID
    let priority: UInt32
    let role: ICEAgent.Role
    let usesCandidate: Bool
}

extension ICEAgent {
    /// Writes the next datagram into empty `output`, which has at least `ICELimits.transmitBytes` of room; nil when
    /// there is none.
    package mutating func pollTransmit(into output: inout OutputRawSpan) -> ICETransmit? {
        precondition(output.freeCapacity >= ICELimits.transmitBytes, "a STUN message may need more room")
        // First what relays must know, which what follows may depend on.
        if !relays.isEmpty, let path = pollRelay(into: &output) { return ICETransmit(path: path) }
        while let message = transmits.popFirst() {
            guard let path = write(message, to: &output) else { continue }
            if let outer = wrap(&output, on: path) { return ICETransmit(path: outer) }
            output.removeAll()
        }
        return nil
    }

    /// Nil, and nothing written, when the credentials for it are gone.
    private func write(_ message: Outgoing, to output: inout OutputRawSpan) -> ICEPath? {
        switch message {
        case .success(let reply):
            guard let key = key(for: reply) else { return nil }
            let writer = STUNWriter(.binding, .success, transactionID: reply.transactionID, into: &output)
            let seen = TransportAddress(ip: reply.path.remote.ip.unmapped, port: reply.path.remote.port)
            writer.append(.xorMappedAddress, xor: seen, to: &output)
            writer.finish(integrityKey: key, fingerprint: true, hmac: hmac, to: &output)
            return reply.path
        case .failure(let reply, let code, let unknown):
            guard let key = key(for: reply) else { return nil }
            let writer = STUNWriter(.binding, .error, transactionID: reply.transactionID, into: &output)
            writer.append(errorCode: code, to: &output)
            if !unknown.isEmpty { writer.append(unknown: unknown, to: &output) }
            writer.finish(integrityKey: key, fingerprint: true, hmac: hmac, to: &output)
            return reply.path
        case .check(let check):
            guard let remoteCredentials else { return nil }
            write(check, to: remoteCredentials, &output)
            return check.path
        case .gather(let path, let id):
            let writer = STUNWriter(.binding, .request, transactionID: id, into: &output)
            writer.finish(integrityKey: nil, fingerprint: true, hmac: hmac, to: &output)
            return path
        }
    }

    private func write(_ check: OutgoingCheck, to remote: ICECredentials, _ output: inout OutputRawSpan) {
        let writer = STUNWriter(.binding, .request, transactionID: check.transactionID, into: &output)
        writer.append(username: remote.fragmentBytes, localCredentials.fragmentBytes, to: &output)
        writer.append(.priority, check.priority, to: &output)
        writer.append(check.role == .controlling ? .iceControlling : .iceControlled, tieBreaker, to: &output)
        if check.usesCandidate { writer.append(flag: .useCandidate, to: &output) }
        writer.finish(integrityKey: remote.passwordBytes, fingerprint: true, hmac: hmac, to: &output)
    }

    private func key(for reply: Reply) -> [UInt8]? {
        reply.isPrevious ? previous?.local.passwordBytes : localCredentials.passwordBytes
    }
}
