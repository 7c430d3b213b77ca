import Bytes
import ICE
import TestSupport
import Testing

/// Consent, rebinding and restart of connected agents.
@Suite struct ICEAgentLifeTests {
    private func makeConnected(_ mode: ICEAgent.Mode) throws -> World {
        let world = try Scene.make(server: mode)
        try Scene.offer(world, toServer: mode == .full)
        #expect(world.run(until: Scene.isConnected))
        return world
    }

    @Test("consent checks go out every 4 to 6 s and keep both sides connected", arguments: [ICEAgent.Mode.lite, .full])
    func consent(mode: ICEAgent.Mode) throws {
        let world = try makeConnected(mode)
        let before = world.a.sent.count
        world.run(for: .seconds(300))
        #expect(Scene.isConnected(world))
        #expect(world.a.states == [.connected])
        #expect(world.b.states == [.connected])
        let requests = try world.a.sent[before...].filter { try read($0.bytes) { $0.messageClass } == .request }
        #expect((50...75).contains(requests.count))
        #expect(Set(requests.map(\.bytes)).count == requests.count)
    }

    @Test(
        "when the peer falls silent, disconnected after 10 s and failed after 30",
        arguments: [ICEAgent.Mode.lite, .full])
    func expiry(mode: ICEAgent.Mode) throws {
        let world = try makeConnected(mode)
        world.run(for: .seconds(20))
        world.bToA.isDown = true
        world.run(for: .seconds(17))
        #expect(world.a.state == .disconnected)
        world.run(for: .seconds(14))
        #expect(world.a.state == .failed)
        #expect(world.a.selectedPath == nil)
        #expect(!world.a.isValidated(Scene.serverPath))
        #expect(world.a.nextDeadline == nil)
    }

    @Test(
        "a silent path is asked before its time, and a peer that lost it finds the new one",
        arguments: [ICEAgent.Mode.lite, .full])
    func asksSoon(mode: ICEAgent.Mode) throws {
        let world = try Scene.make(server: mode) { $0.timing.askAfter = .milliseconds(600) }
        try Scene.offer(world, toServer: mode == .full)
        #expect(world.run(until: Scene.isConnected))
        for _ in 0..<30 {
            world.run(for: .milliseconds(100))
            world.a.agent.recordMedia(on: Scene.serverPath, at: world.now)
        }
        let count = world.a.sent.count
        world.a.translate(Scene.clientAddress, to: address("203.0.113.7", 2_222))
        world.run(for: .milliseconds(1_300))
        #expect(world.b.selectedRemote == address("203.0.113.7", 2_222))
        #expect(world.a.sent.count - count <= 5)
        world.bToA.isDown = true
        let before = world.a.sent.count
        world.run(for: .seconds(6))
        #expect((8...14).contains(world.a.sent.count - before))
    }

    @Test("media alone gives a full agent no consent")
    func mediaIsNoConsent() throws {
        let world = try makeConnected(.lite)
        world.bToA.isDown = true
        for _ in 0..<29 {
            world.run(for: .seconds(1))
            world.a.agent.recordMedia(on: Scene.serverPath, at: world.now)
        }
        #expect(world.a.states == [.connected])
        world.run(for: .seconds(2))
        #expect(world.a.state == .failed)
    }

    @Test("a black-out shorter than consent is survived")
    func blackout() throws {
        let world = try makeConnected(.full)
        world.aToB.isDown = true
        world.bToA.isDown = true
        world.run(for: .seconds(20))
        #expect(world.a.state == .disconnected)
        world.aToB.isDown = false
        world.bToA.isDown = false
        world.run(for: .seconds(10))
        #expect(Scene.isConnected(world))
        #expect(world.a.states == [.connected, .disconnected, .connected])
    }

