import Bytes
import ICE
import TestSupport

struct Datagram: Sendable {
    var transport: ICETransport
    var source: TransportAddress
    var destination: TransportAddress
    var bytes: [UInt8]
}

/// One agent with its sockets, perhaps behind a NAT.
final class Host {
    var agent: ICEAgent
    private(set) var events: [ICEEvent] = []
    private(set) var ignored: [ICEError] = []
    private(set) var sockets: [ICESocket: TransportAddress] = [:]
    /// Public address of each private one; empty for a host without NAT.
    private(set) var translations: [TransportAddress: TransportAddress] = [:]
    /// Everything the agent sent, with addresses as on its own wire.
    private(set) var sent: [Datagram] = []

    init(_ configuration: ICEAgent.Configuration, at now: Monotonic = .zero) {
        agent = ICEAgent(configuration, at: now)
    }

    static func configuration(
        _ mode: ICEAgent.Mode, _ role: ICEAgent.Role = .controlled, seed: UInt64, credentials: ICECredentials? = nil
    ) -> ICEAgent.Configuration {
        var generator = SeededGenerator(seed: seed)
        var configuration = ICEAgent.Configuration(
            mode: mode, role: role, credentials: credentials ?? ICECredentials(random: generator.bytes(24)),
            seed: generator.bytes(32), hmac: testHMAC)
        configuration.md5 = testMD5
        return configuration
    }

    /// Wraps a datagram as media on the selected path would be.
    func send(_ payload: [UInt8]) -> Datagram? {
        guard let path = agent.selectedPath else { return nil }
        let (bytes, outer) = captureOutput { output in
            output.append(copying: payload)
            return agent.wrap(&output, on: path)
        }
        guard let outer, let source = sockets[outer.socket] else { return nil }
        return Datagram(
            transport: outer.socket.transport, source: source, destination: outer.remote, bytes: bytes)
    }

    @discardableResult
    func bind(_ id: Int32, _ local: TransportAddress, tcpType: ICETCPType? = nil) throws -> ICECandidate {
        let socket = ICESocket(id: id, transport: tcpType == nil ? .udp : .tcp)
        sockets[socket] = local
        let candidate = ICECandidate.host(local, transport: socket.transport, tcpType: tcpType)
        try agent.addLocalCandidate(candidate, socket: socket, at: .zero)
        return candidate
    }

    /// Opens a socket that is not offered as a candidate, as an address behind NAT or on a wildcard may not be.
    func bindSilently(_ id: Int32, _ local: TransportAddress, transport: ICETransport = .udp) {
        sockets[ICESocket(id: id, transport: transport)] = local
    }

    func translate(_ local: TransportAddress, to outside: TransportAddress) { translations[local] = outside }

    func owns(_ destination: TransportAddress) -> Bool { local(for: destination) != nil }

    /// Whether this is one of the host's addresses, as seen from outside.
    func knows(_ address: TransportAddress) -> Bool { local(for: address) != nil }

    func outside(_ source: TransportAddress) -> TransportAddress { translations[source] ?? source }

    private func local(for destination: TransportAddress) -> TransportAddress? {
        if let inside = translations.first(where: { $0.value == destination })?.key { return inside }
        return sockets.values.contains(destination) && translations[destination] == nil ? destination : nil
    }

    func receive(_ datagram: Datagram, at now: Monotonic) {
        guard let inside = local(for: datagram.destination),
            let socket = sockets.first(where: { $0.value == inside && $0.key.transport == datagram.transport })?.key
        else { return }
        inject(datagram.bytes, on: ICEPath(socket: socket, remote: datagram.source), at: now)
    }

    @discardableResult
    func inject(_ bytes: [UInt8], on path: ICEPath, at now: Monotonic) -> ICEReceiveResult {
        let result = agent.receive(bytes.rawSpan, on: path, at: now)
        if case .ignored(let error) = result { ignored.append(error) }
        return result
    }

