import Bytes
import ICE
import TestSupport

/// A TURN server as far as clients can see it, without sockets: one realm, one user, UDP relaying.
final class TURNServerModel {
    /// What the server sends: to a client on the transport that it came by, or from a relayed address to a peer.
    struct Outgoing: Equatable {
        var source: TransportAddress
        var destination: TransportAddress
        var bytes: [UInt8]
        var isRelayed: Bool
    }

    struct Allocation {
        var relayed: TransportAddress
        var client: TransportAddress
        var permissions: Set<TransportAddress.IP> = []
        var channels: [UInt16: TransportAddress] = [:]
    }

    let address: TransportAddress
    let relayIP: TransportAddress.IP
    var username = "user"
    var password = "secret"
    var realm = "example.org"
    /// Changing it makes the clients' nonces stale.
    var nonce = "nonce-1"
    var lifetime: UInt32 = 600
    var needsCredentials = true
    /// Nonces that change with each refusal.
    var renewsNonces = false
    /// Refused with this code, by method.
    var refusals: [STUNMethod: Int] = [:]
    /// Addresses to which nothing may be relayed.
    var forbidden: Set<TransportAddress.IP> = []
    private(set) var allocations: [TransportAddress: Allocation] = [:]
    /// Methods of all requests, in order, with LIFETIME where given.
    private(set) var requests: [(method: STUNMethod, lifetime: UInt32?, isSigned: Bool)] = []
    var nextPort: UInt16 = 50_000
    private let hmac: HMACSHA1
    private let md5: MD5Hash

    init(address: TransportAddress, relayIP: TransportAddress.IP, hmac: @escaping HMACSHA1, md5: @escaping MD5Hash) {
        self.address = address
        self.relayIP = relayIP
        self.hmac = hmac
        self.md5 = md5
    }

    func count(_ method: STUNMethod) -> Int { requests.count { $0.method == method } }

    func owns(_ destination: TransportAddress) -> Bool {
        destination == address || destination.ip == relayIP && destination.port >= 50_000
    }

    /// Takes a datagram, or a frame over TCP, for `address` or for a relayed address. Over TCP, what goes to clients is
    /// a run of whole frames.
    func receive(
        _ bytes: [UInt8], from source: TransportAddress, to destination: TransportAddress, overTCP: Bool = false
    ) -> [Outgoing] {
        if destination != address { return relayed(bytes, from: source, to: destination) }
        if bytes.count >= 4, (64..<80).contains(bytes[0]) { return channelData(bytes, from: source) }
        guard let message = try? STUNMessage(bytes.rawSpan) else { return [] }
        if message.messageClass == .indication { return sendIndication(message, from: source) }
        guard message.messageClass == .request else { return [] }
        if message.method == .binding {
            let answer = response(.binding, .success, message.transactionID, key: nil) {
                $0.append(.xorMappedAddress, xor: source, to: &$1)
            }
            return [toClient(source, answer)]
        }
        return [toClient(source, answer(message, bytes, from: source))]
    }

    private func toClient(_ client: TransportAddress, _ bytes: [UInt8]) -> Outgoing {
        Outgoing(source: address, destination: client, bytes: bytes, isRelayed: false)
    }

    var key: [UInt8] {
        let digest = md5(Array("\(username):\(realm):\(password)".utf8).rawSpan) ?? [16 of UInt8](repeating: 0)
        return (0..<16).map { digest[$0] }
    }

    // MARK: Requests

    private func answer(
        _ message: borrowing STUNMessage, _ bytes: [UInt8], from client: TransportAddress
    ) -> [UInt8] {
        let (method, id) = (message.method, message.transactionID)
        requests.append((method, try? message.uint32(.lifetime), message.hasIntegrity))
        if needsCredentials, let code = challenge(message) {
            if renewsNonces { nonce += "+" }
            return response(method, .error, id, key: nil) {
                $0.append(errorCode: code, to: &$1)
                $0.append(.realm, Array(self.realm.utf8).rawSpan, to: &$1)
                $0.append(.nonce, Array(self.nonce.utf8).rawSpan, to: &$1)
            }
        }
        if let code = refusals[method] { return refusal(method, id, code) }
        switch method {
        case .allocate: return allocate(message, from: client)
        case .refresh: return refresh(message, from: client)
        case .createPermission: return permission(message, from: client)
        case .channelBind: return channelBind(message, from: client)
        default: return refusal(method, id, 400)
        }
    }

    /// The code of a refusal for lack of credentials.
    private func challenge(_ message: borrowing STUNMessage) -> Int? {
        guard message.hasIntegrity, let name = message.copiedBytes(.username),
            let realm = message.copiedBytes(.realm), let said = message.copiedBytes(.nonce)
        else { return 401 }
        guard said == Array(nonce.utf8) else { return 438 }
        guard name == Array(username.utf8), realm == Array(self.realm.utf8) else { return 401 }
        do throws(ICEError) {
            try message.verifyIntegrity(key: key, hmac: hmac)
            return nil
        } catch {
            return 401
        }
    }

