package import Bytes
import DTLS
package import ICE
import RTP

// Time, paths and the end.
extension WebRTCPeer {
    package mutating func advance(to now: Monotonic) {
        guard state != .closed else { return }
        ice.advance(to: now)
        handleICE(at: now)
        guard state != .closed else { return }
        if let handshakeDeadline, handshakeDeadline <= now { return finish(.handshakeTimedOut) }
        do throws(DTLSError) {
            try dtls.advance(to: now)
        } catch {
            return finish(.handshakeFailed(error))
        }
        handleDTLS()
        sender.advance(to: now)
        media?.receiver.advance(to: now)
        forwardSenderEvents()
    }

    /// When to call `advance(to:)`; nil when nothing is due.
    package var nextDeadline: Monotonic? {
        guard state != .closed else { return nil }
        var earliest = ice.nextDeadline ?? .distantFuture
        if let handshakeDeadline { earliest = min(earliest, handshakeDeadline) }
        if let deadline = dtls.nextDeadline { earliest = min(earliest, deadline) }
        // What the sender holds has no deadline without a path: nothing could leave, and the driver would come back at
        // once.
        if state == .connected, ice.selectedPath != nil {
            if let deadline = sender.nextDeadline { earliest = min(earliest, deadline) }
            if let deadline = media?.receiver.nextDeadline { earliest = min(earliest, deadline) }
        }
        return earliest == .distantFuture ? nil : earliest
    }

    /// A TCP connection ended: its path is gone.
    package mutating func pathLost(_ path: ICEPath, at now: Monotonic) {
        guard state != .closed else { return }
        ice.pathLost(path, at: now)
        handleICE(at: now)
    }

    /// Says goodbye by RTCP and DTLS; what `pollTransmit` still gives should be sent.
    package mutating func close() {
        guard state != .closed else { return }
        owesGoodbye = state == .connected
        dtls.close()
        finish(.closedHere)
    }

    /// Takes what the sender has to say after `send`.
    package mutating func forwardSenderEvents() {
        while let event = sender.pollEvent() {
            guard state != .closed else { continue }
            switch event {
            case .keyFrameRequested(let stream): events.append(.keyFrameRequested(stream: stream))
            case .bitrateLimited(let rate): events.append(.bitrateLimited(rate))
            case .feedbackReceived: events.append(.feedbackReceived)
            case .bandwidthEstimated(let rate): events.append(.bandwidthEstimated(bitsPerSecond: rate))
            case .blackOutEnded(let rate): events.append(.blackOutEnded(bitsPerSecond: rate))
            }
        }
    }

    mutating func handleICE(at now: Monotonic) {
        while let event = ice.pollEvent() {
            guard state != .closed else { continue }
            switch event {
            case .selectedPathChanged(let path):
                if let lastPath, lastPath != path {
                    events.append(.pathChanged(path))
                    sender.pathChanged(at: now)
                }
                lastPath = path
                startHandshake(at: now)
            case .stateChanged(.failed), .stateChanged(.closed): finish(.unreachable)
            case .stateChanged(.disconnected):
                isSilent = true
                events.append(.disconnected)
            case .stateChanged(.connected):
                guard isSilent else { continue }
                isSilent = false
                events.append(.reconnected)
            case .candidateFound(let candidate): events.append(.candidateFound(candidate))
            case .relayFailed(let failure, let server): events.append(.relayFailed(failure, server: server))
            case .gatheringFinished: events.append(.gatheringFinished)
            case .stateChanged(.checking), .pathValidated: break
            }
        }
    }

    private mutating func startHandshake(at now: Monotonic) {
        guard !hasStartedHandshake else { return }
        hasStartedHandshake = true
        // A handshake that began on a path of the peer's own may be over already.
        if state == .connecting { handshakeDeadline = now + Limits.handshakeTime }
        do throws(DTLSError) {
            try dtls.start(at: now)
        } catch {
            finish(.handshakeFailed(error))
        }
    }

    mutating func handleDTLS() {
        switch dtls.state {
        case .handshaking: break
        case .connected(let material):
            guard state == .connecting else { return }
            do throws(DTLSError) {
                sending = try SRTPSession(sendingWith: material)
                receiving = try SRTPSession(receivingWith: material)
            } catch {
                return finish(.handshakeFailed(error))
            }
            handshakeDeadline = nil
            state = .connected
            events.append(.connected)
        case .failed(let error): finish(.handshakeFailed(error))
        case .closed: finish(.closedByPeer)
        }
    }

    mutating func finish(_ reason: CloseReason) {
        guard state != .closed else { return }
        state = .closed
        closing = reason
    }
}
