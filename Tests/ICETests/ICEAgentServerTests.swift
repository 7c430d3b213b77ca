import Bytes
import ICE
import TestSupport
import Testing

/// A full agent behind a server's port: what it does for clients of all kinds, and what it does not do to others.
@Suite struct ICEAgentServerTests {
    private static let tag: UInt32 = 0x5345_5256

    private static func configuration(
        _ role: ICEAgent.Role = .controlled, seed: UInt64 = 300, strangerChecks: Int? = 20
    ) -> ICEAgent.Configuration {
        var configuration = Host.configuration(.full, role, seed: seed)
        configuration.strangerChecks = strangerChecks
        configuration.mediaProvesConsent = true
        configuration.transactionTag = tag
        return configuration
    }

    /// `a` is a full, controlling client that knows the server's candidate; the server knows none.
    private static func makeWorld(_ settings: NetemSettings = .lan) throws -> World {
        let client = Host(Host.configuration(.full, .controlling, seed: 100))
        let server = Host(configuration())
        try client.bind(1, Scene.clientAddress)
        try server.bind(1, Scene.serverAddress)
        let world = World(client, server, settings)
        world.exchangeCredentials()
        try Scene.offer(world)
        return world
    }

    private static func isRequest(_ datagram: Datagram) -> Bool {
        (try? read(datagram.bytes) { $0.messageClass }) == .request
    }

    @Test("a client that tells no candidates is checked where it comes from, and all checks carry the tag")
    func peerReflexive() throws {
        let world = try Self.makeWorld()
        #expect(world.run(until: Scene.isConnected))
        world.run(for: .seconds(20))
        let server = world.b
        #expect(server.selectedPath == Scene.clientPath)
        #expect(server.hasAnswered(Scene.clientPath))
        let checks = server.sent.filter(Self.isRequest)
        #expect(checks.count >= 4)
        for check in checks {
            #expect(try read(check.bytes) { $0.transactionID.high } == Self.tag)
        }
        #expect(Set(checks.map(\.bytes)).count == checks.count)
        // So the hub finds the agent that an answer is for.
        let answers = world.a.sent.filter { !Self.isRequest($0) }
        #expect(!answers.isEmpty)
        #expect(answers.allSatisfy { STUNDemux.transactionTag(ofResponse: $0.bytes.rawSpan) == Self.tag })
        #expect(checks.allSatisfy { STUNDemux.transactionTag(ofResponse: $0.bytes.rawSpan) == nil })
    }

    @Test("nothing is sent on a path before the client's answer came from there")
    func noAnswerNoPath() throws {
        let server = Host(Self.configuration())
        try server.bind(1, Scene.serverAddress)
        server.agent.setRemoteCredentials(ICECredentials(random: [UInt8](50..<74)), at: .zero)
        let request = Request(to: server.credentials, usesCandidate: true)
        #expect(server.inject(request.bytes, on: Scene.clientPath, at: .zero) == .accepted)
        #expect(server.selectedPath == nil)
        #expect(!server.hasAnswered(Scene.clientPath))
    }

    @Test("an answer without XOR-MAPPED-ADDRESS, as FFmpeg gives, is one; unsigned it is none")
    func bareAnswer() throws {
        let server = try Self.makeServer()
        server.inject(
            Request(to: server.credentials, usesCandidate: true).bytes, on: Scene.clientPath, at: .zero)
        server.agent.advance(to: .zero)
        let check = try #require(server.drain().last)
        let id = try read(check.bytes) { $0.transactionID }
        #expect(server.inject(makeMessage(.binding, .success, id: id), on: Scene.clientPath, at: .zero) != .accepted)
        #expect(server.selectedPath == nil)
        let key = Array(ICECredentials(random: [UInt8](50..<74)).password.utf8)
        let answer = makeMessage(.binding, .success, id: id, key: key, fingerprint: true)
        #expect(server.inject(answer, on: Scene.clientPath, at: .zero) == .accepted)
        #expect(server.selectedPath == Scene.clientPath && server.isNominated)
    }

