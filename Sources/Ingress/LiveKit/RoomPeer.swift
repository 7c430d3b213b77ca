import Bytes
import DTLS
import ICE
import LiveKit
import Media
import RTP
import Runtime
import SDP
import Transcode
import WebRTC

/// Why a room's answer was of no use.
enum RoomPeerError: Error, Equatable, Sendable {
    case sdp(SDPError)
    case media(MediaPlanError)
    case credentials
    case handshake
    case unasked
}

@MediaLoop
protocol RoomPeerOwner: AnyObject {
    func roomPeer(_ peer: RoomPeer, raised event: WebRTCPeer.Event, at now: Monotonic)
}

/// The peer connection to a room: what it offers, what the answer made of it, and its streams by layer.
///
/// Audio is the first section of every offer, used or not, so that either kind can come later by one more offer.
@MediaLoop
final class RoomPeer: HubPeerOwner, TimerHandler {
    /// What is offered.
    struct Media: Equatable {
        var tracks: MediaStreamIDs
        var isStereo: Bool
        var codec: VideoCodec
        /// `a=fmtp` of pictures that somebody else encoded; empty for ours.
        var parameters: [String: String] = [:]
        /// With dependency descriptors.
        var isDescribed = false
        /// Lowest first; empty offers no video.
        var layers: [LayerQuality]
    }

    struct MediaStreamIDs: Equatable {
        var stream: String
        var audio: String
        var video: String
    }

    private(set) var peer: HubPeer?
    /// ICE and DTLS are up, the other side is heard, and had time to tell of the participant.
    private(set) var isUp = false
    /// An offer was made, and nothing has to be offered anew.
    private(set) var isOffered = false
    private(set) var audioStream: Int?
    /// By `LayerQuality.index`.
    private var videoStreams = [Int?](repeating: nil, count: LayerQuality.allCases.count)

    private weak var owner: (any RoomPeerOwner)?
    private let hub: PeerHub
    private let dtls: DTLSContext
    private var credentials: ICECredentials
    private let sessionID = UInt64.random(in: 0..<(1 << 62))
    private var version: UInt64 = 0
    private var offer: MediaOffer?
    private var hasGathered = false
    private var sections: Set<String> = []
    private let audioSSRC: UInt32
    private let layers: [LayerQuality: SentLayer]
    private let introductionTimer = LoopTimer()

    init(
        _ configuration: (dtls: DTLSContext, clock: NTPClock), network: ClientNetwork, targetBitrate: Int, hub: PeerHub,
        owner: any RoomPeerOwner, at now: Monotonic
    ) throws(RoomPeerError) {
        self.owner = owner
        self.hub = hub
        dtls = configuration.dtls
        credentials = ICECredentials(random: Randomness.bytes(ICECredentials.randomBytes))
        var numbers: Set<UInt32> = []
        while numbers.count < 1 + 2 * LayerQuality.allCases.count { numbers.insert(.random(in: 1 ... .max)) }
        var ssrcs = Array(numbers)
        audioSSRC = ssrcs.removeLast()
        var layers: [LayerQuality: SentLayer] = [:]
        for quality in LayerQuality.allCases {
            layers[quality] = SentLayer(rid: quality.rid, ssrc: ssrcs.removeLast(), rtxSSRC: ssrcs.removeLast())
        }
        self.layers = layers
        var ice = ICEAgent.Configuration(
            mode: .full, role: .controlling, credentials: credentials, seed: Randomness.bytes(32),
            hmac: { HMAC.sha1Tag(key: $0, $1) })
        ice.md5 = { Digest.md5Tag($0) }
        ice.timing.nominationDelay = Self.nominationDelay
        ice.timing.disconnectedAfter = Self.silence
        ice.timing.askAfter = Self.pause
        var settings = WebRTCPeer.Configuration(
            ice: ice, remoteCredentials: nil, dtlsContext: dtls, dtlsRole: .server, remoteFingerprints: [],
            clock: configuration.clock, cname: InlineBytes(Self.cname) ?? InlineBytes(), targetBitrate: targetBitrate)
        settings.estimatesBandwidth = true
        do {
            let connection = try WebRTCPeer(settings, at: now)
            peer = try hub.addClient(connection, network: network, owner: self, at: now)
        } catch {
            throw .handshake
        }
        peer?.settle(at: now)
    }

    private static let cname = "ingress"
    /// From a connection to the first packet. livekit-server tells of a participant once it is connected and of a track
    /// once its packets come, each in a task of its own; webhooks would have tracks of participants yet to join.
    private static let introduction = Interval.milliseconds(30)
    /// Servers seldom have several addresses; one that answers is good enough.
    private static let nominationDelay = Interval.milliseconds(20)
    /// The server is heard at least once a second, by its reports. A backup path takes over sooner than this.
    private static let silence = Interval.seconds(5)
    /// While pictures are sent it is heard ten times a second, by its feedback.
    private static let pause = Interval.milliseconds(600)

    // MARK: - Descriptions

    /// An offer of `media`, with the candidates known so far.
    func makeOffer(_ media: Media) -> String? {
        guard let peer else { return nil }
        version += 1
        isOffered = true
        let fingerprint = dtls.certificate.fingerprint()
        var local = LocalTransport(
            sessionID: sessionID, sessionVersion: version, iceUfrag: credentials.fragment,
            icePwd: credentials.password, isICELite: false, iceOptions: ["trickle"],
            fingerprints: [SDP.Fingerprint(algorithm: fingerprint.algorithm.name, bytes: fingerprint.bytes)])
        local.candidates = peer.connection.ice.localCandidates.map(\.description)
        local.endOfCandidates = hasGathered
        let offer = MediaOffer(publishing: capabilities(media), local: local)
        self.offer = offer
        return String(decoding: offer.description.serialized(), as: UTF8.self)
    }

