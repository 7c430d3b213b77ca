package import Bytes
import CoreMetrics
package import Media
package import Relay
package import Runtime

/// One session's child, at the main process's end: media one way, reports the other.
///
/// Given out by `HandlerPool.take()`. The pool holds it until its process is gone; whoever took it ends it by `stop` or waits for
/// its end. Nothing here waits: what the child does not read in time is dropped (frames) or the end of the child (all else).
@MediaLoop
package final class Handler {
    enum Phase: Equatable {
        /// The process runs.
        case starting
        /// It said hello.
        case greeted
        /// It waits for a session.
        case idle
        /// It has one.
        case taken
        /// Its end is known.
        case ended
    }

    /// What the timer waits for.
    private enum Wait {
        case start, stop
        /// The connection is gone: the process has to follow.
        case exit(reason: String)
        /// The process is gone: the connection has to follow, with what was on its way.
        case connectionEnd
        /// It was killed.
        case kill
        /// It said its end: it has to go.
        case departure
    }

    package struct Statistics: Equatable, Sendable {
        package var sentFrames: UInt64 = 0
        /// Frames that the child was too slow for.
        package var droppedFrames: UInt64 = 0

        package init(sentFrames: UInt64 = 0, droppedFrames: UInt64 = 0) {
            self.sentFrames = sentFrames
            self.droppedFrames = droppedFrames
        }
    }

    package nonisolated let pid: Int32
    /// Set it right after `take()`; an end that came before is told at once.
    package weak var delegate: (any HandlerDelegate)? { didSet { tellEnd() } }
    package private(set) var statistics = Statistics()
    package private(set) var end: HandlerEnd?

    let token: RelayToken
    private(set) var phase = Phase.starting
    private(set) var readyAt = Monotonic.distantFuture
    private(set) var hasExited = false

    private unowned let pool: HandlerPool
    private let settings: HandlerSettings
    private let process: any HandlerProcess
    private var link: HandlerLink?
    private var backlog: FrameBacklog
    private let timer = LoopTimer()
    private var waitsFor: Wait?
    private var killReason: String?
    private var exit: ChildExit?
    private var endToTell: (end: HandlerEnd, at: Monotonic)?

    init(_ process: any HandlerProcess, token: RelayToken, pool: HandlerPool, at now: Monotonic) {
        pid = process.pid
        self.process = process
        self.token = token
        self.pool = pool
        settings = pool.settings
        backlog = FrameBacklog(maxBytes: settings.backlogBytes, maxAge: settings.backlogTime)
        process.onExit = { [weak self] exit, now in self?.processExited(exit, at: now) }
        wait(for: .start, until: now + settings.startTimeout)
    }

    /// Bytes that wait for the child to read.
    package var queuedBytes: Int { link?.stream.queuedBytes ?? 0 }

    // MARK: - Session side

    /// Opens the session.
    package func start(specification: [UInt8]) { send(.start(specification: specification)) }

    package func sourceBegan(encoder: String) { send(.sourceBegan(encoder: encoder)) }
    package func configure(_ configuration: VideoConfiguration) { send(.videoConfiguration(configuration)) }
    package func configure(_ configuration: AudioConfiguration) { send(.audioConfiguration(configuration)) }
    package func sourceEnded(_ end: RelaySourceEnd) { send(.sourceEnded(end)) }
    package func setLogLevel(_ level: UInt8) { send(.setLogLevel(level)) }

    /// Relays a frame, or drops it when the child is too far behind. `arrivedAt`: when its last byte came in.
    package func receive(_ frame: EncodedFrame, at arrivedAt: Monotonic) {
        guard phase == .taken, let link else { return }
        // Frames may have waited for the child; what counts is how long they wait for it to read.
        let now = MediaLoop.now
        let isAdmitted = backlog.admits(
            frame.kind, isKey: frame.isKey, sent: link.stream.sentBytes, queued: link.stream.queuedBytes, at: now)
        if isAdmitted, (try? link.write(.frame(frame, arrivedAt: arrivedAt))) == true {
            statistics.sentFrames &+= 1
            backlog.wrote(upTo: link.writtenBytes, at: now)
            return
        }
        // Above the relay's own bound on frames, which is no smaller than RTMP's.
        if isAdmitted { backlog.lost(frame.kind) }
        statistics.droppedFrames = backlog.dropped
        pool.counters.droppedFrames.increment()
        if backlog.age(at: now) > settings.stallTimeout { fail("stopped taking frames", at: now) }
    }

    /// Asks the session to end, and kills the child when it has not done so in time. `code` is the two services' own.
    package func stop(code: UInt8) {
        guard phase == .taken, killReason == nil, waitsFor == nil else { return }
        send(.requestStop(code: code))
        if killReason == nil { wait(for: .stop, until: MediaLoop.now + settings.stopTimeout) }
    }

    /// Ends the child now. Its end is told as any other.
    package func kill() { fail("was no longer wanted", at: MediaLoop.now) }

    private func send(_ command: RelayCommand) {
        guard phase == .taken || phase == .idle, let link else { return }
        do throws(RelayError) {
            if try !link.write(command) { fail("stopped reading", at: MediaLoop.now) }
        } catch {
            fail("cannot be told all that it needs to know (\(error))", at: MediaLoop.now)
        }
    }

    // MARK: - Pool side

    func greeted(by link: HandlerLink, at now: Monotonic) {
        phase = .greeted
        self.link = link
        wait(for: .start, until: now + settings.startTimeout)
    }

    /// It has a session from now on.
    func taken() { phase = .taken }

    func take(_ report: RelayReport, at now: Monotonic) {
        guard end == nil else { return }
        switch report {
        case .hello: break
        case .ready:
            guard phase == .greeted else { return }
            phase = .idle
            readyAt = now
            endWait()
            pool.handlerIsReady(self, at: now)
        case .ended(let end): ended(end, at: now)
        default:
            guard phase == .taken else { return }
            deliver(report, at: now)
        }
    }

    private func deliver(_ report: RelayReport, at now: Monotonic) {
        switch report {
        case .started: delegate?.handlerStarted(self, at: now)
        case .report(let kind, let bytes): delegate?.handler(self, reported: kind, bytes, at: now)
        case .statistics(let bytes): delegate?.handler(self, statistics: bytes, at: now)
        case .keyFrameWanted: delegate?.handlerWantsKeyFrame(self, at: now)
        case .sourceRefused(let text): delegate?.handler(self, refusedSource: text, at: now)
        case .hello, .ready, .ended: break
        }
    }

    // MARK: - Ends

    private func ended(_ end: RelaySessionEnd, at now: Monotonic) {
        // The closed connection is the child's sign to go.
        wait(for: .departure, until: now + settings.stopTimeout)
        switch end {
        case .finished: conclude(.finished, at: now)
        case .failed(let text, let isRetryable): conclude(.failed(text, isRetryable: isRetryable), at: now)
        }
    }

    func connectionLost(_ reason: String, at now: Monotonic) {
        link = nil
        guard end == nil else { return }
        if let exit { return conclude(.crashed(exit), at: now) }
        // The process tells more when it is gone; only one that stays is at fault for the connection.
        if killReason == nil { wait(for: .exit(reason: reason), until: now + settings.endTimeout) }
    }

    private func processExited(_ exit: ChildExit, at now: Monotonic) {
        hasExited = true
        self.exit = exit
        if end != nil {
            endWait()
            pool.handlerIsGone(self)
        } else if let killReason {
            conclude(.lost(killReason), at: now)
        } else if link == nil {
            conclude(.crashed(exit), at: now)
        } else {
            // Its last words may still be in the socket.
            wait(for: .connectionEnd, until: now + settings.endTimeout)
        }
    }

    /// Kills the child; what it did wrong. The end follows with that of the process, in a later turn.
    func fail(_ reason: String, at now: Monotonic) {
        guard end == nil, killReason == nil else { return }
        guard !hasExited else {
            // It was faster; in a turn of its own, as all ends come.
            return wait(for: .connectionEnd, until: now)
        }
        killReason = reason
        wait(for: .kill, until: now + settings.endTimeout)
        process.kill()
        link?.close()
        link = nil
    }

    private func conclude(_ end: HandlerEnd, at now: Monotonic) {
        guard self.end == nil else { return }
        let before = phase
        phase = .ended
        self.end = end
        link?.close()
        link = nil
        if before == .taken {
            endToTell = (end, now)
            pool.counters.ended(end)
            tellEnd()
        }
        pool.handlerEnded(self, after: before, end, at: now)
        if hasExited {
            endWait()
            pool.handlerIsGone(self)
        }
    }

    private func tellEnd() {
        guard let delegate, let (end, now) = endToTell else { return }
        endToTell = nil
        delegate.handler(self, ended: end, at: now)
    }

    // MARK: - Time

    private func wait(for what: Wait, until deadline: Monotonic) {
        waitsFor = what
        timer.schedule(at: deadline, calling: self)
    }

    private func endWait() {
        waitsFor = nil
        timer.cancel()
    }
}

extension Handler: Runtime.TimerHandler {
    package func timerFired(_ timer: LoopTimer, at now: Monotonic) {
        switch waitsFor.take() {
        case .start: fail("did not report in time", at: now)
        case .stop: fail("did not stop in time", at: now)
        case .exit(let reason): fail(reason, at: now)
        case .connectionEnd:
            if let exit { conclude(.crashed(exit), at: now) }
        case .kill: conclude(.lost(killReason ?? ""), at: now)
        case .departure: process.kill()
        case nil: break
        }
    }
}
