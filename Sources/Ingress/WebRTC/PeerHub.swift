package import Bytes
package import ICE
package import Runtime
package import WebRTC

/// Whoever owns a peer on the hub.
@MediaLoop
package protocol HubPeerOwner: AnyObject {
    func peer(_ peer: HubPeer, raised event: WebRTCPeer.Event, at now: Monotonic)
    /// Media came; `connection.pollPacket` has it.
    func peerReceivedMedia(_ peer: HubPeer, at now: Monotonic)
}

extension HubPeerOwner {
    package func peerReceivedMedia(_ peer: HubPeer, at now: Monotonic) {}
}

/// A `WebRTCPeer` with its timer and its place in the hub.
@MediaLoop
package final class HubPeer {
    package var connection: WebRTCPeer
    package fileprivate(set) weak var owner: (any HubPeerOwner)?
    /// Among the hub's `unsettled`.
    fileprivate var isUnsettled = false
    /// Of this generation and the one before; older ones are forgotten.
    fileprivate var fragments: [String]
    fileprivate let timer = LoopTimer()
    fileprivate var paths: Set<ICEPath> = []
    fileprivate(set) weak var hub: PeerHub?
    /// A client peer's own sockets; nil for one behind the hub's ports.
    var endpoint: ClientEndpoint?
    /// Nil for a client peer.
    package let ports: PeerPorts?
    /// Where the last datagram went, and most likely the next one goes.
    fileprivate var sendingPort: HubPort?

    fileprivate init(
        _ connection: consuming WebRTCPeer, fragment: String, ports: PeerPorts?, owner: any HubPeerOwner
    ) {
        self.connection = connection
        fragments = [fragment]
        self.ports = ports
        sendingPort = ports?.all.first
        self.owner = owner
    }

    /// Sends what waits, raises events, sets the timer. After every change to `connection` from outside.
    package func settle(at now: Monotonic) { hub?.settle(self, at: now) }

    /// Adds a candidate of the other side, as trickled, before or after its description. False when it is of no use,
    /// as a hidden (mDNS) name.
    @discardableResult
    package func addRemoteCandidate(_ text: String, at now: Monotonic) -> Bool {
        do throws(ICEError) {
            try connection.ice.addRemoteCandidate(ICECandidate(parsing: text), at: now)
        } catch {
            return false
        }
        settle(at: now)
        return true
    }

    /// Says goodbye and leaves the hub.
    package func close(at now: Monotonic) {
        connection.close()
        hub?.settle(self, at: now)
        hub?.remove(self)
    }
}

