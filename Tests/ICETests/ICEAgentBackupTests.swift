import Bytes
import ICE
import TestSupport
import Testing

/// ICE-TCP as the active end, backups, and what happens when a network begins to drop UDP.
@Suite struct ICEAgentBackupTests {
    private static let passive = address("192.0.2.1", 7_881)
    private static let activeSocket = ICESocket(id: 2, transport: .tcp)
    private static let tcpPath = ICEPath(socket: activeSocket, remote: passive)

    /// A client with UDP and active TCP, and a server with UDP and passive TCP that is told of everything.
    private func make(
        server mode: ICEAgent.Mode = .full, _ settings: NetemSettings = .lan,
        adjust: (inout ICEAgent.Configuration) -> Void = { _ in }
    ) throws -> World {
        let world = try Scene.make(server: mode, settings, adjust: adjust)
        try world.a.bind(2, address("198.51.100.7", 9), tcpType: .active)
        try world.b.bind(2, Self.passive, tcpType: .passive)
        try Scene.offer(world, toServer: mode == .full)
        try world.a.agent.addRemoteCandidate(.host(Self.passive, transport: .tcp, tcpType: .passive), at: world.now)
        return world
    }

    private func block(_ world: World) { world.filter = { $0.transport == .udp ? nil : $0 } }

    @Test("with UDP blocked from the start, TCP connects within two seconds", arguments: [ICEAgent.Mode.lite, .full])
    func blockedFromTheStart(mode: ICEAgent.Mode) throws {
        for settings in [NetemSettings.lan, NetemSettings(delay: .milliseconds(150))] {
            let world = try make(server: mode, settings)
            block(world)
            #expect(world.run(within: .seconds(2), until: Scene.isConnected))
            #expect(world.a.selectedPath == Self.tcpPath)
            #expect(world.b.selectedPath?.socket.transport == .tcp)
        }
    }

    @Test("TCP has its turn though the peer names many UDP candidates of higher priority")
    func manyCandidates() throws {
        let world = try make(server: .full)
        block(world)
        for port in 1...60 { try world.a.add("candidate:1 1 udp 2130706431 192.0.2.200 \(port) typ host") }
        #expect(world.run(within: .seconds(2), until: Scene.isConnected))
    }

    @Test("UDP is nominated though TCP works and the first UDP request is lost")
    func udpIsPreferred() throws {
        let world = try make()
        var lost = 0
        world.filter = { datagram in
            guard datagram.transport == .udp, lost < 2 else { return datagram }
            lost += 1
            return nil
        }
        #expect(world.run(until: Scene.isConnected))
        #expect(world.a.selectedPath == Scene.serverPath)
        #expect(world.a.selections.first == Self.tcpPath)
    }

    @Test("UDP that works only later replaces TCP")
    func lateUDP() throws {
        let world = try make()
        block(world)
        #expect(world.run(until: Scene.isConnected))
        world.run(for: .seconds(2))
        #expect(world.a.selectedPath == Self.tcpPath)
        world.filter = { $0 }
        world.run(for: .seconds(10))
        #expect(world.a.selectedPath == Scene.serverPath)
        #expect(world.b.selectedPath == Scene.clientPath)
    }

    @Test("a TCP pair is checked and kept alive beside the nominated UDP pair")
    func backup() throws {
        let world = try make()
        #expect(world.run(until: Scene.isConnected))
        for _ in 0..<100 {
            world.run(for: .seconds(1))
            world.a.agent.recordMedia(on: Scene.serverPath, at: world.now)
        }
        #expect(world.a.selectedPath == Scene.serverPath)
        #expect(world.a.isValidated(Self.tcpPath))
        let overTCP = world.a.sent.filter { $0.transport == .tcp }
        // A dozen of its own, and the answers to a few of the server's.
        #expect((12...24).contains(overTCP.count))
        for datagram in overTCP {
            let nominates = try read(datagram.bytes) { $0.has(.useCandidate) }
            #expect(!nominates)
        }
    }

    @Test(
        "when UDP breaks in mid-connection, TCP takes over within five seconds", arguments: [ICEAgent.Mode.lite, .full])
    func fallback(mode: ICEAgent.Mode) throws {
        let world = try make(server: mode)
        #expect(world.run(until: Scene.isConnected))
        for _ in 0..<20 {
            world.run(for: .seconds(1))
            world.a.agent.recordMedia(on: Scene.serverPath, at: world.now)
        }
        block(world)
        world.run(for: .seconds(5))
        #expect(world.a.selectedPath == Self.tcpPath)
        #expect(world.a.state == .connected)
        #expect(!world.a.states.contains(.disconnected))
        world.run(for: .seconds(60))
        #expect(world.a.state == .connected)
    }

