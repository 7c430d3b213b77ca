package import Bytes
package import DTLS
package import ICE

extension WebRTCPeer {
    package enum Limits {
        /// From the first path to the end of the DTLS handshake. A peer that passes ICE and says no more would
        /// otherwise stay for as long as it sends checks.
        package static let handshakeTime = Interval.seconds(15)
        /// Events that wait; the driver drains them after each verb, so this is a margin.
        package static let pendingEvents = 64
    }

    package enum State: Hashable, Sendable {
        /// No path, or no keys yet.
        case connecting
        case connected
        case closed
    }

    /// The other side, as its description tells.
    package struct Remote: Sendable {
        package var credentials: ICECredentials
        /// Ours.
        package var dtlsRole: DTLSRole
        package var fingerprints: [Fingerprint]
        package var candidates: [ICECandidate]

        package init(
            credentials: ICECredentials, dtlsRole: DTLSRole, fingerprints: [Fingerprint],
            candidates: [ICECandidate] = []
        ) {
            self.credentials = credentials
            self.dtlsRole = dtlsRole
            self.fingerprints = fingerprints
            self.candidates = candidates
        }
    }

    /// Why a connection ended.
    package enum CloseReason: Equatable, Sendable {
        /// No path was found in time, or the peer was not heard for too long.
        case unreachable
        /// In the handshake, or by a fatal alert later.
        case handshakeFailed(DTLSError)
        /// There was a path, but no finished handshake within `Limits.handshakeTime`.
        case handshakeTimedOut
        /// The peer said goodbye.
        case closedByPeer
        case closedHere
    }

    package enum Event: Equatable, Sendable {
        case connected
        /// The peer is not heard; it may come back.
        case disconnected
        /// The peer is heard again after `disconnected`.
        case reconnected
        /// The last event.
        case closed(CloseReason)
        case keyFrameRequested(stream: Int)
        /// The peer's estimate of what it can take, bits a second.
        case bitrateLimited(UInt64)
        /// New entries stand in `sender.feedback`.
        case feedbackReceived
        /// What the path is believed to carry, bits a second of the packets with transport-wide numbers: once a second
        /// while feedback comes, and at once when it changed by more than 5 %.
        case bandwidthEstimated(bitsPerSecond: Int)
        /// Nothing passed for a while, and now the path is back with what it carried before.
        case blackOutEnded(bitsPerSecond: Int)
        /// A server-reflexive or relayed candidate to tell the other side.
        case candidateFound(ICECandidate)
        /// All STUN and TURN servers have answered or timed out.
        case gatheringFinished
        /// A TURN server was of no help, or is no longer.
        case relayFailed(TURNFailure, server: TransportAddress)
        /// Packets take another path than before: estimates of the old one mean nothing. When it is a fallback, the other
        /// side may not follow before an ICE restart.
        case pathChanged(ICEPath)
    }

    /// What a datagram was.
    package enum Received: Hashable, Sendable {
        /// Dealt with, or dropped and counted.
        case handled
        /// An RTP packet, decrypted in place: the first `count` bytes of the datagram. With a receiver, `pollPacket` has
        /// what came of it.
        case media(count: Int)
    }

    /// Datagrams that were dropped, by reason. Drops never end a connection.
    package struct Drops: Hashable, Sendable {
        /// DTLS or SRTP from a path that ICE did not validate.
        package var unvalidated: UInt64 = 0
        /// SRTP that came before its keys.
        package var early: UInt64 = 0
        package var unauthenticated: UInt64 = 0
        package var replayed: UInt64 = 0
        package var malformed: UInt64 = 0
        package var stun: UInt64 = 0
        /// Datagrams of ours that SRTP refused to protect; a fault of ours.
        package var unprotected: UInt64 = 0

        package var total: UInt64 {
            unvalidated &+ early &+ unauthenticated &+ replayed &+ malformed &+ stun &+ unprotected
        }
    }
}