    @Test("hidden names are passed over, and do no harm to what follows")
    func hiddenName() throws {
        let world = try Self.makeWorld()
        #expect(throws: ICEError.unsupportedCandidate) {
            try world.b.add("candidate:1 1 udp 2122260223 0a1b2c3d-1111-2222-3333-444455556666.local 50000 typ host")
        }
        try world.b.add("candidate:2 1 udp 1677729535 203.0.113.9 50000 typ srflx raddr 0.0.0.0 rport 0")
        #expect(world.run(until: Scene.isConnected))
        #expect(world.b.selectedPath == Scene.clientPath)
    }

    @Test("over TCP alone the client's connection is checked in both directions")
    func tcpAlone() throws {
        let client = Host(Host.configuration(.full, .controlling, seed: 1))
        let server = Host(Self.configuration())
        try client.bind(1, Scene.clientAddress, tcpType: .active)
        try server.bind(1, Scene.serverAddress, tcpType: .passive)
        let world = World(client, server)
        world.exchangeCredentials()
        try world.a.agent.addRemoteCandidate(.host(Scene.serverAddress, transport: .tcp, tcpType: .passive), at: .zero)
        #expect(world.run(until: Scene.isConnected))
        #expect(world.b.selectedPath?.route == .tcp)
        world.run(for: .seconds(60))
        #expect(Scene.isConnected(world))
    }

    @Test("a lite client is controlled, and comes to a path that the server nominates")
    func liteClient() throws {
        let client = Host(Host.configuration(.lite, seed: 1))
        let server = Host(Self.configuration(.controlling))
        try client.bind(1, Scene.clientAddress)
        try server.bind(1, Scene.serverAddress)
        let world = World(client, server)
        world.exchangeCredentials()
        try Scene.offer(world, toClient: false, toServer: true)
        #expect(world.run(until: Scene.isConnected))
        #expect(world.b.role == .controlling)
    }

    @Test("a client that wants to be controlled as well settles it with the server", arguments: UInt64(1)...8)
    func bothControlled(seed: UInt64) throws {
        let client = Host(Host.configuration(.full, .controlled, seed: seed))
        let server = Host(Self.configuration(seed: seed &+ 500))
        try client.bind(1, Scene.clientAddress)
        try server.bind(1, Scene.serverAddress)
        let world = World(client, server)
        world.exchangeCredentials()
        try Scene.offer(world)
        #expect(world.run(within: .seconds(20), until: Scene.isConnected))
        #expect(client.role != server.role)
    }
}

// MARK: - Consent and movement

extension ICEAgentServerTests {
    @Test("media keeps the session of a client that answers no checks, and without it the session ends after 30 s")
    func mediaIsConsent() throws {
        let world = try Self.makeWorld()
        #expect(world.run(until: Scene.isConnected))
        world.aToB.isDown = true
        for _ in 0..<60 {
            world.run(for: .seconds(1))
            world.b.agent.recordMedia(on: Scene.clientPath, at: world.now)
        }
        #expect(world.b.states == [.connected])
        world.run(for: .seconds(31))
        #expect(world.b.state == .failed)
    }

    @Test("media from another path proves nothing for the one in use")
    func mediaElsewhere() throws {
        let world = try Self.makeWorld()
        #expect(world.run(until: Scene.isConnected))
        world.aToB.isDown = true
        let elsewhere = ICEPath(socket: ICESocket(id: 1), remote: address("203.0.113.50", 5))
        for _ in 0..<31 {
            world.run(for: .seconds(1))
            world.b.agent.recordMedia(on: elsewhere, at: world.now)
        }
        #expect(world.b.state == .failed)
        #expect(!world.b.selections.contains(elsewhere))
    }

    @Test("the server follows media to an address that answers, when the one before is silent and nobody nominates")
    func followsMedia() throws {
        let world = try Self.makeWorld()
        world.a.translate(Scene.clientAddress, to: address("203.0.113.7", 1_111))
        #expect(world.run(until: Scene.isConnected))
        let second = ICEPath(socket: ICESocket(id: 1), remote: address("203.0.113.7", 2_222))
        world.a.translate(Scene.clientAddress, to: second.remote)
        let plain = Request(to: world.b.credentials, id: 77)
        world.b.inject(plain.bytes, on: second, at: world.now)
        world.b.agent.recordMedia(on: second, at: world.now)
        #expect(world.b.selectedRemote == address("203.0.113.7", 1_111))
        world.run(for: .milliseconds(500))
        #expect(world.b.hasAnswered(second))
        world.run(for: .milliseconds(600))
        world.b.agent.recordMedia(on: second, at: world.now)
        #expect(world.b.selectedRemote == second.remote)
        world.run(for: .seconds(60))
        #expect(world.b.state == .connected)
    }