    /// Drains transmits, then events, as a driver does.
    func drain() -> [Datagram] {
        var batch: [Datagram] = []
        while let (bytes, path) = poll() {
            guard let source = sockets[path.socket] else { preconditionFailure("transmit on an unknown socket") }
            batch.append(
                Datagram(transport: path.socket.transport, source: source, destination: path.remote, bytes: bytes))
        }
        while let event = agent.pollEvent() { events.append(event) }
        sent += batch
        return batch
    }

    private func poll() -> ([UInt8], ICEPath)? {
        let (bytes, transmit) = captureOutput(capacity: ICELimits.transmitBytes) { agent.pollTransmit(into: &$0) }
        return transmit.map { (bytes, $0.path) }
    }

    // `#expect` cannot hold the agent itself, which is not copyable.
    func isValidated(_ path: ICEPath) -> Bool { agent.isValidated(path) }
    func hasAnswered(_ path: ICEPath) -> Bool { agent.hasAnswered(path) }
    var localCandidates: [ICECandidate] { agent.localCandidates }
    var liveRelayCount: Int { agent.liveRelayCount }
    func releaseRelays(at now: Monotonic) -> Bool { agent.releaseRelays(at: now) }
    func unwrap(_ bytes: [UInt8], on path: ICEPath, at now: Monotonic) -> ICEUnwrapped {
        agent.unwrap(bytes.rawSpan, on: path, at: now)
    }
    var selectedPath: ICEPath? { agent.selectedPath }
    var isNominated: Bool { agent.isNominated }
    var state: ICEState { agent.state }
    var role: ICEAgent.Role { agent.role }
    var credentials: ICECredentials { agent.localCredentials }
    var nextDeadline: Monotonic? { agent.nextDeadline }
    var ignoredCount: UInt64 { agent.tally.total }

    func add(_ text: String, at now: Monotonic = .zero) throws(ICEError) {
        try agent.addRemoteCandidate(ICECandidate(parsing: text), at: now)
    }

    var states: [ICEState] {
        events.compactMap { if case .stateChanged(let state) = $0 { state } else { nil } }
    }

    var selections: [ICEPath] {
        events.compactMap { if case .selectedPathChanged(let path) = $0 { path } else { nil } }
    }

    /// Where a packet sent on the selected path would go.
    var selectedRemote: TransportAddress? { agent.selectedPath?.remote }
}

/// Two hosts, a network in each direction, and time that passes only when told to.
final class World {
    let a: Host
    let b: Host
    var now = Monotonic.zero
    var aToB: Netem<Datagram>
    var bToA: Netem<Datagram>
    /// Answers Binding requests at this address, over a network without loss or delay.
    var stunServer: TransportAddress?
    /// Takes what goes to it or to its relayed addresses, over a network without loss or delay on the clients' side.
    var turn: TURNServerModel?
    /// Looks at, changes or swallows what is delivered.
    var filter: (Datagram) -> Datagram? = { $0 }

    init(_ a: Host, _ b: Host, _ settings: NetemSettings = .lan, seed: UInt64 = 1) {
        self.a = a
        self.b = b
        aToB = Netem(settings, seed: seed)
        bToA = Netem(settings, seed: seed &+ 1)
    }

    /// Tells each the other's credentials.
    func exchangeCredentials() {
        a.agent.setRemoteCredentials(b.agent.localCredentials, at: now)
        b.agent.setRemoteCredentials(a.agent.localCredentials, at: now)
    }

    func run(for interval: Interval) { run(until: now + interval) }

    /// Runs until the condition holds; false when it does not within `limit`.
    func run(within limit: Interval = .seconds(60), until condition: (World) -> Bool) -> Bool {
        let end = now + limit
        while !condition(self) {
            guard step(before: end) else { return condition(self) }
        }
        return true
    }

    func run(until end: Monotonic) {
        while step(before: end) {}
        now = end
    }

