package import Bytes
import DTLS
import ICE
import Media
package import RTP
package import Runtime
import SDP
package import WebRTC

/// One WHIP publication: the publisher's peer connection, and the way of its media to where the gate said.
@MediaLoop
package final class WHIPSource {
    /// What a publisher's packets go through.
    private enum Outlet {
        case frames(FrameOutlet)
        case packets(PacketOutlet)
    }

    /// No first packet within this time after the connection is up: the publisher sends nothing.
    static let silence = Interval.seconds(10)

    package private(set) var isOver = false
    private let outlet: Outlet
    private let sink: any MediaSink
    private var peer: HubPeer?
    private weak var hub: PeerHub?
    private let environment: PeerEnvironment
    private let onEnd: @MediaLoop (SessionEnd) -> Void
    private let timer = LoopTimer()
    private var timeline = PeerTimeline()
    private var streams: [Stream] = []
    private let plan: ReceivePlan
    private var silenceEndsAt: Monotonic?

    /// A received stream and its clock.
    struct Stream {
        var clock: SourceClock
        let codec: EncodedFrame.Codec
        /// Names the stream among all that were ever forwarded, and changes when it starts anew.
        var source: UInt32
    }

    private static var nextSource: UInt32 = 1

    /// - Parameter ports: those that the answer tells of; the source's, unless this throws.
    /// - Parameter onEnd: the publisher is gone; not called after `end`.
    init(
        plan: ReceivePlan, to sink: WHIPSink, slabPool: SlabPool, hub: PeerHub, ports: PeerPorts,
        environment: PeerEnvironment,
        credentials: ICECredentials, at now: Monotonic, onEnd: @escaping @MediaLoop (SessionEnd) -> Void
    ) throws(WHIPSourceError) {
        self.plan = plan
        self.hub = hub
        self.environment = environment
        self.onEnd = onEnd
        switch sink {
        case .transcoded(let sink):
            self.sink = sink
            outlet = .frames(FrameOutlet(plan, to: sink, slabPool: slabPool))
        case .passed(let sink):
            self.sink = sink
            outlet = .packets(PacketOutlet(plan, to: sink, slabPool: slabPool))
        }
        var connection = try Self.connection(plan, environment, credentials, hub, at: now)
        for (candidate, socket) in environment.hosts(on: ports) {
            try? connection.ice.addLocalCandidate(candidate, socket: socket, at: now)
        }
        if case .packets(let outlet) = outlet { outlet.source = self }
        let peer = hub.add(connection, fragment: credentials.fragment, on: ports, owner: self)
        self.peer = peer
        for candidate in plan.remote.candidates.prefix(ICELimits.remoteCandidates) {
            peer.addRemoteCandidate(candidate, at: now)
        }
        peer.settle(at: now)
    }

    private static func connection(
        _ plan: ReceivePlan, _ environment: PeerEnvironment, _ credentials: ICECredentials, _ hub: PeerHub,
        at now: Monotonic
    ) throws(WHIPSourceError) -> WebRTCPeer {
        do {
            let remote = try WebRTCPeer.Remote(plan: plan)
            var configuration = WebRTCPeer.Configuration(
                ice: environment.agent(credentials, remote: plan.remote, on: hub),
                remoteCredentials: remote.credentials, dtlsContext: environment.dtls, dtlsRole: remote.dtlsRole,
                remoteFingerprints: remote.fingerprints,
                clock: environment.clock, cname: PeerEnvironment.cname, targetBitrate: 100_000)
            configuration.receiver = plan.receiver(
                localSSRC: .random(in: 1 ... .max), cname: PeerEnvironment.cname, clock: environment.clock)
            return try WebRTCPeer(configuration, at: now)
        } catch {
            throw .connection
        }
    }

    // MARK: - The resource's side

    /// Those that the publisher was told of; nil once it is gone.
    var ports: PeerPorts? { peer?.ports }

    func trickle(_ candidates: [String], at now: Monotonic) {
        for candidate in candidates { peer?.addRemoteCandidate(candidate, at: now) }
    }

    /// Restarts ICE with the publisher's new credentials; ours are returned.
    func restart(_ remote: ICECredentials, candidates: [String], at now: Monotonic) -> ICECredentials? {
        guard let peer, let hub else { return nil }
        let credentials = ICECredentials(random: Randomness.bytes(ICECredentials.randomBytes))
        hub.restartICE(peer, credentials: credentials, at: now)
        peer.connection.ice.setRemoteCredentials(remote, at: now)
        trickle(candidates, at: now)
        peer.settle(at: now)
        return credentials
    }

    /// Ends the publication from the publisher's side or from ours.
    func end(_ reason: SessionEnd, at now: Monotonic) {
        guard !isOver else { return }
        isOver = true
        timer.cancel()
        peer?.close(at: now)
        peer = nil
        sink.sourceEnded(reason, at: now)
    }

    private func lost(_ reason: SessionEnd, at now: Monotonic) {
        guard !isOver else { return }
        end(reason, at: now)
        onEnd(reason)
    }

    // MARK: - Media

    private func drainMedia(_ peer: HubPeer, at now: Monotonic) {
        while let event = peer.connection.pollMediaEvent() { note(event, peer) }
        while let packet = peer.connection.pollPacket() {
            silenceEndsAt = nil
            grow(to: packet.stream, peer)
            guard packet.stream < streams.count else { continue }
            if packet.didRestart { streams[packet.stream].source = Self.takeSource() }
            let time = streams[packet.stream].clock.time(
                of: packet.timestamp, arrival: packet.arrival, timeline: &timeline)
            switch outlet {
            case .frames(let outlet): outlet.receive(packet, time: time, of: streams[packet.stream], at: now)
            case .packets(let outlet): outlet.receive(packet, time: time, of: streams[packet.stream], at: now)
            }
        }
        settleOutlet(peer, at: now)
    }

    private static func takeSource() -> UInt32 {
        defer { nextSource &+= 1 }
        return nextSource
    }

    private func grow(to stream: Int, _ peer: HubPeer) {
        while streams.count <= stream, let received = peer.connection.receivedStream(streams.count),
            let section = plan.sections.first(where: { $0.index == received.section })
        {
            streams.append(
                Stream(
                    clock: SourceClock(clockRate: Int(section.clockRate)), codec: section.codec,
                    source: Self.takeSource()))
        }
    }

    private func note(_ event: RTPReceiver.Event, _ peer: HubPeer) {
        switch event {
        case .streamAdded(let stream):
            grow(to: stream, peer)
            guard stream < streams.count, case .video = streams[stream].codec else { return }
            requestKeyFrame(ofStream: stream)
        case .senderReport(let stream):
            guard let report = peer.connection.receivedStream(stream)?.lastReport else { return }
            grow(to: stream, peer)
            if stream < streams.count { streams[stream].clock.receive(report, timeline: &timeline) }
        case .streamEnded: break
        }
    }

    /// Asks for what the outlet needs, and comes back when it must be looked at again.
    private func settleOutlet(_ peer: HubPeer, at now: Monotonic) {
        var deadline = silenceEndsAt
        switch outlet {
        case .frames(let outlet):
            while let stream = outlet.popKeyFrameWish() { requestKeyFrame(ofStream: stream) }
            while let stream = outlet.popKeyFrame() { peer.connection.noteKeyFrame(of: stream) }
            if let next = outlet.nextDeadline { deadline = min(next, deadline ?? next) }
        case .packets(let outlet):
            while let stream = outlet.popKeyFrame() { peer.connection.noteKeyFrame(of: stream) }
            if let next = outlet.nextDeadline { deadline = min(next, deadline ?? next) }
        }
        timer.schedule(at: deadline, calling: self)
    }

    /// Bits a second of a received stream.
    func bitrate(ofStream stream: Int) -> Int { peer?.connection.receivedStream(stream)?.statistics.bitrate ?? 0 }

    package var statistics: [ReceivedStream] {
        guard let peer else { return [] }
        return (0..<peer.connection.receivedStreamCount).compactMap { peer.connection.receivedStream($0) }
    }
}

