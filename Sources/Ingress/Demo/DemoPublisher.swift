package import Bytes
import FLV
package import Logging
import RTMP
package import Runtime

/// Publishes the demo encoder's picture to an RTMP server over a real connection, as any encoder would.
@MediaLoop
package final class DemoPublisher {
    private static let queueCapacity = 256

    private let log: Logger
    private var stream: TCPStream?
    private var rtmp: RTMPClientSession
    private let timer = LoopTimer()
    private let encoder = DemoEncoder()
    private var messages: Handoff<FLVTag>?

    package init(key: String, port: UInt16, log: Logger, at now: Monotonic) {
        self.log = log
        var configuration = RTMPClientConfiguration(
            app: "live", tcURL: "rtmp://127.0.0.1:\(port)/live", streamName: key)
        configuration.flashVersion = "FMLE/3.0 (ingress demo)"
        rtmp = RTMPClientSession(configuration: configuration, random: Randomness.bytes(1_528), at: now)
    }

    package func start(connectingTo address: TransportAddress) throws(RuntimeError) {
        stream = try TCPStream.connect(to: address, handler: self)
    }

    package func stop() {
        encoder.stop()
        messages?.abandon()
        rtmp.close()
        flush()
        timer.cancel()
        stream?.closeAfterFlush()
        stream = nil
    }

    private func startEncoder() {
        let messages = Handoff<FLVTag>.toLoop(capacity: Self.queueCapacity)
        self.messages = messages
        messages.deliver(to: { [weak self] tag in self?.send(tag) })
        do throws(RuntimeError) {
            try encoder.run(into: messages)
        } catch {
            log.error("the demo encoder could not be started: \(error)")
        }
    }

    private func send(_ tag: FLVTag) {
        let kind: RTMPMediaKind =
            switch tag.kind {
            case .audio: .audio
            case .video: .video
            case .script: .data
            }
        try? rtmp.send(kind, payload: tag.payload.bytes, timestampMilliseconds: tag.timestampMilliseconds)
        flush()
    }

    private func flush() {
        while let bytes = rtmp.pollTransmit() { stream?.write(bytes.rawSpan) }
        timer.schedule(at: rtmp.nextDeadline, calling: self)
    }

    private func settle() {
        flush()
        while let event = rtmp.pollEvent() {
            switch event {
            case .publishStarted: startEncoder()
            case .refused(let code, let description):
                log.error("the demo stream was refused: \(code) \(description)")
                stop()
            case .reconnectRequested: break
            }
        }
    }
}

extension DemoPublisher: TCPStreamHandler, TimerHandler {
    package func streamConnected(_ stream: TCPStream, at now: Monotonic) { settle() }

    package func stream(_ stream: TCPStream, received bytes: RawSpan, at now: Monotonic) {
        do throws(RTMPError) {
            try rtmp.receive(bytes, at: now)
            settle()
        } catch {
            log.error("the demo connection broke: \(error)")
            stop()
        }
    }

    package func streamEnded(_ stream: TCPStream, at now: Monotonic) { stop() }
    package func stream(_ stream: TCPStream, failed error: RuntimeError, at now: Monotonic) {
        log.error("the demo connection failed: \(error)")
        stop()
    }

    package func timerFired(_ timer: LoopTimer, at now: Monotonic) {
        do throws(RTMPError) { try rtmp.advance(to: now) } catch { stop() }
        settle()
    }
}
