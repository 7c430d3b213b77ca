import Bytes
import ICE
import TestSupport
import Testing

@Suite struct ICEAgentTrickleTests {
    @Test("candidates before the credentials wait for them")
    func candidatesFirst() throws {
        let client = Host(Host.configuration(.full, .controlling, seed: 1))
        let server = Host(Host.configuration(.lite, seed: 2))
        try client.bind(1, Scene.clientAddress)
        server.bindSilently(1, Scene.serverAddress)
        let world = World(client, server)
        try Scene.offer(world)
        world.run(for: .seconds(1))
        #expect(client.sent.isEmpty)
        #expect(client.nextDeadline == nil)
        world.exchangeCredentials()
        #expect(world.run(until: Scene.isConnected))
    }

    @Test("candidates that come late are checked when they come")
    func lateCandidate() throws {
        let world = try Scene.make(server: .lite)
        world.run(for: .seconds(5))
        #expect(world.a.sent.isEmpty)
        try Scene.offer(world)
        #expect(world.run(until: Scene.isConnected))
        #expect(world.now == .zero + .milliseconds(5_004))
    }

    @Test("a local address that comes late is paired with what is known")
    func lateSocket() throws {
        let client = Host(Host.configuration(.full, .controlling, seed: 1))
        let server = Host(Host.configuration(.lite, seed: 2))
        server.bindSilently(1, Scene.serverAddress)
        let world = World(client, server)
        world.exchangeCredentials()
        try Scene.offer(world)
        world.run(for: .seconds(1))
        try client.bind(1, Scene.clientAddress)
        #expect(world.run(until: Scene.isConnected))
    }

    @Test("a request that comes before the credentials is answered, and checked back when they come")
    func requestFirst() throws {
        let client = Host(Host.configuration(.full, .controlling, seed: 1))
        let server = Host(Host.configuration(.full, seed: 2))
        try client.bind(1, Scene.clientAddress)
        try server.bind(1, Scene.serverAddress)
        let world = World(client, server)
        client.agent.setRemoteCredentials(server.credentials, at: .zero)
        try Scene.offer(world)
        world.run(for: .seconds(1))
        #expect(client.selectedPath == Scene.serverPath)
        #expect(server.isValidated(Scene.clientPath))
        #expect(server.selectedPath == nil)
        server.agent.setRemoteCredentials(client.credentials, at: world.now)
        #expect(world.run(until: Scene.isConnected))
    }

    @Test("candidates of another generation are refused, before or after the credentials")
    func otherGeneration() throws {
        let world = try Scene.make(server: .lite)
        #expect(throws: ICEError.unknownUsername) {
            try world.a.add("candidate:1 1 udp 1 192.0.2.1 5000 typ host ufrag other")
        }
        let client = Host(Host.configuration(.full, .controlling, seed: 1))
        try client.bind(1, Scene.clientAddress)
        try client.add("candidate:1 1 udp 1 192.0.2.1 5000 typ host ufrag other")
        client.agent.setRemoteCredentials(world.b.credentials, at: .zero)
        client.agent.advance(to: .zero)
        #expect(client.drain().isEmpty)
        let fragment = world.b.credentials.fragment
        try client.add("candidate:1 1 udp 1 192.0.2.1 5000 typ host ufrag \(fragment)")
        client.agent.advance(to: .zero)
        #expect(client.drain().count == 1)
    }

    @Test("a path learned from a request is the same pair when its candidate is told later")
    func peerReflexiveThenTold() throws {
        let world = try Scene.make(server: .full)
        try Scene.offer(world)
        #expect(world.run(until: { $0.b.isValidated(Scene.clientPath) }))
        try Scene.offer(world, toClient: false, toServer: true)
        #expect(world.run(until: Scene.isConnected))
        world.run(for: .seconds(2))
        let transactions = try Set(
            world.b.sent.filter { try read($0.bytes) { $0.messageClass } == .request }
                .map { try read($0.bytes) { $0.transactionID } })
        #expect(transactions.count == 1)
    }
}

