import Bytes
import CoreMetrics
import DTLS
import FLV
import Logging
import RTMP
import Runtime

/// One encoder's connection: socket, TLS where asked for, RTMP, FLV, and the session they feed.
@MediaLoop
final class RTMPConnection {
    /// How long a publisher may send nothing. Longer than encoders need to come out of a freeze.
    private static let idleTimeout = Interval.seconds(60)
    private static let reportInterval = Interval.seconds(1)

    private let stream: TCPStream
    private let tls: StreamTLS?
    private unowned let server: RTMPServer
    private let log: Logger
    private let timer = LoopTimer()
    private var rtmp: RTMPServerSession
    private var demuxer: FLVDemuxer
    private var sink: (any MediaSink)?
    /// The publish request that is being decided on; its number tells late answers.
    private var pendingDecision: Int?
    private var requests = 0
    private var wasRefused = false
    private var unusable = ErrorTally<FLVError>()
    private var reportDue = Monotonic.distantFuture
    private var tlsDeadline: Monotonic?
    private var isOver = false

    var remoteIP: TransportAddress.IP { stream.peerAddress.ip.unmapped }

    init(_ stream: TCPStream, tls: StreamTLS?, server: RTMPServer, at now: Monotonic) {
        self.stream = stream
        self.tls = tls
        self.server = server
        var log = server.log
        log[metadataKey: "from"] = "\(Redacted(stream.peerAddress))"
        self.log = log
        var limits = RTMPLimits()
        limits.idleTimeout = Self.idleTimeout
        rtmp = RTMPServerSession(
            limits: limits, slabPool: server.slabPool, hmac: { HMAC.sha256(key: $0, $1) },
            random: Randomness.bytes(1_528), at: now)
        demuxer = FLVDemuxer(pool: server.slabPool)
        if tls != nil { tlsDeadline = now + RTMPServer.Limits.tlsHandshake }
    }

    func start(at now: Monotonic) {
        do throws(RuntimeError) {
            try stream.start(handler: self)
            settle(at: now)
        } catch {
            finish(.disconnected, .failed("\(error)"))
        }
    }

    /// Ends the connection from this side, telling the encoder why.
    func end(_ reason: SessionEnd) {
        guard !isOver else { return }
        switch reason {
        case .replaced: rtmp.close(description: "Another encoder has taken over this stream key.")
        case .serverStopping: rtmp.close(description: "The server is shutting down.")
        case .failed(let text): rtmp.close(description: text)
        case .finished, .disconnected: break
        }
        flush()
        finish(reason == .replaced ? .replaced : reason == .serverStopping ? .serverStopping : .failed, reason)
    }

    // MARK: - Bytes in

    private func receive(_ bytes: RawSpan, at now: Monotonic) {
        do throws(RTMPError) {
            try rtmp.receive(bytes, at: now)
            handleEvents(at: now)
            settle(at: now)
        } catch {
            handleEvents(at: now)
            flush()
            fail(error)
        }
    }

    private func receiveTLS(_ bytes: RawSpan, _ tls: StreamTLS, at now: Monotonic) {
        do throws(DTLSError) {
            try tls.receive(bytes)
        } catch {
            sendCiphertext(tls)
            log.info("TLS failed: \(error)")
            return finish(.tls, .disconnected)
        }
        if tls.state == .connected { tlsDeadline = nil }
        sendCiphertext(tls)
        tls.takePlaintext { receive($0, at: now) }
        if tls.state == .closed { finish(.disconnected, .disconnected) }
    }

    private func handleEvents(at now: Monotonic) {
        while !isOver, let event = rtmp.pollEvent() {
            switch event {
            case .publishRequested(let request): publish(request, at: now)
            case .video(let time, let payload):
                demux(at: now) { demuxer throws(FLVError) in
                    try demuxer.demuxVideo(payload, timestampMilliseconds: time)
                }
            case .audio(let time, let payload):
                demux(at: now) { demuxer throws(FLVError) in
                    try demuxer.demuxAudio(payload, timestampMilliseconds: time)
                }
            case .data(let time, let payload):
                demux(at: now) { demuxer throws(FLVError) in try demuxer.demuxData(payload, timestampMilliseconds: time)
                }
            case .publishEnded: endSession(.finished, at: now)
            }
        }
    }

    private func demux(at now: Monotonic, _ message: (inout FLVDemuxer) throws(FLVError) -> Void) {
        do throws(FLVError) {
            try message(&demuxer)
        } catch {
            server.counters.unusableMessages.increment()
            unusable.record(error)
            if reportDue == .distantFuture { reportDue = now + Self.reportInterval }
        }
        while let event = demuxer.pollEvent() {
            switch event {
            case .videoConfiguration(let configuration): sink?.configure(configuration)
            case .audioConfiguration(let configuration): sink?.configure(configuration)
            case .frame(let frame): sink?.receive(frame, at: now)
            case .extraTrackIgnored(let kind, let id): log.notice("\(kind) track \(id) is not used: track 0 plays")
            case .metadata, .endOfSequence: break
            }
        }
    }

    // MARK: - Publishing

