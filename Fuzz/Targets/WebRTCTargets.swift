import Bytes
import DTLS
import ICE
import Media
import RTP
import SDP
import WebRTC

/// Offers and answers of strangers against the rules of negotiation, and datagrams against a connection.
package let webRTCTargets: [FuzzTarget] = [
    FuzzTarget("media-plan-answer") { bytes in
        guard let offer = try? SessionDescription(parsing: bytes) else { return }
        for codec in [VideoCodec.h264, .vp8] {
            guard let plan = try? MediaPlan.answer(to: offer, wanting: capabilities(codec), local: local) else {
                continue
            }
            let answer = plan.localDescription
            precondition(answer.media.map(\.mid) == offer.media.map(\.mid), "the answer's sections are not the offer's")
            precondition(answer.media.filter { !$0.isRejected }.count == plan.sections.count, "plan and answer differ")
            precondition((try? SessionDescription(parsing: answer.serialized())) == answer, "the answer cannot be read")
        }
    },
    FuzzTarget("media-plan-offer") { bytes in
        guard let answer = try? SessionDescription(parsing: bytes) else { return }
        for codec in [VideoCodec.h264, .vp8] {
            let offer = MediaOffer(publishing: capabilities(codec), local: local)
            guard let plan = try? offer.apply(answer: answer) else { continue }
            precondition(!plan.sections.isEmpty && plan.sections.allSatisfy { !$0.layers.isEmpty }, "an empty plan")
        }
    },
    FuzzTarget("peer") { bytes in
        var input = FuzzInput(bytes)
        var pair = PeerPair(stage: input.byte() % 3)
        var steps = 0
        while !input.isEmpty, steps < 256 {
            pair.step(&input)
            steps += 1
        }
    },
]

private func capabilities(_ codec: VideoCodec) -> SendCapabilities {
    SendCapabilities(
        cname: "c", audio: SentAudio(track: MediaStreamID(stream: "s", track: "a"), ssrc: 1, isStereo: true),
        video: SentVideo(
            track: MediaStreamID(stream: "s", track: "v"), codec: codec,
            layers: [SentLayer(rid: "q", ssrc: 2, rtxSSRC: 3), SentLayer(rid: "f", ssrc: 4, rtxSSRC: 5)]))
}

private let local = LocalTransport(
    sessionID: 1, iceUfrag: "user", icePwd: "passwordpasswordpassword", isICELite: true,
    fingerprints: [SDP.Fingerprint(algorithm: "sha-256", bytes: Array(0..<32))])

/// A server peer under the input's control, a client with whom it has got as far as the stage says, and their time.
private struct PeerPair: ~Copyable {
    private static let serverPath = path(port: 1)
    private static let clientPath = path(port: 2)
    private static let strangePath = path(port: 3)

    private let stage: UInt8
    private var server: WebRTCPeer
    private var client: WebRTCPeer
    private var now = Monotonic.zero
    private var hasEnded = false
    /// What the client has sent.
    private var recorded: [[UInt8]] = []

    /// 0: strangers; 1: the server has a path; 2: connected.
    init(stage: UInt8) {
        self.stage = stage
        let (one, other) = (ICECredentials(random: Array(1...24)), ICECredentials(random: Array(101...124)))
        server = makePeer(.lite, one, other, .server)
        client = makePeer(.full, other, one, .client)
        var stream = SendStream.Configuration(
            kind: .video, ssrc: 7, payloadType: 100, clockRate: 90_000, firstSequenceNumber: 65_530, timestampOffset: 1)
        stream.retransmission = SendStream.Retransmission(ssrc: 8, payloadType: 101, firstSequenceNumber: 1)
        stream.extensions[.transportSequence] = 3
        _ = server.sender.addStream(stream)
        guard stage > 0 else { return }
        try? client.ice.addLocalCandidate(.host(Self.clientPath.remote), socket: Self.clientPath.socket, at: now)
        try? client.ice.addRemoteCandidate(.host(Self.serverPath.remote), at: now)
        for _ in 0..<64 where stage == 1 ? server.ice.selectedPath == nil : client.state != .connected {
            client.advance(to: now)
            exchange()
            now = now + .milliseconds(1)
        }
        precondition(stage == 1 || server.state == .connected && client.state == .connected, "no handshake to fuzz")
    }

    mutating func step(_ input: inout FuzzInput) {
        switch input.byte() % 12 {
        case 0, 1, 2: deliver(input.slice(upTo: 1_500))
        case 3: deliver(input.slice(upTo: 1_500), on: Self.strangePath)
        case 4, 5: deliverControl(input.slice(upTo: 1_200))
        case 6: send(input.slice(upTo: 4_000), isKey: input.byte() & 1 == 0)
        case 7: advance(by: .milliseconds(Int64(input.int(in: 0...20_000))))
        case 8: server.pathLost(Self.clientPath, at: now)
        case 9: deliverAgain(&input)
        case 10: exchange()
        default: if input.byte() == 0 { server.close() }
        }
        settle()
    }

