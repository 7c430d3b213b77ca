import Bytes
import DTLS
import ICE
import RTP
import TestSupport
import Testing
import WebRTC

@Suite struct PeerConnectionTests {
    @Test("two peers connect, each with one event, and rest until the next consent check")
    func connects() throws {
        let world = try PeerWorld()
        try world.introduce()
        #expect(world.run(within: .seconds(2)) { $0.server.state == .connected && $0.client.state == .connected })
        world.settle()
        #expect(world.server.events == [.connected])
        #expect(world.client.events == [.connected])
        #expect(world.now < .zero + .seconds(1))
        #expect(world.server.drops.total == 0)
        world.run(for: .seconds(60))
        #expect(world.server.state == .connected)
        #expect(world.client.state == .connected)
        #expect(world.worstSpin <= 2)
    }

    @Test("a ClientHello from an address that ICE did not validate is dropped, counted and not answered")
    func strangersHello() throws {
        let donor = try PeerWorld.connected()
        let hello = try #require(donor.client.sent.first { $0.first == 22 })
        let world = try PeerWorld()
        world.inject(hello)
        #expect(world.server.drops.unvalidated == 1)
        #expect(world.server.sent.isEmpty)
        #expect(world.server.state == .connecting)
    }

    @Test("SRTP before there are keys is dropped and counted")
    func earlyMedia() throws {
        let world = try PeerWorld()
        try world.introduce()
        #expect(world.run(within: .seconds(2)) { $0.server.selectedRemote != nil })
        #expect(world.server.state == .connecting)
        world.inject([0x80, 96] + [UInt8](repeating: 0, count: 60))
        world.inject([0x80, 201, 0, 1] + [UInt8](repeating: 0, count: 60))
        #expect(world.server.drops.early == 2)
        #expect(world.server.media.isEmpty)
    }

    @Test("a client whose certificate is another fails the handshake before any key exists")
    func wrongClient() throws {
        let world = try PeerWorld(serverExpects: [PeerWorld.serverContext.certificate.fingerprint()])
        try world.introduce()
        world.run(for: .seconds(1))
        #expect(world.server.events == [.closed(.handshakeFailed(.fingerprintMismatch))])
        #expect(world.server.protect { ReceiverReport.write(ssrc: 1, blocks: [], into: &$0) } == nil)
        #expect(world.client.end == .closedByPeer)
    }

    @Test("a server whose certificate is another fails the handshake before any key exists")
    func wrongServer() throws {
        let world = try PeerWorld(clientExpects: [PeerWorld.clientContext.certificate.fingerprint()])
        try world.introduce()
        world.run(for: .seconds(1))
        #expect(world.client.events == [.closed(.handshakeFailed(.fingerprintMismatch))])
        #expect(world.client.protect { ReceiverReport.write(ssrc: 1, blocks: [], into: &$0) } == nil)
        #expect(!world.client.events.contains(.connected))
    }

    @Test("without a fingerprint from signalling nobody connects")
    func noFingerprint() throws {
        let world = try PeerWorld(serverExpects: [])
        try world.introduce()
        world.run(for: .seconds(1))
        #expect(world.server.end == .handshakeFailed(.fingerprintMismatch))
        #expect(!world.server.events.contains(.connected))
    }

    @Test("a peer that passes ICE and never speaks DTLS is closed 15 s after its first path")
    func handshakeTimesOut() throws {
        let world = try PeerWorld()
        world.serverFilter = { $0.first.map { $0 < 20 } ?? true }
        try world.introduce()
        #expect(world.run(within: .seconds(2)) { $0.server.selectedRemote != nil })
        let pathAt = world.now
        #expect(world.run(within: .seconds(20)) { $0.server.state == .closed })
        world.settle()
        #expect(world.server.events == [.closed(.handshakeTimedOut)])
        #expect(world.now == pathAt + WebRTCPeer.Limits.handshakeTime)
        #expect(world.server.nextDeadline == nil)
    }

    @Test("a peer that never sends a check is closed when patience ends")
    func neverChecks() throws {
        let world = try PeerWorld(patience: .seconds(20))
        #expect(world.run(within: .seconds(60)) { $0.server.state == .closed })
        world.settle()
        #expect(world.now == .zero + .seconds(20))
        #expect(world.server.events == [.closed(.unreachable)])
    }

    @Test("a peer that goes silent is reported, then closed when its consent has run out")
    func silence() throws {
        let world = try PeerWorld.connected()
        world.toServer.isDown = true
        world.toClient.isDown = true
        world.run(for: .seconds(16))
        #expect(world.server.events == [.disconnected])
        #expect(world.server.state == .connected)
        world.run(for: .seconds(20))
        #expect(world.server.events == [.disconnected, .closed(.unreachable)])
        #expect(world.client.end == .unreachable)
        #expect(world.server.nextDeadline == nil)
        #expect(world.worstSpin <= 2)
    }

    @Test("a peer that is heard again is reported as back, and media goes on")
    func silenceEnds() throws {
        let world = try PeerWorld.connected()
        world.toClient.isDown = true
        world.toServer.isDown = true
        world.run(for: .seconds(16))
        world.toClient.isDown = false
        world.toServer.isDown = false
        world.run(for: .seconds(8))
        #expect(world.server.events == [.disconnected, .reconnected])
        #expect(try world.send(Picture(1, isKey: true)))
        world.run(for: .milliseconds(100))
        #expect(!world.client.media.isEmpty)
    }