@Suite struct ICEGatheringTests {
    private let server = address("203.0.113.200", 3_478)
    private let inside = address("10.0.0.7", 40_000)
    private let outside = address("198.51.100.7", 61_000)

    private func makeWorld() throws -> World {
        let world = try Scene.make(server: .lite)
        try world.a.bind(2, inside)
        world.a.translate(inside, to: outside)
        world.stunServer = server
        return world
    }

    @Test("a STUN server's answer becomes a server-reflexive candidate with its base")
    func reflexive() throws {
        let world = try makeWorld()
        try world.a.agent.gather(server: server, from: ICESocket(id: 2), at: .zero)
        world.run(for: .milliseconds(10))
        let found = world.a.events.compactMap { if case .candidateFound(let candidate) = $0 { candidate } else { nil } }
        let candidate = try #require(found.first)
        #expect(found.count == 1)
        #expect(candidate.kind == .serverReflexive)
        #expect(candidate.address == outside)
        #expect(candidate.related == inside)
        #expect(candidate.priority == ICECandidate.priority(.serverReflexive, localPreference: 65_535))
        #expect(world.a.events.last == .gatheringFinished)
    }

    @Test("without NAT there is nothing new to tell")
    func noNAT() throws {
        let world = try makeWorld()
        try world.a.agent.gather(server: server, from: ICESocket(id: 1), at: .zero)
        world.run(for: .milliseconds(10))
        #expect(world.a.events == [.gatheringFinished])
    }

    @Test("a silent server is asked seven times and then let go")
    func silentServer() throws {
        let world = try makeWorld()
        world.a.agent.setRemoteCredentials(world.b.credentials, at: .zero)
        try world.a.agent.gather(server: address("203.0.113.201", 3_478), from: ICESocket(id: 2), at: .zero)
        world.run(for: .milliseconds(39_499))
        #expect(world.a.sent.count == 7)
        #expect(world.a.events.isEmpty)
        world.run(for: .milliseconds(1))
        #expect(world.a.events.first == .gatheringFinished)
    }

    @Test("answers from another address or to another transaction are dropped")
    func forged() throws {
        let world = try makeWorld()
        world.stunServer = nil
        try world.a.agent.gather(server: server, from: ICESocket(id: 2), at: .zero)
        world.run(for: .milliseconds(1))
        let sent = try #require(world.a.sent.first)
        let id = try read(sent.bytes) { $0.transactionID }
        func answer(_ id: STUNTransactionID) -> [UInt8] {
            makeMessage(.binding, .success, id: id) { $0.append(.xorMappedAddress, xor: outside, to: &$1) }
        }
        let path = ICEPath(socket: ICESocket(id: 2), remote: server)
        let stranger = ICEPath(socket: ICESocket(id: 2), remote: address("203.0.113.201", 3_478))
        #expect(world.a.inject(answer(id), on: stranger, at: world.now) == .ignored(.asymmetricResponse))
        #expect(world.a.inject(answer(RFC5769.transactionID), on: path, at: world.now) == .ignored(.unknownTransaction))
        #expect(
            world.a.inject(makeMessage(.binding, .success, id: id), on: path, at: world.now)
                == .ignored(.missingAttribute(.xorMappedAddress)))
        #expect(world.a.inject(answer(id), on: path, at: world.now) == .accepted)
        #expect(world.a.inject(answer(id), on: path, at: world.now) == .ignored(.unknownTransaction))
    }

    @Test("the number of servers asked at once is bounded")
    func limit() throws {
        let world = try makeWorld()
        for port in 1...UInt16(ICELimits.gatherings) {
            try world.a.agent.gather(server: address("203.0.113.1", port), from: ICESocket(id: 2), at: .zero)
        }
        #expect(throws: ICEError.backlogFull) {
            try world.a.agent.gather(server: server, from: ICESocket(id: 2), at: .zero)
        }
    }
}
