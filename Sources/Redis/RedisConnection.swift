import Bytes
import DTLS
import Runtime

/// Whoever owns a `RedisConnection`. Called on the loop.
@MediaLoop
protocol RedisConnectionHandler: AnyObject {
    /// Something came that is no answer to a command: a message, or a confirmation of a subscription.
    func connection(_ connection: RedisConnection, received event: RedisSession.Event)
    /// The connection is over; its commands have failed. Not called when `close()` ended it.
    func connection(_ connection: RedisConnection, closed error: RedisError)
}

/// One socket to one server, with TLS where asked for: drives a `RedisSession`.
@MediaLoop
final class RedisConnection {
    typealias Completion = @MediaLoop (Result<RedisReply, RedisError>) -> Void

    /// What all connections to one service have in common.
    struct Parameters: Sendable {
        var setup = RedisSession.Setup()
        var tls: (context: TLSClientContext, serverName: String)?
        var timing = RedisTiming()
        var limits = RedisLimits()
    }

    let address: RedisAddress
    private(set) weak var handler: (any RedisConnectionHandler)?
    private var stream: TCPStream?
    private var tls: StreamTLS?
    private var session: RedisSession
    private let timer = LoopTimer()
    private var setupDeadline: Monotonic?
    private var opening: CheckedContinuation<Result<Void, RedisError>, Never>?
    private var completions: [UInt64: Completion] = [:]
    /// The outcome before anybody waited for it; also why the connection is over.
    private var failure: RedisError?

    private init(_ address: RedisAddress, _ purpose: RedisSession.Purpose, _ parameters: Parameters, until: Monotonic) {
        self.address = address
        setupDeadline = until
        session = RedisSession(
            purpose, setup: parameters.setup, timing: parameters.timing, limits: parameters.limits, at: MediaLoop.now)
    }

    /// A connection that is ready for commands. Tries the addresses of the name one after another, within the
    /// connect time-out in all.
    static func open(
        _ address: RedisAddress, for purpose: RedisSession.Purpose, _ parameters: Parameters,
        handler: (any RedisConnectionHandler)? = nil
    ) async throws(RedisError) -> RedisConnection {
        let candidates: [TransportAddress]
        do throws(RuntimeError) {
            candidates = try await Resolver.resolve(address.host, port: address.port)
        } catch {
            throw .network(error)
        }
        let deadline = MediaLoop.now + parameters.timing.connect
        var last = RedisError.timedOut
        for candidate in candidates where MediaLoop.now < deadline {
            let connection = RedisConnection(address, purpose, parameters, until: deadline)
            connection.handler = handler
            do throws(RedisError) {
                try await connection.connect(to: candidate, parameters, timeout: deadline - MediaLoop.now)
                return connection
            } catch {
                last = error
            }
        }
        throw last
    }

    private func connect(
        to candidate: TransportAddress, _ parameters: Parameters, timeout: Interval
    ) async throws(RedisError) {
        if let (context, serverName) = parameters.tls {
            do throws(DTLSError) {
                tls = try StreamTLS(client: context, host: serverName.isEmpty ? address.host : serverName)
            } catch {
                throw .tls(error)
            }
        }
        do throws(RuntimeError) {
            stream = try TCPStream.connect(to: candidate, timeout: timeout, handler: self)
        } catch {
            throw .network(error)
        }
        timer.schedule(at: setupDeadline, calling: self)
        try await withCheckedContinuation { opening = $0 }.get()
    }

    var isOpen: Bool { session.isReady && failure == nil }

    // MARK: Commands

    /// `completion` is called once, before or after this returns.
    func send(_ command: RedisCommand, completion: @escaping Completion) {
        if let failure { return completion(.failure(failure)) }
        do throws(RedisError) {
            completions[try session.send(command, at: MediaLoop.now)] = completion
            settle()
        } catch {
            completion(.failure(error))
        }
    }

    func send(_ command: RedisCommand) async throws(RedisError) -> RedisReply {
        let result = await withCheckedContinuation {
            (waiter: CheckedContinuation<Result<RedisReply, RedisError>, Never>) in
            send(command) { waiter.resume(returning: $0) }
        }
        return try result.get()
    }

    func subscribe(_ channels: [String]) {
        guard failure == nil else { return }
        session.subscribe(channels, at: MediaLoop.now)
        settle()
    }

