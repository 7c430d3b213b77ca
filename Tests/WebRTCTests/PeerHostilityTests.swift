import Bytes
import ICE
import RTP
import TestSupport
import Testing
import WebRTC

@Suite struct PeerHostilityTests {
    /// Real datagrams of all kinds, in both directions, from another pair of peers.
    private static func realDatagrams() throws -> [[UInt8]] {
        let world = try PeerWorld.connected()
        try world.send(Picture(0, isKey: true, count: 1_100))
        try world.send(audio: [0xFC, 1, 2, 3])
        world.sendControl { Feedback.writePictureLoss(sender: 1, media: PeerWorld.videoSSRC, into: &$0) }
        world.run(for: .milliseconds(100))
        world.server.peer.close()
        world.settle()
        return world.server.sent + world.client.sent
    }

    @Test("a replayed datagram is counted, and has no effect a second time")
    func replays() throws {
        let world = try PeerWorld.connected()
        let loss = try #require(
            world.client.protect { Feedback.writePictureLoss(sender: 1, media: PeerWorld.videoSSRC, into: &$0) })
        world.inject(loss)
        #expect(world.server.events == [.keyFrameRequested(stream: world.video)])
        for _ in 0..<10 { world.inject(loss) }
        #expect(world.server.drops.replayed == 10)
        #expect(world.server.events.count == 1)
        #expect(world.server.state == .connected)
    }

    @Test("replayed media is handed out once")
    func replayedMedia() throws {
        let world = try PeerWorld.connected()
        let before = world.server.sent.count
        try world.send(Picture(0, isKey: true))
        world.run(for: .milliseconds(50))
        let count = world.client.media.count
        #expect(count > 2)
        let packets = world.server.sent[before...].filter { STUNDemux.classify($0.rawSpan) == .rtp }
        for packet in packets {
            #expect(world.client.receive(packet, from: world.server.outside, at: world.now) == .handled)
        }
        #expect(world.client.media.count == count)
        #expect(world.client.drops.replayed == UInt64(packets.count))
    }

    @Test("each bit of a packet is protected: a change anywhere is counted and has no effect")
    func forgeries() throws {
        let world = try PeerWorld.connected()
        let loss = try #require(
            world.client.protect { Feedback.writePictureLoss(sender: 1, media: PeerWorld.videoSSRC, into: &$0) })
        for index in loss.indices {
            var forged = loss
            forged[index] ^= 0x40
            world.inject(forged)
        }
        #expect(world.server.drops.total == UInt64(loss.count))
        #expect(world.server.events.isEmpty)
        world.inject(loss)
        #expect(world.server.events == [.keyFrameRequested(stream: world.video)])
    }

    @Test("a datagram protected with the keys of another connection is refused")
    func otherKeys() throws {
        let (one, other) = (try PeerWorld.connected(), try PeerWorld.connected())
        let foreign = try #require(
            other.client.protect { Feedback.writePictureLoss(sender: 1, media: PeerWorld.videoSSRC, into: &$0) })
        one.inject(foreign)
        #expect(one.server.drops.unauthenticated == 1)
        #expect(one.server.events.isEmpty)
    }

    @Test("our own packets sent back to us are refused")
    func reflected() throws {
        let world = try PeerWorld.connected()
        let before = world.server.sent.count
        try world.send(Picture(0, isKey: true))
        for datagram in world.server.sent[before...] { world.inject(datagram) }
        #expect(world.server.drops.unauthenticated == UInt64(world.server.sent.count - before))
        #expect(world.server.media.isEmpty)
    }

    @Test("datagrams of one byte value and any length up to 1,500 harm no connection", arguments: [true, false])
    func sweepOfFills(isConnected: Bool) throws {
        let world = try isConnected ? PeerWorld.connected() : PeerWorld()
        let fills: [UInt8] = [0, 0xFF, 1, 2, 20, 21, 22, 23, 63, 64, 0x80, 0x90, 0xBF]
        for fill in fills {
            for count in 0...1_500 { world.inject([UInt8](repeating: fill, count: count)) }
        }
        #expect(world.server.drops.total == UInt64(fills.count * 1_501))
        #expect(world.server.drops.unprotected == 0)
        try expectAlive(world, isConnected: isConnected)
    }

    @Test("real datagrams cut short at every length harm no connection, wherever they come from")
    func sweepOfTruncations() throws {
        let world = try PeerWorld.connected()
        let stranger = TransportAddress(ip: .v4(0xCB00_7107), port: 9)
        for datagram in try Self.realDatagrams() {
            for count in datagram.indices {
                world.inject(Array(datagram[..<count]))
                world.inject(Array(datagram[..<count]), from: stranger)
            }
        }
        #expect(world.server.media.isEmpty)
        try expectAlive(world, isConnected: true)
    }

    @Test("real datagrams cut short at every length do not keep a handshake from succeeding")
    func sweepBeforeHandshake() throws {
        let world = try PeerWorld()
        world.serverFilter = { $0.first.map { $0 < 20 } ?? true }
        try world.introduce()
        #expect(world.run(within: .seconds(2)) { world in world.client.sent.contains { $0.first == 22 } })
        for datagram in try Self.realDatagrams() where STUNDemux.classify(datagram.rawSpan) != .dtls {
            for count in datagram.indices { world.inject(Array(datagram[..<count])) }
        }
        let hello = try #require(world.client.sent.first { $0.first == 22 })
        for count in hello.indices { world.inject(Array(hello[..<count])) }
        world.serverFilter = { _ in true }
        world.inject(hello)
        #expect(world.run(within: .seconds(5)) { $0.server.state == .connected && $0.client.state == .connected })
    }

    @Test("random datagrams of each kind harm no connection")
    func noise() throws {
        let world = try PeerWorld.connected()
        var generator = SeededGenerator(seed: 99)
        for round in 0..<5_000 {
            var bytes = generator.bytes(1 + Int(generator.next() % 300))
            bytes[0] = [0, 1, 20, 21, 22, 23, 25, 64, 0x80, 0x81, 0x90, 0xB0][round % 12]
            world.inject(bytes)
        }
        try expectAlive(world, isConnected: true)
    }

    @Test("forged alerts and records in the clear end no connection", arguments: [20, 21, 22, 23] as [UInt8])
    func recordsInTheClear(type: UInt8) throws {
        let world = try PeerWorld.connected()
        for body: [UInt8] in [[2, 40], [1, 0], [1], [14, 0, 0, 0]] {
            for version: UInt8 in [0xFD, 0xFF] {
                let head: [UInt8] = [type, 0xFE, version, 0, 0, 0, 0, 0, 0, 0, 99, 0, UInt8(body.count)]
                world.inject(head + body)
                world.inject([type, 0xFE, version, 0, 1] + head[5...] + body)
                let long = [UInt8](repeating: 7, count: 40)
                world.inject([type, 0xFE, version, 0, 1] + head[5...11] + [40] + long)
            }
        }
        try expectAlive(world, isConnected: true)
        // The real end is still understood.
        world.client.peer.close()
        world.run(for: .milliseconds(100))
        #expect(world.server.end == .closedByPeer)
    }

    /// What was done to the server has left it able to connect, or to send and to listen.
    private func expectAlive(_ world: PeerWorld, isConnected: Bool) throws {
        #expect(world.server.events.isEmpty)
        if !isConnected {
            try world.introduce()
            #expect(world.run(within: .seconds(5)) { $0.server.state == .connected && $0.client.state == .connected })
            return
        }
        #expect(world.server.state == .connected)
        world.sendControl { Feedback.writePictureLoss(sender: 1, media: PeerWorld.videoSSRC, into: &$0) }
        world.run(for: .milliseconds(10))
        #expect(world.server.events == [.keyFrameRequested(stream: world.video)])
        #expect(try world.send(Picture(0, isKey: true)))
        world.run(for: .milliseconds(50))
        #expect(world.client.media.count > 3)
    }
}
