package import Bytes
package import DTLS
package import ICE
package import RTP

/// One WebRTC peer connection behind one BUNDLE: an ICE agent, one DTLS association, two SRTP sessions and an RTP sender,
/// without sockets and without a clock.
///
/// DTLS and SRTP are taken only from paths that ICE validated, and no key is exported before the peer's certificate matched a
/// fingerprint of the signalling, so that nobody else can race the handshake or inject media.
///
/// Verbs: `receive`, `send`, `advance(to:)`, `close`. After each of them the driver drains `pollTransmit`, then `pollEvent`, then
/// reads `nextDeadline`. Session descriptions are `MediaPlan`'s business; here arrive their results.
///
/// RFC 8445, 5764, 3711, 7714, 8834. Not here: data channels, and buffering of received media.
package struct WebRTCPeer: ~Copyable {
    package struct Configuration: Sendable {
        package var ice: ICEAgent.Configuration
        package var remoteCredentials: ICECredentials?
        package var dtlsContext: DTLSContext
        package var dtlsRole: DTLSRole
        /// Of the peer's certificate, from its description.
        package var remoteFingerprints: [Fingerprint]
        package var clock: NTPClock
        package var cname: InlineBytes
        /// Bits a second of all video together; sets the pace.
        package var targetBitrate: Int

        package init(
            ice: ICEAgent.Configuration, remoteCredentials: ICECredentials?, dtlsContext: DTLSContext, dtlsRole: DTLSRole,
            remoteFingerprints: [Fingerprint], clock: NTPClock, cname: InlineBytes, targetBitrate: Int
        ) {
            self.ice = ice
            self.remoteCredentials = remoteCredentials
            self.dtlsContext = dtlsContext
            self.dtlsRole = dtlsRole
            self.remoteFingerprints = remoteFingerprints
            self.clock = clock
            self.cname = cname
            self.targetBitrate = targetBitrate
        }
    }

    package enum State: Hashable, Sendable {
        /// No path, or no keys yet.
        case connecting
        case connected
        case closed
    }

    /// Why a connection ended.
    package enum CloseReason: Equatable, Sendable {
        /// No path was found in time, or the peer was not heard for too long.
        case unreachable
        case handshakeFailed(DTLSError)
        /// The peer said goodbye.
        case closedByPeer
        case closedHere
    }

    package enum Event: Equatable, Sendable {
        case connected
        /// The peer is not heard; it may come back.
        case disconnected
        case closed(CloseReason)
        case keyFrameRequested(stream: Int)
        /// The peer's estimate of what it can take, bits a second.
        case bitrateLimited(UInt64)
        /// New entries stand in `sender.feedback`.
        case feedbackReceived
        /// A server-reflexive candidate to tell the other side.
        case candidateFound(ICECandidate)
    }

    /// What a datagram was.
    package enum Received: Hashable, Sendable {
        /// Dealt with, or dropped and counted.
        case handled
        /// An RTP packet, decrypted in place: the first `count` bytes of the datagram.
        case media(count: Int)
    }

    /// Datagrams that were dropped, by reason.
    package struct Drops: Hashable, Sendable {
        /// DTLS or SRTP from a path that ICE did not validate.
        package var unvalidated: UInt64 = 0
        package var unauthenticated: UInt64 = 0
        package var replayed: UInt64 = 0
        package var malformed: UInt64 = 0
        package var stun: UInt64 = 0

        package var total: UInt64 { unvalidated &+ unauthenticated &+ replayed &+ malformed &+ stun }
    }

    package var ice: ICEAgent
    package var sender: RTPSender
    package private(set) var state = State.connecting
    package private(set) var drops = Drops()

    private let dtls: DTLSConnection
    private var sending: SRTPSession?
    private var receiving: SRTPSession?
    private var hasStartedHandshake = false
    private var owesGoodbye = false
    private var events = RingDeque<Event>(capacity: 64)

    package init(_ configuration: Configuration, at now: Monotonic) throws(DTLSError) {
        ice = ICEAgent(configuration.ice, at: now)
        if let credentials = configuration.remoteCredentials { ice.setRemoteCredentials(credentials, at: now) }
        sender = RTPSender(
            clock: configuration.clock, cname: configuration.cname, targetBitrate: configuration.targetBitrate)
        dtls = try DTLSConnection(
            role: configuration.dtlsRole, context: configuration.dtlsContext,
            expectedFingerprints: configuration.remoteFingerprints)
    }

    // MARK: - Sending

    /// Queues a frame on a stream of `sender`. False when it was dropped: not connected, no key frame yet, or stalled.
    @discardableResult
    package mutating func send(_ frame: PacketizedFrame, on stream: Int, at now: Monotonic) -> Bool {
        guard state == .connected else { return false }
        return sender.send(frame, on: stream, at: now)
    }

    /// Writes the next datagram into empty `output` and says where it goes; nil when nothing may leave before `nextDeadline`.
    ///
    /// `output` has room for 1,500 bytes and `SRTPSession.protectionTailBytes` more, into which libsrtp may write.
    package mutating func pollTransmit(into output: inout OutputRawSpan, at now: Monotonic) -> ICEPath? {
        if let transmit = ice.pollTransmit(into: &output) { return transmit.path }
        guard let path = ice.selectedPath else { return nil }
        if owesGoodbye {
            owesGoodbye = false
            sender.writeGoodbye(into: &output)
            if sending?.protectRTCP(&output) == .ok { return path }
            output.removeAll()
        }
        if dtls.pollTransmit(into: &output) { return path }
        guard state == .connected, let sending else { return nil }
        while let transmit = sender.pollTransmit(into: &output, at: now) {
            let status =
                switch transmit {
                case .media: sending.protectRTP(&output)
                case .control: sending.protectRTCP(&output)
                }
            if status == .ok { return path }
            output.removeAll()
        }
        return nil
    }

    // MARK: - Receiving

    /// Takes one datagram. SRTP is decrypted in place.
    package mutating func receive(
        _ datagram: inout MutableRawSpan, on path: ICEPath, at now: Monotonic
    ) -> Received {
        guard state != .closed else { return .handled }
        let kind = STUNDemux.classify(datagram.bytes)
        if kind == .stun {
            if case .ignored = ice.receive(datagram.bytes, on: path, at: now) { drops.stun &+= 1 }
            handleICE(at: now)
            return .handled
        }
        guard ice.isValidated(path) else {
            drops.unvalidated &+= 1
            return .handled
        }
        switch kind {
        case .dtls: receiveHandshake(datagram.bytes, on: path, at: now)
        case .rtp: return receiveMedia(&datagram, on: path, at: now)
        case .rtcp: receiveControl(&datagram, on: path, at: now)
        default: drops.malformed &+= 1
        }
        return .handled
    }

    private mutating func receiveMedia(
        _ datagram: inout MutableRawSpan, on path: ICEPath, at now: Monotonic
    ) -> Received {
        guard let receiving else { return .handled }
        let (status, count) = receiving.unprotectRTP(&datagram)
        guard accept(status, on: path, at: now) else { return .handled }
        return .media(count: count)
    }

    private mutating func receiveControl(_ datagram: inout MutableRawSpan, on path: ICEPath, at now: Monotonic) {
        guard let receiving else { return }
        let (status, count) = receiving.unprotectRTCP(&datagram)
        guard accept(status, on: path, at: now) else { return }
        do throws(RTPError) {
            try sender.receiveControl(datagram.bytes.extracting(0..<count), at: now)
        } catch {
            drops.malformed &+= 1
        }
        forwardSenderEvents()
    }

    /// Counts what SRTP said of a packet; failures never end a connection.
    private mutating func accept(_ status: SRTPStatus, on path: ICEPath, at now: Monotonic) -> Bool {
        switch status {
        case .ok:
            ice.recordMedia(on: path, at: now)
            return true
        case .replayed, .tooOld: drops.replayed &+= 1
        case .malformed: drops.malformed &+= 1
        default: drops.unauthenticated &+= 1
        }
        return false
    }

    private mutating func receiveHandshake(_ datagram: RawSpan, on path: ICEPath, at now: Monotonic) {
        do throws(DTLSError) {
            try dtls.receive(datagram, at: now)
        } catch {
            return finish(.handshakeFailed(error))
        }
        handleDTLS()
    }

    // MARK: - Time and end

    package mutating func advance(to now: Monotonic) {
        guard state != .closed else { return }
        ice.advance(to: now)
        handleICE(at: now)
        guard state != .closed else { return }
        do throws(DTLSError) {
            try dtls.advance(to: now)
        } catch {
            return finish(.handshakeFailed(error))
        }
        handleDTLS()
        sender.advance(to: now)
        forwardSenderEvents()
    }

    /// When to call `advance(to:)`; nil when nothing is due.
    package var nextDeadline: Monotonic? {
        guard state != .closed else { return nil }
        var earliest = ice.nextDeadline ?? .distantFuture
        if let deadline = dtls.nextDeadline { earliest = min(earliest, deadline) }
        if state == .connected, let deadline = sender.nextDeadline { earliest = min(earliest, deadline) }
        return earliest == .distantFuture ? nil : earliest
    }

    package mutating func pollEvent() -> Event? { events.popFirst() }

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
            switch event {
            case .keyFrameRequested(let stream): events.append(.keyFrameRequested(stream: stream))
            case .bitrateLimited(let rate): events.append(.bitrateLimited(rate))
            case .feedbackReceived: events.append(.feedbackReceived)
            }
        }
    }

    private mutating func handleICE(at now: Monotonic) {
        while let event = ice.pollEvent() {
            switch event {
            case .selectedPathChanged: startHandshake(at: now)
            case .stateChanged(.failed), .stateChanged(.closed): finish(.unreachable)
            case .stateChanged(.disconnected): events.append(.disconnected)
            case .candidateFound(let candidate): events.append(.candidateFound(candidate))
            case .stateChanged, .pathValidated, .gatheringFinished: break
            }
        }
    }

    private mutating func startHandshake(at now: Monotonic) {
        guard !hasStartedHandshake, state != .closed else { return }
        hasStartedHandshake = true
        do throws(DTLSError) {
            try dtls.start(at: now)
        } catch {
            finish(.handshakeFailed(error))
        }
    }

    private mutating func handleDTLS() {
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
            state = .connected
            events.append(.connected)
        case .failed(let error): finish(.handshakeFailed(error))
        case .closed: finish(.closedByPeer)
        }
    }

    private mutating func finish(_ reason: CloseReason) {
        guard state != .closed else { return }
        state = .closed
        events.append(.closed(reason))
    }
}