    @Test(
        "during a restart media under the credentials before moves to TCP when UDP is silent, and the session goes on")
    func restartOntoTCP() throws {
        let world = try Self.makeWorld()
        #expect(world.run(until: Scene.isConnected))
        let tcp = ICEPath(socket: ICESocket(id: 9, transport: .tcp), remote: address("198.51.100.7", 50_123))
        let udp = ICEPath(socket: ICESocket(id: 1), remote: address("198.51.100.7", 50_124))
        let before = world.b.credentials
        for path in [tcp, udp] { world.b.inject(Request(to: before, id: 77).bytes, on: path, at: world.now) }
        world.filter = { _ in nil }
        world.b.agent.restart(credentials: ICECredentials(random: [UInt8](50..<74)), at: world.now)
        world.b.agent.recordMedia(on: tcp, at: world.now)
        #expect(world.b.selectedPath == Scene.clientPath)
        for _ in 0..<60 {
            world.run(for: .seconds(1))
            world.b.agent.recordMedia(on: udp, at: world.now)
            world.b.agent.recordMedia(on: tcp, at: world.now)
        }
        #expect(world.b.selectedPath == tcp && world.b.state != .failed)
        #expect(world.b.selections.last == tcp)
    }

    @Test("a restart leaves the old path good until the new one is nominated, and for three seconds after")
    func restart() throws {
        let world = try Self.makeWorld()
        #expect(world.run(until: Scene.isConnected))
        let elsewhere = address("198.51.100.99", 7_000)
        try world.a.bind(2, elsewhere)
        world.filter = { datagram in
            [datagram.source, datagram.destination].contains(Scene.clientAddress) ? nil : datagram
        }
        world.a.agent.restart(credentials: ICECredentials(random: [UInt8](0..<24)), at: world.now)
        world.b.agent.restart(credentials: ICECredentials(random: [UInt8](50..<74)), at: world.now)
        #expect(world.b.selectedPath == Scene.clientPath)
        #expect(world.b.isValidated(Scene.clientPath))
        world.exchangeCredentials()
        try Scene.offer(world)
        #expect(world.run(until: Scene.isConnected))
        #expect(world.b.selectedRemote == elsewhere)
        #expect(world.b.selections.count == 2)
        #expect(world.b.isValidated(Scene.clientPath))
        world.run(for: .seconds(3))
        #expect(!world.b.isValidated(Scene.clientPath))
    }

    @Test("a restart that leads nowhere ends nothing for as long as media comes on the old path")
    func restartToNowhere() throws {
        let world = try Self.makeWorld()
        #expect(world.run(until: Scene.isConnected))
        world.b.agent.restart(credentials: ICECredentials(random: [UInt8](50..<74)), at: world.now)
        world.b.agent.setRemoteCredentials(ICECredentials(random: [UInt8](80..<104)), at: world.now)
        for _ in 0..<120 {
            world.run(for: .seconds(1))
            world.b.agent.recordMedia(on: Scene.clientPath, at: world.now)
        }
        #expect(world.b.selectedPath == Scene.clientPath)
        world.aToB.isDown = true
        world.run(for: .seconds(31))
        #expect(world.b.state == .failed)
    }
}

// MARK: - Others

extension ICEAgentServerTests {
    private static func makeServer(strangerChecks: Int? = 20) throws -> Host {
        let server = Host(configuration(strangerChecks: strangerChecks))
        try server.bind(1, Scene.serverAddress)
        server.agent.setRemoteCredentials(ICECredentials(random: [UInt8](50..<74)), at: .zero)
        return server
    }

    /// Lets time pass with nobody answering.
    private static func run(_ server: Host, until end: Monotonic) -> [Datagram] {
        var sent = server.drain()
        while let deadline = server.nextDeadline, deadline <= end {
            server.agent.advance(to: deadline)
            sent += server.drain()
        }
        return sent
    }