    func unsubscribe(_ channels: [String]) {
        guard failure == nil else { return }
        session.unsubscribe(channels, at: MediaLoop.now)
        settle()
    }

    /// Ends the connection; commands under way fail.
    func close() {
        handler = nil
        fail(.closed)
    }

    // MARK: Driving

    private func settle() {
        handleEvents()
        guard failure == nil else { return }
        flush()
        let deadline = setupDeadline.map { min($0, session.nextDeadline) } ?? session.nextDeadline
        timer.schedule(at: deadline, calling: self)
    }

    private func handleEvents() {
        while failure == nil, let event = session.pollEvent() {
            switch event {
            case .ready:
                setupDeadline = nil
                opening.take()?.resume(returning: .success(()))
            case .replied(let number, let reply): completions.removeValue(forKey: number)?(.success(reply))
            case .message, .subscribed, .unsubscribed, .subscriptionRefused:
                handler?.connection(self, received: event)
            }
        }
    }

    private func flush() {
        // Until the handshake is over the session waits: OpenSSL would take only so much.
        guard let stream, stream.isOpen, tls.map({ $0.state == .connected }) ?? true else { return }
        while let bytes = session.pollTransmit() {
            if let tls {
                do throws(DTLSError) {
                    try tls.send(bytes.rawSpan)
                } catch {
                    return fail(.tls(error))
                }
                guard sendCiphertext(tls) else { return fail(.limitExceeded(.pendingCommands)) }
            } else if !stream.write(bytes.rawSpan) {
                return fail(.limitExceeded(.pendingCommands))
            }
        }
    }

    /// False when the socket's queue is full.
    @discardableResult
    private func sendCiphertext(_ tls: StreamTLS) -> Bool {
        var isQueued = true
        tls.takeCiphertext { bytes in isQueued = stream?.write(bytes) ?? false }
        return isQueued
    }

    private func receive(_ bytes: RawSpan, at now: Monotonic) {
        do throws(RedisError) {
            try session.receive(bytes, at: now)
            settle()
        } catch {
            handleEvents()
            fail(error)
        }
    }

    private func receiveTLS(_ bytes: RawSpan, _ tls: StreamTLS, at now: Monotonic) {
        do throws(DTLSError) {
            try tls.receive(bytes)
        } catch {
            sendCiphertext(tls)
            return fail(.tls(error))
        }
        sendCiphertext(tls)
        flush()
        // Answers go out while the bytes are read, so these cannot stay lent.
        var plaintext: [UInt8] = []
        tls.takePlaintext { plaintext.append(copying: $0) }
        if !plaintext.isEmpty { receive(plaintext.rawSpan, at: now) }
        if tls.state == .closedByPeer { fail(.closedByServer) }
    }

    private func fail(_ error: RedisError) {
        guard failure == nil else { return }
        failure = error
        timer.cancel()
        // What was queued may still go, the alert of a TLS failure above all.
        if case .timedOut = error { stream?.close() } else { stream?.closeAfterFlush() }
        stream = nil
        let completions = completions
        self.completions = [:]
        for number in completions.keys.sorted() { completions[number]?(.failure(error)) }
        if let opening = opening.take() {
            opening.resume(returning: .failure(error))
        } else {
            handler?.connection(self, closed: error)
        }
    }
}

extension RedisConnection: TCPStreamHandler, Runtime.TimerHandler {
    func streamConnected(_ stream: TCPStream, at now: Monotonic) {
        if let tls { sendCiphertext(tls) }
        flush()
    }

    func stream(_ stream: TCPStream, received bytes: RawSpan, at now: Monotonic) {
        guard failure == nil else { return }
        if let tls { receiveTLS(bytes, tls, at: now) } else { receive(bytes, at: now) }
    }

    func streamEnded(_ stream: TCPStream, at now: Monotonic) { fail(.closedByServer) }

    func stream(_ stream: TCPStream, failed error: RuntimeError, at now: Monotonic) {
        switch error {
        case .system(_, .connectionReset), .system(_, .brokenPipe): fail(.closedByServer)
        default: fail(.network(error))
        }
    }

    func timerFired(_ timer: LoopTimer, at now: Monotonic) {
        guard failure == nil else { return }
        if let setupDeadline, setupDeadline <= now { return fail(.timedOut) }
        do throws(RedisError) {
            try session.advance(to: now)
            settle()
        } catch {
            fail(error)
        }
    }
}
