package import Bytes
package import DTLS
package import ICE
import Media
package import RTP

/// One WebRTC peer connection behind one BUNDLE: an ICE agent, one DTLS association, two SRTP sessions, an RTP
/// sender and, for those who publish to us, an RTP receiver, without sockets and without a clock.
///
/// DTLS and SRTP are taken only from paths that ICE validated, and no key is exported before the peer's certificate
/// matched a fingerprint of the signalling, so that nobody else can race the handshake or inject media.
///
/// Verbs: `receive`, `send`, `advance(to:)`, `pathLost`, `close`. After each of them the driver drains `pollTransmit`,
/// then `pollEvent`, then reads `nextDeadline`. Session descriptions are `MediaPlan`'s business; here arrive their
/// results.
///
/// RFC 8445, 5764, 3711, 7714, 8834. Not here: data channels, and reordering of received media.
package struct WebRTCPeer: ~Copyable {
    package struct Configuration: Sendable {
        package var ice: ICEAgent.Configuration
        /// Nil for an offerer: what the answer says comes by `setRemote`, and until then role and fingerprints here do
        /// not matter.
        package var remoteCredentials: ICECredentials?
        package var dtlsContext: DTLSContext
        package var dtlsRole: DTLSRole
        /// Of the peer's certificate, from its description.
        package var remoteFingerprints: [Fingerprint]
        package var clock: NTPClock
        package var cname: InlineBytes
        /// Bits a second of all video together; sets the pace.
        package var targetBitrate: Int
        /// Whether transport-wide feedback limits the pace and makes `bandwidthEstimated` events.
        package var estimatesBandwidth = false
        /// Nil when nothing is received but feedback; media is then handed out as it comes.
        package var receiver: RTPReceiver.Configuration?

        package init(
            ice: ICEAgent.Configuration, remoteCredentials: ICECredentials?, dtlsContext: DTLSContext,
            dtlsRole: DTLSRole,
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

    /// Candidates may be added and gathered here directly; what ends a path goes through `pathLost`.
    package var ice: ICEAgent
    package var sender: RTPSender
    let media: ReceivingSide?
    package internal(set) var state = State.connecting
    package internal(set) var drops = Drops()

    var dtls: DTLSConnection
    private let dtlsContext: DTLSContext
    /// The peer's role and fingerprints are known, so `dtls` is the one to use.
    private(set) var hasRemote: Bool
    var sending: SRTPSession?
    var receiving: SRTPSession?
    /// When the handshake must be over; nil before the first path, and once it is over.
    var handshakeDeadline: Monotonic?
    var hasStartedHandshake = false
    /// Between `disconnected` and `reconnected`.
    var isSilent = false
    /// The last one that was selected.
    var lastPath: ICEPath?
    var owesGoodbye = false
    var events = RingDeque<Event>(capacity: Limits.pendingEvents)
    /// The last event, which has a place of its own so that no backlog can push it out.
    var closing: CloseReason?

    package init(_ configuration: Configuration, at now: Monotonic) throws(DTLSError) {
        ice = ICEAgent(configuration.ice, at: now)
        if let credentials = configuration.remoteCredentials { ice.setRemoteCredentials(credentials, at: now) }
        sender = RTPSender(
            clock: configuration.clock, cname: configuration.cname, targetBitrate: configuration.targetBitrate,
            estimatesBandwidth: configuration.estimatesBandwidth)
        media = configuration.receiver.map { ReceivingSide($0) }
        dtlsContext = configuration.dtlsContext
        hasRemote = configuration.remoteCredentials != nil
        dtls = try DTLSConnection(
            role: configuration.dtlsRole, context: configuration.dtlsContext,
            expectedFingerprints: configuration.remoteFingerprints)
    }

    /// What the answer to our offer says. DTLS takes its role and fingerprints from the first call; later ones, after
    /// another offer, may bring new ICE credentials and candidates. Candidates of the description that cannot be used
    /// are passed over.
    package mutating func setRemote(_ remote: Remote, at now: Monotonic) throws(DTLSError) {
        guard state != .closed else { return }
        if !hasRemote {
            dtls = try DTLSConnection(
                role: remote.dtlsRole, context: dtlsContext, expectedFingerprints: remote.fingerprints)
            hasRemote = true
        }
        ice.setRemoteCredentials(remote.credentials, at: now)
        for candidate in remote.candidates { try? ice.addRemoteCandidate(candidate, at: now) }
        handleICE(at: now)
    }

    /// Begins a new ICE generation (RFC 8445 section 9): the next offer or answer carries `credentials`, and the
    /// other side's new ones come by `setRemote`. DTLS and SRTP go on, over the old path until there is a new one.
    package mutating func restartICE(credentials: ICECredentials, at now: Monotonic) {
        guard state != .closed else { return }
        ice.restart(credentials: credentials, at: now)
        handleICE(at: now)
    }

    /// The next event; nothing comes after `closed`.
    package mutating func pollEvent() -> Event? {
        if let event = events.popFirst() { return event }
        return closing.take().map { .closed($0) }
    }
}

// MARK: - Sending

extension WebRTCPeer {
    /// Queues a frame on a stream of `sender`. False when it was dropped: no keys or no path, no key frame yet, or
    /// stalled.
    @discardableResult
    package mutating func send(_ frame: PacketizedFrame, on stream: Int, at now: Monotonic) -> Bool {
        guard state == .connected else { return false }
        guard ice.selectedPath != nil else {
            // Nothing waits for a path to come: it would be stale by then.
            if frame.kind == .video { sender.requireKeyFrame(on: stream) }
            return false
        }
        return sender.send(frame, on: stream, at: now)
    }

    /// Protects an RTCP datagram that the caller wrote into `output`, such as feedback about media that it receives,
    /// and says where it goes; nil, with `output` empty, when it may not leave. Room as for `pollTransmit`.
    package func protectControl(_ output: inout OutputRawSpan) -> ICEPath? {
        if state == .connected, let path = ice.selectedPath, let sending, sending.protectRTCP(&output) == .ok,
            let outer = ice.wrap(&output, on: path)
        {
            return outer
        }
        output.removeAll()
        return nil
    }

    /// Writes the next datagram into empty `output` and says where it goes; nil when nothing may leave before
    /// `nextDeadline`.
    ///
    /// `output` has room for 1,500 bytes and `SRTPSession.protectionTailBytes` more.
    package mutating func pollTransmit(into output: inout OutputRawSpan, at now: Monotonic) -> ICEPath? {
        precondition(output.byteCount == 0, "a datagram starts where its memory starts")
        // What was done to `ice` directly may have its events too.
        handleICE(at: now)
        if let transmit = ice.pollTransmit(into: &output) { return transmit.path }
        if let path = ice.selectedPath, writeNext(into: &output, at: now) {
            if let outer = ice.wrap(&output, on: path) { return outer }
            drops.unprotected &+= 1
            output.removeAll()
        }
        // TURN servers are told last, as they carry the goodbye.
        guard state == .closed, ice.releaseRelays(at: now) else { return nil }
        return ice.pollTransmit(into: &output)?.path
    }

    /// The next datagram for the selected path.
    private mutating func writeNext(into output: inout OutputRawSpan, at now: Monotonic) -> Bool {
        if writeGoodbye(into: &output) || dtls.pollTransmit(into: &output) { return true }
        guard state == .connected, let sending else { return false }
        while let transmit = sender.pollTransmit(into: &output, at: now) {
            let status =
                switch transmit {
                case .media: sending.protectRTP(&output)
                case .control: sending.protectRTCP(&output)
                }
            if status == .ok { return true }
            drops.unprotected &+= 1
            output.removeAll()
        }
        while media?.receiver.pollControl(into: &output, at: now) ?? false {
            if sending.protectRTCP(&output) == .ok { return true }
            drops.unprotected &+= 1
            output.removeAll()
        }
        return false
    }

    /// RTCP's BYE goes before DTLS's close_notify, with which the peer forgets the keys.
    private mutating func writeGoodbye(into output: inout OutputRawSpan) -> Bool {
        guard owesGoodbye, let sending else { return false }
        owesGoodbye = false
        guard sender.streamCount > 0 else { return false }
        sender.writeGoodbye(into: &output)
        if sending.protectRTCP(&output) == .ok { return true }
        output.removeAll()
        return false
    }
}
