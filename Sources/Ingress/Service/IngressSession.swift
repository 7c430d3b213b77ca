package import Bytes
package import LiveKitProtocol
import Logging
import Media
import PSRPC
import Relay
package import Runtime
import SwiftProtobuf

/// One ingress session in the main process: the publisher's frames go to a child, the child's reports become states that the server
/// is told, and `SessionMachine` decides what follows from what.
@MediaLoop
package final class IngressSession: ServedSession {
    package enum Limits {
        /// Frames that wait for a child to be ready; beyond, the oldest group is given up.
        static let waitingFrames = 512
        static let waitingBytes = 16 << 20
        /// Mean bit rates are told first after this time, then at this interval.
        static let firstBitrates = Interval.seconds(10)
        static let bitrateInterval = Interval.seconds(30)
    }

    /// What the session needs of its service.
    struct Environment {
        var pool: HandlerPool
        var grace: Interval
        var log: Logger
        var report: @MediaLoop (Livekit_IngressState) -> Void
        var onFigures: @MediaLoop (any ServedSession, Ingress_SessionFigures) -> Void
        /// The child went without a goodbye to its room.
        var onCrash: @MediaLoop (IngressSession) -> Void
        var onEnd: @MediaLoop (IngressSession) -> Void
    }

    package let info: Livekit_IngressInfo
    package let resourceID: String
    let order: Ingress_SessionOrder
    private(set) var source: RelaySource?
    /// The last figures that the child told.
    private(set) var figures = Ingress_SessionFigures()

    private let environment: Environment
    private let log: Logger
    private let timer = LoopTimer()
    private let startedAt: Monotonic
    private var machine: SessionMachine
    private var handler: Handler?
    private var isHandlerStarting = false
    /// Before that, nothing is told to anybody.
    private var isStarted = false
    private var waiting: [(frame: EncodedFrame, arrivedAt: Monotonic)] = []
    private var waitingBytes = 0
    private var videoIn = RateMeter()
    private var audioIn = RateMeter()
    private var bitratesDue: Monotonic

    init(
        info: Livekit_IngressInfo, order: Ingress_SessionOrder, environment: Environment, at now: Monotonic
    ) {
        self.info = info
        self.order = order
        resourceID = order.resourceID
        self.environment = environment
        var log = environment.log
        log[metadataKey: "ingressID"] = "\(info.ingressID)"
        log[metadataKey: "resourceID"] = "\(order.resourceID)"
        self.log = log
        startedAt = now
        bitratesDue = now + Limits.firstBitrates
        machine = SessionMachine(
            info: info, resourceID: order.resourceID, grace: environment.grace, at: now,
            unixNow: SystemClock.unixNanoseconds())
    }

    package var state: Livekit_IngressState { machine.state }
    package var isOver: Bool { machine.phase == .ended }

    /// Tells the first state and gets a child.
    package func start() {
        isStarted = true
        settle()
        startHandler()
    }

    /// Ends the session in good order: its ingress was changed or deleted, or the service stops.
    package func stop(_ reason: SessionEnd) {
        measure(isDue: false)
        machine.stop(reason, unixNow: SystemClock.unixNanoseconds())
        settle()
    }

    /// Forgets a session that could not be started.
    package func abandon(_ reason: SessionEnd) {
        timer.cancel()
        dropWaiting()
        source.take()?.end(reason)
    }

    // MARK: - What the machine commands

    private func settle() {
        guard isStarted else { return }
        while let command = machine.pollCommand() {
            switch command {
            case .report(let state): environment.report(state)
            case .endSource(let reason): source.take()?.end(reason)
            case .stopHandler: leaving(handler.take())
            case .startHandler: startHandler()
            case .finished:
                timer.cancel()
                dropWaiting()
                log.info(
                    "session over", metadata: ["status": "\(machine.state.status)", "error": "\(machine.state.error)"])
                environment.onEnd(self)
            }
        }
        let deadline = isOver ? nil : min(machine.nextDeadline ?? .distantFuture, bitratesDue)
        timer.schedule(at: deadline, calling: self)
    }

    private func startHandler() {
        guard handler == nil, !isHandlerStarting, !isOver else { return }
        isHandlerStarting = true
        Task { @MediaLoop in
            do throws(HandlerError) {
                let handler = try await environment.pool.take()
                isHandlerStarting = false
                began(handler)
            } catch {
                isHandlerStarting = false
                log.error("no process for the session: \(error)")
                handlerEnded(.failed(IngressError(.internal, "the session's process could not be started")))
            }
        }
    }

    private func began(_ handler: Handler) {
        guard !isOver else { return handler.stop(code: 0) }
        self.handler = handler
        handler.delegate = self
        handler.start(specification: order.wireBytes())
        guard let source else { return }
        introduce(source, to: handler)
        for (frame, arrivedAt) in waiting { handler.receive(frame, at: arrivedAt) }
        dropWaiting()
    }

    /// Asked to stop, the child says goodbye to the room; nobody waits for it but the pool.
    private func leaving(_ handler: Handler?) {
        handler?.delegate = nil
        handler?.stop(code: 0)
    }

    private func handlerEnded(_ end: SessionMachine.HandlerEnd) {
        handler = nil
        machine.handlerEnded(end, at: MediaLoop.now, unixNow: SystemClock.unixNanoseconds())
        settle()
    }
}

