import Bytes
import ICE
import TestSupport
import Testing

/// Agents that reach each other through a TURN server, at once or when nothing else is left.
@Suite struct ICEAgentRelayTests {
    private static let turnAddress = address("203.0.113.9", 3_478)
    private static let relayIP = address("203.0.113.10", 0).ip
    private static let streamAddress = address("198.51.100.7", 40_001)
    private static let passive = address("192.0.2.1", 7_881)
    private static let udpSocket = ICESocket(id: 1)
    private static let tcpSocket = ICESocket(id: 5, transport: .tcp)

    private func make(
        server mode: ICEAgent.Mode = .full, over transport: ICETransport = .udp, password: String = "secret",
        hasHosts: Bool = true
    ) throws -> World {
        let client = Host(Host.configuration(.full, .controlling, seed: 101))
        let server = Host(Host.configuration(mode, .controlled, seed: 201))
        if hasHosts { try client.bind(1, Scene.clientAddress) } else { client.bindSilently(1, Scene.clientAddress) }
        client.bindSilently(5, Self.streamAddress, transport: .tcp)
        try server.bind(1, Scene.serverAddress)
        let world = World(client, server)
        world.turn = TURNServerModel(
            address: Self.turnAddress, relayIP: Self.relayIP, hmac: testHMAC, md5: testMD5)
        world.turnTransports[Self.streamAddress] = .tcp
        world.exchangeCredentials()
        try addRelay(world, over: transport, password: password)
        try Scene.offer(world)
        return world
    }

    private func addRelay(_ world: World, over transport: ICETransport, password: String = "secret") throws {
        let socket = transport == .udp ? Self.udpSocket : Self.tcpSocket
        try world.a.agent.addRelay(
            TURNClient.Configuration(
                path: ICEPath(socket: socket, remote: Self.turnAddress), username: "user", password: password),
            at: world.now)
    }

    /// Nothing passes between the two directly.
    private func blockDirect(_ world: World) {
        world.filter = { datagram in
            let isDirect =
                datagram.source == Scene.clientAddress && datagram.destination == Scene.serverAddress
                || datagram.source == Scene.serverAddress && datagram.destination == Scene.clientAddress
            return isDirect ? nil : datagram
        }
    }

    private func isRelayed(_ world: World) -> Bool { world.a.selectedPath?.route == .relayed }

    @Test("a relayed and a reflexive candidate are found, and then gathering is over")
    func candidates() throws {
        let world = try make()
        world.a.translate(Scene.clientAddress, to: address("203.0.113.77", 1_234))
        world.run(for: .seconds(1))
        let kinds = world.a.events.compactMap { event in
            if case .candidateFound(let candidate) = event { candidate.kind } else { nil }
        }
        #expect(kinds == [.serverReflexive, .relayed])
        #expect(world.a.events.count { $0 == .gatheringFinished } == 1)
        let relayed = try #require(world.a.localCandidates.first { $0.kind == .relayed })
        #expect(relayed.address == TransportAddress(ip: Self.relayIP, port: 50_000))
        #expect(relayed.related == address("203.0.113.77", 1_234))
        #expect(relayed.priority < 1 << 24)
        let again = try ICECandidate(parsing: relayed.description)
        #expect(again == relayed)
    }

    @Test(
        "where nothing passes directly the relay connects", arguments: [ICEAgent.Mode.lite, .full],
        [ICETransport.udp, .tcp])
    func connects(mode: ICEAgent.Mode, transport: ICETransport) throws {
        let world = try make(server: mode, over: transport)
        blockDirect(world)
        #expect(world.run(within: .seconds(3), until: Scene.isConnected))
        #expect(isRelayed(world))
        #expect(world.b.selectedRemote == TransportAddress(ip: Self.relayIP, port: 50_000))
        world.run(for: .seconds(700))
        #expect(Scene.isConnected(world))
        #expect(world.a.ignored.isEmpty)
    }

    @Test("with UDP blocked altogether the relay is reached over TCP within three seconds")
    func udpBlocked() throws {
        let world = try make(over: .tcp)
        world.filter = { datagram in
            let isRelayLeg = datagram.source.ip == Self.relayIP || datagram.destination.ip == Self.relayIP
            return datagram.transport == .udp && !isRelayLeg ? nil : datagram
        }
        #expect(world.run(within: .seconds(3), until: Scene.isConnected))
        #expect(isRelayed(world))
    }

    @Test("the direct path is preferred, and the relay stands by")
    func preference() throws {
        let world = try make()
        #expect(world.run(until: Scene.isConnected))
        world.run(for: .seconds(120))
        #expect(world.a.selections == [Scene.serverPath])
        let backup = ICEPath(socket: ICESocket(id: -1), remote: Scene.serverAddress)
        #expect(world.a.isValidated(backup))
        #expect(world.turn?.count(.channelBind) == 0)
    }

    @Test("with no host candidates at all only the relay is used")
    func forced() throws {
        let world = try make(hasHosts: false)
        #expect(world.run(within: .seconds(3), until: Scene.isConnected))
        #expect(isRelayed(world))
        #expect(!world.a.sent.contains { $0.destination == Scene.serverAddress })
    }