    private func publish(_ request: RTMPPublishRequest, at now: Monotonic) {
        endSession(.finished, at: now)
        requests += 1
        let number = requests
        pendingDecision = number
        let gate = server.gate
        Task { @MediaLoop [weak self] in
            do throws(PublishRefusal) {
                let sink = try await gate.publish(
                    key: request.key, encoder: Self.printable(request.connect.flashVersion),
                    onEnd: { [weak self] reason in self?.end(reason, ofRequest: number) })
                guard let self, pendingDecision == number, !isOver else {
                    return sink.sourceEnded(.disconnected, at: MediaLoop.now)
                }
                accept(sink)
            } catch {
                self?.refuse(number, key: request.key, error)
            }
        }
    }

    private func accept(_ sink: any MediaSink) {
        pendingDecision = nil
        self.sink = sink
        server.counters.publishes.increment()
        let now = MediaLoop.now
        rtmp.acceptPublish(at: now)
        handleEvents(at: now)
        settle(at: now)
    }

    private func refuse(_ number: Int, key: String, _ refusal: PublishRefusal) {
        guard pendingDecision == number, !isOver else { return }
        pendingDecision = nil
        wasRefused = true
        log.notice("publish refused: \(refusal.sentence)", metadata: ["stream": "\(Redacted(key))"])
        let status: RTMPPublishRefusal =
            switch refusal.fault {
            case .key, .taken: .badName
            case .denied: .denied
            case .capacity, .stopping, .server: .failed
            }
        rtmp.rejectPublish(status, description: refusal.sentence)
        settle(at: MediaLoop.now)
    }

    /// The gate ends what it let in; a request that this connection gave up itself is no concern of it any more.
    private func end(_ reason: SessionEnd, ofRequest number: Int) {
        guard number == requests else { return }
        end(reason)
    }

    /// What an encoder calls itself goes into logs and reports: short, and without line breaks of its own.
    private static func printable(_ name: String) -> String {
        String(
            String.UnicodeScalarView(
                name.unicodeScalars.prefix(64).filter { $0.isASCII && $0.value >= 0x20 && $0.value < 0x7F }))
    }

    private func endSession(_ reason: SessionEnd, at now: Monotonic) {
        pendingDecision = nil
        sink.take()?.sourceEnded(reason, at: now)
    }

    // MARK: - Bytes out, time, end

    private func settle(at now: Monotonic) {
        guard !isOver else { return }
        flush()
        if rtmp.isClosing { return finish(wasRefused ? .refused : .finished, .finished) }
        if rtmp.wantsBytes { stream.resumeReading() } else { stream.pauseReading() }
        let deadlines = [rtmp.nextDeadline, tlsDeadline, reportDue].compactMap { $0 }
        timer.schedule(at: deadlines.min(), calling: self)
    }

    private func flush() {
        while let bytes = rtmp.pollTransmit() {
            guard let tls else {
                stream.write(bytes.rawSpan)
                continue
            }
            try? tls.send(bytes.rawSpan)
            sendCiphertext(tls)
        }
    }

    private func sendCiphertext(_ tls: StreamTLS) {
        tls.takeCiphertext { _ = stream.write($0) }
    }

    private func fail(_ error: RTMPError) {
        if rtmp.hasCompletedHandshake {
            log.notice("connection ended: \(RTMPAdvice.sentence(for: error))")
        } else {
            log.debug("no RTMP handshake: \(RTMPAdvice.sentence(for: error))")
        }
        finish(RTMPCounters.CloseCause(error), .failed(RTMPAdvice.sentence(for: error)))
    }

    private func finish(_ cause: RTMPCounters.CloseCause, _ reason: SessionEnd) {
        guard !isOver else { return }
        isOver = true
        timer.cancel()
        reportUnusable()
        endSession(reason, at: MediaLoop.now)
        if let tls, tls.state == .connected {
            tls.close()
            sendCiphertext(tls)
        }
        stream.closeAfterFlush()
        server.counters.closed(cause)
        server.forget(self)
    }

    private func reportUnusable() {
        reportDue = .distantFuture
        guard let (count, last) = unusable.drain() else { return }
        log.notice("\(count) messages were not usable, the last because of \(last)")
    }
}

extension RTMPConnection: TCPStreamHandler, Runtime.TimerHandler {
    func stream(_ stream: TCPStream, received bytes: RawSpan, at now: Monotonic) {
        guard !isOver else { return }
        if let tls { receiveTLS(bytes, tls, at: now) } else { receive(bytes, at: now) }
    }

    func streamEnded(_ stream: TCPStream, at now: Monotonic) { lost(.disconnected) }

    func stream(_ stream: TCPStream, failed error: RuntimeError, at now: Monotonic) { lost(.disconnected) }

    func timerFired(_ timer: LoopTimer, at now: Monotonic) {
        if let tlsDeadline, tlsDeadline <= now { return finish(.tls, .disconnected) }
        if reportDue <= now { reportUnusable() }
        do throws(RTMPError) {
            try rtmp.advance(to: now)
            settle(at: now)
        } catch {
            flush()
            fail(error)
        }
    }

    /// Load balancers probe the port by connecting and closing; that is no news.
    private func lost(_ cause: RTMPCounters.CloseCause) {
        let isProbe = stream.receivedBytes == 0
        if !isProbe, sink == nil { log.debug("closed by the encoder before it published") }
        finish(isProbe ? .probe : cause, .disconnected)
    }
}
