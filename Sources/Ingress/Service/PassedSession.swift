package import Bytes
package import LiveKit
package import LiveKitProtocol
import Logging
package import Media
import PSRPC
import RTP
package import Runtime
import SwiftProtobuf
import Transcode

/// One ingress session whose packets go into the room as they are, from the main process: WHIP without transcoding.
///
/// `SessionMachine` decides what follows from what, as for sessions in children; here a room stands where those have their
/// child.
@MediaLoop
package final class PassedSession: ServedSession {
    private enum Limits {
        /// Mean bit rates are told first after this time, then at this interval.
        static let firstBitrates = Interval.seconds(10)
        static let bitrateInterval = Interval.seconds(30)
        static let figuresInterval = Interval.seconds(1)
        /// The goodbye to the room is on its way by then.
        static let leave = Interval.milliseconds(300)
    }

    /// What all sessions of the process share.
    package struct Shared {
        package var room: RoomPublisher.Environment
        package var hub: PeerHub
        package var slabPool: SlabPool

        package init(room: RoomPublisher.Environment, hub: PeerHub, slabPool: SlabPool) {
            self.room = room
            self.hub = hub
            self.slabPool = slabPool
        }
    }

    /// What the session needs of its service.
    struct Environment {
        var shared: Shared
        var grace: Interval
        var log: Logger
        var report: @MediaLoop (Livekit_IngressState) -> Void
        var onFigures: @MediaLoop (any ServedSession, Ingress_SessionFigures) -> Void
        var onEnd: @MediaLoop (any ServedSession) -> Void
    }

    package let info: Livekit_IngressInfo
    package let resourceID: String
    private(set) var source: PassedSource?

    private let specification: SessionSpecification
    private let settings: RoomPublisher.Settings
    private let environment: Environment
    private let log: Logger
    private let timer = LoopTimer()
    private let startedAt: Monotonic
    private var machine: SessionMachine
    private var room: RoomPublisher?
    /// Transcodes the sound of a source that has none for rooms.
    private var sound: IngestSession?
    private var tracks: [Livekit_TrackInfo] = []
    /// Before that, nothing is told to anybody.
    private var isStarted = false
    private var videoBytes: UInt64 = 0
    private var audioBytes: UInt64 = 0
    private var bitratesDue: Monotonic
    private var figuresDue: Monotonic

    init(
        info: Livekit_IngressInfo, order: Ingress_SessionOrder, environment: Environment, at now: Monotonic
    ) throws(IngressError) {
        self.info = info
        resourceID = order.resourceID
        specification = try SessionSpecification(info)
        settings = try RoomPublisher.Settings(order, info, specification)
        self.environment = environment
        var log = environment.log
        log[metadataKey: "ingressID"] = "\(info.ingressID)"
        log[metadataKey: "resourceID"] = "\(order.resourceID)"
        self.log = log
        startedAt = now
        bitratesDue = now + Limits.firstBitrates
        figuresDue = now + Limits.figuresInterval
        machine = SessionMachine(
            info: info, resourceID: order.resourceID, grace: environment.grace, at: now,
            unixNow: SystemClock.unixNanoseconds())
    }

    package var state: Livekit_IngressState { machine.state }
    package var isOver: Bool { machine.phase == .ended }

    package func start() {
        isStarted = true
        settle()
        startRoom()
    }

    package func stop(_ reason: SessionEnd) {
        measure(isDue: false)
        machine.stop(reason, unixNow: SystemClock.unixNanoseconds())
        settle()
    }

    package func abandon(_ reason: SessionEnd) {
        timer.cancel()
        source.take()?.end(reason)
    }

    // MARK: - What the machine commands

    private func settle() {
        guard isStarted else { return }
        while let command = machine.pollCommand() {
            switch command {
            case .report(let state): environment.report(state)
            case .endSource(let reason):
                endSound()
                source.take()?.end(reason)
            case .stopHandler: leaveRoom()
            case .startHandler: startRoom()
            case .finished:
                timer.cancel()
                log.info(
                    "session over", metadata: ["status": "\(machine.state.status)", "error": "\(machine.state.error)"])
                environment.onEnd(self)
            }
        }
        let next = min(machine.nextDeadline ?? .distantFuture, bitratesDue, figuresDue)
        timer.schedule(at: isOver ? nil : next, calling: self)
    }

    private func startRoom() {
        guard room == nil, !isOver else { return }
        let now = MediaLoop.now
        let shared = environment.shared
        let room = RoomPublisher(settings, environment: shared.room, hub: shared.hub, delegate: self)
        self.room = room
        tracks = []
        room.start(at: now)
        if let source { introduce(source, at: now) }
    }

    private func leaveRoom() {
        endSound()
        guard let room = room.take() else { return }
        room.close(at: MediaLoop.now)
        Task { @MediaLoop in
            try? await Task.sleep(for: .nanoseconds(Limits.leave.nanoseconds))
            withExtendedLifetime(room) {}
        }
    }
}

