import Bytes
import ICE
import TestSupport
import Testing

/// A pair of agents over a network in virtual time.
enum Scene {
    static let serverAddress = address("192.0.2.1", 5_000)
    static let clientAddress = address("198.51.100.7", 40_000)

    /// `a` is a full, controlling client, `b` a server of the given mode; both know each other's credentials.
    static func make(
        server mode: ICEAgent.Mode, _ settings: NetemSettings = .lan, seed: UInt64 = 1,
        adjust: (inout ICEAgent.Configuration) -> Void = { _ in }
    ) throws -> World {
        var configuration = Host.configuration(.full, .controlling, seed: seed &+ 100)
        adjust(&configuration)
        let client = Host(configuration)
        let server = Host(Host.configuration(mode, .controlled, seed: seed &+ 200))
        try client.bind(1, clientAddress)
        try server.bind(1, serverAddress)
        let world = World(client, server, settings, seed: seed)
        world.exchangeCredentials()
        return world
    }

    static func offer(_ world: World, toClient: Bool = true, toServer: Bool = false) throws {
        if toClient { try world.a.agent.addRemoteCandidate(.host(serverAddress), at: world.now) }
        if toServer { try world.b.agent.addRemoteCandidate(.host(clientAddress), at: world.now) }
    }

    static let serverPath = ICEPath(socket: ICESocket(id: 1), remote: serverAddress)
    static let clientPath = ICEPath(socket: ICESocket(id: 1), remote: clientAddress)

    static func isConnected(_ world: World) -> Bool {
        world.a.state == .connected && world.b.state == .connected && world.a.isNominated && world.b.isNominated
    }
}

@Suite struct ICEAgentPairTests {
    @Test("a full client connects to a lite server that knows none of its candidates")
    func fullToLite() throws {
        let world = try Scene.make(server: .lite)
        try Scene.offer(world)
        #expect(world.run(until: Scene.isConnected))
        #expect(world.a.selectedPath == Scene.serverPath)
        #expect(world.b.selectedPath == Scene.clientPath)
        // A check and a nomination, one round trip each.
        #expect(world.now == .zero + .milliseconds(4))
        #expect(world.a.sent.count == 2)
        #expect(world.b.sent.count == 2)
    }

    @Test("two full agents connect when each knows the other's candidate")
    func fullToFull() throws {
        let world = try Scene.make(server: .full)
        try Scene.offer(world, toServer: true)
        #expect(world.run(until: Scene.isConnected))
        #expect(world.a.selectedPath == Scene.serverPath)
        #expect(world.b.selectedPath == Scene.clientPath)
        #expect(world.now < .zero + .milliseconds(100))
    }

    @Test("two full agents connect when only one knows a candidate", arguments: [true, false])
    func oneSided(clientKnows: Bool) throws {
        let world = try Scene.make(server: .full)
        try Scene.offer(world, toClient: clientKnows, toServer: !clientKnows)
        #expect(world.run(until: Scene.isConnected))
        #expect(world.a.selectedPath == Scene.serverPath)
        #expect(world.b.selectedPath == Scene.clientPath)
    }

    @Test("bad networks delay but do not prevent a connection", arguments: [ICEAgent.Mode.lite, .full])
    func badNetworks(mode: ICEAgent.Mode) throws {
        let settings = [
            NetemSettings.lossy, .mobile, NetemSettings(loss: 0.3, duplicate: 0.1, delay: .milliseconds(150)),
            NetemSettings(duplicate: 1, reorder: 0.5, delay: .milliseconds(50), jitter: .milliseconds(100)),
        ]
        for setting in settings {
            for seed in UInt64(1)...5 {
                let world = try Scene.make(server: mode, setting, seed: seed)
                try Scene.offer(world, toServer: true)
                #expect(world.run(within: .seconds(39), until: Scene.isConnected), "seed \(seed)")
                // Two lost consent checks in a row may look like a disconnection, but not like the end.
                world.run(for: .seconds(40))
                #expect(world.a.selectedPath == Scene.serverPath, "seed \(seed)")
                #expect(world.b.selectedPath == Scene.clientPath, "seed \(seed)")
            }
        }
    }

    @Test("the same seed gives the same packets")
    func determinism() throws {
        let traces = try (0..<2).map { _ in
            let world = try Scene.make(server: .full, .mobile, seed: 5)
            try Scene.offer(world, toServer: true)
            world.run(for: .seconds(30))
            return (world.a.sent + world.b.sent).map(\.bytes)
        }
        #expect(traces[0] == traces[1])
        #expect(Set(traces[0]).count > 10)
    }

    @Test("requests are repeated at 500, 1000, 2000 … ms and then given up")
    func retransmission() throws {
        let world = try Scene.make(server: .lite) { $0.timing.patience = .seconds(100) }
        world.aToB.isDown = true
        try Scene.offer(world)
        var times: [Int64] = []
        while let deadline = world.a.nextDeadline, times.count < 7 {
            world.a.agent.advance(to: deadline)
            if !world.a.drain().isEmpty { times.append((deadline - .zero).milliseconds) }
        }
        #expect(times == [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500])
        #expect(Set(world.a.sent.map(\.bytes)).count == 1)
        #expect(world.a.nextDeadline == .zero + .milliseconds(39_500))
    }

