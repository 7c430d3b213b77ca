package import Bytes
import ICE
import Runtime

/// Asks STUN servers how they see one of the hub's ports. For a port that stays it is asked again and again, which also
/// keeps the mapping of a NAT alive.
@MediaLoop
final class ReflexiveQuestion {
    private enum Limits {
        static let firstPause = Interval.milliseconds(250)
        static let lastPause = Interval.seconds(4)
        /// Shorter than what NATs forget after (RFC 4787 section 4.3).
        static let renewal = Interval.seconds(25)
    }

    private let tag: UInt32
    private let port: HubPort
    private let servers: [TransportAddress]
    private var number: UInt64 = Randomness.integer()
    private var pause = Limits.firstPause
    private let timer = LoopTimer()
    private let onAnswer: @MediaLoop () -> Void

    init(tag: UInt32, port: HubPort, servers: [TransportAddress], onAnswer: @escaping @MediaLoop () -> Void) {
        self.tag = tag
        self.port = port
        self.servers = servers
        self.onAnswer = onAnswer
    }

    func ask(at now: Monotonic) {
        guard let socket = port.socket else { return }
        for server in servers {
            socket.withNextSlot { slot in
                let id = STUNTransactionID(high: tag, low: number)
                let writer = STUNWriter(.binding, .request, transactionID: id, into: &slot)
                writer.finish(integrityKey: nil, fingerprint: false, hmac: { _, _ in .init(repeating: 0) }, to: &slot)
                return server
            }
        }
        timer.schedule(at: now + pause, calling: self)
        pause = min(pause * 2, Limits.lastPause)
    }

    func receive(_ datagram: RawSpan, on path: ICEPath, at now: Monotonic) {
        guard path.socket == port.id, servers.contains(path.remote), let message = try? STUNMessage(datagram),
            message.transactionID.low == number, message.messageClass == .success,
            let address = try? message.xorAddress(.xorMappedAddress), !address.ip.isAny, address.port != 0
        else { return }
        port.reflexive = address
        number = Randomness.integer()
        pause = Limits.firstPause
        timer.schedule(at: now + Limits.renewal, calling: self)
        onAnswer()
    }

    func stop() { timer.cancel() }
}

extension ReflexiveQuestion: TimerHandler {
    func timerFired(_ timer: LoopTimer, at now: Monotonic) { ask(at: now) }
}

// Server-reflexive addresses (RFC 8445 section 5.1.1.2) of the hub's ports.
extension PeerHub {
    private enum ReflexiveLimits {
        static let servers = 4
        /// For which an answer to a publisher waits when its port is new.
        static let patience = Interval.milliseconds(300)
    }

    /// Asks these servers about all ports from now on: about shared ones at once, about others as they are taken.
    package func askSTUN(_ servers: [TransportAddress], at now: Monotonic) {
        stunServers = Array(servers.prefix(ReflexiveLimits.servers))
        for port in shared + [common].compactMap(\.self) { ask(about: port, at: now) {} }
    }

    /// Waits for the reflexive address of a port that was taken, but not for long.
    package func learnReflexive(_ taken: PeerPorts, at now: Monotonic) async {
        guard taken.areOwn, !stunServers.isEmpty, let port = taken.all.first else { return }
        let (answers, continuation) = AsyncStream<Void>.makeStream()
        let tag = ask(about: port, at: now) { continuation.yield() }
        let timeout = Task { @MediaLoop in
            try? await Task.sleep(for: .nanoseconds(ReflexiveLimits.patience.nanoseconds))
            continuation.finish()
        }
        for await _ in answers { break }
        timeout.cancel()
        // The publisher's traffic keeps the mapping from here on.
        questions.removeValue(forKey: tag)?.stop()
    }

    @discardableResult
    private func ask(about port: HubPort, at now: Monotonic, onAnswer: @escaping @MediaLoop () -> Void) -> UInt32 {
        let tag = unusedTag()
        let question = ReflexiveQuestion(tag: tag, port: port, servers: stunServers, onAnswer: onAnswer)
        questions[tag] = question
        question.ask(at: now)
        return tag
    }
}