    @Test("a short silence or a black-out of the whole network changes no path")
    func blackout() throws {
        let world = try make()
        #expect(world.run(until: Scene.isConnected))
        world.run(for: .seconds(10))
        for outage in [Interval.milliseconds(1_400), .seconds(5), .seconds(15)] {
            world.filter = { _ in nil }
            world.run(for: outage)
            world.filter = { $0 }
            world.run(for: .seconds(20))
            #expect(world.a.selections == [Scene.serverPath])
            #expect(world.a.state == .connected)
        }
    }

    @Test("a broken TCP connection is dialled again, each time later")
    func redial() throws {
        let world = try make(server: .lite)
        block(world)
        #expect(world.run(until: Scene.isConnected))
        world.filter = { $0.transport == .udp ? nil : $0 }
        world.run(for: .seconds(45))
        for wait in [Int64(1_000), 2_000, 4_000] {
            let sent = world.a.sent.count
            world.a.agent.pathLost(Self.tcpPath, at: world.now)
            _ = world.a.drain()
            #expect(world.a.state == .disconnected)
            #expect(world.a.selectedPath == nil)
            world.run(for: .milliseconds(wait - 10))
            #expect(!world.a.sent[sent...].contains { $0.transport == .tcp })
            world.run(for: .milliseconds(100))
            #expect(world.a.state == .connected)
            #expect(world.a.selectedPath == Self.tcpPath)
        }
    }

    @Test("a connection that cannot be made removes its pair")
    func refused() throws {
        let world = try make(server: .lite)
        world.filter = { _ in nil }
        world.run(for: .milliseconds(51))
        world.a.agent.pathLost(Self.tcpPath, at: world.now)
        world.run(for: .seconds(30))
        #expect(world.a.sent.count { $0.transport == .tcp } == 1)
    }

    @Test("a backup that stops answering is given up")
    func deadBackup() throws {
        let world = try make()
        #expect(world.run(until: Scene.isConnected))
        world.run(for: .seconds(10))
        #expect(world.a.isValidated(Self.tcpPath))
        world.filter = { $0.transport == .tcp ? nil : $0 }
        world.run(for: .seconds(45))
        let mark = world.a.sent.count
        world.run(for: .seconds(30))
        #expect(!world.a.sent[mark...].contains { $0.transport == .tcp && $0.bytes.count > 0 })
        #expect(world.a.selectedPath == Scene.serverPath)
    }

    @Test("the number of connections that a peer can make us open is bounded")
    func tcpLimit() throws {
        let world = try make()
        world.filter = { _ in nil }
        for port in 1...40 {
            try world.a.add("candidate:1 1 tcp 1 192.0.2.1 \(port) typ host tcptype passive")
        }
        world.run(for: .seconds(20))
        let remotes = Set(world.a.sent.filter { $0.transport == .tcp }.map(\.destination))
        #expect(remotes.count == ICELimits.tcpPairs)
    }

    @Test("candidates that are not passive are not dialled, nor does a passive socket dial")
    func directions() throws {
        let world = try Scene.make(server: .lite)
        try world.a.bind(2, address("198.51.100.7", 9), tcpType: .active)
        try world.a.bind(3, address("198.51.100.7", 4_000), tcpType: .passive)
        for type in ["active", "so"] {
            try world.a.add("candidate:1 1 tcp 1 192.0.2.1 7881 typ host tcptype \(type)")
        }
        world.run(for: .seconds(1))
        #expect(world.a.sent.isEmpty)
        try world.a.add("candidate:1 1 tcp 1 192.0.2.1 7881 typ host tcptype passive")
        world.run(for: .seconds(1))
        #expect(world.a.sent.allSatisfy { $0.source.port == 9 })
        #expect(!world.a.sent.isEmpty)
    }

    @Test("gathering ends once, when no server and no hold is left")
    func gatheringHolds() throws {
        let world = try Scene.make(server: .lite)
        world.stunServer = address("203.0.113.1", 3_478)
        world.a.agent.beginGathering()
        world.a.agent.beginGathering()
        try world.a.agent.gather(server: address("203.0.113.1", 3_478), from: ICESocket(id: 1), at: world.now)
        world.run(for: .seconds(1))
        #expect(!world.a.events.contains(.gatheringFinished))
        world.a.agent.endGathering()
        world.send()
        #expect(!world.a.events.contains(.gatheringFinished))
        world.a.agent.endGathering()
        world.a.agent.endGathering()
        world.send()
        #expect(world.a.events.count { $0 == .gatheringFinished } == 1)
    }
}
