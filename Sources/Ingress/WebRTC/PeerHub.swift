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
    /// A client peer's own sockets; nil for one behind the hub's port.
    var endpoint: ClientEndpoint?

    fileprivate init(_ connection: consuming WebRTCPeer, fragment: String, owner: any HubPeerOwner) {
        self.connection = connection
        fragments = [fragment]
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

/// All WebRTC peers of the process behind one UDP port, and ICE-TCP on the same number.
///
/// A datagram finds its peer by the path it came on; the first STUN request of a path names the peer by its fragment. Anything
/// else from an unknown path is dropped before it costs more than a look at its first bytes.
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
        /// Time for the first STUN request on a TCP connection.
        package static let tcpPatience = Interval.seconds(10)
    }

    package private(set) var statistics = Statistics()
    package private(set) var port: UInt16 = 0

    private var udp: UDPSocket?
    private var listener: TCPListener?
    private var byFragment: [String: HubPeer] = [:]
    private var byPath: [ICEPath: HubPeer] = [:]
    private var connections: [ICEPath: ICETCPConnection] = [:]
    /// Publishers whose packets came in this wake-up of the socket, which are settled at its end: packets come in bursts,
    /// and what they cause for others has left their owners already.
    private var unsettled: [HubPeer] = []
    private var nextConnection: Int32 = 1
    private static let udpSocket = ICESocket(id: 0, transport: .udp)

    package init() {}

    /// Of the UDP socket that all peers share but those with sockets of their own.
    package var udpStatistics: UDPStatistics { udp?.statistics ?? UDPStatistics() }

    /// TCP connections of others to the hub's port.
    package var connectionCount: Int { connections.count }

    /// Binds UDP and TCP; port 0 takes any that is free for both.
    package func open(on ip: TransportAddress.IP, port: UInt16) throws(RuntimeError) {
        try openUDP(on: ip, port: port)
        try openTCP(on: ip, port: self.port)
    }

    package func openUDP(on ip: TransportAddress.IP, port: UInt16) throws(RuntimeError) {
        let udp = try UDPSocket(on: TransportAddress(ip: ip, port: port), handler: self)
        self.udp = udp
        self.port = udp.address.port
    }

    package func openTCP(on ip: TransportAddress.IP, port: UInt16) throws(RuntimeError) {
        listener = try TCPListener(on: TransportAddress(ip: ip, port: port), handler: self)
    }

    package func close() {
        for peer in Array(byFragment.values) where peer.hub === self { peer.close(at: MediaLoop.now) }
        for connection in connections.values { connection.stream.close() }
        connections = [:]
        listener?.close()
        udp?.close()
    }

    /// Takes a peer whose ICE fragment is `fragment`.
    package func add(_ connection: consuming WebRTCPeer, fragment: String, owner: any HubPeerOwner) -> HubPeer {
        let peer = HubPeer(connection, fragment: fragment, owner: owner)
        peer.hub = self
        byFragment[fragment] = peer
        return peer
    }

    /// Takes a peer with sockets of its own, which seeks the other side itself: one that offers, or that publishes to
    /// a server whose one address serves all. The hub needs not be open for it. Host candidates stand in
    /// `connection.ice.localCandidates` at once, others come as events after `HubPeer.settle`, which comes next.
    package func addClient(
        _ connection: consuming WebRTCPeer, network: ClientNetwork, owner: any HubPeerOwner, at now: Monotonic
    ) throws(RuntimeError) -> HubPeer {
        let fragment = connection.ice.localCredentials.fragment
        let peer = HubPeer(connection, fragment: fragment, owner: owner)
        peer.endpoint = try ClientEndpoint(peer, network: network, at: now)
        peer.hub = self
        byFragment[fragment] = peer
        return peer
    }

    /// Begins a new ICE generation. A peer behind the hub's port is found by both fragments for a while; a client peer
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
        for path in peer.paths {
            byPath[path] = nil
            connections.removeValue(forKey: path)?.stream.closeAfterFlush()
        }
        peer.paths = []
        peer.endpoint?.close(at: MediaLoop.now)
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
        guard let udp else { return }
        var more = true
        while more {
            var streamPath: ICEPath?
            more = udp.withNextSlot { slot in
                guard let path = peer.connection.pollTransmit(into: &slot, at: now) else { return nil }
                guard path.socket.transport != .udp else { return path.remote }
                streamPath = path
                connections[path]?.send(slot.bytes)
                slot.removeAll()
                return nil
            }
            if streamPath != nil { more = true }
        }
    }

    func receive(_ datagram: inout MutableRawSpan, on path: ICEPath, at now: Monotonic) -> Bool {
        guard let peer = peer(of: path, datagram.bytes) else { return false }
        deliver(&datagram, to: peer, on: path, at: now)
        return true
    }

    private func peer(of path: ICEPath, _ datagram: RawSpan) -> HubPeer? {
        if let peer = byPath[path] ?? adopt(path, datagram) { return peer }
        statistics.strays &+= 1
        return nil
    }

    func deliver(_ datagram: inout MutableRawSpan, to peer: HubPeer, on path: ICEPath, at now: Monotonic) {
        if case .media = peer.connection.receive(&datagram, on: path, at: now) {
            peer.owner?.peerReceivedMedia(peer, at: now)
        }
        settle(peer, at: now)
    }

    /// Finds the peer that a STUN request on an unknown path names. The agent itself checks the request's integrity.
    private func adopt(_ path: ICEPath, _ datagram: RawSpan) -> HubPeer? {
        guard STUNDemux.classify(datagram) == .stun, let fragment = STUNDemux.localFragment(of: datagram),
            let peer = byFragment[fragment]
        else { return nil }
        if peer.paths.count >= Limits.pathsPerPeer {
            // Forged requests push out each other, then paths that the peer left, but never the one that is in use.
            let victim =
                peer.paths.first { !peer.connection.ice.isValidated($0) }
                ?? peer.paths.first { $0 != peer.connection.ice.selectedPath }
            guard let victim else { return nil }
            peer.paths.remove(victim)
            byPath[victim] = nil
        }
        peer.paths.insert(path)
        byPath[path] = peer
        return peer
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

extension PeerHub: DatagramHandler {
    package func socket(
        _ socket: UDPSocket, received datagram: inout MutableRawSpan, from source: TransportAddress, at now: Monotonic
    ) {
        let path = ICEPath(socket: Self.udpSocket, remote: source)
        guard let peer = peer(of: path, datagram.bytes) else { return }
        guard case .media = peer.connection.receive(&datagram, on: path, at: now) else {
            return settle(peer, at: now)
        }
        peer.owner?.peerReceivedMedia(peer, at: now)
        guard !peer.isUnsettled else { return }
        peer.isUnsettled = true
        unsettled.append(peer)
    }

    package func socketDrained(_ socket: UDPSocket, at now: Monotonic) {
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
