import Bytes
import Relay
import Runtime

/// One connection to the relay's port, at the main process's end: a stranger until its hello, a child's from then on.
@MediaLoop
final class HandlerLink {
    let stream: TCPStream
    private unowned let pool: HandlerPool
    private let limits: RelayLimits
    private var reader: RelayReportReader
    private var handler: Handler?
    private let timer = LoopTimer()
    private var isClosed = false

    init(_ stream: TCPStream, pool: HandlerPool, limits: RelayLimits) {
        self.stream = stream
        self.pool = pool
        self.limits = limits
        reader = RelayReportReader(limits: limits)
    }

    func start(helloDeadline: Monotonic) {
        do throws(RuntimeError) {
            try stream.start(handler: self)
            timer.schedule(at: helloDeadline, calling: self)
        } catch {
            reject(.gone)
        }
    }

    /// False when the connection is closed or its queue is full. Throws when the child would refuse the message.
    func write(_ command: RelayCommand) throws(RelayError) -> Bool {
        let count = try command.encodedByteCount(limits)
        let limits = limits
        return stream.write(upTo: count) { command.write(limits, into: &$0) }
    }

    /// It has not proven itself.
    var isStranger: Bool { handler == nil }

    /// Bytes ever written, sent or waiting.
    var writtenBytes: UInt64 { stream.sentBytes &+ UInt64(stream.queuedBytes) }

    func close() {
        guard !isClosed else { return }
        isClosed = true
        timer.cancel()
        handler = nil
        stream.close()
        pool.forget(self)
    }

    private func reject(_ cause: HandlerCounters.Rejection) {
        pool.counters.rejected(cause)
        close()
    }

    private func take(_ report: RelayReport, at now: Monotonic) {
        if let handler { return handler.take(report, at: now) }
        guard case .hello(let token) = report, let handler = pool.welcome(self, token, at: now) else {
            return reject(.token)
        }
        self.handler = handler
        timer.cancel()
    }

    private func gone(_ reason: String, at now: Monotonic) {
        guard let handler else { return reject(.gone) }
        close()
        handler.connectionLost(reason, at: now)
    }
}

extension HandlerLink: TCPStreamHandler, Runtime.TimerHandler {
    func stream(_ stream: TCPStream, received bytes: RawSpan, at now: Monotonic) {
        var offset = 0
        do throws(RelayError) {
            while !isClosed, let report = try reader.next(bytes, from: &offset) { take(report, at: now) }
        } catch {
            guard let handler else { return reject(.malformed) }
            close()
            handler.fail("sent what is no message (\(error))", at: now)
        }
    }

    func streamEnded(_ stream: TCPStream, at now: Monotonic) { gone("closed its connection", at: now) }

    func stream(_ stream: TCPStream, failed error: RuntimeError, at now: Monotonic) {
        gone("lost its connection (\(error))", at: now)
    }

    func timerFired(_ timer: LoopTimer, at now: Monotonic) { reject(.timeout) }
}
