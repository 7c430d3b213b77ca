import Bytes
import ICE
import TestSupport
import Testing

/// Stands in for MD5: only that both sides agree matters here.
let testMD5: MD5Hash = { message in
    let digest = testHMAC([5], message)
    return [16 of UInt8] { digest[$0] }
}

/// A client and a server that answers at once.
private final class TURNPair {
    static let clientAddress = address("198.51.100.7", 40_000)
    static let serverAddress = address("203.0.113.9", 3_478)
    static let peer = address("192.0.2.1", 5_000)

    var client: TURNClient
    let server = TURNServerModel(
        address: serverAddress, relayIP: address("203.0.113.10", 0).ip, hmac: testHMAC, md5: testMD5)
    private(set) var now = Monotonic.zero
    private(set) var events: [TURNClient.Event] = []
    private(set) var requests: [[UInt8]] = []
    private(set) var received: [(bytes: [UInt8], from: TransportAddress)] = []
    private(set) var ignored: [ICEError] = []
    /// Swallows what the server sends.
    var isSilent = false

    init(
        transport: ICETransport = .udp, username: String = "user", password: String = "secret",
        _ adjust: (TURNServerModel) -> Void = { _ in }
    ) throws {
        adjust(server)
        let path = ICEPath(socket: ICESocket(id: 1, transport: transport), remote: Self.serverAddress)
        let configuration = try TURNClient.Configuration(path: path, username: username, password: password)
        client = TURNClient(
            configuration, seed: [UInt8](repeating: 3, count: 16), hmac: testHMAC, md5: testMD5, at: now)
    }

    static func allocated(transport: ICETransport = .udp) throws -> TURNPair {
        let pair = try TURNPair(transport: transport)
        pair.settle()
        #expect(pair.client.isAllocated)
        return pair
    }

    func settle() {
        while let request = poll() {
            requests.append(request)
            for answer in server.receive(request, from: Self.clientAddress, to: Self.serverAddress) where !isSilent {
                give(answer.bytes)
            }
        }
        while let event = client.pollEvent() { events.append(event) }
    }

    private func poll() -> [UInt8]? {
        let (bytes, isSent) = captureOutput(capacity: ICELimits.transmitBytes) { client.pollTransmit(into: &$0) }
        return isSent ? bytes : nil
    }

    @discardableResult
    func give(_ bytes: [UInt8]) -> TURNClient.Received {
        let result = client.receive(bytes.rawSpan, at: now)
        switch result {
        case .handled: break
        case .data(let range, let peer): received.append((Array(bytes[range]), peer))
        case .ignored(let error): ignored.append(error)
        }
        return result
    }

    func run(for interval: Interval, _ each: (TURNPair) -> Void = { _ in }) {
        let end = now + interval
        while let due = client.nextDeadline, due <= end {
            now = max(now, due)
            client.advance(to: now)
            each(self)
            settle()
        }
        now = end
        each(self)
        settle()
    }

    func wrap(_ payload: [UInt8], to peer: TransportAddress = peer, capacity: Int = 2_048) -> [UInt8]? {
        let (bytes, isWrapped) = captureOutput(capacity: capacity) { output in
            output.append(copying: payload)
            return client.wrap(&output, to: peer)
        }
        return isWrapped ? bytes : nil
    }

    func permit() {
        client.permit(Self.peer.ip, at: now)
        settle()
    }

    func bind() {
        permit()
        client.bind(Self.peer, at: now)
        settle()
    }

    var state: TURNClient.State { client.state }
    var nextDeadline: Monotonic? { client.nextDeadline }
}

@Suite struct TURNAllocationTests {
    @Test("an allocation takes one refusal, which tells realm and nonce, and then stands")
    func allocate() throws {
        let pair = try TURNPair()
        pair.settle()
        let relayed = address("203.0.113.10", 50_000)
        #expect(pair.events == [.allocated(relayed: relayed, mapped: TURNPair.clientAddress)])
        #expect(pair.server.requests.map(\.isSigned) == [false, true])
        #expect(pair.state == .allocated)
    }

    @Test("a server that asks for no credentials gets none")
    func open() throws {
        let pair = try TURNPair { $0.needsCredentials = false }
        pair.settle()
        #expect(pair.state == .allocated)
        pair.bind()
        #expect(pair.server.requests.allSatisfy { !$0.isSigned })
        #expect(pair.server.requests.count == 3)
    }

