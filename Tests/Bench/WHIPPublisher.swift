import Bytes
import DTLS
import ICE
import Media
import RTP
import Runtime
import WebRTC

/// One WHIP publisher that sends a clip at its pace, over a real connection. Nothing is encoded.
@MediaLoop
final class WHIPPublisher {
    /// A datagram that was made ahead.
    struct Recorded {
        let bytes: [UInt8]
        /// From the first one on.
        let after: Interval
    }

    private(set) var connectedAt: Monotonic?
    private(set) var closeReason: WebRTCPeer.CloseReason?
    private(set) var datagrams = 0
    /// Told of each picture that is sent.
    var tracer: PacketTracer?

    private let clip: PassClip
    private var connection: WebRTCPeer
    private var socket: UDPSocket?
    private let timer = LoopTimer()
    private let pace = LoopTimer()
    private let video: Int
    private let audio: Int
    private var index = 0
    private var repetition: Int64 = 0
    private var startedAt = Monotonic.zero
    private var peerAddress: TransportAddress?
    private var isDeaf = false
    private static let iceSocket = ICESocket(id: 0)
    /// Frames leave at once: what an encoder's own pacer adds is not the server's.
    private static let unpaced = 200_000_000

    private init(_ connection: consuming WebRTCPeer, clip: PassClip) {
        self.clip = clip
        var random = SystemRandomNumberGenerator()
        let seed = StreamSeed(using: &random)
        var sound = SendStream.Configuration(
            kind: .audio, ssrc: .random(in: 1 ... .max), payloadType: PublisherOffer.audioPayloadType,
            clockRate: 48_000, firstSequenceNumber: seed.sequenceNumber, timestampOffset: seed.timestampOffset)
        sound.extensions = PublisherOffer.extensions
        sound.mid = InlineBytes("0")
        var picture = SendStream.Configuration(
            kind: .video, ssrc: .random(in: 1 ... .max), payloadType: PublisherOffer.videoPayloadType,
            clockRate: 90_000, firstSequenceNumber: seed.sequenceNumber, timestampOffset: seed.timestampOffset)
        picture.extensions = PublisherOffer.extensions
        picture.mid = InlineBytes("1")
        picture.retransmission = .init(
            ssrc: .random(in: 1 ... .max), payloadType: PublisherOffer.retransmissionPayloadType,
            firstSequenceNumber: seed.retransmissionNumber)
        self.connection = connection
        audio = self.connection.sender.addStream(sound)
        video = self.connection.sender.addStream(picture)
    }

    /// Posts an offer by `exchange`, which gives the answer and an address of this machine that the server can reach.
    static func open(
        _ clip: PassClip, context: DTLSContext,
        exchange: (String) async throws -> (answer: String, localIP: TransportAddress.IP)
    ) async throws -> WHIPPublisher {
        let credentials = ICECredentials(random: Randomness.bytes(ICECredentials.randomBytes))
        let offer = PublisherOffer(credentials, context.certificate.fingerprint())
        let (text, localIP) = try await exchange(offer.text)
        let answer = try ServerAnswer(text)
        let now = Monotonic.now
        let connection = try WebRTCPeer(
            answer.configuration(credentials, context, targetBitrate: unpaced, at: now), at: now)
        let publisher = WHIPPublisher(connection, clip: clip)
        try publisher.start(on: localIP, answer.candidates, at: now)
        return publisher
    }

    private func start(on ip: TransportAddress.IP, _ candidates: [ICECandidate], at now: Monotonic) throws {
        let socket = try UDPSocket(on: TransportAddress(ip: ip, port: 0), handler: self)
        self.socket = socket
        try connection.ice.addLocalCandidate(.host(socket.address), socket: Self.iceSocket, at: now)
        for candidate in candidates { try connection.ice.addRemoteCandidate(candidate, at: now) }
        settle(at: now)
    }