    @Test("behind a NAT that rebinds, the server follows to the new address", arguments: [ICEAgent.Mode.lite, .full])
    func rebinding(mode: ICEAgent.Mode) throws {
        let world = try Scene.make(server: mode)
        let (first, second) = (address("203.0.113.7", 1_111), address("203.0.113.7", 2_222))
        world.a.translate(Scene.clientAddress, to: first)
        try Scene.offer(world)
        #expect(world.run(until: Scene.isConnected))
        #expect(world.b.selectedRemote == first)
        world.run(for: .seconds(3))
        world.a.translate(Scene.clientAddress, to: second)
        world.run(for: .seconds(15))
        #expect(world.b.selectedRemote == second)
        #expect(Scene.isConnected(world))
        #expect(world.a.selections == [Scene.serverPath])
    }

    @Test(
        "a restart keeps the old path in use until the new generation has its own",
        arguments: [ICEAgent.Mode.lite, .full])
    func restart(mode: ICEAgent.Mode) throws {
        let world = try makeConnected(mode)
        world.a.agent.restart(credentials: ICECredentials(random: [UInt8](0..<24)), at: world.now)
        world.b.agent.restart(credentials: ICECredentials(random: [UInt8](50..<74)), at: world.now)
        world.send()
        for host in [world.a, world.b] {
            #expect(host.state == .checking)
            #expect(!host.isNominated)
        }
        #expect(world.a.selectedPath == Scene.serverPath)
        #expect(world.b.isValidated(Scene.clientPath))
        world.exchangeCredentials()
        try Scene.offer(world)
        #expect(world.run(until: Scene.isConnected))
        #expect(world.a.states == [.connected, .checking, .connected])
        world.run(for: .seconds(60))
        #expect(Scene.isConnected(world))
    }

    @Test("a restart moves to a new address of the client")
    func restartElsewhere() throws {
        let world = try makeConnected(.lite)
        let elsewhere = address("198.51.100.99", 7_000)
        try world.a.bind(2, elsewhere)
        world.filter = { datagram in
            [datagram.source, datagram.destination].contains(Scene.clientAddress) ? nil : datagram
        }
        world.a.agent.restart(credentials: ICECredentials(random: [UInt8](0..<24)), at: world.now)
        world.b.agent.restart(credentials: ICECredentials(random: [UInt8](50..<74)), at: world.now)
        world.exchangeCredentials()
        try Scene.offer(world)
        #expect(world.run(until: Scene.isConnected))
        #expect(world.b.selectedRemote == elsewhere)
        world.run(for: .seconds(3))
        #expect(!world.b.isValidated(Scene.clientPath))
    }