    @Test("wrong credentials end the attempt, whether or not the nonce changes each time", arguments: [false, true])
    func unauthorized(renewsNonces: Bool) throws {
        let pair = try TURNPair(password: "wrong") { $0.renewsNonces = renewsNonces }
        pair.settle()
        #expect(pair.events == [.failed(.unauthorized)])
        #expect(pair.requests.count == (renewsNonces ? ICELimits.authenticationAttempts : 2))
        #expect(pair.nextDeadline == nil)
    }

    @Test("without MD5 there are no credentials")
    func noMD5() throws {
        let path = ICEPath(socket: ICESocket(id: 1), remote: TURNPair.serverAddress)
        let configuration = try TURNClient.Configuration(path: path, username: "u", password: "p")
        var client = TURNClient(
            configuration, seed: [UInt8](repeating: 3, count: 16), hmac: testHMAC, md5: { _ in nil }, at: .zero)
        let (bytes, _) = captureOutput { client.pollTransmit(into: &$0) }
        let answer = makeMessage(.allocate, .error, id: try read(bytes) { $0.transactionID }) {
            $0.append(errorCode: 401, to: &$1)
            $0.append(.realm, [1].rawSpan, to: &$1)
            $0.append(.nonce, [1].rawSpan, to: &$1)
        }
        #expect(client.receive(answer.rawSpan, at: .zero) == .ignored(.errorResponse(401)))
        #expect(client.state == .failed(.unauthorized))
    }

    @Test("a refusal with another code ends the attempt", arguments: [300, 400, 403, 437, 441, 442, 486, 500, 508])
    func refused(code: Int) throws {
        let pair = try TURNPair { $0.refusals[.allocate] = code }
        pair.settle()
        #expect(pair.events == [.failed(.refused(code))])
    }

    @Test("over UDP a silent server is asked seven times, over TCP once", arguments: [ICETransport.udp, .tcp])
    func silence(transport: ICETransport) throws {
        let pair = try TURNPair(transport: transport)
        pair.isSilent = true
        pair.settle()
        pair.run(for: .milliseconds(39_400))
        #expect(pair.state == .allocating)
        pair.run(for: .milliseconds(200))
        #expect(pair.events == [.failed(.timedOut)])
        #expect(pair.requests.count == (transport == .udp ? 7 : 1))
        #expect(Set(pair.requests).count == 1)
    }

    @Test("an allocation is refreshed a minute before its end, for as long as it is wanted")
    func refresh() throws {
        let pair = try TURNPair.allocated()
        pair.run(for: .seconds(539))
        #expect(pair.server.count(.refresh) == 0)
        pair.run(for: .seconds(2))
        #expect(pair.server.count(.refresh) == 1)
        pair.run(for: .seconds(3_600))
        #expect(pair.server.count(.refresh) == 7)
        #expect(pair.state == .allocated)
    }

    @Test("lifetimes out of all reason are bounded", arguments: [0, 1, 30, UInt32.max])
    func lifetimes(lifetime: UInt32) throws {
        let pair = try TURNPair { $0.lifetime = lifetime }
        pair.settle()
        pair.run(for: .seconds(3_600))
        #expect(pair.server.count(.refresh) == (lifetime == .max ? 1 : 240))
    }

    @Test("a stale nonce is replaced and costs one request more")
    func staleNonce() throws {
        let pair = try TURNPair.allocated()
        pair.server.nonce = "nonce-2"
        pair.run(for: .seconds(545))
        #expect(pair.server.count(.refresh) == 2)
        pair.server.nonce = "nonce-3"
        pair.permit()
        #expect(pair.server.count(.createPermission) == 2)
        #expect(pair.state == .allocated)
    }

    @Test("an allocation that the server has forgotten, or will not refresh, is lost", arguments: [437, 400, 500])
    func lost(code: Int) throws {
        let pair = try TURNPair.allocated()
        pair.server.refusals[.refresh] = code
        pair.run(for: .seconds(545))
        #expect(pair.events.last == .failed(.refused(code)))
        #expect(pair.wrap([1]) == nil)
        #expect(pair.nextDeadline == nil)
    }

    @Test("the end gives the allocation back with one signed request")
    func close() throws {
        let pair = try TURNPair.allocated()
        pair.client.close(at: pair.now)
        pair.settle()
        #expect(pair.server.allocations.isEmpty)
        #expect(pair.server.requests.last?.lifetime == 0)
        #expect(pair.server.requests.last?.isSigned == true)
        #expect(pair.state == .closed)
        #expect(pair.nextDeadline == nil)
        let sent = pair.requests.count
        pair.client.close(at: pair.now)
        pair.run(for: .seconds(100))
        #expect(pair.requests.count == sent)
    }

