import Bytes
import ICE
import Media
import RTP
import TestSupport
import Testing
import WebRTC

@Suite struct PeerMediaTests {
    /// Sends pictures at 30 a second, a key frame first, and lets the receiver finish.
    private func exchange(
        _ world: PeerWorld, _ receiver: inout PictureReceiver, pictures: Int, nacks: Bool = true
    ) throws -> [[UInt8]] {
        var sent: [[UInt8]] = []
        for index in 0..<pictures {
            let picture = Picture(index, isKey: index % 50 == 0, count: index % 50 == 0 ? 20_000 : 2_000)
            #expect(try world.send(picture), "picture \(index) was refused")
            sent.append(picture.bytes)
            try world.run(for: .milliseconds(33), &receiver, nacks: nacks)
        }
        // The tail is seen to be missing only when something follows it.
        (world.toClient.settings, world.toServer.settings) = (.lan, .lan)
        try world.send(Picture(pictures))
        try world.run(for: .seconds(1), &receiver, nacks: nacks)
        return sent
    }

    @Test("pictures arrive with the bytes that were sent, on the clock of their times")
    func arrives() throws {
        let world = try PeerWorld.connected()
        var receiver = PictureReceiver()
        let sent = try exchange(world, &receiver, pictures: 60, nacks: false)
        #expect(receiver.pictures.dropLast() == sent[...])
        #expect(receiver.duplicates == 0)
        let steps = zip(receiver.timestamps, receiver.timestamps.dropFirst()).prefix(59).map { $1 &- $0 }
        #expect(steps.allSatisfy { $0 == 2_970 })
        #expect(world.client.drops.total == 0)
        #expect(world.server.drops.total == 0)
        #expect(world.worstSpin <= 2)
    }

    @Test(
        "every picture arrives after retransmission over a network that loses, reorders and doubles",
        arguments: [
            NetemSettings(loss: 0.05, delay: .milliseconds(20)),
            NetemSettings(loss: 0.05, duplicate: 0.05, delay: .milliseconds(30), jitter: .milliseconds(10)),
            NetemSettings(
                loss: 0.05, duplicate: 0.02, reorder: 0.05, delay: .milliseconds(40), jitter: .milliseconds(20)),
        ])
    func recovers(settings: NetemSettings) throws {
        let world = try PeerWorld.connected(settings, seed: 11)
        var receiver = PictureReceiver()
        let sent = try exchange(world, &receiver, pictures: 150)
        #expect(world.toClient.lostCount > 10)
        #expect(receiver.pictures.dropLast() == sent[...])
        #expect(receiver.retransmissions > 10)
        let statistics = world.server.peer.sender.statistics(of: world.video)
        #expect(statistics.packetsRetransmitted >= UInt64(receiver.retransmissions))
        // An eager receiver asks for what only came late, too; that costs no more than the stream itself.
        #expect(statistics.packetsRetransmitted < statistics.packetsSent)
        #expect(world.server.state == .connected)
        #expect(world.client.drops.unauthenticated == 0)
        #expect(world.worstSpin <= 2)
    }

    @Test("doubled datagrams are refused as replays and change nothing")
    func doubled() throws {
        let world = try PeerWorld.connected(NetemSettings(duplicate: 0.5, delay: .milliseconds(5)))
        var receiver = PictureReceiver()
        let sent = try exchange(world, &receiver, pictures: 30, nacks: false)
        #expect(receiver.pictures.dropLast() == sent[...])
        #expect(world.client.drops.replayed > 10)
        #expect(receiver.duplicates == 0)
    }

    @Test("without retransmissions a lost packet costs its picture and no more than that is handed out")
    func losesWithoutNacks() throws {
        let world = try PeerWorld.connected(NetemSettings(loss: 0.05, delay: .milliseconds(20)), seed: 11)
        var receiver = PictureReceiver()
        let sent = try exchange(world, &receiver, pictures: 60, nacks: false)
        #expect(receiver.pictures.count < sent.count)
        #expect(receiver.retransmissions == 0)
        #expect(sent.starts(with: receiver.pictures))
    }