    var isConnected: Bool { connectedAt != nil && closeReason == nil }
    /// Packets that the server reported lost, repeats included.
    var nacked: UInt64 { connection.sender.statistics(of: video).packetsNacked }
    var packets: UInt64 {
        connection.sender.statistics(of: video).packetsSent + connection.sender.statistics(of: audio).packetsSent
    }

    func close() {
        pace.cancel()
        guard closeReason == nil else { return }
        connection.close()
        settle(at: .now)
    }

    /// After the goodbye had time to leave.
    func release() {
        timer.cancel()
        socket?.close()
        socket = nil
    }

    private func settle(at now: Monotonic) {
        guard let socket, !isDeaf else { return }
        while socket.withNextSlot({ slot in
            guard let path = connection.pollTransmit(into: &slot, at: now) else { return nil }
            datagrams += 1
            peerAddress = path.remote
            return path.remote
        }) {}
        while let event = connection.pollEvent() {
            switch event {
            case .connected:
                connectedAt = now
                startedAt = now
                advance(at: now)
            case .closed(let reason):
                closeReason = reason
                pace.cancel()
            default: break
            }
        }
        timer.schedule(at: connection.nextDeadline, calling: self)
    }

    // MARK: - The clip

    private var dueAt: Monotonic {
        startedAt + Interval(nanoseconds: clip.items[index].nanoseconds + repetition * clip.nanoseconds)
    }

    /// Sends all that is due and sets the timer for the next.
    private func advance(at now: Monotonic) {
        guard isConnected, !isDeaf else { return }
        while dueAt <= now {
            sendNext(at: now)
            settle(at: now)
        }
        pace.schedule(at: dueAt, calling: self)
    }

    private func sendNext(at now: Monotonic) {
        let item = clip.items[index]
        let pts = dueAt.nanoseconds
        let frame = EncodedFrame(codec: item.codec, pts: pts, dts: pts, isKey: item.isKey, payload: item.payload)
        let isVideo = frame.kind == .video
        if let packets = try? PacketizedFrame(frame, as: isVideo ? .h264AnnexB : .opus) {
            if isVideo { tracer?.noteSent(packets, at: .now) }
            connection.send(packets, on: isVideo ? video : audio, at: now)
        }
        index += 1
        guard index == clip.items.count else { return }
        index = 0
        repetition += 1
    }

    // MARK: - Recording

    /// Makes the next `count` datagrams and hears nothing from now on: `replay` sends them.
    func record(_ count: Int) -> [Recorded] {
        isDeaf = true
        pace.cancel()
        timer.cancel()
        let begin = dueAt
        var recorded: [Recorded] = []
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: UDPSocket.slotBytes, alignment: 16)
        defer { memory.deallocate() }
        while recorded.count < count {
            let time = dueAt
            sendNext(at: time)
            while true {
                var output = OutputRawSpan(buffer: memory, initializedCount: 0)
                let path = connection.pollTransmit(into: &output, at: time)
                let length = output.finalize(for: memory)
                guard path != nil else { break }
                recorded.append(Recorded(bytes: Array(memory[..<length]), after: time - begin))
            }
        }
        return recorded
    }

    func send(_ datagram: Recorded) {
        guard let peerAddress else { return }
        socket?.send(datagram.bytes.rawSpan, to: peerAddress)
    }
}

extension WHIPPublisher: DatagramHandler, TimerHandler {
    func socket(
        _ socket: UDPSocket, received datagram: inout MutableRawSpan, from source: TransportAddress, at now: Monotonic
    ) {
        guard !isDeaf else { return }
        _ = connection.receive(&datagram, on: ICEPath(socket: Self.iceSocket, remote: source), at: now)
    }

    func socketDrained(_ socket: UDPSocket, at now: Monotonic) { settle(at: now) }

    func timerFired(_ timer: LoopTimer, at now: Monotonic) {
        if timer === pace { return advance(at: now) }
        connection.advance(to: now)
        settle(at: now)
    }
}
