import Bytes
import DTLS
import Glibc
import ICE
import Ingress
import RTP
import Runtime
import TestSupport
import Testing
import WebRTC

/// Client peers over real sockets of the loopback interface, against peers behind a hub's port.
@Suite(.serialized, .timeLimit(.minutes(1))) struct ClientPeerTests {
    private func connect(_ routes: Set<ICERoute>, server mode: ICEAgent.Mode = .lite) async throws -> ClientScene {
        let scene = try await ClientScene()
        try await scene.begin(routes, server: mode)
        try await scene.until { $0.isConnected }
        return scene
    }

    @Test(
        "a client connects to a hub over each transport, whether or not the hub's peer checks it",
        arguments: [ICERoute.udp, .tcp], [ICEAgent.Mode.lite, .full])
    func connects(route: ICERoute, mode: ICEAgent.Mode) async throws {
        let scene = try await connect([route], server: mode)
        await MediaLoop.run {
            #expect(scene.client.peer?.connection.ice.selectedPath?.route == route)
            #expect(scene.server.peer?.connection.ice.selectedPath?.route == route)
        }
        await scene.close()
    }

    @Test("with both, UDP is taken and TCP stands by")
    func backup() async throws {
        let scene = try await connect([.udp, .tcp])
        try await scene.until { scene in
            scene.client.peer?.connection.ice.selectedPath?.route == .udp && scene.serverHub.connectionCount == 1
        }
        await scene.close()
    }

    @Test("after the end of a client none of its sockets is left", arguments: [ICERoute.udp, .tcp])
    func closes(route: ICERoute) async throws {
        let before = openSockets()
        let scene = try await connect([route])
        #expect(openSockets() > before)
        await MediaLoop.run { scene.client.peer?.close(at: MediaLoop.now) }
        try await scene.until { $0.server.events.contains(.closed(.closedByPeer)) }
        await scene.close()
        try await scene.until { _ in openSockets() <= before }
    }

    @Test(
        "ICE restarts under a connection, whatever its transport", arguments: [ICERoute.udp, .tcp],
        [ICEAgent.Mode.lite, .full])
    func restarts(route: ICERoute, mode: ICEAgent.Mode) async throws {
        let scene = try await connect([route], server: mode)
        try await scene.restart([route])
        try await scene.until { scene in
            scene.client.peer?.connection.ice.isNominated == true
                && scene.client.peer?.connection.ice.state == .connected
        }
        await MediaLoop.run {
            #expect(scene.isConnected)
            #expect(scene.client.peer?.connection.ice.selectedPath?.route == route)
            #expect(scene.server.peer?.connection.ice.isNominated == true)
        }
        await scene.close()
    }

    @Test("host candidates are there at once, and gathering ends though servers are unknown or silent")
    func gathering() async throws {
        let scene = try await ClientScene(
            servers: [ICEServer(urls: ["stun:localhost:9", "stun:nowhere.invalid"])])
        let candidates = await MediaLoop.run { scene.client.peer?.connection.ice.localCandidates ?? [] }
        #expect(candidates.contains { $0.transport == .udp && $0.address?.port != 0 })
        #expect(candidates.contains { $0.tcpType == .active && $0.address?.port == 9 })
        #expect(candidates.allSatisfy { $0.address?.ip.isLoopback ?? false })
        await scene.close()
        let plain = try await ClientScene()
        try await plain.until { $0.client.events.contains(.gatheringFinished) }
        await plain.close()
    }

    @Test("connections that are refused leave the client looking, and it can still be helped")
    func refused() async throws {
        let scene = try await ClientScene()
        try await scene.begin([])
        await MediaLoop.run {
            for port in [1, 2, 3] {
                scene.client.peer?.addRemoteCandidate(
                    "candidate:1 1 tcp 1 127.0.0.1 \(port) typ host tcptype passive", at: MediaLoop.now)
            }
            #expect(
                scene.client.peer?.addRemoteCandidate("candidate:1 1 udp 1 x.local 5 typ host", at: MediaLoop.now)
                    == false)
            #expect(scene.client.peer?.addRemoteCandidate("nonsense", at: MediaLoop.now) == false)
        }
        try await Task.sleep(for: .milliseconds(300))
        try await scene.offer([.tcp])
        try await scene.until { $0.isConnected }
        await scene.close()
    }
}

@MediaLoop
final class OwnerProbe: HubPeerOwner {
    var peer: HubPeer?
    private(set) var events: [WebRTCPeer.Event] = []

    func peer(_ peer: HubPeer, raised event: WebRTCPeer.Event, at now: Monotonic) {
        events.append(event)
        if case .closed = event { peer.close(at: now) }
    }
}

/// A server behind the port of a hub, and a client with sockets of its own.
@MediaLoop
final class ClientScene {
    let serverHub = PeerHub()
    let clientHub = PeerHub()
    let server = OwnerProbe()
    let client = OwnerProbe()
    /// Nil: the first that the hub's peers share.
    var offeredPort: UInt16?
    private let context: DTLSContext
    private let network: ClientNetwork