/// All WebRTC peers of the process behind a few UDP ports, or one for each, and ICE-TCP.
///
/// STUN finds its peer by what it says: a request by the fragment in it, an answer by the tag of its transaction id.
/// Everything else finds it by its path, which is the peer's once its agent took an authenticated message on it, or SRTP
/// media of a source that it publishes. What else comes on other paths is dropped before it costs more than a look at
/// its first bytes.
@MediaLoop
package final class PeerHub {
    package struct Statistics: Sendable {
        /// Datagrams from paths that belong to no peer.
        package var strays: UInt64 = 0
        /// TCP connections that sent something else than framed STUN, or nothing in time.
        package var strayConnections: UInt64 = 0
    }

    package enum Limits {
        /// Paths that one peer may have at a time.
        package static let pathsPerPeer = 16
        package static let tcpConnections = 1_024
        /// All publishers send to one socket: of 200 with 600 kbit/s this holds about half a second.
        package static let receiveBufferBytes = 16 * 1024 * 1024
        /// Time for the first STUN request on a TCP connection.
        package static let tcpPatience = Interval.seconds(10)
        /// Ports of a range that are tried for one peer.
        package static let portAttempts = 512
    }

    package private(set) var statistics = Statistics()
    /// The first of those that peers share; 0 when they share none.
    package internal(set) var port: UInt16 = 0

    /// By their number, which is that of `ICESocket`.
    var ports: [Int32: HubPort] = [:]
    var shared: [HubPort] = []
    var common: HubPort?
    var own: OwnPorts?
    var nextShared = -1
    var nextSocket: Int32 = -1
    var listener: TCPListener?
    /// Questions to STUN servers under way, by the tag of their transaction ids.
    var questions: [UInt32: ReflexiveQuestion] = [:]
    var stunServers: [TransportAddress] = []
    private var byFragment: [String: HubPeer] = [:]
    private var byTag: [UInt32: HubPeer] = [:]
    private var byPath: [ICEPath: HubPeer] = [:]
    private var connections: [ICEPath: ICETCPConnection] = [:]
    /// Publishers whose packets came in this wake-up of the socket, which are settled at its end: packets come in bursts,
    /// and what they cause for others has left their owners already.
    private var unsettled: [HubPeer] = []
    private var nextConnection: Int32 = 1

    package init() {}

    /// Of the first UDP port that peers share.
    package var udpStatistics: UDPStatistics { shared.first?.socket?.statistics ?? UDPStatistics() }

    /// TCP connections of others to the hub.
    package var connectionCount: Int { connections.count }

    package func close() {
        for peer in Array(byFragment.values) where peer.hub === self { peer.close(at: MediaLoop.now) }
        for connection in connections.values { connection.stream.close() }
        connections = [:]
        listener?.close()
        for question in questions.values { question.stop() }
        questions = [:]
        for port in ports.values { port.close() }
        ports = [:]
    }

    /// Takes a peer whose ICE fragment is `fragment`. `ports` are those it was told of.
    package func add(
        _ connection: consuming WebRTCPeer, fragment: String, on ports: PeerPorts, owner: any HubPeerOwner
    ) -> HubPeer {
        let tag = connection.ice.transactionTag
        let peer = HubPeer(connection, fragment: fragment, ports: ports, owner: owner)
        peer.hub = self
        byFragment[fragment] = peer
        if let tag { byTag[tag] = peer }
        return peer
    }

    /// A tag that no other agent has.
    package func unusedTag() -> UInt32 {
        var tag: UInt32
        repeat { tag = Randomness.integer() } while byTag[tag] != nil || questions[tag] != nil
        return tag
    }

    /// Takes a peer with sockets of its own, which seeks the other side itself: one that offers, or that publishes to
    /// a server whose one address serves all. The hub needs not be open for it. Host candidates stand in
    /// `connection.ice.localCandidates` at once, others come as events after `HubPeer.settle`, which comes next.
    package func addClient(
        _ connection: consuming WebRTCPeer, network: ClientNetwork, owner: any HubPeerOwner, at now: Monotonic
    ) throws(RuntimeError) -> HubPeer {
        let fragment = connection.ice.localCredentials.fragment
        let peer = HubPeer(connection, fragment: fragment, ports: nil, owner: owner)
        peer.endpoint = try ClientEndpoint(peer, network: network, at: now)
        peer.hub = self
        byFragment[fragment] = peer
        return peer
    }

    /// Begins a new ICE generation. A peer behind the hub's ports is found by both fragments for a while; a client peer
    /// gathers anew on `network`. `HubPeer.settle` comes next.
    package func restartICE(
        _ peer: HubPeer, credentials: ICECredentials, network: ClientNetwork? = nil, at now: Monotonic
    ) {
        guard peer.hub === self else { return }
        peer.connection.restartICE(credentials: credentials, at: now)
        peer.fragments.append(credentials.fragment)
        byFragment[credentials.fragment] = peer
        if peer.fragments.count > 2 { forget(peer.fragments.removeFirst(), of: peer) }
        if let network { peer.endpoint?.restart(network, at: now) }
    }

    private func forget(_ fragment: String, of peer: HubPeer) {
        if byFragment[fragment] === peer { byFragment[fragment] = nil }
    }

    package func remove(_ peer: HubPeer) {
        peer.timer.cancel()
        for fragment in peer.fragments { forget(fragment, of: peer) }
        if let tag = peer.connection.ice.transactionTag, byTag[tag] === peer { byTag[tag] = nil }
        for path in peer.paths {
            byPath[path] = nil
            connections.removeValue(forKey: path)?.stream.closeAfterFlush()
        }
        peer.paths = []
        peer.endpoint?.close(at: MediaLoop.now)
        if peer.hub === self, let ports = peer.ports { giveBack(ports, at: MediaLoop.now) }
        peer.hub = nil
    }

    func settle(_ peer: HubPeer, at now: Monotonic) {
        drain(peer, at: now)
        while let event = peer.connection.pollEvent() {
            peer.owner?.peer(peer, raised: event, at: now)
            // What an event caused, such as a key frame request's answer, leaves at once.
            drain(peer, at: now)
        }
        guard peer.hub === self else { return }
        peer.timer.schedule(at: peer.connection.nextDeadline, calling: peer)
    }

    /// Writes everything that may leave now into the socket's batch.
    private func drain(_ peer: HubPeer, at now: Monotonic) {
        if let endpoint = peer.endpoint { return endpoint.drain(peer, at: now) }
        while let port = peer.sendingPort, drainOne(peer, through: port, at: now) {}
    }

    /// Writes into the batch of the port that the last datagram went out of; one for another is copied to it.
    private func drainOne(_ peer: HubPeer, through port: HubPort, at now: Monotonic) -> Bool {
        var hasForwarded = false
        let hasSent = port.socket?.withNextSlot { slot in
            guard let path = peer.connection.pollTransmit(into: &slot, at: now) else { return nil }
            if path.socket == port.id { return path.remote }
            hasForwarded = true
            if path.socket.transport == .tcp {
                connections[path]?.send(slot.bytes)
            } else if let other = ports[path.socket.id] {
                other.socket?.send(slot.bytes, to: path.remote)
                peer.sendingPort = other
            }
            slot.removeAll()
            return nil
        }
        return hasSent ?? false || hasForwarded
    }

    /// False when it is nobody's.
    func receive(_ datagram: inout MutableRawSpan, on path: ICEPath, at now: Monotonic) -> Bool {
        if let question = question(answeredBy: datagram.bytes) {
            question.receive(datagram.bytes, on: path, at: now)
            return true
        }
        if let peer = peer(namedBy: datagram.bytes) {
            deliver(&datagram, to: peer, on: path, at: now)
            adopt(path, for: peer)
            return true
        }
        if let peer = byPath[path] {
            deliver(&datagram, to: peer, on: path, at: now)
            return true
        }
        guard path.socket.transport == .udp, let peer = publisher(of: datagram.bytes) else {
            statistics.strays &+= 1
            return false
        }
        deliver(&datagram, to: peer, on: path, at: now)
        adopt(path, for: peer)
        return true
    }

    /// The publisher whose source a stray packet names: its address has changed, and some check the new one late or
    /// never. SRTP tells whether the packet is its own.
    private func publisher(of datagram: RawSpan) -> HubPeer? {
        byFragment.values.first { $0.ports != nil && $0.connection.receivesSource(of: datagram) }
    }

    /// The peer that STUN says it is for. The agent itself checks the message's integrity.
    private func peer(namedBy datagram: RawSpan) -> HubPeer? {
        guard STUNDemux.classify(datagram) == .stun else { return nil }
        if let tag = STUNDemux.transactionTag(ofResponse: datagram) { return byTag[tag] }
        guard let fragment = STUNDemux.localFragment(of: datagram), let peer = byFragment[fragment], peer.ports != nil
        else { return nil }
        return peer
    }

    private func question(answeredBy datagram: RawSpan) -> ReflexiveQuestion? {
        guard !questions.isEmpty else { return nil }
        return STUNDemux.transactionTag(ofResponse: datagram).flatMap { questions[$0] }
    }

    /// Whether a peer has this path.
    func owns(_ path: ICEPath) -> Bool { byPath[path] != nil }

    func deliver(_ datagram: inout MutableRawSpan, to peer: HubPeer, on path: ICEPath, at now: Monotonic) {
        if case .media = peer.connection.receive(&datagram, on: path, at: now) {
            peer.owner?.peerReceivedMedia(peer, at: now)
        }
        settle(peer, at: now)
    }

    /// Gives a path to the peer whose agent has taken an authenticated message on it.
    private func adopt(_ path: ICEPath, for peer: HubPeer) {
        let owner = byPath[path]
        guard owner !== peer, peer.hub === self, peer.connection.ice.isValidated(path) else { return }
        if let owner, owner.connection.ice.isValidated(path) {
            // Whoever knows a fragment of its own can send with another's address, but not answer there.
            guard peer.connection.ice.hasAnswered(path) else { return }
        }
        owner?.paths.remove(path)
        if peer.paths.count >= Limits.pathsPerPeer {
            // Paths that the peer left push out each other, but never the one that is in use.
            let victim =
                peer.paths.first { !peer.connection.ice.isValidated($0) }
                ?? peer.paths.first { $0 != peer.connection.ice.selectedPath }
            if let victim {
                peer.paths.remove(victim)
                byPath[victim] = nil
            }
        }
        peer.paths.insert(path)
        byPath[path] = peer
    }

    func connectionLost(_ connection: ICETCPConnection, at now: Monotonic) {
        connections[connection.path] = nil
        guard let peer = byPath.removeValue(forKey: connection.path) else {
            statistics.strayConnections &+= 1
            return
        }
        peer.paths.remove(connection.path)
        peer.connection.pathLost(connection.path, at: now)
        settle(peer, at: now)
    }
}

