import Bytes
import ICE
package import Runtime

/// One UDP socket of the hub.
@MediaLoop
final class HubPort {
    /// What is still in the socket's batch when its peer leaves has to get out.
    private static let farewell = Interval.milliseconds(20)

    nonisolated let id: ICESocket
    private(set) var socket: UDPSocket?
    /// As a STUN server sees it, when that is another address than ours.
    var reflexive: TransportAddress?
    private weak var hub: PeerHub?
    private let timer = LoopTimer()

    init(_ id: ICESocket, on address: TransportAddress, hub: PeerHub) throws(RuntimeError) {
        self.id = id
        self.hub = hub
        var options = UDPSocket.Options()
        options.receiveBufferBytes = PeerHub.Limits.receiveBufferBytes
        socket = try UDPSocket(on: address, options: options, handler: self)
    }

    var number: UInt16 { socket?.address.port ?? 0 }

    func close() {
        socket?.close()
        socket = nil
    }

    func closeSoon(at now: Monotonic) { timer.schedule(at: now + Self.farewell, calling: self) }
}

extension HubPort: DatagramHandler {
    func socket(
        _ socket: UDPSocket, received datagram: inout MutableRawSpan, from source: TransportAddress, at now: Monotonic
    ) {
        hub?.receiveBatched(&datagram, on: ICEPath(socket: id, remote: source), at: now)
    }

    func socketDrained(_ socket: UDPSocket, at now: Monotonic) { hub?.settleReceived(at: now) }
}

extension HubPort: TimerHandler {
    func timerFired(_ timer: LoopTimer, at now: Monotonic) { close() }
}

/// The UDP ports that one peer is told of. Whoever took them with `PeerHub.takePorts` gives them to a peer, or back.
@MediaLoop
package struct PeerPorts {
    /// The first is the one that most is expected on.
    let all: [HubPort]
    /// They are this peer's alone, and closed when it leaves.
    let areOwn: Bool

    package var numbers: [UInt16] { all.map(\.number) }
}