    private func capabilities(_ media: Media) -> SendCapabilities {
        let ids = media.tracks
        var video: SentVideo?
        var sent = media.layers.compactMap { layers[$0] }
        if sent.count == 1 { sent[0].rid = nil }
        if !sent.isEmpty {
            video = SentVideo(
                track: MediaStreamID(stream: ids.stream, track: ids.video), codec: media.codec,
                passing: media.parameters, layers: sent)
            video?.isDescribed = media.isDescribed
        }
        return SendCapabilities(
            cname: Self.cname,
            audio: SentAudio(
                track: MediaStreamID(stream: ids.stream, track: ids.audio), ssrc: audioSSRC, isStereo: media.isStereo),
            video: video)
    }

    /// Something else has to be offered than the last time.
    func needsOffer() { isOffered = false }

    /// Takes the answer to the last offer and begins to send what it accepts.
    func apply(answer text: String, at now: Monotonic) throws(RoomPeerError) {
        guard let peer, let offer else { throw .unasked }
        let answer: SessionDescription
        do throws(SDPError) { answer = try SessionDescription(parsing: text) } catch { throw .sdp(error) }
        let plan: MediaPlan
        do throws(MediaPlanError) { plan = try offer.apply(answer: answer) } catch { throw .media(error) }
        let remote: WebRTCPeer.Remote
        do throws(ICEError) { remote = try WebRTCPeer.Remote(plan: plan) } catch { throw .credentials }
        do throws(DTLSError) {
            try peer.connection.setRemote(remote, at: now)
        } catch {
            throw .handshake
        }
        for section in plan.sections where sections.insert(section.mid).inserted { addStreams(of: section, to: peer) }
        peer.settle(at: now)
    }

    private func addStreams(of section: PlannedSection, to peer: HubPeer) {
        var random = SystemRandomNumberGenerator()
        for layer in section.layers {
            let stream = peer.connection.sender.addStream(section.stream(layer, seed: StreamSeed(using: &random)))
            switch section.kind {
            case .audio: audioStream = stream
            case .video:
                guard let quality = layers.first(where: { $0.value.ssrc == layer.ssrc })?.key else { continue }
                videoStreams[quality.index] = stream
            }
        }
    }

    /// New credentials and candidates, to be offered next.
    func restartICE(_ network: ClientNetwork, at now: Monotonic) {
        guard let peer else { return }
        credentials = ICECredentials(random: Randomness.bytes(ICECredentials.randomBytes))
        isOffered = false
        hasGathered = false
        hub.restartICE(peer, credentials: credentials, network: network, at: now)
        peer.settle(at: now)
    }

    func addRemoteCandidate(_ text: String, at now: Monotonic) { peer?.addRemoteCandidate(text, at: now) }

    /// Of the present generation, for candidates.
    var fragment: String { credentials.fragment }

    // MARK: - Media

    /// False when the frame was dropped.
    func send(_ frame: PacketizedFrame, on stream: Int, at now: Monotonic) -> Bool {
        guard isUp, let peer else { return false }
        let isTaken = peer.connection.send(frame, on: stream, at: now)
        peer.connection.forwardSenderEvents()
        peer.settle(at: now)
        return isTaken
    }

    /// Sends another sender's packet. False when it was dropped.
    func forward(_ packet: ForwardedPacket, on stream: Int, at now: Monotonic) -> Bool {
        guard isUp, let peer else { return false }
        let isTaken = peer.connection.forward(packet, on: stream, at: now)
        if !isTaken { peer.connection.forwardSenderEvents() }
        peer.settle(at: now)
        return isTaken
    }

    /// The layer's next frame is to be a key frame; those before it are dropped.
    func requireKeyFrame(_ quality: LayerQuality) {
        guard let stream = videoStream(of: quality) else { return }
        peer?.connection.sender.requireKeyFrame(on: stream)
    }

    /// The layer that nobody could have goes on with its next packet.
    func resumeForwarding(_ quality: LayerQuality) {
        guard let stream = videoStream(of: quality) else { return }
        peer?.connection.sender.resumeForwarding(on: stream)
    }

    func videoStream(of quality: LayerQuality) -> Int? { videoStreams[quality.index] }

    func quality(of stream: Int) -> LayerQuality? { LayerQuality.allCases.first { videoStream(of: $0) == stream } }

    /// Bits a second of all that is sent on a perfect path.
    func setTargetBitrate(_ bitrate: Int) { peer?.connection.sender.targetBitrate = bitrate }

    func close(at now: Monotonic) {
        isUp = false
        introductionTimer.cancel()
        owner = nil
        peer?.close(at: now)
        peer = nil
    }

    func peer(_ peer: HubPeer, raised event: WebRTCPeer.Event, at now: Monotonic) {
        guard peer === self.peer || self.peer == nil else { return }
        switch event {
        case .connected: return introductionTimer.schedule(at: now + Self.introduction, calling: self)
        case .reconnected: isUp = true
        case .disconnected:
            isUp = false
            introductionTimer.cancel()
        case .closed:
            isUp = false
            introductionTimer.cancel()
            self.peer = nil
            peer.close(at: now)
        case .gatheringFinished: hasGathered = true
        default: break
        }
        owner?.roomPeer(self, raised: event, at: now)
    }
    package func timerFired(_ timer: LoopTimer, at now: Monotonic) {
        isUp = true
        owner?.roomPeer(self, raised: .connected, at: now)
    }
}
