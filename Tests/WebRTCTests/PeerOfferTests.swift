import Bytes
import DTLS
import ICE
import RTP
import TestSupport
import Testing
import WebRTC

/// The peer whose offer is answered later, and restarts of ICE under a connection that goes on.
@Suite struct PeerOfferTests {
    private func remote(_ world: PeerWorld, dtlsRole: DTLSRole = .client) -> WebRTCPeer.Remote {
        WebRTCPeer.Remote(
            credentials: world.server.peer.ice.localCredentials, dtlsRole: dtlsRole,
            fingerprints: [PeerWorld.serverContext.certificate.fingerprint()])
    }

    private func isConnected(_ world: PeerWorld) -> Bool {
        world.client.state == .connected && world.server.state == .connected
    }

    @Test("an offerer takes role, fingerprints and credentials from the answer", arguments: [DTLSRole.client, .server])
    func answer(role: DTLSRole) throws {
        let world = try PeerWorld(clientOffers: true, serverRole: role == .client ? .server : .client)
        try world.introduce()
        world.run(for: .seconds(3))
        #expect(world.client.sent.isEmpty)
        try world.client.peer.setRemote(remote(world, dtlsRole: role), at: world.now)
        #expect(world.run(within: .seconds(5), until: isConnected))
    }

    @Test("candidates may come before the answer, with it, or after it", arguments: 0..<3)
    func trickle(moment: Int) throws {
        let world = try PeerWorld(clientOffers: true)
        let candidate = ICECandidate.host(world.server.outside)
        try world.client.peer.ice.addLocalCandidate(.host(world.client.outside), socket: PeerHost.socket, at: world.now)
        if moment == 0 { try world.client.peer.ice.addRemoteCandidate(candidate, at: world.now) }
        var answer = remote(world)
        let hidden = ICECandidate(
            kind: .host, endpoint: .name("x.local", port: 1), priority: 1, foundation: "1")
        answer.candidates = moment == 1 ? [hidden, candidate] : [hidden]
        try world.client.peer.setRemote(answer, at: world.now)
        world.run(for: .milliseconds(100))
        if moment == 2 { try world.client.peer.ice.addRemoteCandidate(candidate, at: world.now) }
        #expect(world.run(within: .seconds(5), until: isConnected))
    }

    @Test("an answer with another fingerprint than the certificate's ends the connection")
    func wrongFingerprint() throws {
        let world = try PeerWorld(clientOffers: true)
        try world.introduce()
        var answer = remote(world)
        answer.fingerprints = [PeerWorld.clientContext.certificate.fingerprint()]
        try world.client.peer.setRemote(answer, at: world.now)
        world.run(for: .seconds(2))
        #expect(world.client.end == .handshakeFailed(.fingerprintMismatch))
    }

    @Test("a second answer changes nothing of a connection")
    func secondAnswer() throws {
        let world = try PeerWorld(clientOffers: true)
        try world.introduce()
        try world.client.peer.setRemote(remote(world), at: world.now)
        #expect(world.run(within: .seconds(5), until: isConnected))
        world.client.clearEvents()
        try world.client.peer.setRemote(remote(world, dtlsRole: .server), at: world.now)
        world.run(for: .seconds(20))
        #expect(world.client.events.isEmpty)
        #expect(isConnected(world))
    }

    @Test("media goes on through an ICE restart, over the old path until the new one is there")
    func restart() throws {
        let world = try PeerWorld.connected()
        var receiver = PictureReceiver()
        var sent: [[UInt8]] = []
        let client = ICECredentials(random: Array(31...54))
        let server = ICECredentials(random: Array(61...84))
        for step in 0..<60 {
            switch step {
            case 10: world.client.peer.restartICE(credentials: client, at: world.now)
            case 20:
                world.server.peer.restartICE(credentials: server, at: world.now)
                try world.server.peer.setRemote(remote(client), at: world.now)
            case 30:
                try world.client.peer.setRemote(remote(server), at: world.now)
                try world.client.peer.ice.addRemoteCandidate(.host(world.server.outside), at: world.now)
            default: break
            }
            let picture = Picture(step, isKey: step == 0)
            #expect(try world.send(picture))
            sent.append(picture.bytes)
            try world.run(for: .milliseconds(33), &receiver, nacks: false)
        }
        #expect(receiver.pictures.count >= 59)
        #expect(receiver.pictures[...] == sent[..<receiver.pictures.count])
        world.run(for: .seconds(60))
        #expect(isConnected(world))
        #expect(world.client.drops.total == 0)
        #expect(world.server.peer.ice.localCredentials == server)
        #expect(!world.server.events.contains(.disconnected))
    }

    private func remote(_ credentials: ICECredentials) -> WebRTCPeer.Remote {
        WebRTCPeer.Remote(credentials: credentials, dtlsRole: .server, fingerprints: [])
    }
}