    @Test("during a restart the peer's checks of the old generation are answered with the old password")
    func oldGeneration() throws {
        let world = try makeConnected(.lite)
        let old = world.b.credentials
        world.b.agent.restart(credentials: ICECredentials(random: [UInt8](50..<74)), at: world.now)
        _ = world.b.drain()
        #expect(world.b.inject(Request(to: old).bytes, on: Scene.clientPath, at: world.now) == .accepted)
        let answer = try #require(world.b.drain().first)
        #expect(verifyError(answer.bytes, key: Array(old.password.utf8)) == nil)
        // Once the new generation has a nominated path the old is over, after what may still be on its way.
        world.b.inject(
            Request(to: world.b.credentials, usesCandidate: true).bytes, on: Scene.clientPath, at: world.now)
        world.aToB.isDown = true
        world.run(for: .seconds(3))
        #expect(
            world.b.inject(Request(to: old, id: 2).bytes, on: Scene.clientPath, at: world.now)
                == .ignored(.unknownUsername))
    }

    @Test("a restart that leads nowhere fails when patience ends, and a failed agent can restart")
    func failedRestart() throws {
        let world = try makeConnected(.lite)
        world.b.agent.restart(credentials: ICECredentials(random: [UInt8](50..<74)), at: world.now)
        // The old path would do for both.
        world.run(for: .seconds(60))
        #expect(world.b.selectedPath == Scene.clientPath)
        world.aToB.isDown = true
        world.run(for: .seconds(40))
        world.aToB.isDown = false
        #expect(world.b.state == .failed)
        #expect(!world.b.isValidated(Scene.clientPath))
        world.run(for: .seconds(60))
        #expect(world.a.state == .failed)
        world.a.agent.restart(credentials: ICECredentials(random: [UInt8](0..<24)), at: world.now)
        world.b.agent.restart(credentials: ICECredentials(random: [UInt8](100..<124)), at: world.now)
        world.exchangeCredentials()
        try Scene.offer(world)
        #expect(world.run(until: Scene.isConnected))
    }

    @Test("a response in another transaction, on another path, or a second time, changes nothing")
    func replay() throws {
        let world = try Scene.make(server: .lite)
        try Scene.offer(world)
        world.bToA.isDown = true
        world.run(for: .milliseconds(10))
        let genuine = try #require(world.b.sent.first)
        let key = Array(world.b.credentials.password.utf8)
        let other = makeMessage(.binding, .success, key: key, fingerprint: true) {
            $0.append(.xorMappedAddress, xor: Scene.clientAddress, to: &$1)
        }
        let client = world.a
        #expect(client.inject(other, on: Scene.serverPath, at: world.now) == .ignored(.unknownTransaction))
        var forged = genuine.bytes
        forged[forged.count - 20] ^= 1
        #expect(client.inject(forged, on: Scene.serverPath, at: world.now) == .ignored(.badFingerprint))
        #expect(client.state == .checking)
        #expect(client.inject(genuine.bytes, on: Scene.serverPath, at: world.now) == .accepted)
        #expect(client.state == .connected)
        #expect(client.inject(genuine.bytes, on: Scene.serverPath, at: world.now) == .ignored(.unknownTransaction))
    }

    @Test("a signed response that comes from elsewhere fails its pair")
    func asymmetric() throws {
        let world = try Scene.make(server: .lite)
        try Scene.offer(world)
        world.bToA.isDown = true
        world.run(for: .milliseconds(10))
        let genuine = try #require(world.b.sent.first)
        let elsewhere = ICEPath(socket: ICESocket(id: 1), remote: address("203.0.113.1", 1))
        #expect(world.a.inject(genuine.bytes, on: elsewhere, at: world.now) == .ignored(.asymmetricResponse))
        #expect(!world.a.isValidated(elsewhere))
        #expect(world.a.inject(genuine.bytes, on: Scene.serverPath, at: world.now) == .ignored(.unknownTransaction))
    }

    @Test("fragments and passwords of the greatest length fit into every message")
    func longestCredentials() throws {
        let long = try [UInt8(ascii: "a"), UInt8(ascii: "b")].map {
            let text = String(repeating: String(decoding: [$0], as: UTF8.self), count: 256)
            return try ICECredentials(fragment: text, password: text)
        }
        let client = Host(Host.configuration(.full, .controlling, seed: 1, credentials: long[0]))
        let server = Host(Host.configuration(.lite, seed: 2, credentials: long[1]))
        try client.bind(1, Scene.clientAddress)
        server.bindSilently(1, Scene.serverAddress)
        let world = World(client, server)
        world.exchangeCredentials()
        try Scene.offer(world)
        #expect(world.run(until: Scene.isConnected))
        #expect(client.sent.map(\.bytes.count).max() == 596)
    }

    @Test("an error answer to a check fails the pair, with the code in the tally")
    func refused() throws {
        let world = try Scene.make(server: .lite)
        try Scene.offer(world)
        world.aToB.isDown = true
        world.run(for: .milliseconds(10))
        let id = try read(try #require(world.a.sent.first).bytes) { $0.transactionID }
        let key = Array(world.b.credentials.password.utf8)
        let answer = makeMessage(.binding, .error, id: id, key: key, fingerprint: true) {
            $0.append(errorCode: 400, to: &$1)
        }
        #expect(world.a.inject(answer, on: Scene.serverPath, at: world.now) == .ignored(.errorResponse(400)))
        world.aToB.isDown = false
        world.run(for: .seconds(10))
        #expect(world.a.state == .checking)
    }
}
