import Bytes
import DTLS
import ICE
import Runtime
import WebRTC

/// The sockets of one client peer: UDP for each address family, and the TCP connections that it opens, to the other
/// side and to TURN servers.
///
/// Each peer has its own, because servers tell clients apart by their addresses alone.
@MediaLoop
final class ClientEndpoint {
    /// What was written in the turn of the end leaves before the sockets close.
    private static let farewell = Interval.milliseconds(20)
    private static let discardPort: UInt16 = 9
    /// Numbers below are UDP sockets.
    private static let firstStream: Int32 = 16

    private weak var peer: HubPeer?
    /// By their number, which is that of `ICESocket`.
    private var udp: [UDPSocket] = []
    private var streams: [ICEPath: ClientStream] = [:]
    /// Where connections are TURN's, and with what TLS. All others are ICE's.
    private var relays: [ICESocket: ClientStream.TLS?] = [:]
    private var active: ICESocket
    private var nextSocket = firstStream
    /// The UDP socket of the last datagram: most likely the next one's too.
    private var primary = 0
    /// Connections that failed while the peer was being drained.
    private var lost: [ICEPath] = []
    private let timer = LoopTimer()
    private var isClosed = false
    /// Raised by each gathering, so that the answers of the one before are known.
    private var generation = 0

    init(_ peer: HubPeer, network: ClientNetwork, at now: Monotonic) throws(RuntimeError) {
        self.peer = peer
        active = ICESocket(id: Self.firstStream, transport: .tcp)
        let addresses = network.addresses
        var failure: RuntimeError?
        for (any, isWanted) in [
            (TransportAddress.IP.v4(0), !addresses.allSatisfy(\.isV6)), (.v6(0, 0), addresses.contains(where: \.isV6)),
        ] where isWanted {
            do throws(RuntimeError) {
                udp.append(try UDPSocket(on: TransportAddress(ip: any, port: 0), handler: self))
            } catch {
                failure = error
            }
        }
        if udp.isEmpty, let failure { throw failure }
        // Without an address there is no candidate, but servers may still be asked.
        if udp.isEmpty { udp = [try UDPSocket(on: TransportAddress(ip: .v4(0), port: 0), handler: self)] }
        gather(network, at: now)
    }

    /// Candidates of a new ICE generation. TCP is dialled anew: a server ties a connection to the generation that it began
    /// with.
    func restart(_ network: ClientNetwork, at now: Monotonic) {
        guard !isClosed, let peer else { return }
        peer.connection.ice.removeLocalCandidates(at: now)
        active = makeStreamSocket()
        gather(network, at: now)
    }

    private func makeStreamSocket() -> ICESocket {
        nextSocket = max(nextSocket &+ 1, Self.firstStream)
        return ICESocket(id: nextSocket, transport: .tcp)
    }

    func close(at now: Monotonic) {
        guard !isClosed else { return }
        isClosed = true
        for stream in streams.values { stream.closeAfterFlush() }
        streams = [:]
        timer.schedule(at: now + Self.farewell, calling: self)
    }
}

// MARK: - Candidates

extension ClientEndpoint {
    private func gather(_ network: ClientNetwork, at now: Monotonic) {
        guard let peer else { return }
        generation += 1
        peer.connection.ice.beginGathering()
        if !network.forcesRelay { addHosts(network, to: peer, at: now) }
        ask(network, for: peer)
        peer.connection.ice.endGathering()
    }

    private func addHosts(_ network: ClientNetwork, to peer: HubPeer, at now: Monotonic) {
        for (index, ip) in network.addresses.enumerated() {
            let preference = UInt16.max - UInt16(truncatingIfNeeded: index)
            if let number = socketNumber(for: ip) {
                let address = TransportAddress(ip: ip, port: udp[number].address.port)
                try? peer.connection.ice.addLocalCandidate(
                    .host(address, localPreference: preference), socket: ICESocket(id: Int32(number)), at: now)
            }
            guard network.usesTCP else { continue }
            let address = TransportAddress(ip: ip, port: Self.discardPort)
            try? peer.connection.ice.addLocalCandidate(
                .host(address, transport: .tcp, tcpType: .active, localPreference: preference), socket: active, at: now)
        }
    }

    private func ask(_ network: ClientNetwork, for peer: HubPeer) {
        let stun = network.servers.flatMap(\.urls).filter { $0.kind == .stun && !network.forcesRelay }
        for url in stun.prefix(ClientNetwork.Limits.stunServers) {
            resolve(url, for: peer) { endpoint, addresses, now in endpoint.askSTUN(addresses, at: now) }
        }
        // Relays live through restarts.
        guard peer.connection.ice.liveRelayCount == 0 else { return }
        let turn = network.servers.flatMap { server in
            server.urls.filter { $0.kind != .stun }.map { url in (url: url, server: server) }
        }
        for (index, entry) in turn.prefix(ClientNetwork.Limits.turnServers).enumerated() {
            let preference = entry.url.relayPreference - UInt16(truncatingIfNeeded: index)
            resolve(entry.url, for: peer) { endpoint, addresses, now in
                endpoint.askTURN(
                    addresses, entry.url, entry.server, preference: preference, tls: network.tls, at: now)
            }
        }
    }