// MARK: - The source

extension IngressSession {
    package func join(encoder: String, onEnd: @escaping @MediaLoop (SessionEnd) -> Void) -> WHIPAdmission {
        let source = RelaySource(encoder: encoder, session: self, onEnd: onEnd)
        // Who comes back to an empty place need not wait for a key frame.
        if self.source == nil { attach(source, at: MediaLoop.now) }
        return WHIPAdmission(.here(.transcoded(source)), sessionID: resourceID)
    }

    /// From now on `source` is what the room sees; one that is there already is told that it was replaced.
    func attach(_ source: RelaySource, at now: Monotonic) {
        guard !isOver, self.source !== source else { return }
        if let previous = self.source {
            log.info("another encoder takes over", metadata: ["encoder": "\(source.encoder)"])
            handler?.sourceEnded(.replaced)
            previous.end(.replaced)
        }
        self.source = source
        dropWaiting()
        machine.sourceAttached(at: now)
        if let handler { introduce(source, to: handler) }
        noteInput()
        settle()
    }

    private func introduce(_ source: RelaySource, to handler: Handler) {
        handler.sourceBegan(encoder: source.encoder)
        if let configuration = source.videoConfiguration { handler.configure(configuration) }
        if let configuration = source.audioConfiguration { handler.configure(configuration) }
    }

    func configured(_ configuration: SourceConfiguration, by source: RelaySource) {
        guard source === self.source else { return }
        switch configuration {
        case .video(let configuration): handler?.configure(configuration)
        case .audio(let configuration): handler?.configure(configuration)
        }
        noteInput()
        settle()
    }

    func receive(_ frame: EncodedFrame, at now: Monotonic) {
        switch frame.kind {
        case .video: videoIn.add(bytes: frame.payload.count, at: now)
        case .audio: audioIn.add(bytes: frame.payload.count, at: now)
        }
        machine.mediaReceived(at: now)
        if let handler { handler.receive(frame, at: now) } else { wait(frame, arrivedAt: now) }
    }

    func sourceEnded(_ source: RelaySource, _ reason: SessionEnd, at now: Monotonic) {
        guard source === self.source else { return }
        self.source = nil
        dropWaiting()
        handler?.sourceEnded(reason.relayed)
        log.info("the encoder left", metadata: ["how": "\(reason)"])
        measure(isDue: false)
        machine.sourceLost(reason, at: now, unixNow: SystemClock.unixNanoseconds())
        settle()
    }

    private func wait(_ frame: EncodedFrame, arrivedAt now: Monotonic) {
        if waiting.count >= Limits.waitingFrames || waitingBytes + frame.payload.count > Limits.waitingBytes {
            dropWaiting()
        }
        waiting.append((frame, now))
        waitingBytes += frame.payload.count
    }

    private func dropWaiting() {
        waiting = []
        waitingBytes = 0
    }

    private func noteInput(_ description: Ingress_SourceDescription? = nil) {
        var video: Livekit_InputVideoState?
        var audio: Livekit_InputAudioState?
        if let configuration = source?.videoConfiguration {
            video = machine.state.video
            video?.mimeType = configuration.codec.mimeType
            if let size = configuration.codedSize {
                video?.width = UInt32(clamping: size.width)
                video?.height = UInt32(clamping: size.height)
            }
            if let description, description.width > 0 {
                video?.width = description.width
                video?.height = description.height
            }
            if let description, description.framerate > 0 { video?.framerate = description.framerate }
        }
        if let configuration = source?.audioConfiguration {
            audio = machine.state.audio
            audio?.mimeType = configuration.codec.mimeType
            if configuration.channels > 0 { audio?.channels = UInt32(clamping: configuration.channels) }
            if configuration.sampleRate > 0 { audio?.sampleRate = UInt32(clamping: configuration.sampleRate) }
            if let description, description.channels > 0 { audio?.channels = description.channels }
            if let description, description.sampleRate > 0 { audio?.sampleRate = description.sampleRate }
        }
        machine.inputChanged(video: video, audio: audio, unixNow: SystemClock.unixNanoseconds())
    }
}

