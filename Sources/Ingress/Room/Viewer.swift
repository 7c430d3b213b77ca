package import Bytes
import ICE
package import Media
import RTP
package import Runtime
package import SDP
package import Transcode
package import WebRTC

/// One WHEP viewer: a peer connection with a video and an audio stream, and the layer it wants.
///
/// Layers change without renegotiation: the old one goes on until the new one has a key frame, and both share one RTP clock.
@MediaLoop
package final class Viewer {
    package let openedAt: Monotonic
    package private(set) var wish: LayerQuality
    /// The layer that is being sent; nil before the first key frame.
    package private(set) var current: LayerQuality?
    package private(set) var isConnected = false
    /// As answered.
    let videoCodec: VideoCodec
    /// It tells the layers of one stream apart by their dependency descriptors.
    private(set) var readsDescriptors = false
    package private(set) var end: WebRTCPeer.CloseReason?

    private weak var stream: LocalStream?
    private var peer: HubPeer?
    private var videoStream: Int?
    private var audioStream: Int?
    private let onClose: @MediaLoop () -> Void

    package var hasVideo: Bool { videoStream != nil }
    package var hasAudio: Bool { audioStream != nil }

    private init(
        stream: LocalStream, wish: LayerQuality, codec: VideoCodec, at now: Monotonic,
        onClose: @escaping @MediaLoop () -> Void
    ) {
        self.stream = stream
        videoCodec = codec
        self.wish = wish
        self.onClose = onClose
        openedAt = now
    }

    /// Answers an offer and waits for the viewer's checks. `onClose` is called when the viewer is gone, unless `close` was.
    package static func open(
        offer: SessionDescription, on stream: LocalStream, wish: LayerQuality, codec: VideoCodec,
        parameters: [String: String] = [:], isStereo: Bool, targetBitrate: Int, hub: PeerHub,
        environment: PeerEnvironment, at now: Monotonic,
        onClose: @escaping @MediaLoop () -> Void
    ) throws(ViewerError) -> (viewer: Viewer, answer: SessionDescription) {
        let credentials = ICECredentials(random: Randomness.bytes(ICECredentials.randomBytes))
        let ports: PeerPorts
        do throws(RuntimeError) { ports = try hub.takePorts() } catch { throw .connection }
        var isTaken = false
        defer { if !isTaken { hub.giveBack(ports, at: now) } }
        let plan = try makePlan(
            offer: offer, credentials: credentials, codec: codec, parameters: parameters, isStereo: isStereo,
            ports: ports, environment: environment)
        let viewer = Viewer(stream: stream, wish: wish, codec: codec, at: now, onClose: onClose)
        var connection: WebRTCPeer
        do {
            let configuration = try WebRTCPeer.Configuration(
                plan: plan, ice: environment.agent(credentials, on: hub), dtlsContext: environment.dtls,
                clock: environment.clock, cname: PeerEnvironment.cname, targetBitrate: targetBitrate)
            connection = try WebRTCPeer(configuration, at: now)
        } catch {
            throw ViewerError.connection
        }
        var random = SystemRandomNumberGenerator()
        for section in plan.sections {
            guard let layer = section.layers.first else { continue }
            let index = connection.sender.addStream(section.stream(layer, seed: StreamSeed(using: &random)))
            switch section.kind {
            case .video:
                viewer.videoStream = index
                viewer.readsDescriptors = section.isDescribed
            case .audio: viewer.audioStream = index
            }
        }
        let peer = hub.add(connection, fragment: credentials.fragment, on: ports, owner: viewer)
        isTaken = true
        viewer.peer = peer
        peer.settle(at: now)
        return (viewer, plan.localDescription)
    }

    private static func makePlan(
        offer: SessionDescription, credentials: ICECredentials, codec: VideoCodec, parameters: [String: String],
        isStereo: Bool, ports: PeerPorts, environment: PeerEnvironment
    ) throws(ViewerError) -> MediaPlan {
        let stream = "ingress"
        var ssrcs: Set<UInt32> = []
        while ssrcs.count < 3 { ssrcs.insert(UInt32.random(in: 1 ... .max)) }
        let numbers = Array(ssrcs)
        let capabilities = SendCapabilities(
            cname: PeerEnvironment.cname.text,
            audio: SentAudio(
                track: MediaStreamID(stream: stream, track: "audio"), ssrc: numbers[0], isStereo: isStereo),
            video: SentVideo(
                track: MediaStreamID(stream: stream, track: "video"), codec: codec, passing: parameters,
                layers: [SentLayer(ssrc: numbers[1], rtxSSRC: numbers[2])]))
        do throws(MediaPlanError) {
            return try MediaPlan.answer(
                to: offer, wanting: capabilities, local: environment.transport(credentials, on: ports))
        } catch {
            throw .offer(error)
        }
    }

    // MARK: - The stream's side

    /// Whether a frame of `quality` is for this viewer now. `serving`: the layer that its wish leads to.
    func accepts(_ quality: LayerQuality, isKey: Bool, serving: LayerQuality?) -> Bool {
        guard isConnected, videoStream != nil else { return false }
        return quality == current || (quality == serving && isKey)
    }

    /// True when the viewer has changed its layer by this.
    func send(video frame: PacketizedFrame, quality: LayerQuality, at now: Monotonic) -> Bool {
        guard let peer, let videoStream else { return false }
        let switches = quality != current
        if switches { current = quality }
        peer.connection.send(frame, on: videoStream, at: now)
        settle(peer, at: now)
        return switches
    }

    func send(audio frame: PacketizedFrame, at now: Monotonic) {
        guard isConnected, let peer, let audioStream else { return }
        peer.connection.send(frame, on: audioStream, at: now)
        settle(peer, at: now)
    }

    /// Likewise for a packet that goes on as it is.
    func forward(video packet: ForwardedPacket, quality: LayerQuality, at now: Monotonic) -> Bool {
        guard let peer, let videoStream else { return false }
        let switches = quality != current
        if switches { current = quality }
        peer.connection.forward(packet, on: videoStream, at: now)
        settle(peer, at: now)
        return switches
    }

    func forward(audio packet: ForwardedPacket, at now: Monotonic) {
        guard isConnected, let peer, let audioStream else { return }
        peer.connection.forward(packet, on: audioStream, at: now)
        settle(peer, at: now)
    }

    /// Ends the connection for a reason of the stream's, and tells so.
    func leave(at now: Monotonic) {
        guard end == nil else { return }
        close(at: now)
        onClose()
    }

    func sourceEnded() {
        current = nil
        if let videoStream { peer?.connection.sender.requireKeyFrame(on: videoStream) }
    }

    /// Changes the layer; the picture follows at the new layer's next key frame, which is asked for.
    package func select(_ quality: LayerQuality) {
        guard quality != wish else { return }
        wish = quality
        stream?.updateDemand()
        stream?.requestKeyFrame(for: self)
    }

    /// Ends the connection in good order. `onClose` is not called.
    package func close(at now: Monotonic) {
        guard end == nil else { return }
        end = .closedHere
        isConnected = false
        peer?.close(at: now)
        peer = nil
        stream?.remove(self)
    }

    private func settle(_ peer: HubPeer, at now: Monotonic) {
        peer.connection.forwardSenderEvents()
        peer.settle(at: now)
    }
}

extension Viewer: HubPeerOwner {
    package func peer(_ peer: HubPeer, raised event: WebRTCPeer.Event, at now: Monotonic) {
        switch event {
        case .connected:
            isConnected = true
            stream?.updateDemand()
            stream?.requestKeyFrame(for: self)
        case .keyFrameRequested: stream?.requestKeyFrame(for: self)
        case .closed(let reason):
            guard end == nil else { return }
            end = reason
            isConnected = false
            peer.close(at: now)
            self.peer = nil
            stream?.remove(self)
            onClose()
        case .disconnected, .reconnected, .bitrateLimited, .feedbackReceived, .bandwidthEstimated, .blackOutEnded,
            .candidateFound,
            .gatheringFinished, .relayFailed, .pathChanged:
            break
        }
    }
}

/// Why a viewer could not be taken in.
package enum ViewerError: Error, Equatable, Sendable {
    case offer(MediaPlanError)
    case connection
}
