package import Bytes
import DTLS
package import ICE
import RTP

extension WebRTCPeer {
    /// Takes one datagram. SRTP is decrypted in place.
    package mutating func receive(
        _ datagram: inout MutableRawSpan, on path: ICEPath, at now: Monotonic
    ) -> Received {
        guard state != .closed else { return .handled }
        switch ice.unwrap(datagram.bytes, on: path, at: now) {
        case .direct: return receiveDirectly(&datagram, on: path, at: now)
        case .handled:
            handleICE(at: now)
            return .handled
        case .relayed(let range, let path):
            datagram.moveToFront(range)
            var payload = datagram._mutatingExtracting(0..<range.count)
            return receiveDirectly(&payload, on: path, at: now)
        }
    }

    private mutating func receiveDirectly(
        _ datagram: inout MutableRawSpan, on path: ICEPath, at now: Monotonic
    ) -> Received {
        let kind = STUNDemux.classify(datagram.bytes)
        if kind == .stun {
            if case .ignored = ice.receive(datagram.bytes, on: path, at: now) { drops.stun &+= 1 }
            handleICE(at: now)
            return .handled
        }
        guard ice.isValidated(path) || receivesSource(of: datagram.bytes) else {
            drops.unvalidated &+= 1
            return .handled
        }
        switch kind {
        case .dtls: receiveHandshake(datagram.bytes, at: now)
        case .rtp: return receiveMedia(&datagram, on: path, at: now)
        case .rtcp: receiveControl(&datagram, on: path, at: now)
        default: drops.malformed &+= 1
        }
        return .handled
    }

    private mutating func receiveMedia(
        _ datagram: inout MutableRawSpan, on path: ICEPath, at now: Monotonic
    ) -> Received {
        guard let receiving else {
            drops.early &+= 1
            return .handled
        }
        let (status, count) = receiving.unprotectRTP(&datagram)
        guard accept(status, on: path, at: now) else { return .handled }
        guard media != nil else { return .media(count: count) }
        do throws(RTPError) {
            try media?.receiver.receive(datagram.bytes.extracting(0..<count), at: now)
        } catch {
            drops.malformed &+= 1
            return .handled
        }
        return .media(count: count)
    }

    private mutating func receiveControl(_ datagram: inout MutableRawSpan, on path: ICEPath, at now: Monotonic) {
        guard let receiving else {
            drops.early &+= 1
            return
        }
        let (status, count) = receiving.unprotectRTCP(&datagram)
        guard accept(status, on: path, at: now) else { return }
        do throws(RTPError) {
            try sender.receiveControl(datagram.bytes.extracting(0..<count), at: now)
            try media?.receiver.receiveControl(datagram.bytes.extracting(0..<count), at: now)
        } catch {
            drops.malformed &+= 1
        }
        forwardSenderEvents()
    }

    /// Counts what SRTP said of a packet; failures never end a connection.
    private mutating func accept(_ status: SRTPStatus, on path: ICEPath, at now: Monotonic) -> Bool {
        switch status {
        case .ok:
            ice.noteAuthenticated(on: path, at: now)
            ice.recordMedia(on: path, at: now)
            handleICE(at: now)
            return true
        case .replayed, .tooOld: drops.replayed &+= 1
        case .malformed: drops.malformed &+= 1
        default: drops.unauthenticated &+= 1
        }
        return false
    }

    private mutating func receiveHandshake(_ datagram: RawSpan, at now: Monotonic) {
        guard hasRemote else {
            drops.early &+= 1
            return
        }
        let dropped = dtls.droppedDatagrams
        do throws(DTLSError) {
            try dtls.receive(datagram, at: now)
        } catch {
            return finish(.handshakeFailed(error))
        }
        if dtls.droppedDatagrams != dropped { drops.malformed &+= 1 }
        handleDTLS()
    }
}