    private func allocate(_ message: borrowing STUNMessage, from client: TransportAddress) -> [UInt8] {
        guard (try? message.uint32(.requestedTransport)) == 17 << 24 else {
            return refusal(.allocate, message.transactionID, 442)
        }
        if allocations[client] == nil {
            allocations[client] = Allocation(
                relayed: TransportAddress(ip: relayIP, port: nextPort), client: client)
            nextPort += 1
        }
        let relayed = allocations[client]?.relayed ?? client
        return success(message) {
            $0.append(.xorRelayedAddress, xor: relayed, to: &$1)
            $0.append(.xorMappedAddress, xor: client, to: &$1)
            $0.append(.lifetime, self.lifetime, to: &$1)
        }
    }

    private func refresh(_ message: borrowing STUNMessage, from client: TransportAddress) -> [UInt8] {
        guard allocations[client] != nil else { return refusal(.refresh, message.transactionID, 437) }
        let isRelease = (try? message.uint32(.lifetime)) == 0
        if isRelease { allocations[client] = nil }
        return success(message) { $0.append(.lifetime, isRelease ? 0 : self.lifetime, to: &$1) }
    }

    private func permission(_ message: borrowing STUNMessage, from client: TransportAddress) -> [UInt8] {
        guard let peer = try? message.xorAddress(.xorPeerAddress), allocations[client] != nil else {
            return refusal(.createPermission, message.transactionID, 400)
        }
        guard !forbidden.contains(peer.ip) else { return refusal(.createPermission, message.transactionID, 403) }
        allocations[client]?.permissions.insert(peer.ip)
        return success(message) { _, _ in }
    }

    private func channelBind(_ message: borrowing STUNMessage, from client: TransportAddress) -> [UInt8] {
        guard let peer = try? message.xorAddress(.xorPeerAddress), let number = try? message.uint16(.channelNumber),
            (0x4000...0x4FFF).contains(number), let allocation = allocations[client],
            allocation.channels[number] ?? peer == peer
        else { return refusal(.channelBind, message.transactionID, 400) }
        allocations[client]?.channels[number] = peer
        allocations[client]?.permissions.insert(peer.ip)
        return success(message) { _, _ in }
    }

    private func success(
        _ message: borrowing STUNMessage, _ body: (STUNWriter, inout OutputRawSpan) -> Void
    ) -> [UInt8] {
        response(message.method, .success, message.transactionID, key: needsCredentials ? key : nil, body)
    }

    private func refusal(_ method: STUNMethod, _ id: STUNTransactionID, _ code: Int) -> [UInt8] {
        response(method, .error, id, key: nil) { $0.append(errorCode: code, to: &$1) }
    }

    private func response(
        _ method: STUNMethod, _ messageClass: STUNClass, _ id: STUNTransactionID, key: [UInt8]?,
        _ body: (STUNWriter, inout OutputRawSpan) -> Void
    ) -> [UInt8] {
        captureOutput { output in
            let writer = STUNWriter(method, messageClass, transactionID: id, into: &output)
            body(writer, &output)
            writer.finish(integrityKey: key, fingerprint: true, hmac: hmac, to: &output)
        }.bytes
    }

    // MARK: Data

    private func sendIndication(_ message: borrowing STUNMessage, from client: TransportAddress) -> [Outgoing] {
        guard message.method == .send, let allocation = allocations[client],
            let peer = try? message.xorAddress(.xorPeerAddress), allocation.permissions.contains(peer.ip),
            let data = message.copiedBytes(.data)
        else { return [] }
        return [Outgoing(source: allocation.relayed, destination: peer, bytes: data, isRelayed: true)]
    }

    private func channelData(_ bytes: [UInt8], from client: TransportAddress) -> [Outgoing] {
        let number = UInt16(bytes[0]) << 8 | UInt16(bytes[1])
        let length = Int(bytes[2]) << 8 | Int(bytes[3])
        guard let allocation = allocations[client], let peer = allocation.channels[number], length <= bytes.count - 4
        else { return [] }
        return [
            Outgoing(
                source: allocation.relayed, destination: peer, bytes: Array(bytes[4..<4 + length]), isRelayed: true)
        ]
    }

    private func relayed(
        _ bytes: [UInt8], from peer: TransportAddress, to destination: TransportAddress
    ) -> [Outgoing] {
        guard let allocation = allocations.values.first(where: { $0.relayed == destination }),
            allocation.permissions.contains(peer.ip)
        else { return [] }
        if let number = allocation.channels.first(where: { $0.value == peer })?.key {
            let header = [UInt8(number >> 8), UInt8(truncatingIfNeeded: number)]
            let length = [UInt8(truncatingIfNeeded: bytes.count >> 8), UInt8(truncatingIfNeeded: bytes.count)]
            let padding = [UInt8](repeating: 0, count: (4 - bytes.count & 3) & 3)
            return [toClient(allocation.client, header + length + bytes + padding)]
        }
        return [toClient(allocation.client, Self.dataIndication(bytes, from: peer, hmac: hmac))]
    }

    static func dataIndication(_ bytes: [UInt8], from peer: TransportAddress, hmac: HMACSHA1) -> [UInt8] {
        captureOutput { output in
            let id = STUNTransactionID(high: 9, low: 9)
            let writer = STUNWriter(.data, .indication, transactionID: id, into: &output)
            writer.append(.xorPeerAddress, xor: peer, to: &output)
            writer.append(.data, bytes.rawSpan, to: &output)
            writer.finish(integrityKey: nil, fingerprint: false, hmac: hmac, to: &output)
        }.bytes
    }
}