    @Test("addresses that an offer names get a bounded number of checks, however many there are and however long")
    func namedAddresses() throws {
        let server = try Self.makeServer()
        for index in 0..<64 {
            try server.add(
                "candidate:\(index) 1 udp \(2_130_706_431 - index) 203.0.113.\(index % 4) \(1_024 + index) typ host")
        }
        #expect(throws: ICEError.tooManyCandidates) {
            try server.add("candidate:99 1 udp 1 203.0.113.99 9999 typ host")
        }
        let sent = Self.run(server, until: .zero + .seconds(30))
        // Half of 20 at once, then 4 a second.
        #expect(sent.count <= 10 + 4 * 30)
        #expect(sent.count >= 10)
        let firstSecond = try Self.makeServer()
        for index in 0..<64 {
            try firstSecond.add("candidate:\(index) 1 udp \(index + 1) 203.0.113.1 \(1_024 + index) typ host")
        }
        #expect(Self.run(firstSecond, until: .zero + .seconds(1)).count <= 14)
    }

    @Test("a publisher among sixty-three dead addresses is still found")
    func amongTheDead() throws {
        let world = try Self.makeWorld()
        for index in 0..<63 {
            try world.b.add("candidate:\(index) 1 udp \(2_130_706_431 - index) 203.0.113.9 \(1_024 + index) typ host")
        }
        #expect(world.run(within: .seconds(2), until: Scene.isConnected))
    }

    @Test("requests from addresses that never answer make few packets to them")
    func spoofedSources() throws {
        let server = try Self.makeServer()
        var bytesIn = 0
        for index in 0..<100 {
            let path = ICEPath(socket: ICESocket(id: 1), remote: address("203.0.113.\(index)", 53))
            let request = Request(to: server.credentials, id: UInt64(index)).bytes
            bytesIn += request.count
            #expect(server.inject(request, on: path, at: .zero) == .accepted)
        }
        let sent = Self.run(server, until: .zero + .seconds(30))
        let answers = sent.filter { !Self.isRequest($0) }
        #expect(answers.count == 100)
        #expect(answers.map(\.bytes.count).reduce(0, +) <= bytesIn)
        #expect(sent.count - answers.count <= 20 + 4 * 30)
    }

    @Test("an answer is never longer than its request, over IPv4 and IPv6", arguments: ["203.0.113.5", "2001:db8::5"])
    func answerLength(host: String) throws {
        let server = try Self.makeServer()
        let path = ICEPath(socket: ICESocket(id: 1), remote: address(host, 50_000))
        let request = Request(to: server.credentials).bytes
        #expect(server.inject(request, on: path, at: .zero) == .accepted)
        #expect(try #require(server.drain().first).bytes.count <= request.count)
        // Without its optional attributes.
        var bare = Request(to: server.credentials, id: 2)
        (bare.priority, bare.controlling) = (nil, nil)
        #expect(server.inject(bare.bytes, on: path, at: .zero) == .accepted)
        #expect(try #require(server.drain().first).bytes.count <= bare.bytes.count + 8)
        // A conflict is an answer too.
        var unknown = Request(to: server.credentials, id: 3)
        unknown.extra = STUNAttribute(rawValue: 0x7FFF)
        server.inject(unknown.bytes, on: path, at: .zero)
        #expect(try #require(server.drain().first).bytes.count <= unknown.bytes.count)
    }

    @Test(
        "addresses that can be no peer are never checked",
        arguments: [
            "224.0.0.1 5004", "239.255.255.250 1900", "255.255.255.255 9", "240.0.0.1 9", "0.0.0.0 9", "0.1.2.3 9",
            "203.0.113.1 0", "127.0.0.1 6379", "169.254.169.254 80", "::1 6379", ":: 9", "ff02::fb 5353",
            "::ffff:127.0.0.1 6379", "::ffff:169.254.169.254 80", "::ffff:224.0.0.1 9", "fe80::1 9",
        ])
    func specialAddresses(endpoint: String) throws {
        let server = try Self.makeServer()
        try server.bind(2, address("2001:db8::1", 5_000))
        // Refused or passed over, both will do.
        try? server.add("candidate:1 1 udp 2130706431 \(endpoint) typ host")
        #expect(Self.run(server, until: .zero + .seconds(30)).isEmpty)
    }

    @Test("an address in mapped form is checked as what it is")
    func mappedAddress() throws {
        let server = try Self.makeServer()
        try server.add("candidate:1 1 udp 2130706431 ::ffff:203.0.113.1 5000 typ host")
        let first = try #require(Self.run(server, until: .zero + .seconds(1)).first)
        #expect(first.destination == address("203.0.113.1", 5_000))
    }
}
