package import Bytes

extension TURNClient {
    /// Whether a datagram from the server is this client's: all but Binding.
    package static func claims(_ datagram: RawSpan) -> Bool {
        switch STUNDemux.classify(datagram) {
        case .channelData: true
        case .stun:
            datagram.byteCount >= 2
                && datagram.bigEndian(at: 0, as: UInt16.self) & 0x3EEF != STUNMethod.binding.rawValue
        default: false
        }
    }

    /// Takes a datagram, or one frame of a stream, from the server.
    package mutating func receive(_ datagram: RawSpan, at now: Monotonic) -> Received {
        do throws(ICEError) {
            guard STUNDemux.classify(datagram) == .stun else { return try receiveChannelData(datagram) }
            let message = try STUNMessage(datagram)
            switch message.messageClass {
            case .indication: return try receiveIndication(message)
            case .success, .error: try receiveResponse(message, at: now)
            case .request: throw .unexpectedMessage
            }
            return .handled
        } catch {
            return .ignored(error)
        }
    }

    private func receiveChannelData(_ datagram: RawSpan) throws(ICEError) -> Received {
        guard datagram.byteCount >= 4 else { throw .truncated }
        let number = datagram.bigEndian(at: 0, as: UInt16.self)
        let length = Int(datagram.bigEndian(at: 2, as: UInt16.self))
        guard let channel = channels.first(where: { $0.number == number }) else { throw .unexpectedMessage }
        guard length <= datagram.byteCount - 4 else { throw .truncated }
        return .data(4..<4 + length, from: channel.peer)
    }

    private func receiveIndication(_ message: borrowing STUNMessage) throws(ICEError) -> Received {
        guard message.method == .data else { throw .unexpectedMessage }
        guard let peer = try message.xorAddress(.xorPeerAddress) else { throw .missingAttribute(.xorPeerAddress) }
        guard let range = message.range(of: .data) else { throw .missingAttribute(.data) }
        guard permissions.contains(where: { $0.ip == peer.ip }) else { throw .unexpectedMessage }
        return .data(range, from: peer)
    }

    private mutating func receiveResponse(_ message: borrowing STUNMessage, at now: Monotonic) throws(ICEError) {
        let id = message.transactionID
        guard let index = transactions.firstIndex(where: { $0.id == id }),
            transactions[index].request.method == message.method, state != .closed
        else { throw .unknownTransaction }
        if message.hasFingerprint { try message.verifyFingerprint() }
        let transaction = transactions[index]
        guard message.messageClass == .success else {
            return try refused(transaction, at: index, message, at: now)
        }
        // Errors come unsigned from many servers; what they can do is end an attempt.
        if transaction.isSigned, let key { try message.verifyIntegrity(key: key, hmac: hmac) }
        switch transaction.request {
        case .allocate: try allocated(message, at: now)
        case .refresh: live(for: try message.uint32(.lifetime) ?? 600, at: now)
        case .release, .permission, .channel: succeed(transaction.request, at: now)
        }
        transactions.removeAll { $0.id == id }
    }

    private mutating func allocated(_ message: borrowing STUNMessage, at now: Monotonic) throws(ICEError) {
        guard let relayed = try message.xorAddress(.xorRelayedAddress), relayed.port != 0 else {
            throw .missingAttribute(.xorRelayedAddress)
        }
        let mapped = try message.xorAddress(.xorMappedAddress)
        live(for: try message.uint32(.lifetime) ?? 600, at: now)
        state = .allocated
        events.append(.allocated(relayed: relayed, mapped: mapped))
    }

    private mutating func refused(
        _ transaction: Transaction, at index: Int, _ message: borrowing STUNMessage, at now: Monotonic
    ) throws(ICEError) {
        let code = try message.errorCode() ?? 0
        switch code {
        case 401, 438:
            // The same nonce again, after a signed request, means that the credentials are wrong (RFC 8489 section
            // 9.2.5).
            let isNews = try takeChallenge(message)
            guard isNews || !transaction.isSigned, transaction.attempts < ICELimits.authenticationAttempts,
                key != nil
            else { break }
            var again = transaction
            again.id = random.nextTransactionID()
            again.isSigned = true
            again.attempts += 1
            again.schedule = RetransmitSchedule(firstTimeout: timing.initialRTO, at: now)
            transactions[index] = again
            return advance(to: now)
        default: break
        }
        transactions.remove(at: index)
        giveUp(transaction.request, code == 401 ? .unauthorized : .refused(code), at: now)
        throw .errorResponse(code)
    }

    /// REALM and NONCE of a 401 or 438; false when the nonce is the one that we have.
    private mutating func takeChallenge(_ message: borrowing STUNMessage) throws(ICEError) -> Bool {
        guard let nonce = message.copiedBytes(.nonce) else { throw .missingAttribute(.nonce) }
        guard nonce.count <= ICELimits.nonceBytes else { throw .tooLarge }
        let isNews = nonce != self.nonce
        self.nonce = nonce
        let realm = message.copiedBytes(.realm) ?? self.realm
        guard realm.count <= ICELimits.realmBytes else { throw .tooLarge }
        if key == nil || realm != self.realm {
            self.realm = realm
            let colon = [UInt8(ascii: ":")]
            let digest = md5((username + colon + realm + colon + password).rawSpan)
            key = digest.map { digest in (0..<16).map { digest[$0] } }
        }
        return isNews
    }

    /// Appends the next request to `output`, which has at least `ICELimits.transmitBytes` of room; false when there is
    /// none.
    package mutating func pollTransmit(into output: inout OutputRawSpan) -> Bool {
        guard let index = transactions.firstIndex(where: \.isDue) else { return false }
        precondition(output.freeCapacity >= ICELimits.transmitBytes, "a TURN request may need more room")
        transactions[index].isDue = false
        let transaction = transactions[index]
        let writer = STUNWriter(
            transaction.request.method, .request, transactionID: transaction.id, into: &output)
        switch transaction.request {
        case .allocate:
            // UDP (RFC 8656 section 18.8).
            writer.append(.requestedTransport, UInt32(17) << 24, to: &output)
        case .refresh: break
        case .release: writer.append(.lifetime, UInt32(0), to: &output)
        case .permission(let ip):
            writer.append(.xorPeerAddress, xor: TransportAddress(ip: ip, port: 0), to: &output)
        case .channel(let number):
            writer.append(.channelNumber, UInt32(number) << 16, to: &output)
            if let channel = channels.first(where: { $0.number == number }) {
                writer.append(.xorPeerAddress, xor: channel.peer, to: &output)
            }
        }
        let key = transaction.isSigned ? key : nil
        if key != nil {
            writer.append(.username, username.rawSpan, to: &output)
            writer.append(.realm, realm.rawSpan, to: &output)
            writer.append(.nonce, nonce.rawSpan, to: &output)
        }
        writer.finish(integrityKey: key, fingerprint: true, hmac: hmac, to: &output)
        if transaction.request == .release { transactions.remove(at: index) }
        return true
    }
}

extension TURNClient.Request {
    var method: STUNMethod {
        switch self {
        case .allocate: .allocate
        case .refresh, .release: .refresh
        case .permission: .createPermission
        case .channel: .channelBind
        }
    }
}