    @Test("closing says goodbye by RTCP, then by DTLS, and the peer sees it")
    func closes() throws {
        let world = try PeerWorld.connected()
        let before = world.server.sent.count
        world.server.peer.close()
        world.settle()
        let goodbyes = world.server.sent[before...]
        #expect(goodbyes.map { STUNDemux.classify($0.rawSpan) } == [.rtcp, .dtls])
        #expect(world.server.events == [.closed(.closedHere)])
        world.run(for: .seconds(1))
        #expect(world.client.events == [.closed(.closedByPeer)])
        #expect(world.server.nextDeadline == nil)
        #expect(world.client.nextDeadline == nil)
    }

    @Test("closing twice, or before there is a connection, is one event and no goodbye")
    func closesEarly() throws {
        let world = try PeerWorld()
        world.server.peer.close()
        world.server.peer.close()
        world.settle()
        #expect(world.server.events == [.closed(.closedHere)])
        #expect(world.server.sent.isEmpty)
    }

    @Test("a closed peer takes and sends nothing any more")
    func afterClose() throws {
        let world = try PeerWorld.connected()
        world.server.peer.close()
        world.settle()
        let count = world.server.sent.count
        world.sendControl { Feedback.writePictureLoss(sender: 1, media: PeerWorld.videoSSRC, into: &$0) }
        #expect(try !world.send(Picture(1, isKey: true)))
        #expect(try !world.send(audio: [0xFC, 1]))
        world.run(for: .seconds(10))
        #expect(world.server.sent.count == count)
        #expect(world.server.events == [.closed(.closedHere)])
    }

    @Test("the last event comes through however many wait before it")
    func closedIsNeverLost() throws {
        let world = try PeerWorld.connected()
        let loss = try #require(
            world.client.protect { Feedback.writePictureLoss(sender: 1, media: PeerWorld.videoSSRC, into: &$0) })
        // A driver that does not drain: each message makes an event.
        world.server.receive(loss, from: world.client.outside, at: world.now)
        for _ in 0..<(WebRTCPeer.Limits.pendingEvents + 10) {
            let more = try #require(
                world.client.protect { Feedback.writePictureLoss(sender: 1, media: PeerWorld.videoSSRC, into: &$0) })
            world.server.receive(more, from: world.client.outside, at: world.now)
        }
        world.server.peer.close()
        world.settle()
        #expect(world.server.events.count == WebRTCPeer.Limits.pendingEvents + 1)
        #expect(world.server.end == .closedHere)
    }
}

@Suite struct PeerPathTests {
    @Test("after NAT rebinding media follows the peer to its new address")
    func rebinding() throws {
        let world = try PeerWorld.connected()
        try world.send(Picture(0, isKey: true))
        world.run(for: .milliseconds(100))
        world.client.media = []
        let moved = TransportAddress(ip: .v4(0xC633_6403), port: 61_000)
        world.client.outside = moved
        #expect(world.run(within: .seconds(7)) { $0.server.selectedRemote == moved })
        try world.send(Picture(1))
        world.run(for: .milliseconds(100))
        #expect(world.client.media.count == 3)
        #expect(world.server.state == .connected)
        #expect(!world.server.events.contains(.disconnected))
    }

    @Test("control from a rebound address is not taken before ICE has seen it there")
    func rebindingIsChecked() throws {
        let world = try PeerWorld.connected()
        world.client.outside = TransportAddress(ip: .v4(0xC633_6403), port: 61_000)
        world.sendControl { Feedback.writePictureLoss(sender: 1, media: PeerWorld.videoSSRC, into: &$0) }
        world.run(for: .milliseconds(10))
        #expect(world.server.drops.unvalidated == 1)
        #expect(world.server.events.isEmpty)
    }

    @Test("while there is no path frames are dropped, no deadline is in the past, and a key frame leads the way back")
    func pathLost() throws {
        let world = try PeerWorld.connected()
        try world.send(Picture(0, isKey: true))
        try world.send(audio: [0xFC, 1])
        world.run(for: .milliseconds(100))
        // Something is queued when the path goes, and audio would be due at once.
        let queued = try Picture(1).packetized(pts: world.now.nanoseconds)
        world.server.peer.send(queued, on: world.video, at: world.now)
        let path = ICEPath(socket: PeerHost.socket, remote: world.client.outside)
        world.server.peer.pathLost(path, at: world.now)
        world.settle()
        #expect(world.server.events == [.disconnected])
        #expect(world.server.nextDeadline.map { $0 > world.now } == true)
        #expect(try !world.send(Picture(2)))
        #expect(try !world.send(audio: [0xFC, 2]))
        #expect(world.run(within: .seconds(7)) { $0.server.selectedRemote != nil })
        world.settle()
        #expect(world.server.events == [.disconnected, .reconnected])
        #expect(try !world.send(Picture(3)))
        world.settle()
        #expect(world.server.events.last == .keyFrameRequested(stream: world.video))
        #expect(try world.send(Picture(4, isKey: true)))
        #expect(world.worstSpin <= 2)
    }

    @Test("a path that is lost for good closes the peer when patience ends")
    func pathLostForGood() throws {
        let world = try PeerWorld.connected()
        world.toServer.isDown = true
        world.server.peer.pathLost(ICEPath(socket: PeerHost.socket, remote: world.client.outside), at: world.now)
        world.run(for: .seconds(31))
        #expect(world.server.events == [.disconnected, .closed(.unreachable)])
        #expect(world.worstSpin <= 2)
    }
}
