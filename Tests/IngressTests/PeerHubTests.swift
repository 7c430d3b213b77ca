import Bytes
import DTLS
import ICE
import Ingress
import RTP
import Runtime
import TestSupport
import Testing
import WebRTC

/// Whose a datagram is, and which ports a peer has.
@Suite(.serialized, .timeLimit(.minutes(1))) struct PeerHubTests {
    private static let loopback = TransportAddress.IP.v4(0x7F00_0001)

    @Test("peers share ports in turn, and the one they all have comes last")
    func sharing() async throws {
        try await MediaLoop.run {
            let hub = PeerHub()
            defer { hub.close() }
            for _ in 0..<3 { try hub.openUDP(on: Self.loopback, port: 0) }
            try hub.openCommonUDP(on: Self.loopback, port: 0)
            let taken = try (0..<6).map { _ in try hub.takePorts().numbers }
            #expect(taken.allSatisfy { $0.count == 2 && $0[1] == taken[0][1] })
            #expect(Set(taken.map { $0[0] }).count == 3)
            #expect(taken[0...2].map { $0[0] } == taken[3...5].map { $0[0] })
            #expect(taken[0][0] == hub.port)
        }
    }

    @Test("out of a range each peer has a port of its own, until there is none, and gets one again when another leaves")
    func range() async throws {
        try await MediaLoop.run {
            let hub = PeerHub()
            defer { hub.close() }
            let range: ClosedRange<UInt16> = 29_870...29_875
            try hub.openRange(range, on: Self.loopback)
            var taken: [PeerPorts] = []
            var isFull = false
            while !isFull, taken.count < 10 {
                do throws(RuntimeError) { taken.append(try hub.takePorts()) } catch { isFull = true }
            }
            #expect(isFull)
            #expect(taken.count > 1 && taken.count <= range.count)
            #expect(taken.allSatisfy { $0.numbers.count == 1 && range.contains($0.numbers[0]) })
            #expect(Set(taken.map { $0.numbers[0] }).count == taken.count)
            hub.giveBack(taken[0], at: MediaLoop.now)
        }
    }

    @Test("a port of a range is free soon after its peer has left")
    func release() async throws {
        let scene = try await ClientScene()
        try await scene.connect(.full) { hub in try hub.openRange(29_880...29_889, on: Self.loopback) }
        let port = try await MediaLoop.run { try #require(scene.server.peer?.ports?.numbers.first) }
        #expect((29_880...29_889).contains(port))
        await MediaLoop.run { scene.client.peer?.close(at: MediaLoop.now) }
        try await scene.until { $0.server.events.contains(.closed(.closedByPeer)) }
        try await scene.until { _ in Self.isFree(port) }
        await scene.close()
    }

    @MediaLoop private static func isFree(_ port: UInt16) -> Bool {
        let hub = PeerHub()
        defer { hub.close() }
        do throws(RuntimeError) { try hub.openUDP(on: loopback, port: port) } catch { return false }
        return true
    }

    @Test("a peer is reached on the port that all have as well, and answers from there")
    func commonPort() async throws {
        let scene = try await ClientScene()
        try await scene.connect(.full, using: 1) { hub in
            try hub.openUDP(on: Self.loopback, port: 0)
            try hub.openUDP(on: Self.loopback, port: 0)
            try hub.openCommonUDP(on: Self.loopback, port: 0)
        }
        await MediaLoop.run {
            let ports = scene.server.peer?.ports?.numbers ?? []
            #expect(scene.client.peer?.connection.ice.selectedPath?.remote.port == ports.last)
        }
        await scene.close()
    }

    @Test("a peer's checks find their answers though the path was nobody's before")
    func answersToChecks() async throws {
        let scene = try await ClientScene()
        try await scene.connect(.full) { hub in try hub.open(on: Self.loopback, port: 0) }
        await MediaLoop.run {
            #expect(scene.serverHub.statistics.strays == 0)
            guard let peer = scene.server.peer, let path = peer.connection.ice.selectedPath else {
                Issue.record("no path")
                return
            }
            let hasAnswered = peer.connection.ice.hasAnswered(path)
            #expect(hasAnswered)
        }
        await scene.close()
    }

    @Test("DTLS from another address than the publisher's is dropped, and the handshake is the publisher's")
    func helloRace() async throws {
        let scene = try await ClientScene()
        let stranger = try await Stranger()
        try await MediaLoop.run {
            try scene.serverHub.open(on: Self.loopback, port: 0)
            stranger.target = TransportAddress(ip: Self.loopback, port: scene.serverHub.port)
            stranger.send([22, 0xFE, 0xFD] + [UInt8](repeating: 0, count: 200))
        }
        try await scene.connect(.full) { hub in stranger.send([22, 0xFE, 0xFF] + [UInt8](repeating: 0, count: 200)) }
        try await scene.until { $0.serverHub.statistics.strays >= 2 }
        await MediaLoop.run { #expect(stranger.received == 0) }
        await scene.close()
        await stranger.close()
    }
}

extension ClientScene {
    /// - Parameter using: which of the server's ports the client is told of.
    nonisolated func connect(
        _ mode: ICEAgent.Mode, using index: Int = 0, open: @escaping @Sendable @MediaLoop (PeerHub) throws -> Void
    ) async throws {
        try await MediaLoop.run {
            try self.begin([], server: mode, open: open)
            self.offeredPort = self.server.peer?.ports?.numbers[index]
            try self.offer([.udp])
        }
        try await until { $0.isConnected }
    }
}

/// Somebody else on the network.
@MediaLoop
private final class Stranger: DatagramHandler {
    var target = TransportAddress(ip: .v4(0), port: 0)
    private(set) var received = 0
    private var socket: UDPSocket?

    init() throws {
        socket = try UDPSocket(on: TransportAddress(ip: .v4(0x7F00_0001), port: 0), handler: self)
    }

    func send(_ bytes: [UInt8]) { socket?.send(bytes.rawSpan, to: target) }

    func close() { socket?.close() }

    func socket(
        _ socket: UDPSocket, received datagram: inout MutableRawSpan, from source: TransportAddress, at now: Monotonic
    ) { received += 1 }
}