    @Test("before there is an allocation the end says nothing")
    func closeEarly() throws {
        let pair = try TURNPair()
        pair.client.close(at: pair.now)
        pair.settle()
        #expect(pair.requests.isEmpty)
    }

    @Test("an unsigned or badly signed success changes nothing", arguments: [nil, [UInt8](repeating: 1, count: 16)])
    func forged(key: [UInt8]?) throws {
        let pair = try TURNPair()
        pair.isSilent = true
        pair.settle()
        let id = try read(try #require(pair.requests.last)) { $0.transactionID }
        pair.give(challenge(id))
        pair.settle()
        let signed = try read(try #require(pair.requests.last)) { $0.transactionID }
        pair.give(
            makeMessage(.allocate, .success, id: signed, key: key) {
                $0.append(.xorRelayedAddress, xor: TURNPair.peer, to: &$1)
            })
        #expect(pair.ignored.last == (key == nil ? .missingIntegrity : .badIntegrity))
        #expect(pair.state == .allocating)
    }

    private func challenge(
        _ id: STUNTransactionID, realm: [UInt8] = [1], nonce: [UInt8]? = [2], code: Int = 401
    ) -> [UInt8] {
        makeMessage(.allocate, .error, id: id) {
            $0.append(errorCode: code, to: &$1)
            $0.append(.realm, realm.rawSpan, to: &$1)
            if let nonce { $0.append(.nonce, nonce.rawSpan, to: &$1) }
        }
    }

    @Test("realms, nonces and names have a greatest length, with which all requests fit")
    func limits() throws {
        let realm = [UInt8](repeating: 65, count: ICELimits.realmBytes)
        let nonce = [UInt8](repeating: 66, count: ICELimits.nonceBytes)
        let long = String(repeating: "n", count: ICELimits.turnNameBytes)
        let pair = try TURNPair(username: long, password: long)
        pair.isSilent = true
        pair.settle()
        let id = try read(try #require(pair.requests.last)) { $0.transactionID }
        pair.give(challenge(id, realm: realm + [1], nonce: nonce))
        pair.give(challenge(id, realm: realm, nonce: nonce + [1]))
        pair.give(challenge(id, realm: realm, nonce: nil))
        #expect(pair.ignored == [.tooLarge, .tooLarge, .missingAttribute(.nonce)])
        pair.give(challenge(id, realm: realm, nonce: nonce))
        pair.settle()
        #expect(try #require(pair.requests.last).count > 1_024)
        #expect(throws: ICEError.tooLarge) { try TURNPair(username: long + "n") }
        #expect(throws: ICEError.tooLarge) { try TURNPair(password: long + "n") }
    }

    @Test("answers of another method, to nothing, or without the address are dropped")
    func nonsense() throws {
        let pair = try TURNPair { $0.needsCredentials = false }
        pair.isSilent = true
        pair.settle()
        let id = try read(try #require(pair.requests.last)) { $0.transactionID }
        pair.give(makeMessage(.refresh, .success, id: id))
        pair.give(makeMessage(.allocate, .success))
        pair.give(makeMessage(.allocate, .success, id: id))
        pair.give(makeMessage(.allocate, .request, id: id))
        pair.give(
            makeMessage(.allocate, .success, id: id) {
                $0.append(.xorRelayedAddress, xor: address("192.0.2.1", 0), to: &$1)
            })
        #expect(
            pair.ignored == [
                .unknownTransaction, .unknownTransaction, .missingAttribute(.xorRelayedAddress), .unexpectedMessage,
                .missingAttribute(.xorRelayedAddress),
            ])
        #expect(pair.state == .allocating)
    }

    @Test("a lost connection ends it at once")
    func connectionLost() throws {
        let pair = try TURNPair.allocated(transport: .tcp)
        pair.client.connectionLost()
        pair.client.connectionLost()
        pair.settle()
        #expect(pair.events.suffix(1) == [.failed(.connectionLost)])
        #expect(pair.events.count == 2)
    }
}

@Suite struct TURNDataTests {
    private let payloads = [0, 1, 2, 3, 4, 100, 1_199, 1_300].map { count in
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    }

    @Test("with a permission datagrams reach the peer as Send indications and come back as Data indications")
    func indications() throws {
        let pair = try TURNPair.allocated()
        pair.permit()
        for payload in payloads {
            let wrapped = try #require(pair.wrap(payload))
            #expect(wrapped.count == 36 + (payload.count + 3) & ~3)
            let out = pair.server.receive(wrapped, from: TURNPair.clientAddress, to: TURNPair.serverAddress)
            #expect(out.map(\.bytes) == [payload])
            #expect(out.first?.destination == TURNPair.peer)
            let back = pair.server.receive(payload, from: TURNPair.peer, to: try #require(out.first).source)
            for answer in back { pair.give(answer.bytes) }
        }
        #expect(pair.received.map(\.bytes) == payloads)
        #expect(pair.received.allSatisfy { $0.from == TURNPair.peer })
    }

    @Test("an IPv6 peer's address fits as well")
    func ipv6() throws {
        let pair = try TURNPair.allocated()
        let peer = address("2001:db8::1", 5)
        pair.client.permit(peer.ip, at: pair.now)
        pair.settle()
        let wrapped = try #require(pair.wrap([1, 2, 3], to: peer))
        let out = pair.server.receive(wrapped, from: TURNPair.clientAddress, to: TURNPair.serverAddress)
        #expect(out.map(\.destination) == [peer])
        #expect(wrapped.count - 3 <= ICELimits.relayOverheadBytes)
    }

    @Test("with a channel four bytes are added, and over TCP padding", arguments: [ICETransport.udp, .tcp])
    func channels(transport: ICETransport) throws {
        let pair = try TURNPair.allocated(transport: transport)
        pair.bind()
        for payload in payloads {
            let wrapped = try #require(pair.wrap(payload))
            #expect(wrapped.count == 4 + (transport == .tcp ? (payload.count + 3) & ~3 : payload.count))
            let out = pair.server.receive(wrapped, from: TURNPair.clientAddress, to: TURNPair.serverAddress)
            #expect(out.map(\.bytes) == [payload])
            for answer in pair.server.receive(payload, from: TURNPair.peer, to: try #require(out.first).source) {
                #expect(answer.bytes.first == 0x40)
                pair.give(answer.bytes)
            }
        }
        #expect(pair.received.map(\.bytes) == payloads)
    }

    @Test("until the channel is there indications are used")
    func unboundChannel() throws {
        let pair = try TURNPair.allocated()
        pair.permit()
        pair.isSilent = true
        pair.client.bind(TURNPair.peer, at: pair.now)
        pair.settle()
        #expect(pair.wrap([1])?.count == 40)
        pair.server.refusals[.channelBind] = 400
        pair.isSilent = false
        pair.run(for: .milliseconds(500))
        #expect(pair.wrap([1])?.count == 40)
    }

    @Test("nothing is wrapped without room or an allocation, and the bytes stay as they were")
    func noRoom() throws {
        let pair = try TURNPair.allocated()
        pair.permit()
        #expect(pair.wrap([1, 2], capacity: 2 + ICELimits.relayOverheadBytes) != nil)
        #expect(pair.wrap([1, 2], capacity: 1 + ICELimits.relayOverheadBytes) == nil)
        let waiting = try TURNPair()
        #expect(waiting.wrap([1]) == nil)
    }

    @Test("a permission is asked for once, renewed while it is used, and forgotten after")
    func permissions() throws {
        let pair = try TURNPair.allocated()
        for _ in 0..<5 { pair.permit() }
        #expect(pair.server.count(.createPermission) == 1)
        for _ in 0..<20 { pair.run(for: .seconds(50)) { $0.client.permit(TURNPair.peer.ip, at: $0.now) } }
        #expect(pair.server.count(.createPermission) == 5)
        pair.run(for: .seconds(3_000))
        #expect(pair.server.count(.createPermission) <= 6)
    }

    @Test("a forbidden address is not asked for again at once")
    func forbidden() throws {
        let pair = try TURNPair.allocated()
        pair.server.forbidden = [TURNPair.peer.ip]
        pair.permit()
        pair.permit()
        #expect(pair.ignored == [.errorResponse(403)])
        pair.run(for: .seconds(9)) { $0.client.permit(TURNPair.peer.ip, at: $0.now) }
        #expect(pair.server.count(.createPermission) == 1)
        pair.run(for: .seconds(2))
        #expect(pair.server.count(.createPermission) == 2)
        #expect(pair.state == .allocated)
    }

    @Test("channels are renewed before their ten minutes are over")
    func channelRenewal() throws {
        let pair = try TURNPair.allocated()
        pair.bind()
        pair.client.bind(TURNPair.peer, at: pair.now)
        pair.run(for: .seconds(479))
        #expect(pair.server.count(.channelBind) == 1)
        pair.run(for: .seconds(2))
        #expect(pair.server.count(.channelBind) == 2)
        #expect(pair.wrap([1])?.count == 5)
    }

    @Test("permissions and channels are bounded; of permissions the one used longest ago gives way")
    func bounds() throws {
        let pair = try TURNPair.allocated()
        for index in 0..<100 {
            pair.client.permit(.v4(0xC000_0200 + UInt32(index)), at: pair.now)
            pair.settle()
            pair.run(for: .milliseconds(1))
        }
        #expect(pair.server.count(.createPermission) == 100)
        pair.run(for: .seconds(240))
        #expect(pair.server.count(.createPermission) == 100 + ICELimits.permissions)
        for port in 1...50 {
            pair.client.bind(address("192.0.2.1", UInt16(port)), at: pair.now)
            pair.settle()
        }
        #expect(pair.server.count(.channelBind) == ICELimits.channels)
    }

    @Test("data from addresses that were not permitted, and of unknown channels, is dropped")
    func strangers() throws {
        let pair = try TURNPair.allocated()
        pair.permit()
        pair.give(TURNServerModel.dataIndication([1], from: address("192.0.2.77", 1), hmac: testHMAC))
        pair.give([0x40, 0, 0, 1, 9])
        pair.give(makeMessage(.send, .indication))
        pair.give(makeMessage(.data, .indication))
        pair.give(makeMessage(.data, .indication) { $0.append(.xorPeerAddress, xor: TURNPair.peer, to: &$1) })
        #expect(pair.received.isEmpty)
        #expect(
            pair.ignored == [
                .unexpectedMessage, .unexpectedMessage, .unexpectedMessage, .missingAttribute(.xorPeerAddress),
                .missingAttribute(.data),
            ])
    }

    @Test("of what a server sends, no beginning does any harm")
    func truncation() throws {
        let pair = try TURNPair.allocated()
        pair.bind()
        let before = pair.server.requests.count
        var messages = [
            TURNServerModel.dataIndication(Array(0..<50), from: TURNPair.peer, hmac: testHMAC),
            [0x40, 0, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8],
        ]
        for method in [STUNMethod.allocate, .refresh, .createPermission, .channelBind] {
            for messageClass in [STUNClass.success, .error] {
                messages.append(
                    makeMessage(method, messageClass, key: [1], fingerprint: true) {
                        if messageClass == .error { $0.append(errorCode: 438, to: &$1) }
                        $0.append(.nonce, [1, 2, 3].rawSpan, to: &$1)
                        $0.append(.xorRelayedAddress, xor: TURNPair.peer, to: &$1)
                    })
            }
        }
        for message in messages {
            for count in 0..<message.count {
                guard case .ignored = pair.give(Array(message[..<count])) else {
                    Issue.record("\(count) of \(message.count) bytes were taken")
                    continue
                }
            }
        }
        pair.settle()
        #expect(pair.state == .allocated)
        #expect(pair.server.requests.count == before)
        #expect(pair.received.isEmpty)
    }

    @Test("channel data may be followed by padding but must not be longer than its datagram")
    func channelLengths() throws {
        let pair = try TURNPair.allocated()
        pair.bind()
        pair.give([0x40, 0, 0, 1, 9, 0, 0, 0])
        pair.give([0x40, 0, 0, 0])
        pair.give([0x40, 0, 0, 2, 9])
        pair.give([0x40, 0, 0xFF, 0xFF, 9])
        #expect(pair.received.map(\.bytes) == [[9], []])
        #expect(pair.ignored == [.truncated, .truncated])
    }

    @Test("Binding answers are not the client's business, all other TURN messages are")
    func claims() {
        let isClaimed = { (bytes: [UInt8]) in TURNClient.claims(bytes.rawSpan) }
        for messageClass in [STUNClass.request, .indication, .success, .error] {
            #expect(!isClaimed(makeMessage(.binding, messageClass)))
            #expect(isClaimed(makeMessage(.allocate, messageClass)))
            #expect(isClaimed(makeMessage(.data, messageClass)))
        }
        #expect(isClaimed([0x40, 0, 0, 0]))
        #expect(!isClaimed([0x16, 0, 0, 0]))
        #expect(!isClaimed([0x80, 0, 0, 0]))
        #expect(!isClaimed([]))
    }
}