    @Test("nothing but a key frame begins the video, and it is asked for once a second")
    func keyFrameGate() throws {
        let world = try PeerWorld.connected()
        for _ in 0..<60 {
            #expect(try !world.send(Picture(1)))
            world.run(for: .milliseconds(33))
        }
        world.settle()
        #expect(
            world.server.events == [.keyFrameRequested(stream: world.video), .keyFrameRequested(stream: world.video)])
        #expect(world.client.media.isEmpty)
        #expect(try world.send(Picture(2, isKey: true)))
        #expect(try world.send(Picture(3)))
        world.run(for: .milliseconds(100))
        #expect(world.client.media.count > 3)
    }

    @Test("frames before the connection stands are refused")
    func notConnected() throws {
        let world = try PeerWorld()
        #expect(try !world.send(Picture(1, isKey: true)))
        #expect(try !world.send(audio: [0xFC, 1]))
        #expect(world.server.sent.isEmpty)
    }

    @Test("audio is not held behind a key frame that is being paced")
    func audioFirst() throws {
        let world = try PeerWorld.connected()
        try world.send(Picture(0, isKey: true, count: 300_000))
        try world.send(audio: [0xFC, 1, 2, 3])
        world.run(for: .milliseconds(2))
        let ssrcs = try world.client.media.map { try RTPHeader(parsing: $0.rawSpan).ssrc }
        #expect(ssrcs.contains(PeerWorld.audioSSRC))
        #expect(ssrcs.count < 200)
        world.run(for: .milliseconds(300))
        #expect(world.client.media.count > 260)
    }

    @Test("packets leave in equal parts of a frame at the pace of the target, not all at once")
    func pacing() throws {
        let world = try PeerWorld.connected()
        try world.send(Picture(0, isKey: true, count: 100_000))
        world.run(for: .milliseconds(1))
        let burst = world.client.media.count
        #expect(burst > 10)
        #expect(burst < 60)
        world.run(for: .milliseconds(150))
        #expect(world.client.media.count > 90)
    }
}

@Suite struct PeerControlTests {
    @Test("a sender report goes out with the first packet and each second, and names the source")
    func senderReports() throws {
        let world = try PeerWorld.connected()
        let before = world.server.sent.count
        let startedAt = world.now
        var packetCount = 0
        for index in 0..<35 {
            let picture = Picture(index, isKey: index == 0)
            // The report of the third second leaves before the picture of that time.
            if index < 30 { packetCount += try picture.packetized(pts: 0).fragments.count }
            try world.send(picture)
            world.run(for: .milliseconds(100))
        }
        let reports = world.server.sent[before...].filter { STUNDemux.classify($0.rawSpan) == .rtcp }
        #expect(reports.count == 4)
        #expect(world.client.control.count == 4)
        let first = try #require(world.client.control.first)
        #expect(first.at <= startedAt + .milliseconds(2))
        let last = try #require(world.lastReport)
        #expect(last.ssrc == PeerWorld.videoSSRC)
        #expect(Int(last.packetCount) == packetCount)
        // The network takes 1 ms.
        let sentAt = try #require(world.client.control.last).at - .milliseconds(1)
        #expect(last.ntp == PeerWorld.clock.time(at: sentAt))
    }

    @Test("a PLI for the video asks its owner for a key frame, one for another source nobody")
    func pictureLoss() throws {
        let world = try PeerWorld.connected()
        world.sendControl { Feedback.writePictureLoss(sender: PeerWorld.clientSSRC, media: 0x9999, into: &$0) }
        world.run(for: .milliseconds(10))
        #expect(world.server.events.isEmpty)
        world.sendControl {
            Feedback.writePictureLoss(sender: PeerWorld.clientSSRC, media: PeerWorld.videoSSRC, into: &$0)
        }
        world.run(for: .milliseconds(10))
        #expect(world.server.events == [.keyFrameRequested(stream: world.video)])
    }