extension PeerHub {
    /// As `receive`, for one of several datagrams that came together; what a publisher's packet gives leaves with
    /// `settleReceived`.
    func receiveBatched(_ datagram: inout MutableRawSpan, on path: ICEPath, at now: Monotonic) {
        guard let peer = byPath[path], STUNDemux.classify(datagram.bytes) != .stun else {
            _ = receive(&datagram, on: path, at: now)
            return
        }
        guard case .media = peer.connection.receive(&datagram, on: path, at: now) else {
            return settle(peer, at: now)
        }
        peer.owner?.peerReceivedMedia(peer, at: now)
        guard !peer.isUnsettled else { return }
        peer.isUnsettled = true
        unsettled.append(peer)
    }

    func settleReceived(at now: Monotonic) {
        for peer in unsettled {
            peer.isUnsettled = false
            settle(peer, at: now)
        }
        unsettled.removeAll(keepingCapacity: true)
    }
}

extension PeerHub: TCPListenerHandler {
    package func listener(_ listener: TCPListener, accepted stream: TCPStream, at now: Monotonic) {
        guard connections.count < Limits.tcpConnections else { return stream.close() }
        let socket = ICESocket(id: nextConnection, transport: .tcp)
        nextConnection = nextConnection == .max ? 1 : nextConnection + 1
        let connection = ICETCPConnection(stream, path: ICEPath(socket: socket, remote: stream.peerAddress), hub: self)
        connections[connection.path] = connection
        connection.start(at: now)
    }

    package func listener(
        _ listener: TCPListener, exhausted errno: Errno, restingFor pause: Interval, at now: Monotonic
    ) {
        statistics.strayConnections &+= 1
    }
}

extension HubPeer: TimerHandler {
    package func timerFired(_ timer: LoopTimer, at now: Monotonic) {
        connection.advance(to: now)
        settle(at: now)
    }
}
