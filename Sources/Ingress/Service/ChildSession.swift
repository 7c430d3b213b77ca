package import Bytes
import DTLS
import Foundation
package import LiveKit
package import LiveKitProtocol
package import Logging
package import Media
import PSRPC
package import Relay
import RTP
package import Runtime
package import ServiceConfiguration
import SwiftProtobuf
import Transcode

/// The session that a child process carries: what the main process relays goes through the transcoders into the room, and what the
/// room says goes back as reports.
@MediaLoop
package final class ChildSession {
    private enum Limits {
        static let figuresInterval = Interval.seconds(1)
        /// The goodbye to the room is on its way by then.
        static let leave = Interval.milliseconds(300)
        /// A frame rate that moves less than this is the same one.
        static let frameRateStep = 1.0
        /// What starting has read of the program is let go of after these: when the child waits, and when its session runs.
        static let idleAfter = Duration.milliseconds(500)
        static let runningAfter = Duration.seconds(5)
    }

    /// What costs time and can be had before a session is known.
    private struct Prepared {
        var environment: RoomPublisher.Environment
        var hub: PeerHub
    }

    private let levels: LogLevels
    private var log: Logger
    private let slabPool = SlabPool()
    private let prepared: Prepared
    private var client: HandlerClient?
    private var settings: IngestSession.Settings?
    private var publisher: RoomPublisher?
    private var session: IngestSession?
    private var tracks: [Livekit_TrackInfo] = []
    private var told = Ingress_SourceDescription()
    private var leaving: RelaySessionEnd?
    private let timer = LoopTimer()

    /// Answers the invitation of the main process and serves it until it goes.
    package static func run(levels: LogLevels, log: Logger) async throws {
        ResidentPages.avoidHugePages()
        try await begin(levels, log)
        // The loop does the work; the process ends when the main process lets go of it.
        while true { try await Task.sleep(for: .seconds(3_600)) }
    }

    /// The command line of a child; nothing of it is secret.
    package nonisolated static func arguments(_ configuration: IngressConfiguration) -> [String] {
        [
            "ingress", "run-handler", "--service-name", configuration.serviceName, "--log-level",
            configuration.logging.level.rawValue,
        ]
            + (configuration.logging.json ? ["--log-json"] : [])
    }

    private static var running: ChildSession?

    private static func begin(_ levels: LogLevels, _ log: Logger) async throws {
        let child = try ChildSession(levels, log)
        running = child
        let client = try HandlerClient.answerInvitation(slabPool: child.slabPool, delegate: child)
        child.client = client
        client.ready()
        ResidentPages.giveBack(after: Limits.idleAfter)
    }

    private init(_ levels: LogLevels, _ log: Logger) throws {
        self.levels = levels
        self.log = log
        let now = Monotonic.now
        let unix = SystemClock.unixNanoseconds()
        let certificate = try Certificate.selfSigned(unixSeconds: unix / 1_000_000_000)
        prepared = Prepared(
            environment: RoomPublisher.Environment(
                dtls: try DTLSContext(certificate: certificate),
                clock: NTPClock(NTPTime(unixNanoseconds: unix), at: now)),
            hub: PeerHub())
    }

    // MARK: - The session

    private func start(_ bytes: [UInt8], at now: Monotonic) {
        do {
            let order = try Ingress_SessionOrder(parsing: bytes)
            let info = try Livekit_IngressInfo(parsing: Array(order.info))
            try start(order, info, at: now)
        } catch let error as IngressError {
            end(.failed(error.text, isRetryable: error.isRetryable), at: now)
        } catch {
            end(.failed("the session's order cannot be carried out (\(error))", isRetryable: false), at: now)
        }
    }

    private func start(_ order: Ingress_SessionOrder, _ info: Livekit_IngressInfo, at now: Monotonic) throws {
        log[metadataKey: "ingressID"] = "\(info.ingressID)"
        log[metadataKey: "resourceID"] = "\(order.resourceID)"
        let specification = try SessionSpecification(info)
        settings = IngestSession.Settings(
            ladder: specification.ladder, audio: specification.audio, maxThreads: max(1, Int(order.maxThreads)))
        let publisher = RoomPublisher(
            try RoomPublisher.Settings(order, info, specification), environment: prepared.environment,
            hub: prepared.hub, delegate: self)
        self.publisher = publisher
        publisher.start(at: now)
        timer.schedule(at: now + Limits.figuresInterval, calling: self)
        client?.started()
        ResidentPages.giveBack(after: Limits.runningAfter)
    }

    private func sourceBegan(_ encoder: String, at now: Monotonic) {
        endSource(at: now)
        guard let settings, let publisher else { return }
        let session = IngestSession(
            encoder: encoder, settings: settings, slabPool: slabPool, publisher: publisher, isWaiting: false, at: now,
            onEnd: { [weak self] reason in self?.sourceFailed(reason) })
        self.session = session
        publisher.attach(session, at: now)
    }

    private func endSource(at now: Monotonic) {
        guard let session = session.take() else { return }
        publisher?.detach(session, at: now)
        session.finish()
    }

    private func sourceFailed(_ reason: SessionEnd) {
        guard case .failed(let text) = reason else { return }
        log.error("the source cannot be taken: \(text)")
        client?.refuseSource(text)
    }

    private func end(_ end: RelaySessionEnd, at now: Monotonic) {
        guard leaving == nil else { return }
        endSource(at: now)
        publisher?.close(at: now)
        leaving = end
        timer.schedule(at: now + Limits.leave, calling: self)
    }

    private func report(_ report: Ingress_SessionReport.OneOf_Report) {
        client?.report(kind: 0, Ingress_SessionReport.with { $0.report = report }.wireBytes())
    }
}