    @Test("a FIR asks for a key frame once for each of its numbers")
    func fullIntra() throws {
        let world = try PeerWorld.connected()
        for sequence: UInt8 in [4, 4, 5] {
            world.sendControl {
                Feedback.writeFullIntra(
                    sender: PeerWorld.clientSSRC, media: PeerWorld.videoSSRC, sequence: sequence, into: &$0)
            }
            world.run(for: .milliseconds(10))
        }
        #expect(
            world.server.events == [.keyFrameRequested(stream: world.video), .keyFrameRequested(stream: world.video)])
    }

    @Test("the peer's estimate of the bitrate comes out")
    func bitrate() throws {
        let world = try PeerWorld.connected()
        world.sendControl {
            Feedback.writeBitrate(
                sender: PeerWorld.clientSSRC, bitsPerSecond: 1 << 20, ssrcs: [PeerWorld.videoSSRC], into: &$0)
        }
        world.run(for: .milliseconds(10))
        #expect(world.server.events == [.bitrateLimited(1 << 20)])
    }

    @Test("transport-wide feedback tells what became of each packet")
    func transportFeedback() throws {
        let world = try PeerWorld.connected(NetemSettings(loss: 0.1, delay: .milliseconds(10)), seed: 3)
        var receiver = PictureReceiver()
        for index in 0..<20 {
            try world.send(Picture(index, isKey: index == 0))
            try world.run(for: .milliseconds(33), &receiver, nacks: false)
        }
        let arrivals = receiver.arrivals
        let first = try #require(arrivals.keys.min())
        let last = try #require(arrivals.keys.max())
        world.toServer.settings = .lan
        world.sendControl { output in
            _ = TransportFeedback.write(
                sender: PeerWorld.clientSSRC, media: PeerWorld.videoSSRC,
                baseSequence: UInt16(truncatingIfNeeded: first), feedbackCount: 0,
                arrivals: (first...last).map { arrivals[$0] }, maxBytes: 1_000, into: &output)
        }
        world.run(for: .milliseconds(10))
        #expect(world.server.events == [.feedbackReceived])
        let outcomes: [SentPacketHistory.Outcome] = world.server.peer.sender.feedback
        #expect(outcomes.count == Int(last - first) + 1)
        #expect(outcomes.count { $0.arrival == nil } == outcomes.count - arrivals.count)
        #expect(arrivals.count < outcomes.count)
        #expect(outcomes.allSatisfy { $0.byteCount > 12 })
    }

    @Test("report blocks give the round trip")
    func roundTrip() throws {
        let world = try PeerWorld.connected(NetemSettings(delay: .milliseconds(40)))
        try world.send(Picture(0, isKey: true))
        world.run(for: .milliseconds(60))
        let report = try #require(world.lastReport)
        world.sendControl { output in
            let block = ReportBlock(ssrc: report.ssrc, lastSenderReport: report.ntp.compact)
            ReceiverReport.write(ssrc: PeerWorld.clientSSRC, blocks: [block], into: &output)
        }
        world.run(for: .milliseconds(50))
        let roundTrip = world.server.peer.sender.roundTrip
        let measured = try #require(roundTrip)
        #expect((99...101).contains(measured.milliseconds))
    }

    @Test("control that may not leave is not written")
    func controlBeforeKeys() throws {
        let world = try PeerWorld()
        let (bytes, path) = captureOutput { output in
            ReceiverReport.write(ssrc: 1, blocks: [], into: &output)
            return world.client.peer.protectControl(&output)
        }
        #expect(path == nil)
        #expect(bytes.isEmpty)
    }

    @Test("RTCP that authenticates and is malformed is counted and ends nothing")
    func malformedControl() throws {
        let world = try PeerWorld.connected()
        world.sendControl { output in
            // A receiver report that claims more blocks than it holds.
            output.append(copying: [0x9F, 201, 0, 1, 0, 0, 0, 1])
        }
        world.run(for: .milliseconds(10))
        #expect(world.server.drops.malformed == 1)
        #expect(world.server.state == .connected)
    }
}
