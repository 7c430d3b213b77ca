import Bytes
import DTLS
import ICE
import RTP
import TestSupport
import Testing
import WebRTC

/// A peer that has nothing but a TURN server.
@Suite struct PeerRelayTests {
    private static let turnAddress = TransportAddress(ip: .v4(0xCB00_7109), port: 3_478)

    private func make() throws -> PeerWorld {
        let world = try PeerWorld()
        world.turn = TURNServerModel(
            address: Self.turnAddress, relayIP: .v4(0xCB00_710A), hmac: { HMAC.sha1Tag(key: $0, $1) },
            md5: { Digest.md5Tag($0) })
        let path = ICEPath(socket: PeerHost.socket, remote: Self.turnAddress)
        try world.client.peer.ice.addRelay(
            TURNClient.Configuration(path: path, username: "user", password: "secret"), at: world.now)
        try world.client.peer.ice.addRemoteCandidate(.host(world.server.outside), at: world.now)
        return world
    }

    private func connect() throws -> PeerWorld {
        let world = try make()
        #expect(world.run(within: .seconds(10)) { $0.server.state == .connected && $0.client.state == .connected })
        return world
    }

    @Test("the handshake and media pass the relay both ways, and nothing is dropped")
    func media() throws {
        let world = try connect()
        let stream = world.client.peer.sender.addStream(PeerWorld.videoStream)
        var receiver = PictureReceiver()
        var sent: [[UInt8]] = []
        for index in 0..<60 {
            let picture = Picture(index, isKey: index == 0)
            #expect(try world.send(picture))
            sent.append(picture.bytes)
            let frame = try picture.packetized(pts: world.now.nanoseconds)
            #expect(world.client.peer.send(frame, on: stream, at: world.now))
            try world.run(for: .milliseconds(33), &receiver, nacks: false)
        }
        #expect(receiver.pictures.count >= 59)
        #expect(receiver.pictures[...] == sent[..<receiver.pictures.count])
        #expect(world.server.media.count >= 59 * 3)
        #expect(world.client.drops.total == 0)
        #expect(world.server.drops.total == 0)
        // Media is channel data; only the beginning was not.
        #expect(world.client.sent.count { $0.first == 0x40 } >= 59 * 3)
        let longest = try #require(world.client.sent.map(\.count).max())
        #expect(longest <= 1_280)
    }

    @Test("the candidate is told as an event, and so is the loss of its server")
    func events() throws {
        let world = try connect()
        let relayed = TransportAddress(ip: .v4(0xCB00_710A), port: 50_000)
        let found = world.client.events.compactMap { event in
            if case .candidateFound(let candidate) = event { candidate.address } else { nil }
        }
        #expect(found == [relayed])
        #expect(world.client.events.contains(.gatheringFinished))
        world.client.peer.pathLost(ICEPath(socket: PeerHost.socket, remote: Self.turnAddress), at: world.now)
        world.settle()
        #expect(world.client.events.contains(.relayFailed(.connectionLost, server: Self.turnAddress)))
        #expect(world.client.events.contains(.disconnected))
    }

    @Test("the goodbye leaves by the relay, and then the allocation is given back")
    func close() throws {
        let world = try connect()
        #expect(world.turn?.allocations.count == 1)
        world.client.peer.close()
        world.settle()
        #expect(world.turn?.allocations.isEmpty == true)
        world.run(for: .milliseconds(100))
        #expect(world.server.end == .closedByPeer)
    }

    @Test("datagrams that a stranger sends to the relay, or a broken server to us, harm nothing")
    func strangers() throws {
        let world = try connect()
        for count in 0..<60 {
            world.client.receive(
                [0x40, 0, 0, 50] + [UInt8](repeating: 0x80, count: count), from: Self.turnAddress, at: world.now)
            world.client.receive(
                TURNServerModel.dataIndication(
                    [UInt8](repeating: 0x80, count: count), from: world.server.outside,
                    hmac: { HMAC.sha1Tag(key: $0, $1) }), from: Self.turnAddress, at: world.now)
        }
        world.run(for: .seconds(5))
        #expect(world.client.state == .connected)
        #expect(world.client.media.isEmpty)
    }
}
