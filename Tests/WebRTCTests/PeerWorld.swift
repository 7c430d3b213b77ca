import Bytes
import DTLS
import ICE
import Media
import RTP
import TestSupport
import WebRTC

/// One peer, its socket and what its driver saw.
final class PeerHost {
    static let socket = ICESocket(id: 0)

    var peer: WebRTCPeer
    /// As the other side sees it. Changing it is what a NAT does when it forgets.
    var outside: TransportAddress
    private(set) var events: [WebRTCPeer.Event] = []
    /// Decrypted RTP packets.
    var media: [[UInt8]] = []
    /// Decrypted RTCP, each with what is left of its SRTCP tail, and when it came.
    private(set) var control: [(bytes: [UInt8], at: Monotonic)] = []
    /// Everything sent, in order.
    private(set) var sent: [[UInt8]] = []
    /// How often in a row the deadline had passed already when the driver looked, at its worst.
    private(set) var worstSpin = 0
    private var spin = (at: Monotonic.zero, count: 0)

    init(_ configuration: WebRTCPeer.Configuration, address: TransportAddress) throws {
        peer = try WebRTCPeer(configuration, at: .zero)
        outside = address
    }

    @discardableResult
    func receive(
        _ bytes: [UInt8], from source: TransportAddress, on socket: ICESocket = PeerHost.socket, at now: Monotonic
    ) -> WebRTCPeer.Received {
        var datagram = bytes
        var elements = datagram.mutableSpan
        var span = elements.mutableBytes
        let drops = peer.drops
        let received = peer.receive(&span, on: ICEPath(socket: socket, remote: source), at: now)
        if case .media(let count) = received { media.append(Array(datagram.prefix(count))) }
        if STUNDemux.classify(datagram.rawSpan) == .rtcp, peer.drops == drops { control.append((datagram, now)) }
        return received
    }

    /// Drains transmits, then events, as a driver does.
    func drain(at now: Monotonic) -> [(bytes: [UInt8], to: TransportAddress)] {
        drainAll(at: now).map { ($0.bytes, $0.path.remote) }
    }

    func drainAll(at now: Monotonic) -> [(bytes: [UInt8], path: ICEPath)] {
        var batch: [(bytes: [UInt8], path: ICEPath)] = []
        while true {
            let (bytes, path) = captureOutput { peer.pollTransmit(into: &$0, at: now) }
            guard let path else { break }
            batch.append((bytes, path))
        }
        while let event = peer.pollEvent() { events.append(event) }
        sent += batch.map(\.bytes)
        return batch
    }

    func advance(to now: Monotonic) {
        guard let deadline = peer.nextDeadline, deadline <= now else { return }
        spin = spin.at == now ? (now, spin.count + 1) : (now, 1)
        worstSpin = max(worstSpin, spin.count)
        peer.advance(to: now)
    }

    func protect(_ write: (inout OutputRawSpan) -> Void) -> [UInt8]? {
        let (bytes, path) = captureOutput { output in
            write(&output)
            return peer.protectControl(&output)
        }
        guard path != nil else { return nil }
        sent.append(bytes)
        return bytes
    }

    func clearEvents() { events = [] }

    // `#expect` cannot hold the peer itself, which is not copyable.
    var state: WebRTCPeer.State { peer.state }
    var drops: WebRTCPeer.Drops { peer.drops }
    var nextDeadline: Monotonic? { peer.nextDeadline }
    var path: ICEPath? { peer.ice.selectedPath }
    var isNominated: Bool { peer.ice.isNominated }
    var selectedRemote: TransportAddress? { peer.ice.selectedPath?.remote }

    var end: WebRTCPeer.CloseReason? {
        if case .closed(let reason) = events.last { reason } else { nil }
    }
}

/// A server peer (ICE-lite, DTLS server, sends), a client peer (full ICE, DTLS client, receives), the network between
/// them, and time that passes only when told to.
///
/// DTLS alone sees the real clock, so the handshake runs over a network that loses nothing; `settings` hold after it.
final class PeerWorld {
    struct InFlight: Sendable {
        var bytes: [UInt8]
        var source: TransportAddress
        var destination: TransportAddress
    }

    static let serverAddress = TransportAddress(ip: .v4(0xC000_0201), port: 7_885)
    static let clientAddress = TransportAddress(ip: .v4(0xC633_6402), port: 50_000)
    static let serverContext = makeContext()
    static let clientContext = makeContext()
    static let clock = NTPClock(NTPTime(unixNanoseconds: 1_800_000_000_000_000_000), at: .zero)

    let server: PeerHost
    let client: PeerHost
    let video: Int
    let audio: Int
    private(set) var now = Monotonic.zero
    var toServer = Netem<InFlight>(.lan, seed: 1)
    var toClient = Netem<InFlight>(.lan, seed: 2)
    /// Looks at what goes to the server, and may swallow it.
    var serverFilter: ([UInt8]) -> Bool = { _ in true }

