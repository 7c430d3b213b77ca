import Bytes
import ICE
import TestSupport
import Testing
import WebRTC

/// A publisher over bad networks.
@Suite struct PublisherNetworkTests {
    struct Row: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var settings: NetemSettings
    }

    private static func row(
        loss: Double, jitter: Int64 = 10, reorder: Double = 0, duplicate: Double = 0
    ) -> Row {
        Row(
            testDescription: "\(Int(loss * 100)) % lost, \(jitter) ms of jitter, \(Int(reorder * 100)) % reordered",
            settings: NetemSettings(
                loss: loss, duplicate: duplicate, reorder: reorder, delay: .milliseconds(25),
                jitter: .milliseconds(jitter)))
    }

    /// Whether the pictures that came are those that were sent, without a break.
    private func expectAll(_ world: PublisherWorld, sourceLocation: SourceLocation = #_sourceLocation) {
        let count = world.sentPictures.count
        world.run(for: .seconds(2))
        #expect(world.withheld == 0, sourceLocation: sourceLocation)
        #expect(
            world.pictures.map(\.bytes).prefix(count) == world.sentPictures.map(\.picture.bytes).prefix(count),
            sourceLocation: sourceLocation)
        #expect(world.isConnected, sourceLocation: sourceLocation)
    }

    @Test(
        "up to 5 % of loss every picture decodes, by repeats alone",
        arguments: [
            row(loss: 0, jitter: 0), row(loss: 0, jitter: 100), row(loss: 0, jitter: 40, reorder: 0.05),
            row(loss: 0.02, jitter: 0), row(loss: 0.02, jitter: 40, duplicate: 0.05), row(loss: 0.05, jitter: 0),
            row(loss: 0.05, jitter: 30), row(loss: 0.05, jitter: 100), row(loss: 0.05, jitter: 50, reorder: 0.05),
        ], UInt64(1)...2)
    func repaired(row: Row, seed: UInt64) throws {
        let world = try PublisherWorld.publishing(row.settings, seed: seed)
        world.run(for: .seconds(8))
        #expect(world.worstDrift(from: 100) <= .milliseconds(60))
        expectAll(world)
    }

    @Test("with 10 % of loss pictures come, and sound stays with them", arguments: UInt64(1)...3)
    func tenPercent(seed: UInt64) throws {
        let world = try PublisherWorld.publishing(Self.row(loss: 0.1, jitter: 40).settings, seed: seed)
        world.run(for: .seconds(10))
        #expect(world.pictures.count > 200)
        #expect(world.worstDrift(from: 100) <= .milliseconds(80))
        #expect(world.isConnected)
    }

    @Test("after a black-out of three seconds pictures and sound are back within a second", arguments: UInt64(1)...3)
    func blackOut(seed: UInt64) throws {
        let world = try PublisherWorld.publishing(Self.row(loss: 0.01).settings, seed: seed)
        world.obeysKeyFrameRequests = true
        world.run(for: .seconds(5))
        (world.toServer.isDown, world.toPublisher.isDown) = (true, true)
        world.run(for: .seconds(3))
        (world.toServer.isDown, world.toPublisher.isDown) = (false, false)
        let (end, pictures, sounds) = (world.now, world.pictures.count, world.sounds.count)
        world.run(for: .seconds(10))
        #expect(try #require(world.pictures.dropFirst(pictures).first).at - end <= .seconds(1))
        #expect(try #require(world.sounds.dropFirst(sounds).first).at - end <= .milliseconds(300))
        #expect(world.pictures.count - pictures >= 260)
        #expect(world.worstDrift(from: 270) <= .milliseconds(60))
        #expect(world.isConnected)
    }

    @Test("an encoder that sends key frames when it likes is back with the first of them")
    func blackOutWithoutRequests() throws {
        let world = try PublisherWorld.publishing(Self.row(loss: 0).settings)
        world.run(for: .seconds(5))
        (world.toServer.isDown, world.toPublisher.isDown) = (true, true)
        world.run(for: .seconds(3))
        (world.toServer.isDown, world.toPublisher.isDown) = (false, false)
        let pictures = world.pictures.count
        world.run(for: .seconds(5))
        let first = try #require(world.pictures.dropFirst(pictures).first)
        #expect(first.isKey)
        let sent = try #require(world.sentPictures.last { $0.picture.bytes == first.bytes })
        #expect(first.at - sent.at <= .milliseconds(300))
    }

    @Test("a NAT that rebinds in mid-stream costs no session, and media goes on from the new address")
    func rebinding() throws {
        let world = try PublisherWorld.publishing(.broadband)
        world.run(for: .seconds(5))
        world.publisher.outside = TransportAddress(ip: .v4(0xC633_6402), port: 61_000)
        #expect(
            world.run(within: .seconds(1)) { $0.server.selectedRemote == $0.publisher.outside },
            "the server did not follow")
        world.run(for: .seconds(40))
        #expect(world.isConnected)
        #expect(try #require(world.pictures.last).at > world.now - .seconds(1))
    }

    @Test("a NAT that rebinds costs no picture: media under the known keys is taken at once, and asks for a check")
    func rebindingIsSeamless() throws {
        let world = try PublisherWorld.publishing(Self.row(loss: 0, jitter: 0).settings)
        world.run(for: .seconds(3))
        for port in UInt16(61_000)..<61_004 {
            world.publisher.outside = TransportAddress(ip: .v4(0xC633_6402), port: port)
            world.run(for: .seconds(3))
            #expect(world.server.selectedRemote == world.publisher.outside)
        }
        expectAll(world)
    }

    @Test("media of a known source under other keys gives no path away")
    func rebindingOfStrangers() throws {
        let world = try PublisherWorld.publishing(Self.row(loss: 0, jitter: 0).settings)
        world.run(for: .seconds(1))
        let stranger = TransportAddress(ip: .v4(0xC633_6403), port: 5)
        let forged = [0x80, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0xA1] + [UInt8](repeating: 7, count: 60)
        let drops = world.server.drops
        world.server.receive(forged, from: stranger, on: PeerHost.socket, at: world.now)
        #expect(world.server.drops.total == drops.total + 1 && world.server.drops.unvalidated == drops.unvalidated)
        let isTaken = world.server.peer.ice.isValidated(ICEPath(socket: PeerHost.socket, remote: stranger))
        #expect(!isTaken)
        expectAll(world)
    }

    @Test("an ICE restart in mid-stream costs no picture")
    func restart() throws {
        let world = try PublisherWorld.publishing(Self.row(loss: 0.02).settings)
        world.run(for: .seconds(3))
        let (ours, theirs) = (ICECredentials(random: Array(31...54)), ICECredentials(random: Array(61...84)))
        // The publisher's request is on its way, then the server's answer is.
        world.publisher.peer.restartICE(credentials: theirs, at: world.now)
        world.run(for: .milliseconds(80))
        world.server.peer.restartICE(credentials: ours, at: world.now)
        world.server.peer.ice.setRemoteCredentials(theirs, at: world.now)
        world.run(for: .milliseconds(80))
        world.publisher.peer.ice.setRemoteCredentials(ours, at: world.now)
        try world.publisher.peer.ice.addRemoteCandidate(.host(world.server.outside), at: world.now)
        world.run(for: .seconds(5))
        #expect(world.server.isNominated && world.publisher.isNominated)
        expectAll(world)
        world.run(for: .seconds(60))
        expectAll(world)
    }

    @Test("where UDP is closed the publisher comes over TCP")
    func tcp() throws {
        let world = try PublisherWorld(overTCP: true)
        world.passesUDP = false
        #expect(world.run(within: .seconds(10), until: \.isConnected))
        world.startSending()
        world.run(for: .seconds(10))
        #expect(world.server.path?.route == .tcp)
        expectAll(world)
    }
}