// MARK: - The child

extension IngressSession: HandlerDelegate {
    package func handler(_ handler: Handler, reported kind: UInt8, _ bytes: [UInt8], at now: Monotonic) {
        guard handler === self.handler, let report = try? Ingress_SessionReport(parsing: bytes).report else { return }
        let unixNow = SystemClock.unixNanoseconds()
        switch report {
        case .joined(let joined): machine.roomJoined(sid: joined.roomSid, unixNow: unixNow)
        case .tracks(let published):
            let tracks = published.tracks.compactMap { try? Livekit_TrackInfo(parsing: Array($0)) }
            machine.tracksPublished(tracks, unixNow: unixNow)
        case .source(let description): noteInput(description)
        case .firstPacket(let isPicture):
            log.info(
                "first \(isPicture ? "picture" : "sound") sent to the room",
                metadata: ["milliseconds": "\(age.milliseconds)"])
        }
        settle()
    }

    package func handler(_ handler: Handler, statistics bytes: [UInt8], at now: Monotonic) {
        guard handler === self.handler, let figures = try? Ingress_SessionFigures(parsing: bytes) else { return }
        self.figures = figures
        environment.onFigures(self, figures)
        if figures.failures > 0 {
            log.warning("\(figures.failures) frames could not be used, the last because of \(figures.lastFailure)")
        }
    }

    package func handler(_ handler: Handler, refusedSource text: String, at now: Monotonic) {
        source.take()?.end(.failed(text))
    }

    package func handler(_ handler: Handler, ended end: HandlerEnd, at now: Monotonic) {
        guard handler === self.handler else { return }
        log.info("the session's process ended", metadata: ["how": "\(end)"])
        switch end {
        case .crashed, .lost: environment.onCrash(self)
        case .finished, .failed: break
        }
        handlerEnded(SessionMachine.HandlerEnd(end))
    }

    private var age: Interval { MediaLoop.now - startedAt }
}

// MARK: - Time

extension IngressSession: Runtime.TimerHandler {
    package func timerFired(_ timer: LoopTimer, at now: Monotonic) {
        if bitratesDue <= now {
            bitratesDue = now + Limits.bitrateInterval
            measure(isDue: true)
        }
        machine.advance(to: now, unixNow: SystemClock.unixNanoseconds())
        settle()
    }

    private func measure(isDue: Bool) {
        let seconds = max(age.seconds, 1)
        machine.measured(
            videoBitrate: UInt32(clamping: Int(Double(videoIn.totalBytes) * 8 / seconds)),
            audioBitrate: UInt32(clamping: Int(Double(audioIn.totalBytes) * 8 / seconds)), isDue: isDue,
            unixNow: SystemClock.unixNanoseconds())
    }
}

extension SessionMachine.HandlerEnd {
    init(_ end: HandlerEnd) {
        self =
            switch end {
            case .finished: .stopped
            case .failed(let text, let isRetryable):
                .failed(IngressError(isRetryable ? .unavailable : .notAcceptable, text, isRetryable: isRetryable))
            case .crashed(let exit): .crashed(cause: "\(exit)")
            case .lost(let reason): .crashed(cause: reason)
            }
    }
}

extension SessionEnd {
    fileprivate var relayed: RelaySourceEnd {
        switch self {
        case .finished: .finished
        case .disconnected: .disconnected
        case .replaced: .replaced
        case .failed(let text): .failed(text)
        case .serverStopping: .serverStopping
        }
    }
}

extension VideoCodec {
    /// As LiveKit's ingress names it in states.
    var mimeType: String {
        switch self {
        case .h264: "video/H264"
        case .hevc: "video/H265"
        case .av1: "video/AV1"
        case .vp8: "video/VP8"
        case .vp9: "video/VP9"
        default: "video/x-" + displayName.lowercased().split(separator: " ").joined(separator: "-")
        }
    }
}

extension AudioCodec {
    /// As LiveKit's ingress names it in states.
    var mimeType: String {
        switch self {
        case .aac: "audio/aac"
        case .opus: "audio/opus"
        case .mp3: "audio/mpeg"
        case .pcmALaw: "audio/PCMA"
        case .pcmMuLaw: "audio/PCMU"
        case .g722: "audio/G722"
        default: "audio/x-" + displayName.lowercased().split(separator: " ").joined(separator: "-")
        }
    }
}