    init(
        serverExpects: [Fingerprint]? = nil, clientExpects: [Fingerprint]? = nil, patience: Interval = .seconds(30),
        clientOffers: Bool = false, serverRole: DTLSRole = .server, estimatesBandwidth: Bool = false
    ) throws {
        let serverCredentials = ICECredentials(random: Array(1...24))
        let clientCredentials = ICECredentials(random: Array(101...124))
        var configuration = Self.configuration(
            .lite, .controlled, serverCredentials, clientCredentials, serverRole,
            expecting: serverExpects ?? [Self.clientContext.certificate.fingerprint()], patience: patience)
        configuration.estimatesBandwidth = estimatesBandwidth
        server = try PeerHost(configuration, address: Self.serverAddress)
        client = try PeerHost(
            Self.configuration(
                .full, .controlling, clientCredentials, clientOffers ? nil : serverCredentials, .client,
                expecting: clientExpects ?? [Self.serverContext.certificate.fingerprint()], patience: patience),
            address: Self.clientAddress)
        video = server.peer.sender.addStream(Self.videoStream)
        audio = server.peer.sender.addStream(Self.audioStream)
    }

    private static func configuration(
        _ mode: ICEAgent.Mode, _ role: ICEAgent.Role, _ credentials: ICECredentials, _ remote: ICECredentials?,
        _ dtlsRole: DTLSRole, expecting fingerprints: [Fingerprint], patience: Interval
    ) -> WebRTCPeer.Configuration {
        var ice = ICEAgent.Configuration(
            mode: mode, role: role, credentials: credentials, seed: Array(credentials.password.utf8),
            hmac: { HMAC.sha1Tag(key: $0, $1) })
        ice.timing.patience = patience
        return WebRTCPeer.Configuration(
            ice: ice, remoteCredentials: remote, dtlsContext: mode == .lite ? serverContext : clientContext,
            dtlsRole: dtlsRole, remoteFingerprints: fingerprints, clock: clock,
            cname: InlineBytes("cname") ?? InlineBytes(), targetBitrate: 2_000_000)
    }

    private static func makeContext() -> DTLSContext {
        do { return try DTLSContext(certificate: .selfSigned(unixSeconds: 1_800_000_000)) } catch {
            preconditionFailure("no DTLS context: \(error)")
        }
    }

    /// Gives the client its candidates, so that it begins to check.
    func introduce() throws {
        try client.peer.ice.addLocalCandidate(.host(client.outside), socket: PeerHost.socket, at: now)
        try client.peer.ice.addRemoteCandidate(.host(server.outside), at: now)
    }

    /// A world whose peers have met, over `settings` from then on.
    static func connected(
        _ settings: NetemSettings = .lan, seed: UInt64 = 7, estimatesBandwidth: Bool = false
    ) throws -> PeerWorld {
        let world = try PeerWorld(estimatesBandwidth: estimatesBandwidth)
        try world.introduce()
        guard world.run(within: .seconds(10), until: { $0.server.state == .connected && $0.client.state == .connected })
        else { preconditionFailure("two peers do not connect: \(world.server.events) \(world.client.events)") }
        world.toServer = Netem(settings, seed: seed)
        world.toClient = Netem(settings, seed: seed &+ 1)
        world.server.clearEvents()
        world.client.clearEvents()
        return world
    }
}

// MARK: - Time

extension PeerWorld {
    func run(for interval: Interval) {
        let end = now + interval
        while step(before: end) {}
        now = end
    }

    /// False when the condition does not come to hold within `limit`.
    func run(within limit: Interval, until condition: (PeerWorld) -> Bool) -> Bool {
        let end = now + limit
        while !condition(self) {
            guard step(before: end) else { return condition(self) }
        }
        return true
    }

    /// Goes to the next thing that happens; false when nothing does up to `end`.
    private func step(before end: Monotonic) -> Bool {
        settle()
        let deadlines = [server.nextDeadline, client.nextDeadline, toServer.nextDeadline, toClient.nextDeadline]
        guard let due = deadlines.compactMap({ $0 }).min(), due <= end else { return false }
        now = max(now, due)
        while let packet = toServer.receive(at: now) {
            guard serverFilter(packet.bytes), packet.destination == server.outside else { continue }
            server.receive(packet.bytes, from: packet.source, at: now)
            settle()
        }
        while let packet = toClient.receive(at: now) {
            guard packet.destination == client.outside else { continue }
            client.receive(packet.bytes, from: packet.source, at: now)
            settle()
        }
        server.advance(to: now)
        client.advance(to: now)
        settle()
        return true
    }

