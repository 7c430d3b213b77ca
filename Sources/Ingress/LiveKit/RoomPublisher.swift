package import Bytes
package import DTLS
package import LiveKit
package import LiveKitProtocol
package import Media
package import RTP
package import Runtime
package import Transcode

/// Whoever started a room session.
@MediaLoop
package protocol RoomPublisherDelegate: AnyObject {
    /// Joined, first or anew. The room's sid may be empty and come by another call.
    func room(_ room: RoomPublisher, joined roomSID: String, participant: String)
    /// The server named a track; after each join.
    func room(_ room: RoomPublisher, published track: Livekit_TrackInfo)
    /// The media connection is up, for the first time.
    func roomConnected(_ room: RoomPublisher, at now: Monotonic)
    /// The first packet of a kind left, ever.
    func room(_ room: RoomPublisher, sentFirst kind: MediaKind, at now: Monotonic)
    func room(_ room: RoomPublisher, reconnecting cause: String)
    func room(_ room: RoomPublisher, recovered how: SignalMachine.Recovery)
    /// A session that waited took the place of another, which has been ended as replaced.
    func room(_ room: RoomPublisher, switchedTo session: IngestSession)
    /// Something for the log.
    func room(_ room: RoomPublisher, noted text: String)
    /// The last call; not made after `close`.
    func room(_ room: RoomPublisher, ended end: SignalEnd)
}