// MARK: - The main process

extension ChildSession: HandlerClientDelegate {
    package func handlerClient(_ client: HandlerClient, received command: RelayCommand, at now: Monotonic) {
        guard leaving == nil else { return }
        switch command {
        case .start(let specification): start(specification, at: now)
        case .sourceBegan(let encoder): sourceBegan(encoder, at: now)
        case .videoConfiguration(let configuration): session?.configure(configuration)
        case .audioConfiguration(let configuration): session?.configure(configuration)
        case .frame(let frame, let arrivedAt): session?.receive(frame, at: arrivedAt)
        case .sourceEnded: endSource(at: now)
        case .requestStop: end(.finished, at: now)
        case .setLogLevel(let level): levels.setAll(level)
        }
    }
}

// MARK: - The room

extension ChildSession: RoomPublisherDelegate {
    package func room(_ room: RoomPublisher, joined roomSID: String, participant: String) {
        log.info("joined the room", metadata: ["room": "\(roomSID)", "participant": "\(participant)"])
        tracks = []
        report(.joined(.with { $0.roomSid = roomSID }))
    }

    package func room(_ room: RoomPublisher, published track: Livekit_TrackInfo) {
        tracks.removeAll { $0.type == track.type }
        tracks.append(track)
        report(.tracks(.with { $0.tracks = tracks.map { Data($0.wireBytes()) } }))
    }

    package func roomConnected(_ room: RoomPublisher, at now: Monotonic) { log.info("connected to the room") }

    package func room(_ room: RoomPublisher, sentFirst kind: MediaKind, at now: Monotonic) {
        log.debug("first packet sent", metadata: ["kind": "\(kind)"])
        report(.firstPacket(kind == .video))
    }

    package func room(_ room: RoomPublisher, reconnecting cause: String) {
        log.warning("reconnecting to the room: \(cause)")
    }

    package func room(_ room: RoomPublisher, recovered how: SignalMachine.Recovery) {
        log.info("back in the room", metadata: ["how": "\(how)"])
    }

    package func room(_ room: RoomPublisher, switchedTo session: IngestSession) {}

    package func room(_ room: RoomPublisher, noted text: String) { log.notice("\(text)") }

    package func room(_ room: RoomPublisher, ended end: SignalEnd) {
        log.warning("the room session ended: \(end.text)")
        publisher = nil
        self.end(.failed(end.text, isRetryable: end.isRetryable), at: MediaLoop.now)
    }
}

// MARK: - Figures

extension ChildSession: Runtime.TimerHandler {
    package func timerFired(_ timer: LoopTimer, at now: Monotonic) {
        if let leaving {
            client?.end(leaving)
            return
        }
        timer.schedule(at: now + Limits.figuresInterval, calling: self)
        describeSource()
        guard let publisher else { return }
        client?.statistics(figures(publisher, at: now).wireBytes())
    }

    private func describeSource() {
        guard let statistics = session?.statistics else { return }
        var description = told
        let source = statistics.video.source
        if source.displaySize.width > 0 {
            description.width = UInt32(clamping: source.displaySize.width)
            description.height = UInt32(clamping: source.displaySize.height)
        }
        if source.framesPerSecond > 0, abs(source.framesPerSecond - told.framerate) >= Limits.frameRateStep {
            description.framerate = (source.framesPerSecond * 100).rounded() / 100
        }
        guard description != told else { return }
        told = description
        report(.source(description))
    }

    private func figures(_ publisher: RoomPublisher, at now: Monotonic) -> Ingress_SessionFigures {
        var figures = Ingress_SessionFigures(publisher, at: now)
        figures.framesDropped &+= session?.queueDrops ?? 0
        if let failures = session?.drainFailures() {
            figures.failures = UInt32(clamping: failures.count)
            figures.lastFailure = "\(failures.last)"
        }
        return figures
    }
}
