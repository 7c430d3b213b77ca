package import Bytes
import ICE
package import LiveKit
import LiveKitProtocol
import Media
import Runtime
import Transcode
import WebRTC

extension RoomPublisher: SignalSocketHandler {
    package func signalSocketOpened(_ socket: SignalSocket, at now: Monotonic) {
        guard socket === self.socket else { return }
        machine.socketOpened(at: now)
        pump(at: now)
    }

    package func signalSocket(_ socket: SignalSocket, received message: [UInt8], at now: Monotonic) {
        guard socket === self.socket else { return }
        machine.socketReceived(message, at: now)
        pump(at: now)
    }

    package func signalSocketClosed(_ socket: SignalSocket, reason: SignalSocketClosed, at now: Monotonic) {
        guard socket === self.socket else { return }
        self.socket = nil
        machine.socketClosed(reason, at: now)
        pump(at: now)
    }
}

extension RoomPublisher {
    func perform(_ command: SignalMachine.Command, at now: Monotonic) {
        switch command {
        case .openSocket(let url, let token):
            let socket = SignalSocket(
                url: url, headers: [("Authorization", "Bearer \(token)")], timeout: settings.timing.connect,
                handler: self)
            self.socket = socket
            socket.open()
        case .send(let message): socket?.send(message)
        case .closeSocket:
            let old = socket
            socket = nil
            old?.close()
        case .createPeer(let servers): makePeer(servers, at: now)
        case .restartICE(let servers):
            peer?.restartICE(network(servers), at: now)
            offerIfReady(at: now)
        case .applyAnswer(let sdp): apply(answer: sdp, at: now)
        case .addRemoteCandidate(let candidate): peer?.addRemoteCandidate(candidate.candidate, at: now)
        }
    }

    private func makePeer(_ servers: SignalMachine.MediaServers, at now: Monotonic) {
        peer?.close(at: now)
        peer = nil
        active = []
        do throws(RoomPeerError) {
            peer = try RoomPeer(
                (environment.dtls, environment.clock), network: network(servers), targetBitrate: wantedBitrate,
                hub: hub, owner: self, at: now)
        } catch {
            return machine.transportFailed("no media connection could be begun (\(error))", at: now)
        }
        updateDemand(at: now)
        offerIfReady(at: now)
    }

    private func network(_ servers: SignalMachine.MediaServers) -> ClientNetwork {
        let servers = (list: servers.iceServers, forcesRelay: servers.forcesRelay)
        var interfaces: [NetworkInterface] = []
        do throws(RuntimeError) {
            interfaces = try NetworkInterface.all()
        } catch {
            delegate?.room(self, noted: "the network interfaces are not known (\(error))")
        }
        let host = TransportAddress(host: settings.address.host, port: 0)
        var network = ClientNetwork(
            interfaces: interfaces,
            servers: servers.list.map { ICEServer(urls: $0.urls, username: $0.username, password: $0.credential) },
            includesLoopback: host?.ip.isLoopback ?? (settings.address.host == "localhost"))
        network.forcesRelay = servers.forcesRelay
        return network
    }

    /// Publishes what is known, and offers it once there is something to send. Call it whenever more may be known.
    func offerIfReady(at now: Monotonic) {
        guard let peer, !hasEnded else { return }
        // livekit-server takes a section without rids for a track that begins once the connection is up, even before its
        // packets, and would tell of the track before it tells of the participant. So it hears of these later.
        if !rungs.isEmpty, rungs.count > 1 || peer.isUp { machine.publish(tracks.videoRequest(rungs), at: now) }
        if soundSince != nil, peer.isUp { machine.publish(tracks.audioRequest, at: now) }
        guard machine.state == .joined, !machine.isNegotiating, !peer.isOffered else { return }
        if rungs.isEmpty {
            guard let soundSince else { return }
            guard now - soundSince >= Self.pictureWait else {
                return pictureTimer.schedule(at: soundSince + Self.pictureWait, calling: self)
            }
        }
        let media = RoomPeer.Media(
            tracks: .init(stream: tracks.ingressID, audio: tracks.audioID, video: tracks.videoID),
            isStereo: tracks.audio.channels > 1, codec: tracks.codec,
            parameters: tracks.parameters, isDescribed: tracks.isDescribed, layers: rungs.map(\.quality))
        if let sdp = peer.makeOffer(media) { machine.sendOffer(sdp: sdp, at: now) }
    }

    private func apply(answer: String, at now: Monotonic) {
        guard let peer else { return }
        do throws(RoomPeerError) {
            try peer.apply(answer: answer, at: now)
        } catch {
            return machine.transportFailed("the server's answer cannot be used (\(error))", at: now)
        }
        updateDemand(at: now)
        // What became known while this offer was under way.
        offerIfReady(at: now)
    }
}

// MARK: - The peer connection

extension RoomPublisher: RoomPeerOwner {
    func roomPeer(_ peer: RoomPeer, raised event: WebRTCPeer.Event, at now: Monotonic) {
        guard peer === self.peer else { return }
        switch event {
        case .connected, .reconnected:
            figures.path = peer.peer?.connection.ice.selectedPath
            machine.transportConnected(at: now)
            if !hasConnected {
                hasConnected = true
                delegate?.roomConnected(self, at: now)
            }
            active = []
            offerIfReady(at: now)
            updateDemand(at: now)
        case .disconnected:
            machine.transportLost(at: now)
            updateDemand(at: now)
        case .closed(.closedByPeer):
            machine.transportClosed(at: now)
            updateDemand(at: now)
        case .closed(let reason):
            machine.transportFailed("the media connection ended (\(reason))", at: now)
            updateDemand(at: now)
        case .keyFrameRequested(let stream):
            if let quality = peer.quality(of: stream), active.contains(quality) {
                session?.requestKeyFrame(quality)
                askForKeyFrame(quality)
            }
        case .candidateFound(let candidate):
            machine.sendCandidate(
                CandidateInit(candidate: candidate.description, mid: "0", sectionIndex: 0, fragment: peer.fragment))
        case .gatheringFinished: machine.sendCandidate(nil)
        case .pathChanged(let path):
            let left = figures.path?.route
            figures.path = path
            // Media falls back to TCP or a relay by itself; the server follows after a restart only.
            if left == .udp, path.route != .udp { machine.transportMoved(at: now) }
        case .bandwidthEstimated(let rate): note(estimate: rate, at: now)
        case .blackOutEnded(let rate): restore(estimate: rate, at: now)
        case .relayFailed(let failure, _): delegate?.room(self, noted: "a TURN server was of no help (\(failure))")
        // The estimate knows of it.
        case .bitrateLimited, .feedbackReceived: break
        }
        pump(at: now)
    }
}