    @Test("checks start 50 ms apart, the pair of highest priority first")
    func pacing() throws {
        let world = try Scene.make(server: .lite)
        world.aToB.isDown = true
        for (index, priority) in [100, 300, 200].enumerated() {
            try world.a.add("candidate:1 1 udp \(priority) 192.0.2.\(index + 1) 5000 typ host")
        }
        world.run(until: .zero + .milliseconds(200))
        #expect(world.a.sent.map(\.destination.host) == ["192.0.2.2", "192.0.2.3", "192.0.2.1"])
        world.run(until: .zero + .milliseconds(400))
        #expect(world.a.sent.count == 3)
    }

    @Test("a pair that never answers does not keep a better one from being nominated, nor a worse one for long")
    func deadCandidates() throws {
        let world = try Scene.make(server: .lite)
        try world.a.add("candidate:1 1 udp 2130706431 192.0.2.99 5000 typ host")
        try world.a.add("candidate:1 1 udp 2130706431 192.0.2.98 5000 typ host")
        try world.a.add("candidate:1 1 udp 1000 192.0.2.1 5000 typ srflx")
        #expect(world.run(until: Scene.isConnected))
        // Third in line at 100 ms, valid at 102, waits 200 ms for the better ones.
        #expect(world.now == .zero + .milliseconds(304))
    }

    @Test("of two good pairs the better one is nominated, though the worse answered first")
    func bestPair() throws {
        let world = try Scene.make(server: .lite, NetemSettings(delay: .milliseconds(30)))
        let second = address("192.0.2.1", 5_001)
        try world.b.bind(2, second)
        try Scene.offer(world)
        try world.a.add("candidate:1 1 udp 1 192.0.2.1 5001 typ host")
        world.filter = { datagram in datagram.source == Scene.serverAddress ? nil : datagram }
        world.run(for: .milliseconds(120))
        #expect(world.a.selectedRemote == second)
        #expect(!world.a.isNominated)
        world.filter = { $0 }
        #expect(world.run(until: Scene.isConnected))
        world.run(for: .seconds(3))
        #expect(world.a.isNominated)
        #expect(world.a.selections.last == world.a.selectedPath)
    }

    @Test("when no check is answered the agent fails at the end of its patience")
    func noAnswer() throws {
        let world = try Scene.make(server: .lite)
        world.aToB.isDown = true
        try Scene.offer(world)
        world.run(for: .milliseconds(39_400))
        #expect(world.a.state == .checking)
        world.run(for: .milliseconds(200))
        #expect(world.a.state == .failed)
        #expect(world.b.state == .failed)
    }

    @Test("pairs of different families, of unlike scope and to a loopback that was not offered are not checked")
    func unpairable() throws {
        let world = try Scene.make(server: .lite)
        for host in ["2001:db8::1", "fe80::1", "127.0.0.1"] {
            try world.a.add("candidate:1 1 udp 1 \(host) 5000 typ host")
        }
        try world.a.add("candidate:1 1 tcp 1 192.0.2.1 5000 typ host tcptype passive")
        world.run(for: .seconds(2))
        #expect(world.a.sent.isEmpty)
    }

    @Test(
        "candidates that nobody could reach are refused",
        arguments: [
            "candidate:1 1 udp 1 0.0.0.0 1 typ host", "candidate:1 1 udp 1 224.0.0.1 1 typ host",
            "candidate:1 1 udp 1 255.255.255.255 1 typ host", "candidate:1 1 udp 1 :: 1 typ host",
            "candidate:1 1 udp 1 ff02::1 1 typ host", "candidate:1 1 udp 1 192.0.2.1 0 typ host",
            "candidate:1 2 udp 1 192.0.2.1 1 typ host", "candidate:1 1 udp 1 x.local 1 typ host",
            "candidate:1 1 udp 1 ::ffff:224.0.0.1 1 typ host",
        ])
    func unreachable(text: String) throws {
        let world = try Scene.make(server: .lite)
        #expect(throws: ICEError.unsupportedCandidate) { try world.a.add(text) }
    }

    @Test("the number of remote candidates and of local ones is bounded, duplicates not counted")
    func candidateLimits() throws {
        let world = try Scene.make(server: .lite)
        for port in 1...ICELimits.remoteCandidates {
            try world.a.add("candidate:1 1 udp 1 192.0.2.1 \(port) typ host")
            try world.a.add("candidate:2 1 udp 2 192.0.2.1 \(port) typ srflx")
        }
        #expect(throws: ICEError.tooManyCandidates) { try world.a.add("candidate:1 1 udp 1 192.0.2.1 999 typ host") }
        for id in 2...Int32(ICELimits.localCandidates) { try world.a.bind(id, address("198.51.100.7", UInt16(id))) }
        #expect(throws: ICEError.tooManyCandidates) { try world.a.bind(99, address("198.51.100.7", 99)) }
    }

    @Test("pairs are bounded and the best ones are kept")
    func pairLimit() throws {
        let world = try Scene.make(server: .lite) { $0.timing.patience = .seconds(300) }
        world.aToB.isDown = true
        for id in Int32(2)...3 { try world.a.bind(id, address("198.51.100.7", UInt16(id))) }
        for port in 1...60 { try world.a.add("candidate:1 1 udp \(port * 1_000) 192.0.2.1 \(port) typ host") }
        world.run(for: .seconds(10))
        let paths = Set(world.a.sent.map { [$0.source, $0.destination] })
        #expect(paths.count == ICELimits.pairs)
        #expect(world.a.sent.first?.destination.port == 60)
        #expect(!world.a.sent.contains { $0.destination.port < 20 })
    }
}