    init(
        servers: [ICEServer] = [], adjust: @Sendable (inout ClientNetwork) throws -> Void = { _ in }
    ) throws {
        context = try DTLSContext(certificate: .selfSigned(unixSeconds: 1_800_000_000))
        var network = ClientNetwork(interfaces: try NetworkInterface.all().filter(\.isLoopback), servers: servers)
        try adjust(&network)
        self.network = network
        let now = MediaLoop.now
        let peer = try clientHub.addClient(makePeer(.full, remote: nil), network: network, owner: client, at: now)
        client.peer = peer
        peer.settle(at: now)
    }

    private func makePeer(_ mode: ICEAgent.Mode, remote: ICECredentials?) throws -> WebRTCPeer {
        let credentials = ICECredentials(random: Randomness.bytes(24))
        var ice = ICEAgent.Configuration(
            mode: mode, role: remote == nil ? .controlling : .controlled, credentials: credentials,
            seed: Randomness.bytes(32), hmac: { HMAC.sha1Tag(key: $0, $1) })
        ice.md5 = { Digest.md5Tag($0) }
        if remote != nil { ice.transactionTag = serverHub.unusedTag() }
        return try WebRTCPeer(
            WebRTCPeer.Configuration(
                ice: ice, remoteCredentials: remote, dtlsContext: context, dtlsRole: .client,
                remoteFingerprints: remote == nil ? [] : [context.certificate.fingerprint()],
                clock: NTPClock(NTPTime(unixNanoseconds: 1_800_000_000_000_000_000), at: .zero),
                cname: InlineBytes(), targetBitrate: 1_000_000),
            at: MediaLoop.now)
    }

    /// The server answers the client's offer, without any candidate of the client's.
    func begin(
        _ routes: Set<ICERoute>, server mode: ICEAgent.Mode = .lite,
        open: (PeerHub) throws -> Void = { try $0.open(on: .v4(0x7F00_0001), port: 0) }
    ) throws {
        guard let client = client.peer else { return }
        let now = MediaLoop.now
        try open(serverHub)
        let connection = try makePeer(mode, remote: client.connection.ice.localCredentials)
        let fragment = connection.ice.localCredentials.fragment
        let peer = try serverHub.add(connection, fragment: fragment, on: serverHub.takePorts(), owner: server)
        server.peer = peer
        peer.settle(at: now)
        try setRemote(peer, at: now)
        try offer(routes)
    }

    private func setRemote(_ server: HubPeer, at now: Monotonic) throws {
        try client.peer?.connection.setRemote(
            WebRTCPeer.Remote(
                credentials: server.connection.ice.localCredentials, dtlsRole: .server,
                fingerprints: [context.certificate.fingerprint()]), at: now)
    }

    func offer(_ routes: Set<ICERoute>) throws {
        let address = TransportAddress(ip: .v4(0x7F00_0001), port: offeredPort ?? serverHub.port)
        for route in routes {
            let candidate =
                route == .udp
                ? ICECandidate.host(address) : ICECandidate.host(address, transport: .tcp, tcpType: .passive)
            client.peer?.addRemoteCandidate(candidate.description, at: MediaLoop.now)
        }
    }

    func restart(_ routes: Set<ICERoute>) throws {
        guard let client = client.peer, let server = server.peer else { return }
        let now = MediaLoop.now
        clientHub.restartICE(
            client, credentials: ICECredentials(random: Randomness.bytes(24)), network: network, at: now)
        serverHub.restartICE(server, credentials: ICECredentials(random: Randomness.bytes(24)), at: now)
        try server.connection.setRemote(
            WebRTCPeer.Remote(
                credentials: client.connection.ice.localCredentials, dtlsRole: .client, fingerprints: []), at: now)
        server.settle(at: now)
        try setRemote(server, at: now)
        client.settle(at: now)
        try offer(routes)
    }

    var isConnected: Bool {
        client.peer?.connection.state == .connected && server.peer?.connection.state == .connected
    }

    func close() {
        clientHub.close()
        serverHub.close()
        (client.peer, server.peer) = (nil, nil)
    }

    /// Waits until the condition holds; an error when it does not within five seconds.
    nonisolated func until(_ condition: @MediaLoop (ClientScene) -> Bool) async throws {
        for _ in 0..<1_000 {
            if await MediaLoop.run({ condition(self) }) { return }
            try await Task.sleep(for: .milliseconds(5))
        }
        throw Timeout()
    }

    struct Timeout: Error {}
}

/// Sockets that this process has open.
private func openSockets() -> Int {
    guard let directory = opendir("/proc/self/fd") else { return 0 }
    defer { closedir(directory) }
    var count = 0
    while let entry = readdir(directory) {
        let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        var target = [CChar](repeating: 0, count: 64)
        let length = readlink("/proc/self/fd/" + name, &target, target.count)
        if length > 7, String(decoding: target.prefix(7).map { UInt8(bitPattern: $0) }, as: UTF8.self) == "socket:" {
            count += 1
        }
    }
    return count
}
