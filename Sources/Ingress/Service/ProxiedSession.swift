package import Bytes
import LiveKit
package import LiveKitProtocol
package import Logging
import PSRPC
package import Runtime
import SDP
import SwiftProtobuf
import WHIP

/// One ingress session whose publishers' media goes to the LiveKit server directly: it answers their offers, and tells
/// here how they fare. `SessionMachine` decides what follows from what, as for all sessions.
@MediaLoop
package final class ProxiedSession: ServedSession {
    private enum Limits {
        /// Notices come every 10 s; mean bit rates are told with every third.
        static let bitrateNotices = 3
    }

    /// What the session needs of its service.
    package struct Environment {
        var send: HTTPSend
        var directory: any IngressDirectory
        var log: Logger
        var report: @MediaLoop (Livekit_IngressState) -> Void
        /// The server has decided on a publisher.
        var onAnswer: @MediaLoop (PublishStatus) -> Void
        var onEnd: @MediaLoop (any ServedSession) -> Void

        package init(
            send: @escaping HTTPSend, directory: any IngressDirectory, log: Logger,
            report: @escaping @MediaLoop (Livekit_IngressState) -> Void,
            onAnswer: @escaping @MediaLoop (PublishStatus) -> Void,
            onEnd: @escaping @MediaLoop (any ServedSession) -> Void
        ) {
            self.send = send
            self.directory = directory
            self.log = log
            self.report = report
            self.onAnswer = onAnswer
            self.onEnd = onEnd
        }
    }

    package let info: Livekit_IngressInfo
    package let resourceID: String
    let server: SFUEndpoint
    let directory: any IngressDirectory
    let log: Logger
    private let environment: Environment
    private let timer = LoopTimer()
    private var machine: SessionMachine
    private var source: ProxiedSource?
    /// Publishers whose offers the server has not answered yet.
    private var openings = 0
    /// Before that, nothing is told to anybody.
    private var isStarted = false
    private var notices = 0
    /// Goodbyes on their way to the server, which the process waits for.
    private var farewells: [Task<Void, Never>] = []

    package init(
        info: Livekit_IngressInfo, order: Ingress_SessionOrder, environment: Environment, at now: Monotonic
    ) throws(IngressError) {
        self.info = info
        resourceID = order.resourceID
        _ = try SessionSpecification(info)
        guard let address = try? RoomAddress(order.wsURL), let url = HTTPURL(address.whip) else {
            throw IngressError(.invalidArgument, "ws_url is no address of a LiveKit server")
        }
        directory = environment.directory
        self.environment = environment
        var log = environment.log
        log[metadataKey: "ingressID"] = "\(info.ingressID)"
        log[metadataKey: "resourceID"] = "\(order.resourceID)"
        self.log = log
        server = SFUEndpoint(url: url, token: order.token, send: environment.send, log: log)
        machine = SessionMachine(
            info: info, resourceID: order.resourceID, grace: .zero, watch: .notices, at: now,
            unixNow: SystemClock.unixNanoseconds())
    }

    package var state: Livekit_IngressState { machine.state }
    package var isOver: Bool { machine.phase == .ended }

    package func start() {
        isStarted = true
        settle()
    }

    package func stop(_ reason: SessionEnd) {
        machine.stop(reason, unixNow: SystemClock.unixNanoseconds())
        settle()
    }

    package func abandon(_ reason: SessionEnd) {
        timer.cancel()
        machine.stop(reason, unixNow: SystemClock.unixNanoseconds())
        source.take()?.end(reason)
    }

    package func join(encoder: String, onEnd: @escaping @MediaLoop (SessionEnd) -> Void) -> WHIPAdmission {
        WHIPAdmission(
            .proxied(ProxiedSource(encoder: encoder, session: self, onEnd: onEnd)), sessionID: resourceID)
    }

    private func settle() {
        guard isStarted else { return }
        while let command = machine.pollCommand() {
            switch command {
            case .report(let state): environment.report(state)
            case .endSource(let reason): source.take()?.end(reason)
            case .stopHandler, .startHandler: break
            case .finished: finish()
            }
        }
        timer.schedule(at: isOver ? nil : machine.nextDeadline, calling: self)
    }

    private func finish() {
        timer.cancel()
        log.info("session over", metadata: ["status": "\(machine.state.status)", "error": "\(machine.state.error)"])
        let farewells = farewells
        Task { @MediaLoop in
            for farewell in farewells { await farewell.value }
            environment.onEnd(self)
        }
    }

    // MARK: - Its publishers

    /// The server is asked to take another publisher.
    func opens() { openings += 1 }

    /// The server took `source`. One that was there already has lost its place in the room: both have the same identity.
    func attach(_ source: ProxiedSource, at now: Monotonic) {
        openings -= 1
        environment.onAnswer(.success)
        if let previous = self.source {
            log.info("another encoder takes over", metadata: ["encoder": "\(source.encoder)"])
            previous.end(.replaced)
        }
        self.source = source
        machine.sourceAttached(at: now)
        settle()
    }

    /// The server did not take a publisher: the end, unless another one publishes or may yet.
    func refused(_ error: WHIPError) {
        openings -= 1
        environment.onAnswer(PublishStatus(proxy: error))
        log.warning("the offer was not taken: \(error)")
        guard source == nil, openings == 0 else { return }
        machine.fail(IngressError(proxy: error), unixNow: SystemClock.unixNanoseconds())
        settle()
    }

    func sourceEnded(_ source: ProxiedSource, _ reason: SessionEnd, at now: Monotonic) {
        guard source === self.source else { return }
        self.source = nil
        log.info("the encoder left", metadata: ["how": "\(reason)"])
        lose(reason, at: now)
        settle()
    }

    /// The server sends a publisher away as soon as the next one comes, before it has answered that one.
    private func lose(_ reason: SessionEnd, at now: Monotonic) {
        machine.sourceLost(openings > 0 ? .replaced : reason, at: now, unixNow: SystemClock.unixNanoseconds())
    }

    func keep(_ farewell: Task<Void, Never>) { farewells.append(farewell) }

    func notified(_ source: ProxiedSource, _ notice: Rpc_WHIPRTCConnectionNotifyRequest, at now: Monotonic) {
        guard source === self.source, !isOver else { return }
        let unix = SystemClock.unixNanoseconds()
        notices += 1
        machine.mediaReceived(at: now)
        machine.inputChanged(
            video: notice.hasVideo ? notice.video : nil, audio: notice.hasAudio ? notice.audio : nil, unixNow: unix)
        machine.measured(
            videoBitrate: notice.video.averageBitrate, audioBitrate: notice.audio.averageBitrate,
            isDue: notices.isMultiple(of: Limits.bitrateNotices), unixNow: unix)
        if notice.hasVideo || notice.hasAudio { machine.carriedElsewhere(unixNow: unix) }
        if notice.closed {
            self.source = nil
            log.info("the server closed the connection")
            source.closedByServer()
            lose(.finished, at: now)
        }
        settle()
    }
}

extension ProxiedSession: Runtime.TimerHandler {
    package func timerFired(_ timer: LoopTimer, at now: Monotonic) {
        machine.advance(to: now, unixNow: SystemClock.unixNanoseconds())
        settle()
    }
}

extension PublishStatus {
    /// What the server answered keeps its class; that it did not answer is no fault of the encoder.
    fileprivate init(proxy error: WHIPError) {
        switch error {
        case .upstream(400..<500, _): self = .clientError
        case .upstream(500..., _): self = .serverError
        default: self = .internalError
        }
    }
}

extension IngressError {
    /// The text is that of LiveKit's own service.
    fileprivate init(proxy error: WHIPError) {
        guard case .upstream(let status, let text) = error else {
            self.init(PSRPCCode(httpStatus: error.status), error.description)
            return
        }
        self.init(PSRPCCode(httpStatus: status), "HTTP error \(status): \(text)", advice: error.description)
    }
}
