import Bytes
import DTLS
import ICE
import Media
import RTP
import TestSupport
import WebRTC

/// A publisher (full ICE, controlling, DTLS server, sends with RTX), a server behind one port (full ICE, controlled, DTLS
/// client, receives), the networks between them, and time that passes only when told to.
///
/// What the server decodes goes the way of `WHIPSource` and `FrameOutlet`, which live on the loop: a source clock and an
/// assembler for each stream.
final class PublisherWorld {
    struct InFlight: Sendable {
        var bytes: [UInt8]
        var transport: ICETransport
        var source: TransportAddress
        var destination: TransportAddress
    }

    struct Received {
        var bytes: [UInt8]
        var isKey: Bool
        /// On the server's timeline.
        var time: MediaTime
        /// When it could be decoded.
        var at: Monotonic
    }

    static let serverAddress = TransportAddress(ip: .v4(0xC000_0201), port: 7_885)
    static let videoSection = 1
    static let audioSection = 0
    static let pictureInterval = Interval.microseconds(33_333)

    let server: PeerHost
    let publisher: PeerHost
    private(set) var now = Monotonic.zero
    var toServer = Netem<InFlight>(.lan, seed: 1)
    var toPublisher = Netem<InFlight>(.lan, seed: 2)
    /// Encoders like OBS send key frames when they like, others when they are asked.
    var obeysKeyFrameRequests = false
    private var owesKeyFrame = false
    /// False is a network that passes no UDP.
    var passesUDP = true
    private(set) var pictures: [Received] = []
    private(set) var sounds: [Received] = []
    private(set) var sentPictures: [(picture: Picture, at: Monotonic)] = []
    private var nextPictureAt = Monotonic.distantFuture
    private var nextSoundAt = Monotonic.distantFuture
    private var soundCount = 0
    /// The server's number of the video stream.
    private var videoIndex: Int?
    private let video: Int
    private let audio: Int
    private var timeline = PeerTimeline()
    private var clocks: [Int: SourceClock] = [:]
    private var times: [UInt32: MediaTime] = [:]
    private var videoAssembler: FrameAssembler
    private var audioAssembler: FrameAssembler

    init(overTCP: Bool = false) throws {
        let (ours, theirs) = (ICECredentials(random: Array(1...24)), ICECredentials(random: Array(101...124)))
        var configuration = Self.configuration(.controlled, ours, theirs, .client)
        configuration.receiver = Self.receiver
        server = try PeerHost(configuration, address: Self.serverAddress)
        publisher = try PeerHost(
            Self.configuration(.controlling, theirs, ours, .server), address: PeerWorld.clientAddress)
        video = publisher.peer.sender.addStream(Self.videoStream)
        audio = publisher.peer.sender.addStream(Self.audioStream)
        videoAssembler = Self.assembler(.video(.h264))
        audioAssembler = Self.assembler(.audio(.opus))
        try server.peer.ice.addLocalCandidate(.host(server.outside), socket: PeerHost.socket, at: now)
        try publisher.peer.ice.addLocalCandidate(.host(publisher.outside), socket: PeerHost.socket, at: now)
        try publisher.peer.ice.addRemoteCandidate(.host(server.outside), at: now)
        guard overTCP else { return }
        try publisher.peer.ice.addLocalCandidate(
            .host(publisher.outside, transport: .tcp, tcpType: .active),
            socket: ICESocket(id: 1, transport: .tcp), at: now)
        try publisher.peer.ice.addRemoteCandidate(
            .host(server.outside, transport: .tcp, tcpType: .passive), at: now)
    }

    private static func assembler(_ codec: EncodedFrame.Codec) -> FrameAssembler {
        guard let assembler = FrameAssembler(codec: codec) else { preconditionFailure("no payload format") }
        return assembler
    }

    private static func configuration(
        _ role: ICEAgent.Role, _ credentials: ICECredentials, _ remote: ICECredentials, _ dtlsRole: DTLSRole
    ) -> WebRTCPeer.Configuration {
        var ice = ICEAgent.Configuration(
            mode: .full, role: role, credentials: credentials, seed: Array(credentials.password.utf8),
            hmac: { HMAC.sha1Tag(key: $0, $1) })
        if role == .controlled { (ice.mediaProvesConsent, ice.strangerChecks) = (true, 100) }
        let isServer = role == .controlled
        return WebRTCPeer.Configuration(
            ice: ice, remoteCredentials: remote,
            dtlsContext: isServer ? PeerWorld.serverContext : PeerWorld.clientContext, dtlsRole: dtlsRole,
            remoteFingerprints: [
                (isServer ? PeerWorld.clientContext : PeerWorld.serverContext).certificate.fingerprint()
            ], clock: PeerWorld.clock, cname: InlineBytes("cname") ?? InlineBytes(), targetBitrate: 4_000_000)
    }