    /// Puts on the wire what may leave now.
    func settle() {
        for (bytes, destination) in server.drain(at: now) {
            toClient.send(InFlight(bytes: bytes, source: server.outside, destination: destination), at: now)
        }
        for (bytes, destination) in client.drain(at: now) {
            toServer.send(InFlight(bytes: bytes, source: client.outside, destination: destination), at: now)
        }
    }

    /// The last sender report that the client got.
    var lastReport: SenderReport? {
        guard let bytes = client.control.last?.bytes else { return nil }
        var reader = RTCPReader(bytes.rawSpan)
        guard let packet = try? reader.next() else { return nil }
        return try? packet.senderReport()
    }

    var worstSpin: Int { max(server.worstSpin, client.worstSpin) }
}

// MARK: - What is sent

extension PeerWorld {
    static let videoSSRC: UInt32 = 0x1111
    static let retransmissionSSRC: UInt32 = 0x2222
    static let audioSSRC: UInt32 = 0x3333
    static let clientSSRC: UInt32 = 0x4444
    /// Of the video; wraps soon.
    static let firstSequenceNumber: UInt16 = 65_500

    static var extensions: HeaderExtensionMap {
        var map = HeaderExtensionMap()
        map[.mid] = 4
        map[.transportSequence] = 3
        return map
    }

    private static var videoStream: SendStream.Configuration {
        var stream = SendStream.Configuration(
            kind: .video, ssrc: videoSSRC, payloadType: 102, clockRate: 90_000,
            firstSequenceNumber: firstSequenceNumber,
            timestampOffset: 0xFFFF_FF00)
        stream.retransmission = SendStream.Retransmission(
            ssrc: retransmissionSSRC, payloadType: 103, firstSequenceNumber: 9)
        stream.extensions = extensions
        stream.mid = InlineBytes("1")
        return stream
    }

    private static var audioStream: SendStream.Configuration {
        var stream = SendStream.Configuration(
            kind: .audio, ssrc: audioSSRC, payloadType: 111, clockRate: 48_000, firstSequenceNumber: 77,
            timestampOffset: 5)
        stream.extensions = extensions
        stream.mid = InlineBytes("0")
        return stream
    }

    /// Sends a picture now; true when it was taken.
    @discardableResult
    func send(_ picture: Picture) throws -> Bool {
        let frame = try picture.packetized(pts: now.nanoseconds)
        let isTaken = server.peer.send(frame, on: video, at: now)
        server.peer.forwardSenderEvents()
        settle()
        return isTaken
    }

    @discardableResult
    func send(audio payload: [UInt8]) throws -> Bool {
        let frame = EncodedFrame(
            codec: .audio(.opus), pts: now.nanoseconds, dts: now.nanoseconds, isKey: true,
            payload: SlabSlice(copying: payload))
        let isTaken = server.peer.send(try PacketizedFrame(frame, as: .opus), on: audio, at: now)
        settle()
        return isTaken
    }

    /// Sends RTCP from the client, as `write` makes it.
    func sendControl(_ write: (inout OutputRawSpan) -> Void) {
        guard let bytes = client.protect(write), let destination = client.selectedRemote else { return }
        toServer.send(InFlight(bytes: bytes, source: client.outside, destination: destination), at: now)
    }

    /// Brings a datagram to the server at once, from `source` or else from where the client is.
    func inject(_ bytes: [UInt8], from source: TransportAddress? = nil) {
        server.receive(bytes, from: source ?? client.outside, at: now)
        settle()
    }
}

/// An H.264 access unit of made-up content, in Annex B.
struct Picture: Equatable {
    var isKey: Bool
    var bytes: [UInt8]

    /// `index` makes the content its own; `count` is about its size.
    init(_ index: Int, isKey: Bool = false, count: Int = 3_000) {
        self.isKey = isKey
        let units: [[UInt8]] =
            isKey
            ? [[0x67, 0x42, 0xE0, 0x1F, 1], [0x68, 0xCE, 6], Self.unit(0x65, index, count)]
            : [Self.unit(0x41, index, count)]
        bytes = units.flatMap { [0, 0, 0, 1] + $0 }
    }

    /// Starts with the leading 1 bit of a first slice, and never has a start code inside.
    private static func unit(_ header: UInt8, _ index: Int, _ count: Int) -> [UInt8] {
        [header, 0x80 | UInt8(truncatingIfNeeded: index)]
            + (0..<count).map { UInt8(truncatingIfNeeded: ($0 &* 31 &+ index) % 251 + 4) }
    }

    func packetized(pts: MediaTime) throws(RTPError) -> PacketizedFrame {
        let frame = EncodedFrame(
            codec: .video(.h264), pts: pts, dts: pts, isKey: isKey, payload: SlabSlice(copying: bytes))
        return try PacketizedFrame(frame, as: .h264AnnexB)
    }
}