    /// Goes to the next thing that happens; false when nothing does up to `end`.
    private func step(before end: Monotonic) -> Bool {
        send()
        let due = [a.agent.nextDeadline, b.agent.nextDeadline, aToB.nextDeadline, bToA.nextDeadline].compactMap { $0 }
            .min()
        guard let due, due <= end else { return false }
        now = max(now, due)
        while let datagram = aToB.receive(at: now) { deliver(datagram, to: b) }
        while let datagram = bToA.receive(at: now) { deliver(datagram, to: a) }
        for host in [a, b] {
            if let deadline = host.agent.nextDeadline, deadline <= now { host.agent.advance(to: now) }
        }
        send()
        return true
    }

    func send() {
        for (host, isA) in [(a, true), (b, false)] {
            for var datagram in host.drain() {
                datagram.source = host.outside(datagram.source)
                if datagram.destination == stunServer {
                    answer(datagram, to: host)
                } else if let turn, turn.owns(datagram.destination) {
                    relay(datagram, through: turn)
                } else if isA {
                    aToB.send(datagram, at: now)
                } else {
                    bToA.send(datagram, at: now)
                }
            }
        }
    }

    func relay(_ datagram: Datagram, through turn: TURNServerModel) {
        guard let datagram = filter(datagram) else { return }
        let outgoing = turn.receive(datagram.bytes, from: datagram.source, to: datagram.destination)
        for sent in outgoing {
            let isForA = a.knows(sent.destination)
            var copy = datagram
            (copy.source, copy.destination, copy.bytes) = (sent.source, sent.destination, sent.bytes)
            if sent.isRelayed {
                copy.transport = .udp
                if isForA { bToA.send(copy, at: now) } else { aToB.send(copy, at: now) }
            } else {
                copy.transport = turnTransports[sent.destination] ?? .udp
                deliver(copy, to: isForA ? a : b)
            }
        }
    }

    /// How clients came to the TURN server, when not over UDP.
    var turnTransports: [TransportAddress: ICETransport] = [:]

    private func deliver(_ datagram: Datagram, to host: Host) {
        guard let datagram = filter(datagram) else { return }
        host.receive(datagram, at: now)
        send()
    }

    private func answer(_ datagram: Datagram, to host: Host) {
        guard let id = try? read(datagram.bytes, { $0.transactionID }) else { return }
        let bytes = makeMessage(.binding, .success, id: id) {
            $0.append(.xorMappedAddress, xor: datagram.source, to: &$1)
        }
        host.receive(
            Datagram(
                transport: .udp, source: datagram.destination, destination: datagram.source, bytes: bytes), at: now)
    }
}

/// A Binding request as a peer would send it.
struct Request {
    var fragment: String
    var password: [UInt8]
    var id = STUNTransactionID(high: 1, low: 1)
    var priority: UInt32? = 1_862_270_975
    var usesCandidate = false
    var controlling: UInt64? = 7
    var controlled: UInt64?
    var hasFingerprint = true
    var hasIntegrity = true
    var extra: STUNAttribute?

    init(to credentials: ICECredentials, id: UInt64 = 1, usesCandidate: Bool = false) {
        fragment = credentials.fragment
        password = Array(credentials.password.utf8)
        self.id.low = id
        self.usesCandidate = usesCandidate
    }

    var bytes: [UInt8] {
        makeMessage(id: id, key: hasIntegrity ? password : nil, fingerprint: hasFingerprint) { writer, output in
            writer.append(username: Array(fragment.utf8), Array("peer".utf8), to: &output)
            if let priority { writer.append(.priority, priority, to: &output) }
            if let controlling { writer.append(.iceControlling, controlling, to: &output) }
            if let controlled { writer.append(.iceControlled, controlled, to: &output) }
            if usesCandidate { writer.append(flag: .useCandidate, to: &output) }
            if let extra { writer.append(flag: extra, to: &output) }
        }
    }
}