    /// A world whose peers have met and whose publisher sends, over `settings` from then on.
    static func publishing(_ settings: NetemSettings, seed: UInt64 = 3) throws -> PublisherWorld {
        let world = try PublisherWorld()
        guard world.run(within: .seconds(10), until: \.isConnected) else { preconditionFailure("they do not connect") }
        world.startSending()
        // What is lost before the first packet came is not known to be missing.
        world.run(for: .milliseconds(500))
        world.toServer = Netem(settings, seed: seed)
        world.toPublisher = Netem(settings, seed: seed &+ 1)
        return world
    }

    var isConnected: Bool { server.state == .connected && publisher.state == .connected }
}

// MARK: - Time

extension PublisherWorld {
    func run(for interval: Interval) {
        let end = now + interval
        while step(before: end) {}
        now = end
    }

    func run(within limit: Interval, until condition: (PublisherWorld) -> Bool) -> Bool {
        let end = now + limit
        while !condition(self) {
            guard step(before: end) else { return condition(self) }
        }
        return true
    }

    private func step(before end: Monotonic) -> Bool {
        settle()
        let deadlines = [
            server.nextDeadline, publisher.nextDeadline, toServer.nextDeadline, toPublisher.nextDeadline,
            videoAssembler.nextDeadline, audioAssembler.nextDeadline, nextPictureAt, nextSoundAt,
        ]
        guard let due = deadlines.compactMap({ $0 }).min(), due <= end else { return false }
        now = max(now, due)
        sendMedia()
        while let packet = toServer.receive(at: now) { deliver(packet, to: server) }
        while let packet = toPublisher.receive(at: now) { deliver(packet, to: publisher) }
        server.advance(to: now)
        publisher.advance(to: now)
        takeFrames()
        settle()
        return true
    }

    private func deliver(_ packet: InFlight, to host: PeerHost) {
        guard packet.destination == host.outside, packet.transport == .tcp || passesUDP else { return }
        let socket = packet.transport == .udp ? PeerHost.socket : ICESocket(id: 1, transport: .tcp)
        host.receive(packet.bytes, from: packet.source, on: socket, at: now)
        if host === server { takePackets() }
        settle()
    }

    private func settle() {
        for sent in server.drainAll(at: now) { toPublisher.send(inFlight(sent, from: server), at: now) }
        for sent in publisher.drainAll(at: now) { toServer.send(inFlight(sent, from: publisher), at: now) }
        publisher.peer.forwardSenderEvents()
        if obeysKeyFrameRequests, publisher.events.contains(.keyFrameRequested(stream: video)) { owesKeyFrame = true }
        publisher.clearEvents()
    }

    private func inFlight(_ sent: (bytes: [UInt8], path: ICEPath), from host: PeerHost) -> InFlight {
        InFlight(
            bytes: sent.bytes, transport: sent.path.socket.transport, source: host.outside,
            destination: sent.path.remote)
    }
}

// MARK: - What the server makes of it

extension PublisherWorld {
    private func takePackets() {
        while let event = server.peer.pollMediaEvent() {
            guard case .senderReport(let stream) = event, let report = server.peer.receivedStream(stream)?.lastReport
            else { continue }
            clocks[stream]?.receive(report, timeline: &timeline)
        }
        while let packet = server.peer.pollPacket() {
            guard let stream = server.peer.receivedStream(packet.stream) else { continue }
            let isVideo = stream.section == Self.videoSection
            let time =
                clocks[packet.stream, default: SourceClock(clockRate: isVideo ? 90_000 : 48_000)]
                .time(of: packet.timestamp, arrival: packet.arrival, timeline: &timeline)
            times[packet.timestamp] = times[packet.timestamp] ?? time
            if isVideo {
                videoIndex = packet.stream
                videoAssembler.receive(JitterBuffer.Packet(packet))
            } else {
                audioAssembler.receive(JitterBuffer.Packet(packet))
            }
            takeFrames()
        }
    }

    private func takeFrames() {
        while let frame = videoAssembler.pollFrame(at: now) { pictures.append(received(frame)) }
        if let videoIndex {
            if videoAssembler.needsKeyFrame {
                server.peer.askForKeyFrame(of: videoIndex)
            } else {
                server.peer.noteKeyFrame(of: videoIndex)
            }
        }
        while let frame = audioAssembler.pollFrame(at: now) { sounds.append(received(frame)) }
    }