    @Test("when the direct path breaks the relay takes over, with a channel of its own")
    func fallback() throws {
        let world = try make()
        #expect(world.run(until: Scene.isConnected))
        world.run(for: .seconds(20))
        blockDirect(world)
        world.run(for: .seconds(5))
        #expect(isRelayed(world))
        #expect(world.a.state == .connected)
        #expect(world.turn?.count(.channelBind) == 1)
        let media = try #require(world.a.send([0x80, 1, 2]))
        #expect(media.bytes == [0x40, 0, 0, 3, 0x80, 1, 2])
        #expect(media.destination == Self.turnAddress)
    }

    @Test("what comes over the relay is unwrapped, and comes on a validated path of its own")
    func unwrap() throws {
        let world = try make(hasHosts: false)
        #expect(world.run(within: .seconds(3), until: Scene.isConnected))
        world.run(for: .seconds(1))
        let turn = try #require(world.turn)
        let relayed = TransportAddress(ip: Self.relayIP, port: 50_000)
        let path = ICEPath(socket: Self.udpSocket, remote: Self.turnAddress)
        let wrapped = try #require(turn.receive([0x80, 9, 9], from: Scene.serverAddress, to: relayed).first)
        let inner = ICEPath(socket: ICESocket(id: -1), remote: Scene.serverAddress)
        #expect(world.a.unwrap(wrapped.bytes, on: path, at: world.now) == .relayed(4..<7, inner))
        #expect(world.a.isValidated(inner))
        // From elsewhere it means nothing, and neither does what is no TURN message.
        let elsewhere = ICEPath(socket: Self.udpSocket, remote: Scene.serverAddress)
        #expect(world.a.unwrap(wrapped.bytes, on: elsewhere, at: world.now) == .direct)
        #expect(world.a.unwrap([0x80, 1], on: path, at: world.now) == .direct)
    }

    @Test("wrong credentials cost the relay and nothing else")
    func unauthorized() throws {
        let world = try make(password: "wrong")
        #expect(world.run(until: Scene.isConnected))
        #expect(world.a.events.contains(.relayFailed(.unauthorized, server: Self.turnAddress)))
        #expect(world.a.events.contains(.gatheringFinished))
        #expect(world.a.liveRelayCount == 0)
        #expect(world.a.selectedPath == Scene.serverPath)
    }

    @Test("a broken connection to the server takes its paths with it; another relay can follow")
    func connectionLost() throws {
        let world = try make(over: .tcp)
        blockDirect(world)
        #expect(world.run(until: Scene.isConnected))
        world.a.agent.pathLost(ICEPath(socket: Self.tcpSocket, remote: Self.turnAddress), at: world.now)
        world.send()
        #expect(world.a.state == .disconnected)
        #expect(world.a.events.contains(.relayFailed(.connectionLost, server: Self.turnAddress)))
        #expect(!world.a.localCandidates.contains { $0.kind == .relayed })
        try addRelay(world, over: .udp)
        #expect(world.run(within: .seconds(5), until: Scene.isConnected))
        #expect(isRelayed(world))
    }

    @Test("a relay lives through a restart and is a candidate of the new generation")
    func restart() throws {
        let world = try make()
        blockDirect(world)
        #expect(world.run(until: Scene.isConnected))
        world.a.agent.restart(credentials: ICECredentials(random: [UInt8](0..<24)), at: world.now)
        world.b.agent.restart(credentials: ICECredentials(random: [UInt8](50..<74)), at: world.now)
        world.a.agent.removeLocalCandidates(at: world.now)
        #expect(world.a.localCandidates.map(\.kind) == [.relayed])
        #expect(isRelayed(world))
        #expect(world.a.send([0x80]) != nil)
        world.exchangeCredentials()
        try Scene.offer(world)
        #expect(world.run(within: .seconds(3), until: Scene.isConnected))
        #expect(isRelayed(world))
        #expect(world.turn?.allocations.count == 1)
    }

    @Test("at the end the allocation is given back")
    func release() throws {
        let world = try make()
        world.run(for: .seconds(1))
        #expect(world.turn?.allocations.count == 1)
        #expect(world.a.releaseRelays(at: world.now))
        world.send()
        #expect(world.turn?.allocations.isEmpty == true)
        #expect(!world.a.releaseRelays(at: world.now))
    }

    @Test("relays are bounded, and one server is not asked twice from one socket")
    func limits() throws {
        let world = try make()
        #expect(throws: ICEError.unsupportedServer) { try addRelay(world, over: .udp) }
        let agent = world.a
        func add(_ port: UInt16) throws {
            let path = ICEPath(socket: Self.udpSocket, remote: address("203.0.113.20", port))
            try agent.agent.addRelay(
                TURNClient.Configuration(path: path, username: "u", password: "p"), at: world.now)
        }
        for port in 1..<UInt16(ICELimits.relays) { try add(port) }
        #expect(throws: ICEError.backlogFull) { try add(99) }
        let lite = try Scene.make(server: .lite).b
        let path = ICEPath(socket: Self.udpSocket, remote: Self.turnAddress)
        #expect(throws: ICEError.unsupportedServer) {
            try lite.agent.addRelay(
                TURNClient.Configuration(path: path, username: "u", password: "p"), at: .zero)
        }
    }

    @Test("a server that never answers does not hold up the rest, and gathering ends when it is given up")
    func silence() throws {
        let world = try make()
        world.filter = { $0.destination == Self.turnAddress ? nil : $0 }
        #expect(world.run(within: .milliseconds(100), until: Scene.isConnected))
        world.run(for: .seconds(41))
        #expect(world.a.events.contains(.relayFailed(.timedOut, server: Self.turnAddress)))
        #expect(world.a.events.contains(.gatheringFinished))
    }
}