    private mutating func deliver(_ bytes: [UInt8], on path: ICEPath = clientPath) {
        var bytes = bytes
        var elements = bytes.mutableSpan
        var datagram = elements.mutableBytes
        if case .media(let count) = server.receive(&datagram, on: path, at: now) {
            precondition(server.state == .connected && count <= bytes.count, "media without keys")
        }
    }

    /// RTCP of the input's choice under the client's keys.
    private mutating func deliverControl(_ plain: [UInt8]) {
        var mayLeave = false
        let bytes = filled {
            $0.append(copying: plain)
            mayLeave = client.protectControl(&$0) != nil
        }
        if mayLeave { deliver(bytes) }
    }

    private mutating func deliverAgain(_ input: inout FuzzInput) {
        guard !recorded.isEmpty else { return }
        var datagram = recorded[input.int(in: 0...recorded.count - 1)]
        datagram[input.int(in: 0...datagram.count - 1)] ^= input.byte()
        deliver(Array(datagram.dropLast(Int(input.byte() % 32))))
    }

    private mutating func send(_ payload: [UInt8], isKey: Bool) {
        let frame = EncodedFrame(
            codec: .video(.h264), pts: now.nanoseconds, dts: now.nanoseconds, isKey: isKey,
            payload: SlabSlice(copying: payload))
        guard let frame = try? PacketizedFrame(frame, as: .h264AnnexB) else { return }
        server.send(frame, on: 0, at: now)
        server.forwardSenderEvents()
    }

    private mutating func advance(by interval: Interval) {
        now = now + interval
        server.advance(to: now)
    }

    /// What both sides have to say reaches the other.
    private mutating func exchange() {
        for bytes in drain(&client, at: now) {
            if recorded.count < 64 { recorded.append(bytes) }
            deliver(bytes)
        }
        for bytes in drain(&server, at: now) {
            var bytes = bytes
            var elements = bytes.mutableSpan
            var datagram = elements.mutableBytes
            _ = client.receive(&datagram, on: Self.serverPath, at: now)
        }
        while client.pollEvent() != nil {}
    }

    /// As a driver does: drains, then sees to deadlines that have passed, of which there must be an end.
    private mutating func settle() {
        var rounds = 0
        while true {
            _ = drain(&server, at: now)
            while let event = server.pollEvent() {
                precondition(!hasEnded, "an event after the last")
                if case .closed = event { hasEnded = true }
            }
            precondition(hasEnded == (server.state == .closed), "closed without saying so")
            precondition(stage > 0 || server.state != .connected, "connected without a handshake")
            guard let deadline = server.nextDeadline, deadline <= now else { return }
            server.advance(to: now)
            rounds += 1
            precondition(rounds < 64, "a deadline that does not move")
        }
    }

    private static func path(port: UInt16) -> ICEPath {
        ICEPath(socket: ICESocket(id: 0), remote: TransportAddress(ip: .v4(0xC000_0201), port: port))
    }
}

private func drain(_ peer: inout WebRTCPeer, at now: Monotonic) -> [[UInt8]] {
    var datagrams: [[UInt8]] = []
    while true {
        var isThere = false
        let datagram = filled { isThere = peer.pollTransmit(into: &$0, at: now) != nil }
        guard isThere else { return datagrams }
        precondition((1...1_500).contains(datagram.count) && datagrams.count < 10_000, "a datagram that may not be")
        datagrams.append(datagram)
    }
}

private func filled(_ body: (inout OutputRawSpan) -> Void) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: 1_500 + SRTPSession.protectionTailBytes) { buffer, count in
        let memory = UnsafeMutableRawBufferPointer(buffer)
        var output = OutputRawSpan(buffer: memory, initializedCount: 0)
        body(&output)
        count = output.finalize(for: memory)
    }
}

private let peerContext: DTLSContext = {
    do { return try DTLSContext(certificate: .selfSigned(unixSeconds: 0)) } catch {
        preconditionFailure("no context to fuzz with: \(error)")
    }
}()

private func makePeer(
    _ mode: ICEAgent.Mode, _ credentials: ICECredentials, _ remote: ICECredentials, _ role: DTLSRole
) -> WebRTCPeer {
    let ice = ICEAgent.Configuration(
        mode: mode, role: .controlling, credentials: credentials, seed: Array(credentials.password.utf8),
        hmac: { HMAC.sha1Tag(key: $0, $1) })
    let configuration = WebRTCPeer.Configuration(
        ice: ice, remoteCredentials: remote, dtlsContext: peerContext, dtlsRole: role,
        remoteFingerprints: [peerContext.certificate.fingerprint()],
        clock: NTPClock(NTPTime(unixNanoseconds: 0), at: .zero), cname: InlineBytes(), targetBitrate: 1_000_000)
    do { return try WebRTCPeer(configuration, at: .zero) } catch {
        preconditionFailure("no peer to fuzz: \(error)")
    }
}