// MARK: - The source

extension PassedSession {
    package func join(encoder: String, onEnd: @escaping @MediaLoop (SessionEnd) -> Void) -> WHIPAdmission {
        let source = PassedSource(encoder: encoder, session: self, onEnd: onEnd)
        // Who comes back to an empty place need not wait for a key frame.
        if self.source == nil { attach(source, at: MediaLoop.now) }
        return WHIPAdmission(.here(.passed(source)), sessionID: resourceID)
    }

    /// From now on `source` is what the room sees; one that is there already is told that it was replaced.
    func attach(_ source: PassedSource, at now: Monotonic) {
        guard !isOver, self.source !== source else { return }
        if let previous = self.source {
            log.info("another encoder takes over", metadata: ["encoder": "\(source.encoder)"])
            endSound()
            previous.end(.replaced)
        }
        self.source = source
        machine.sourceAttached(at: now)
        introduce(source, at: now)
        noteInput()
        settle()
    }

    func described(by source: PassedSource, at now: Monotonic) {
        guard source === self.source else { return }
        introduce(source, at: now)
        noteInput()
        settle()
    }

    func configuredSound(by source: PassedSource, at now: Monotonic) {
        guard source === self.source else { return }
        startSound(of: source, at: now)
        noteInput()
        settle()
    }

    private func introduce(_ source: PassedSource, at now: Monotonic) {
        if let room, !room.canCarry(source.tracks) {
            log.notice("the encoder sends another codec: the room is joined anew")
            leaveRoom()
            return startRoom()
        }
        if let publisher = source.publisher { room?.attach(source.tracks, from: publisher, at: now) }
        startSound(of: source, at: now)
    }

    private func startSound(of source: PassedSource, at now: Monotonic) {
        guard let configuration = source.audioConfiguration, let room, !isOver else { return }
        if sound == nil {
            var settings = IngestSession.Settings(
                ladder: specification.ladder, audio: specification.audio, maxThreads: 1)
            settings.keepsTimes = true
            let session = IngestSession(
                encoder: source.encoder, settings: settings, slabPool: environment.shared.slabPool, publisher: room,
                isWaiting: false, at: now, onEnd: { [weak self] in self?.soundFailed($0) })
            sound = session
            room.attach(session, at: now)
        }
        sound?.configure(configuration)
    }

    /// Pictures go on.
    private func soundFailed(_ reason: SessionEnd) {
        log.error("the sound cannot be transcoded: \(reason)")
        endSound()
    }

    private func endSound() {
        guard let session = sound.take() else { return }
        room?.detach(session, at: MediaLoop.now)
        session.finish()
    }

    func forward(_ packet: ForwardedPacket, stream: Int?, at now: Monotonic) {
        if stream == nil {
            audioBytes &+= UInt64(packet.payload.count)
        } else {
            videoBytes &+= UInt64(packet.payload.count)
        }
        machine.mediaReceived(at: now)
        room?.forward(packet, stream: stream, at: now)
    }

    func receiveSound(_ frame: EncodedFrame, at now: Monotonic) {
        audioBytes &+= UInt64(frame.payload.count)
        machine.mediaReceived(at: now)
        sound?.receive(frame, at: now)
    }

    func sourceEnded(_ source: PassedSource, _ reason: SessionEnd, at now: Monotonic) {
        guard source === self.source else { return }
        self.source = nil
        endSound()
        if let publisher = source.publisher { room?.detach(publisher, at: now) }
        log.info("the encoder left", metadata: ["how": "\(reason)"])
        measure(isDue: false)
        machine.sourceLost(reason, at: now, unixNow: SystemClock.unixNanoseconds())
        settle()
    }

