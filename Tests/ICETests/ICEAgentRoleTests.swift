import Bytes
import ICE
import TestSupport
import Testing

@Suite struct ICEAgentRoleTests {
    private func makeWorld(_ role: ICEAgent.Role, seed: UInt64, _ settings: NetemSettings = .lan) throws -> World {
        let a = Host(Host.configuration(.full, role, seed: seed))
        let b = Host(Host.configuration(.full, role, seed: seed &+ 1_000))
        try a.bind(1, Scene.clientAddress)
        try b.bind(1, Scene.serverAddress)
        let world = World(a, b, settings, seed: seed)
        world.exchangeCredentials()
        try Scene.offer(world, toServer: true)
        return world
    }

    @Test(
        "two agents of the same role settle who controls, whoever wins",
        arguments: [ICEAgent.Role.controlling, .controlled])
    func conflict(role: ICEAgent.Role) throws {
        var winners: Set<Bool> = []
        for seed in UInt64(1)...12 {
            let world = try makeWorld(role, seed: seed)
            #expect(world.run(within: .seconds(20), until: Scene.isConnected), "seed \(seed)")
            #expect(world.a.role != world.b.role)
            winners.insert(world.a.role == .controlling)
        }
        #expect(winners.count == 2)
    }

    @Test("they settle it over a bad network too")
    func conflictOverLoss() throws {
        for seed in UInt64(1)...12 {
            let world = try makeWorld(.controlling, seed: seed, .mobile)
            #expect(world.run(within: .seconds(39), until: Scene.isConnected), "seed \(seed)")
            #expect(world.a.role != world.b.role)
        }
    }

    @Test("a full client that thinks it is controlled turns when a lite server says so")
    func againstLite() throws {
        let client = Host(Host.configuration(.full, .controlled, seed: 1))
        let server = Host(Host.configuration(.lite, .controlling, seed: 2))
        try client.bind(1, Scene.clientAddress)
        server.bindSilently(1, Scene.serverAddress)
        let world = World(client, server)
        world.exchangeCredentials()
        try Scene.offer(world)
        #expect(server.role == .controlled)
        #expect(world.run(until: Scene.isConnected))
        #expect(client.role == .controlling)
    }

    /// RFC 8445 section 7.3.1.1, every row.
    @Test("of two claims to one role the greater tie-breaker controls")
    func table() throws {
        for role in [ICEAgent.Role.controlling, .controlled] {
            for (claim, weWin) in [(UInt64.min, true), (.max, false)] {
                let host = Host(Host.configuration(.full, role, seed: 4))
                try host.bind(1, Scene.serverAddress)
                var request = Request(to: host.credentials)
                request.controlling = role == .controlling ? claim : nil
                request.controlled = role == .controlled ? claim : nil
                let isRefused = host.inject(request.bytes, on: Scene.clientPath, at: .zero) == .ignored(.roleConflict)
                let answer = try #require(host.drain().first)
                let code = try read(answer.bytes) { m throws(ICEError) in try m.errorCode() }
                #expect(host.role == (weWin ? .controlling : .controlled))
                #expect(isRefused == (host.role == role))
                #expect(code == (isRefused ? 487 : nil))
            }
        }
    }
}

@Suite struct ICEAgentTCPTests {
    private let clientTCP = address("198.51.100.7", 9)
    private let serverTCP = address("192.0.2.1", 443)

    private func makeWorld(_ mode: ICEAgent.Mode) throws -> World {
        let client = Host(Host.configuration(.full, .controlling, seed: 1))
        let server = Host(Host.configuration(mode, seed: 2))
        try client.bind(1, clientTCP, tcpType: .active)
        try server.bind(1, serverTCP, tcpType: .passive)
        let world = World(client, server)
        world.exchangeCredentials()
        return world
    }

    @Test("an active candidate connects to a passive one", arguments: [ICEAgent.Mode.lite, .full])
    func activeToPassive(mode: ICEAgent.Mode) throws {
        let world = try makeWorld(mode)
        try world.a.agent.addRemoteCandidate(.host(serverTCP, transport: .tcp, tcpType: .passive), at: .zero)
        #expect(world.run(until: Scene.isConnected))
        #expect(world.a.selectedPath?.socket.transport == .tcp)
        #expect(world.b.selectedPath?.socket.transport == .tcp)
    }

    @Test("a passive agent opens no connection by itself")
    func passiveWaits() throws {
        let world = try makeWorld(.full)
        try world.b.agent.addRemoteCandidate(.host(clientTCP, transport: .tcp, tcpType: .active), at: .zero)
        world.run(for: .seconds(5))
        #expect(world.b.sent.isEmpty)
    }

    @Test("a request over TCP is sent once")
    func noRetransmission() throws {
        let world = try makeWorld(.lite)
        world.aToB.isDown = true
        try world.a.agent.addRemoteCandidate(.host(serverTCP, transport: .tcp, tcpType: .passive), at: .zero)
        world.run(for: .seconds(39))
        #expect(world.a.sent.count == 1)
    }

    @Test("UDP is preferred to TCP when both work")
    func preference() throws {
        let world = try makeWorld(.lite)
        try world.a.bind(2, Scene.clientAddress)
        try world.b.bind(2, Scene.serverAddress)
        try world.a.agent.addRemoteCandidate(.host(serverTCP, transport: .tcp, tcpType: .passive), at: .zero)
        try Scene.offer(world)
        #expect(world.run(until: Scene.isConnected))
        #expect(world.a.selectedPath?.socket.transport == .udp)
    }

    @Test("a lost connection falls back to another valid path, or to none")
    func lost() throws {
        let world = try makeWorld(.lite)
        try world.a.agent.addRemoteCandidate(.host(serverTCP, transport: .tcp, tcpType: .passive), at: .zero)
        #expect(world.run(until: Scene.isConnected))
        let path = try #require(world.a.selectedPath)
        world.a.agent.pathLost(path, at: world.now)
        world.send()
        #expect(world.a.selectedPath == nil)
        #expect(world.a.state == .disconnected)
        #expect(!world.a.isValidated(path))
        world.aToB.isDown = true
        world.run(for: .seconds(40))
        #expect(world.a.state == .failed)
    }
}