    private func received(_ frame: FrameAssembler.Frame) -> Received {
        Received(
            bytes: frame.frame.payload.bytes.copied(), isKey: frame.frame.isKey,
            time: times[frame.frame.timestamp] ?? 0, at: now)
    }

    var withheld: UInt64 { videoAssembler.statistics.framesWithheld }
    var lostSounds: Int { soundCount - sounds.count }
    var jitter: JitterBuffer.Statistics { videoAssembler.jitter }

    /// How far sound is from the picture that was sent with it, at its worst from picture `first` on.
    func worstDrift(from first: Int) -> Interval {
        let sentAt = Dictionary(sentPictures.map { ($0.picture.bytes, $0.at) }, uniquingKeysWith: { one, _ in one })
        let pictureOffsets = pictures.dropFirst(first).compactMap { picture in
            sentAt[picture.bytes].map { picture.time - $0.nanoseconds }
        }
        let soundOffsets = sounds.dropFirst(first).map { $0.time - Self.time(ofSound: $0.bytes) }
        guard let low = (pictureOffsets + soundOffsets).min(), let high = (pictureOffsets + soundOffsets).max() else {
            return .zero
        }
        return Interval(nanoseconds: high - low)
    }
}

// MARK: - What is sent

extension PublisherWorld {
    func startSending() {
        nextPictureAt = now
        nextSoundAt = now
    }

    func stopSending() {
        nextPictureAt = .distantFuture
        nextSoundAt = .distantFuture
    }

    /// A picture every 33 ms, each hundredth a key frame whatever the server asks for, and sound every 20 ms.
    private func sendMedia() {
        while nextPictureAt <= now {
            let count = sentPictures.count
            let picture = Picture(count, isKey: owesKeyFrame || count.isMultiple(of: 100), count: 4_000 + count)
            owesKeyFrame = false
            sentPictures.append((picture, nextPictureAt))
            if let frame = try? picture.packetized(pts: nextPictureAt.nanoseconds) {
                publisher.peer.send(frame, on: video, at: now)
            }
            nextPictureAt = nextPictureAt + Self.pictureInterval
        }
        while nextSoundAt <= now {
            soundCount += 1
            let time = nextSoundAt.nanoseconds
            let frame = EncodedFrame(
                codec: .audio(.opus), pts: time, dts: time, isKey: true,
                payload: SlabSlice(copying: [0xFC] + (0..<8).map { UInt8(truncatingIfNeeded: time >> ($0 * 8)) }))
            if let packets = try? PacketizedFrame(frame, as: .opus) { publisher.peer.send(packets, on: audio, at: now) }
            nextSoundAt = nextSoundAt + .milliseconds(20)
        }
    }

    private static func time(ofSound bytes: [UInt8]) -> MediaTime {
        bytes.dropFirst().reversed().reduce(0) { $0 << 8 | MediaTime($1) }
    }

    private static var extensions: HeaderExtensionMap {
        var map = HeaderExtensionMap()
        map[.mid] = 1
        return map
    }

    private static var videoStream: SendStream.Configuration {
        var stream = SendStream.Configuration(
            kind: .video, ssrc: 0xA1, payloadType: 96, clockRate: 90_000, firstSequenceNumber: 65_500,
            timestampOffset: 0xFFFF_0000)
        stream.retransmission = SendStream.Retransmission(ssrc: 0xA2, payloadType: 97, firstSequenceNumber: 9)
        stream.extensions = extensions
        stream.mid = InlineBytes("1")
        return stream
    }

    private static var audioStream: SendStream.Configuration {
        var stream = SendStream.Configuration(
            kind: .audio, ssrc: 0xA3, payloadType: 111, clockRate: 48_000, firstSequenceNumber: 77, timestampOffset: 5)
        stream.extensions = extensions
        stream.mid = InlineBytes("0")
        return stream
    }

    private static var receiver: RTPReceiver.Configuration {
        RTPReceiver.Configuration(
            localSSRC: 0xB1, cname: InlineBytes("server") ?? InlineBytes(), clock: PeerWorld.clock,
            sections: [
                RTPReceiver.Section(
                    index: audioSection, kind: .audio, mid: InlineBytes("0"),
                    payloads: [.init(type: 111, role: .media(clockRate: 48_000))], extensions: extensions,
                    feedback: []),
                RTPReceiver.Section(
                    index: videoSection, kind: .video, mid: InlineBytes("1"),
                    payloads: [
                        .init(type: 96, role: .media(clockRate: 90_000)),
                        .init(type: 97, role: .retransmission(of: 96)),
                    ], extensions: extensions, feedback: [.nack, .pictureLoss]),
            ], allowsReducedSize: true)
    }
}
