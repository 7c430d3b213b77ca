import Bytes
import DTLS
import ICE
import RTP
import Runtime
import WebRTC

/// One WHEP viewer: a full ICE agent, DTLS client and SRTP receiver that counts what comes and decodes nothing.
@MediaLoop
final class RTPViewer {
    /// One RTP stream as it arrived.
    struct Track: Sendable {
        var packets = 0
        var bytes = 0
        /// Times that differ, that is pictures or sound packets.
        var frames = 0
        /// Pictures whose last packet came.
        var completed = 0
        var keyFrames = 0
        var reordered = 0
        var firstPacketAt: Monotonic?
        /// The last packet of the first picture.
        var firstCompletedAt: Monotonic?
        var largestGap = Interval.zero
        /// When the first packet of each frame came; kept on demand.
        var arrivals: [(timestamp: UInt32, at: Monotonic)] = []

        fileprivate var highest: Int64?
        private var lowest: Int64 = 0
        private var lastTimestamp: UInt32?
        private var lastFrameAt = Monotonic.zero

        /// Packets that never came.
        var lost: Int { highest.map { Int($0 - lowest + 1) - packets } ?? 0 }

        mutating func add(_ header: RTPHeader, _ count: Int, isKey: Bool, keepsArrivals: Bool, at now: Monotonic) {
            packets += 1
            bytes += count
            note(header.sequenceNumber)
            if firstPacketAt == nil { firstPacketAt = now }
            if isKey { keyFrames += 1 }
            if header.marker {
                completed += 1
                if firstCompletedAt == nil { firstCompletedAt = now }
            }
            guard header.timestamp != lastTimestamp else { return }
            if lastTimestamp != nil { largestGap = max(largestGap, now - lastFrameAt) }
            lastTimestamp = header.timestamp
            lastFrameAt = now
            frames += 1
            if keepsArrivals { arrivals.append((header.timestamp, now)) }
        }

        private mutating func note(_ sequenceNumber: UInt16) {
            guard let highest else {
                self.highest = Int64(sequenceNumber)
                lowest = Int64(sequenceNumber)
                return
            }
            let number = highest + Int64(Int16(bitPattern: sequenceNumber &- UInt16(truncatingIfNeeded: highest)))
            if number < highest { reordered += 1 }
            self.highest = max(highest, number)
        }
    }

    let openedAt: Monotonic
    private(set) var connectedAt: Monotonic?
    private(set) var closeReason: WebRTCPeer.CloseReason?
    private(set) var audio = Track()
    private(set) var video = Track()
    var drops: UInt64 { connection.drops.total }

    /// Told of each packet of a picture.
    var tracer: PacketTracer?
    /// Whatever comes is thrown away unread, and nothing is answered.
    var isDeaf = false {
        didSet { if isDeaf { timer.cancel() } }
    }

    private let keepsArrivals: Bool
    private var connection: WebRTCPeer
    private var socket: UDPSocket?
    private let timer = LoopTimer()
    private static let iceSocket = ICESocket(id: 0)

    private init(_ connection: consuming WebRTCPeer, keepsArrivals: Bool, openedAt: Monotonic) {
        self.connection = connection
        self.keepsArrivals = keepsArrivals
        self.openedAt = openedAt
    }

    /// Posts an offer and begins to connect.
    static func open(
        _ url: ServerURL, path: String, context: DTLSContext, keepsArrivals: Bool = false
    ) async throws -> RTPViewer {
        try await open(context: context, keepsArrivals: keepsArrivals) { offer in
            let response = try await HTTPExchange.perform("POST", url, path: path, body: offer)
            guard response.status == 201 else { throw BenchError("WHEP answered \(response.status): \(response.text)") }
            return (response.text, response.localIP)
        }
    }

    /// Likewise by `exchange`, which gives the answer and an address of this machine that the server can reach.
    static func open(
        context: DTLSContext, keepsArrivals: Bool = false,
        exchange: (String) async throws -> (answer: String, localIP: TransportAddress.IP)
    ) async throws -> RTPViewer {
        let openedAt = Monotonic.now
        let credentials = ICECredentials(random: Randomness.bytes(ICECredentials.randomBytes))
        let offer = ViewerOffer(credentials, context.certificate.fingerprint())
        let (text, localIP) = try await exchange(offer.text)
        let answer = try ServerAnswer(text)
        let now = Monotonic.now
        let connection = try WebRTCPeer(
            answer.configuration(credentials, context, targetBitrate: 1_000_000, at: now), at: now)
        let viewer = RTPViewer(connection, keepsArrivals: keepsArrivals, openedAt: openedAt)
        try viewer.start(on: localIP, answer.candidates, at: now)
        return viewer
    }

    private func start(on ip: TransportAddress.IP, _ candidates: [ICECandidate], at now: Monotonic) throws {
        let socket = try UDPSocket(on: TransportAddress(ip: ip, port: 0), handler: self)
        self.socket = socket
        try connection.ice.addLocalCandidate(.host(socket.address), socket: Self.iceSocket, at: now)
        for candidate in candidates { try connection.ice.addRemoteCandidate(candidate, at: now) }
        settle(at: now)
    }

    var isConnected: Bool { connectedAt != nil && closeReason == nil }

    /// Says goodbye.
    func close() {
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
        while socket.withNextSlot({ slot in connection.pollTransmit(into: &slot, at: now)?.remote }) {}
        while let event = connection.pollEvent() {
            switch event {
            case .connected: connectedAt = now
            case .closed(let reason): closeReason = reason
            default: break
            }
        }
        timer.schedule(at: connection.nextDeadline, calling: self)
    }

    private func count(_ packet: RawSpan, at now: Monotonic) {
        guard let header = try? RTPHeader(parsing: packet) else { return }
        switch header.payloadType {
        case ViewerOffer.audioPayloadType:
            audio.add(header, packet.byteCount, isKey: false, keepsArrivals: false, at: now)
        case ViewerOffer.videoPayloadType:
            let isKey = Self.beginsKeyFrame(header.payload(of: packet))
            tracer?.noteArrival(header.payload(of: packet), at: now)
            video.add(header, packet.byteCount, isKey: isKey, keepsArrivals: keepsArrivals, at: now)
        default: break
        }
    }

    /// A sequence parameter set, alone or first in a STAP-A: where each of the server's key frames begins (RFC 6184).
    private static func beginsKeyFrame(_ payload: RawSpan) -> Bool {
        let first = payload.extracting(first: min(4, payload.byteCount)).copied()
        guard let type = first.first.map({ $0 & 0x1F }) else { return false }
        return type == 7 || (type == 24 && first.count == 4 && first[3] & 0x1F == 7)
    }
}

extension RTPViewer: DatagramHandler, TimerHandler {
    func socket(
        _ socket: UDPSocket, received datagram: inout MutableRawSpan, from source: TransportAddress, at now: Monotonic
    ) {
        guard !isDeaf else { return }
        // The loop's time is that of its wake-up; what lies between counts against the server.
        let arrival = Monotonic.now
        let path = ICEPath(socket: Self.iceSocket, remote: source)
        if case .media(let count) = connection.receive(&datagram, on: path, at: now) {
            self.count(datagram.bytes.extracting(0..<count), at: arrival)
        }
    }

    func socketDrained(_ socket: UDPSocket, at now: Monotonic) { settle(at: now) }

    func timerFired(_ timer: LoopTimer, at now: Monotonic) {
        connection.advance(to: now)
        settle(at: now)
    }
}
