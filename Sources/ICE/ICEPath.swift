package import Bytes

/// A local UDP socket, or the local end of TCP connections, by the number that the driver gave it.
package struct ICESocket: Hashable, Sendable {
    package let id: Int32
    package let transport: ICETransport

    /// Drivers number their sockets from 0 up; below are the agent's relays.
    package init(id: Int32, transport: ICETransport = .udp) {
        self.id = id
        self.transport = transport
    }

    /// One of the agent's TURN allocations. Nothing outside of the agent sees a path of it, apart from
    /// `selectedPath`.
    package var isRelayed: Bool { id < 0 }
}

/// Where a datagram came in or goes out: a local socket and the other side's address. Over TCP a path is one
/// connection, and the first transmit on an unknown path asks the driver to open it.
package struct ICEPath: Hashable, Sendable {
    package var socket: ICESocket
    package var remote: TransportAddress

    package init(socket: ICESocket, remote: TransportAddress) {
        self.socket = socket
        self.remote = remote
    }

    package var route: ICERoute {
        if socket.isRelayed { return .relayed }
        return socket.transport == .udp ? .udp : .tcp
    }
}

/// How a path carries its packets. Paths of one route tend to break together, so a backup is one of another route.
package enum ICERoute: Hashable, Sendable {
    case udp
    case tcp
    case relayed
}

package enum ICEState: Hashable, Sendable {
    /// No path yet, or a restart looks for a new one while the old stays in use.
    case checking
    /// There is a path for DTLS and media.
    case connected
    /// Nothing was heard on the selected path for `ICETiming.disconnectedAfter`; it may come back.
    case disconnected
    /// No path was found in time, or consent ran out. Only a restart leads out.
    case failed
    case closed
}

package enum ICEEvent: Hashable, Sendable {
    case stateChanged(ICEState)
    /// The path on which to send from now on.
    case selectedPathChanged(ICEPath)
    /// DTLS and media may be taken from this path from now on.
    case pathValidated(ICEPath)
    /// A server-reflexive or relayed candidate to tell the peer.
    case candidateFound(ICECandidate)
    /// All STUN and TURN servers have answered or timed out.
    case gatheringFinished
    /// A TURN server was of no help, or is no longer.
    case relayFailed(TURNFailure, server: TransportAddress)
}

/// Where the datagram that `pollTransmit(into:)` wrote has to go.
package struct ICETransmit: Hashable, Sendable {
    package let path: ICEPath
}

package enum ICEReceiveResult: Equatable, Sendable {
    case accepted
    /// Dropped without effect on any path; already counted in `ICEAgent.tally`.
    case ignored(ICEError)
}