/// Publishes sessions into one LiveKit room: one participant from its join to its leave, however many encoders come and
/// go meanwhile.
///
/// `start` dials at once. Tracks are published when the first session tells of its sound and its first ladder; from then
/// on they stay, and later ladders serve them by quality. Nothing is encoded before it can be sent, or that nobody
/// watches, or while a track is muted or the room is out of reach.
@MediaLoop
package final class RoomPublisher {
    package struct Settings: Sendable {
        package var address: RoomAddress
        package var token: String
        package var tracks: RoomTracks
        package var ladder: LadderSpec
        /// Set on the participant: `ingress.resourceID` and others.
        package var attributes: [String: String]
        package var timing = SignalTiming()

        package init(
            address: RoomAddress, token: String, tracks: RoomTracks, ladder: LadderSpec,
            attributes: [String: String] = [:]
        ) {
            self.address = address
            self.token = token
            self.tracks = tracks
            self.ladder = ladder
            self.attributes = attributes
        }
    }

    /// What all room sessions of the process share.
    package struct Environment: Sendable {
        package var dtls: DTLSContext
        package var clock: NTPClock

        package init(dtls: DTLSContext, clock: NTPClock) {
            self.dtls = dtls
            self.clock = clock
        }
    }

    /// Sound is published alone when no picture came for so long.
    static let pictureWait = Interval.milliseconds(500)
    static let tickInterval = Interval.seconds(1)

    package let settings: Settings
    package internal(set) weak var delegate: (any RoomPublisherDelegate)?
    /// Encodes pictures and sound, or the sound alone where pictures are passed through.
    package internal(set) var session: IngestSession?
    /// What is passed through.
    var passed: PassedMedia?
    /// As published; what is passed through decides on its codec.
    package internal(set) var tracks: RoomTracks

    let hub: PeerHub
    let environment: Environment
    var machine: SignalMachine
    var socket: SignalSocket?
    var peer: RoomPeer?
    let machineTimer = LoopTimer()
    let pictureTimer = LoopTimer()
    let tickTimer = LoopTimer()
    var isPumping = false
    var hasEnded = false
    var hasConnected = false

    /// The layers as published; empty before the first ladder.
    var rungs: [LadderPlan.Rung] = []
    /// Since when a session with sound is known.
    var soundSince: Monotonic?
    var watched = SubscribedQualities.all
    var mutedTracks: Set<String> = []
    var removedTracks: Set<String> = []
    /// The layers that the server wants, whether or not they can be sent now.
    var needed: LayerSet = []
    /// The layers that the session is asked for.
    var active: LayerSet = []
    /// Whether the server has the track of sound and wants it: as of the last `pump`, since each packet asks.
    var isSoundSendable = false
    var allocation: BitrateAllocation?
    var pictureIDs: [LayerQuality: VP8PictureID] = [:]
    var sentKinds: [MediaKind] = []
    var figures = RoomFigures()

    package init(
        _ settings: Settings, environment: Environment, hub: PeerHub, delegate: any RoomPublisherDelegate
    ) {
        self.settings = settings
        tracks = settings.tracks
        self.environment = environment
        self.hub = hub
        self.delegate = delegate
        machine = SignalMachine(
            .init(
                address: settings.address, token: settings.token, attributes: settings.attributes,
                timing: settings.timing))
    }

    /// Dials and joins. Once only.
    package func start(at now: Monotonic) {
        machine.start(at: now)
        tickTimer.schedule(at: now + Self.tickInterval, calling: self)
        pump(at: now)
    }

    /// Leaves the room in good order. Sessions are the caller's to end.
    package func close(at now: Monotonic) {
        guard !hasEnded else { return }
        machine.close()
        delegate = nil
        pump(at: now)
    }

    package var roomSID: String { machine.roomSID }
    package var participantSID: String { machine.participantSID }
    /// Media can be sent.
    package var isConnected: Bool { peer?.isUp ?? false }

    /// Carries out what the machine wants, tells what happened, and sets its timer. After every input to the machine.
    func pump(at now: Monotonic) {
        guard !isPumping else { return }
        isPumping = true
        while let step = nextStep() {
            switch step {
            case .command(let command): perform(command, at: now)
            case .event(let event): handle(event, at: now)
            }
        }
        isPumping = false
        isSoundSendable = isSendable(tracks.audioID)
        machineTimer.schedule(at: machine.nextDeadline, calling: self)
    }

    private enum Step {
        case command(SignalMachine.Command)
        case event(SignalMachine.Event)
    }

    /// What to do next: commands go before events. The access to the machine ends here, before anything is done.
    @inline(never)
    private func nextStep() -> Step? {
        if let command = machine.pollCommand() { return .command(command) }
        return machine.pollEvent().map { .event($0) }
    }

    /// Everything down; nothing is called any more.
    private func tearDown(at now: Monotonic) {
        hasEnded = true
        for timer in [machineTimer, pictureTimer, tickTimer] { timer.cancel() }
        peer?.close(at: now)
        peer = nil
        session?.setDemand(layers: [], audio: false)
        session = nil
        passed = nil
    }

    private func handle(_ event: SignalMachine.Event, at now: Monotonic) {
        switch event {
        case .joined(let room, let participant):
            watched = .all
            delegate?.room(self, joined: room, participant: participant)
        case .roomIdentified(let sid): delegate?.room(self, joined: sid, participant: machine.participantSID)
        case .trackPublished(_, let track):
            delegate?.room(self, published: track)
            updateDemand(at: now)
        case .trackUnpublished(let cid):
            removedTracks.insert(cid)
            delegate?.room(self, noted: "the server took the track \(cid) away")
            updateDemand(at: now)
        case .muted(let cid, let isMuted):
            if isMuted { mutedTracks.insert(cid) } else { mutedTracks.remove(cid) }
            updateDemand(at: now)
        case .qualities(let cid, let qualities):
            guard cid == settings.tracks.videoID else { return }
            watched = qualities
            updateDemand(at: now)
        case .active: break
        case .attributesRefused(let text): delegate?.room(self, noted: "the attributes were refused: \(text)")
        case .reconnecting(let cause):
            figures.reconnects += 1
            delegate?.room(self, reconnecting: cause)
        case .recovered(let how): delegate?.room(self, recovered: how)
        case .ended(let end):
            tearDown(at: now)
            delegate?.room(self, ended: end)
        }
    }
}

extension RoomPublisher: TimerHandler {
    package func timerFired(_ timer: LoopTimer, at now: Monotonic) {
        if timer === machineTimer {
            machine.advance(to: now)
        } else if timer === pictureTimer {
            offerIfReady(at: now)
        } else {
            tick(at: now)
            tickTimer.schedule(at: now + Self.tickInterval, calling: self)
        }
        pump(at: now)
    }
}