    private func noteInput() {
        guard let source else { return }
        var video: Livekit_InputVideoState?
        var audio: Livekit_InputAudioState?
        if let passed = source.tracks.video, let best = passed.layers.last {
            video = machine.state.video
            video?.mimeType = passed.codec.mimeType
            video?.width = UInt32(clamping: best.size.width)
            video?.height = UInt32(clamping: best.size.height)
            if best.frameRate > 0 { video?.framerate = (best.frameRate * 100).rounded() / 100 }
        }
        if let passed = source.tracks.audio {
            audio = machine.state.audio
            audio?.mimeType = AudioCodec.opus.mimeType
            audio?.channels = passed.isStereo ? 2 : 1
            audio?.sampleRate = UInt32(AudioSpec.sampleRate)
        } else if let configuration = source.audioConfiguration {
            audio = machine.state.audio
            audio?.mimeType = configuration.codec.mimeType
            if configuration.channels > 0 { audio?.channels = UInt32(clamping: configuration.channels) }
            if configuration.sampleRate > 0 { audio?.sampleRate = UInt32(clamping: configuration.sampleRate) }
        }
        machine.inputChanged(video: video, audio: audio, unixNow: SystemClock.unixNanoseconds())
    }
}

// MARK: - The room

extension PassedSession: RoomPublisherDelegate {
    package func room(_ room: RoomPublisher, joined roomSID: String, participant: String) {
        log.info("joined the room", metadata: ["room": "\(roomSID)", "participant": "\(participant)"])
        tracks = []
        machine.roomJoined(sid: roomSID, unixNow: SystemClock.unixNanoseconds())
        settle()
    }

    package func room(_ room: RoomPublisher, published track: Livekit_TrackInfo) {
        tracks.removeAll { $0.type == track.type }
        tracks.append(track)
        machine.tracksPublished(tracks, unixNow: SystemClock.unixNanoseconds())
        settle()
    }

    package func roomConnected(_ room: RoomPublisher, at now: Monotonic) { log.info("connected to the room") }

    package func room(_ room: RoomPublisher, sentFirst kind: MediaKind, at now: Monotonic) {
        log.info(
            "first \(kind == .video ? "picture" : "sound") sent to the room",
            metadata: ["milliseconds": "\((now - startedAt).milliseconds)"])
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
        guard room === self.room else { return }
        log.warning("the room session ended: \(end.text)")
        endSound()
        self.room = nil
        let error = IngressError(
            end.isRetryable ? .unavailable : .notAcceptable, end.text, isRetryable: end.isRetryable)
        machine.handlerEnded(.failed(error), at: MediaLoop.now, unixNow: SystemClock.unixNanoseconds())
        settle()
    }
}

// MARK: - Time

extension PassedSession: Runtime.TimerHandler {
    package func timerFired(_ timer: LoopTimer, at now: Monotonic) {
        if figuresDue <= now {
            figuresDue = now + Limits.figuresInterval
            if let room { environment.onFigures(self, figures(of: room, at: now)) }
        }
        if bitratesDue <= now {
            bitratesDue = now + Limits.bitrateInterval
            measure(isDue: true)
        }
        machine.advance(to: now, unixNow: SystemClock.unixNanoseconds())
        settle()
    }

    private func figures(of room: RoomPublisher, at now: Monotonic) -> Ingress_SessionFigures {
        var figures = Ingress_SessionFigures(room, at: now)
        if let failures = sound?.drainFailures() {
            figures.failures = UInt32(clamping: failures.count)
            figures.lastFailure = "\(failures.last)"
            log.warning(
                "\(failures.count) frames of sound could not be used, the last because of \(figures.lastFailure)")
        }
        return figures
    }

    private func measure(isDue: Bool) {
        let seconds = max((MediaLoop.now - startedAt).seconds, 1)
        machine.measured(
            videoBitrate: UInt32(clamping: Int(Double(videoBytes) * 8 / seconds)),
            audioBitrate: UInt32(clamping: Int(Double(audioBytes) * 8 / seconds)), isDue: isDue,
            unixNow: SystemClock.unixNanoseconds())
    }
}