    /// Looks up a server's name and goes on with its addresses, unless the peer has closed or gathers anew by then.
    private func resolve(
        _ url: ICEServerURL, for peer: HubPeer,
        _ use: @escaping @MediaLoop (ClientEndpoint, [TransportAddress], Monotonic) -> Void
    ) {
        peer.connection.ice.beginGathering()
        let asked = generation
        Task { @MediaLoop [weak self, weak peer] in
            var addresses: [TransportAddress] = []
            do throws(RuntimeError) {
                addresses = try await Resolver.resolve(url.host, port: url.port)
            } catch {
                // Without its name a server helps nobody; the others remain.
            }
            guard let self, let peer, !isClosed else { return }
            let now = MediaLoop.now
            if asked == generation { use(self, addresses, now) }
            peer.connection.ice.endGathering()
            peer.settle(at: now)
        }
    }

    private func askSTUN(_ addresses: [TransportAddress], at now: Monotonic) {
        guard let peer else { return }
        for number in udp.indices {
            guard let server = addresses.first(where: { socketNumber(for: $0.ip) == number }) else { continue }
            try? peer.connection.ice.gather(server: server, from: ICESocket(id: Int32(number)), at: now)
        }
    }

    private func askTURN(
        _ addresses: [TransportAddress], _ url: ICEServerURL, _ server: ICEServer, preference: UInt16,
        tls: TLSClientContext?, at now: Monotonic
    ) {
        guard let peer else { return }
        var path: ICEPath?
        if url.transport == .tcp {
            path = addresses.first.map { ICEPath(socket: makeStreamSocket(), remote: $0) }
        } else if let address = addresses.first(where: { socketNumber(for: $0.ip) != nil }),
            let number = socketNumber(for: address.ip)
        {
            path = ICEPath(socket: ICESocket(id: Int32(number)), remote: address)
        }
        guard let path else { return }
        do throws(ICEError) {
            try peer.connection.ice.addRelay(
                TURNClient.Configuration(path: path, username: server.username, password: server.password),
                localPreference: preference, at: now)
        } catch {
            return
        }
        guard url.transport == .tcp else { return }
        relays[path.socket] = .some(url.kind == .turns ? ClientStream.TLS(host: url.host, context: tls) : nil)
    }

    private func socketNumber(for ip: TransportAddress.IP) -> Int? {
        udp.firstIndex { $0.address.ip.isV6 == ip.isV6 }
    }
}

// MARK: - Packets

extension ClientEndpoint: DatagramHandler {
    /// Writes everything that may leave now.
    func drain(_ peer: HubPeer, at now: Monotonic) {
        guard !isClosed else { return }
        repeat {
            for path in lost {
                streams.removeValue(forKey: path)?.close()
                peer.connection.pathLost(path, at: now)
            }
            lost = []
            while drainOne(peer, at: now) {}
        } while !lost.isEmpty
    }

    private func drainOne(_ peer: HubPeer, at now: Monotonic) -> Bool {
        var hasForwarded = false
        let number = primary
        let hasSent = udp[number].withNextSlot { slot in
            guard let path = peer.connection.pollTransmit(into: &slot, at: now) else { return nil }
            if path.socket == ICESocket(id: Int32(number)) { return path.remote }
            hasForwarded = true
            forward(slot.bytes, on: path, at: now)
            slot.removeAll()
            return nil
        }
        return hasSent || hasForwarded
    }

    /// For a datagram that was written into the slot of another socket.
    private func forward(_ datagram: RawSpan, on path: ICEPath, at now: Monotonic) {
        if path.socket.transport == .udp {
            let number = Int(path.socket.id)
            guard udp.indices.contains(number) else { return }
            udp[number].send(datagram, to: path.remote)
            primary = number
        } else if let stream = streams[path] ?? dial(path, at: now) {
            stream.send(datagram)
        }
    }

    private func dial(_ path: ICEPath, at now: Monotonic) -> ClientStream? {
        prune()
        let relay = relays[path.socket]
        let stream = ClientStream(path: path, framing: relay == nil ? .lengthPrefixed : .turn, endpoint: self)
        do throws(ClientStream.Failure) {
            try stream.connect(tls: relay ?? nil)
        } catch {
            lost.append(path)
            return nil
        }
        streams[path] = stream
        return stream
    }

    /// Closes connections that the agent has given up.
    private func prune() {
        guard let peer else { return }
        for (path, stream) in streams where !peer.connection.ice.isInUse(path) {
            stream.close()
            streams[path] = nil
        }
    }

    func streamFailed(_ path: ICEPath, at now: Monotonic) {
        guard !isClosed, let peer, streams[path] != nil else { return }
        lost.append(path)
        peer.settle(at: now)
    }

    func receive(_ datagram: inout MutableRawSpan, on path: ICEPath, at now: Monotonic) {
        guard !isClosed, let peer, let hub = peer.hub else { return }
        hub.deliver(&datagram, to: peer, on: path, at: now)
    }

    func socket(
        _ socket: UDPSocket, received datagram: inout MutableRawSpan, from source: TransportAddress, at now: Monotonic
    ) {
        guard let number = udp.firstIndex(where: { $0 === socket }) else { return }
        receive(&datagram, on: ICEPath(socket: ICESocket(id: Int32(number)), remote: source), at: now)
    }
}

extension ClientEndpoint: TimerHandler {
    func timerFired(_ timer: LoopTimer, at now: Monotonic) {
        for socket in udp { socket.close() }
    }
}

extension ICEServerURL {
    /// The shorter the way of a relay's packets, the better.
    fileprivate var relayPreference: UInt16 {
        switch (kind, transport) {
        case (.turns, _): 20_000
        case (_, .tcp): 40_000
        case (_, .udp): 60_000
        }
    }
}

extension TransportAddress.IP {
    var isV6: Bool { if case .v6 = self { true } else { false } }
}