extension WHIPSource: PacketSource {
    package func requestKeyFrame(ofStream stream: Int) {
        peer?.connection.askForKeyFrame(of: stream)
        // What it wrote leaves with the next turn at the latest.
        peer?.settle(at: MediaLoop.now)
    }
}

extension WHIPSource: HubPeerOwner {
    package func peer(_ peer: HubPeer, raised event: WebRTCPeer.Event, at now: Monotonic) {
        switch event {
        case .connected:
            silenceEndsAt = now + Self.silence
            timer.schedule(at: silenceEndsAt, calling: self)
        case .closed(.closedByPeer): lost(.finished, at: now)
        case .closed(.unreachable): lost(.disconnected, at: now)
        case .closed(.handshakeFailed(let error)): lost(.failed("the DTLS handshake failed (\(error))"), at: now)
        case .closed(.handshakeTimedOut): lost(.failed("the DTLS handshake was not finished in time"), at: now)
        default: break
        }
    }

    package func peerReceivedMedia(_ peer: HubPeer, at now: Monotonic) { drainMedia(peer, at: now) }
}

extension WHIPSource: TimerHandler {
    package func timerFired(_ timer: LoopTimer, at now: Monotonic) {
        guard let peer else { return }
        if let due = silenceEndsAt, due <= now {
            silenceEndsAt = nil
            return lost(
                .failed("The connection is up, but no media came: the encoder sends none, or its path is blocked."),
                at: now)
        }
        switch outlet {
        case .frames(let outlet): outlet.advance(to: now)
        case .packets(let outlet): outlet.advance(to: now)
        }
        settleOutlet(peer, at: now)
    }
}

/// Why a publisher's connection could not be made.
package enum WHIPSourceError: Error, Equatable, Sendable {
    /// Its credentials cannot be used, or ours could not be made.
    case connection
}
