import Bytes
import LiveKit
import LiveKitProtocol

/// A machine with what its driver and its server would know.
struct SignalFixture {
    var machine: SignalMachine
    var now = Monotonic(nanoseconds: 1_000_000_000_000)

    init(attributes: [String: String] = [:]) throws {
        let address = try RoomAddress("ws://h:7880/")
        machine = SignalMachine(.init(address: address, token: "first", attributes: attributes))
    }

    /// Joined, one track published, transport up, nothing left to poll.
    static func connected(ping: Int32 = 0) throws -> SignalFixture {
        var fixture = try SignalFixture()
        fixture.machine.publish(audio, at: fixture.now)
        try fixture.join(ping: ping)
        fixture.machine.sendOffer(sdp: "offer", at: fixture.now)
        fixture.receive(.answer(answer(id: 1)))
        fixture.receive(.trackPublished(published("audio", sid: "TR_A")))
        fixture.machine.transportConnected(at: fixture.now)
        fixture.drain()
        return fixture
    }

    mutating func join(ping: Int32 = 0) throws {
        machine.start(at: now)
        machine.socketOpened(at: now)
        receive(.join(Self.joined(ping: ping)))
    }

    static func joined(ping: Int32 = 0, participant: String = "PA_1", serverProtocol: Int32 = 16)
        -> Livekit_JoinResponse
    {
        var join = Livekit_JoinResponse()
        join.participant.sid = participant
        join.room.sid = "RM_1"
        join.pingInterval = ping
        join.pingTimeout = ping * 3
        join.serverInfo.protocol = serverProtocol
        var server = Livekit_ICEServer()
        server.urls = ["stun:s:3478"]
        join.iceServers = [server]
        return join
    }

    static var audio: Livekit_AddTrackRequest {
        var track = Livekit_AddTrackRequest()
        track.cid = "audio"
        track.name = "sound"
        return track
    }

    static var video: Livekit_AddTrackRequest {
        var track = Livekit_AddTrackRequest()
        track.cid = "IN_1"
        track.type = .video
        var codec = Livekit_SimulcastCodec()
        codec.codec = "video/H264"
        codec.cid = "IN_1"
        track.simulcastCodecs = [codec]
        return track
    }

    static func answer(id: UInt32) -> Livekit_SessionDescription {
        var answer = Livekit_SessionDescription()
        answer.type = "answer"
        answer.sdp = "answer \(id)"
        answer.id = id
        return answer
    }

    static func published(_ cid: String, sid: String) -> Livekit_TrackPublishedResponse {
        var published = Livekit_TrackPublishedResponse()
        published.cid = cid
        published.track.sid = sid
        return published
    }

    static func leave(
        _ action: Livekit_LeaveRequest.Action, _ reason: Livekit_DisconnectReason = .unknownReason,
        canReconnect: Bool = false
    ) -> Livekit_LeaveRequest {
        var leave = Livekit_LeaveRequest()
        leave.action = action
        leave.reason = reason
        leave.canReconnect = canReconnect
        return leave
    }

    static func trickle(_ candidate: String) -> Livekit_TrickleRequest {
        var trickle = Livekit_TrickleRequest()
        trickle.candidateInit = CandidateInit(candidate: candidate).text
        return trickle
    }

    mutating func receive(_ message: Livekit_SignalResponse.OneOf_Message) {
        var response = Livekit_SignalResponse()
        response.message = message
        machine.socketReceived(response.wireBytes(), at: now)
    }

    mutating func advance(_ interval: Interval) {
        now += interval
        machine.advance(to: now)
    }

    mutating func commands() -> [SignalMachine.Command] {
        var commands: [SignalMachine.Command] = []
        while let command = machine.pollCommand() { commands.append(command) }
        return commands
    }

    mutating func events() -> [SignalMachine.Event] {
        var events: [SignalMachine.Event] = []
        while let event = machine.pollEvent() { events.append(event) }
        return events
    }

    mutating func drain() {
        _ = commands()
        _ = events()
    }

    /// The requests among the commands.
    mutating func sent() throws -> [Livekit_SignalRequest.OneOf_Message] {
        try commands().compactMap { command in
            guard case .send(let bytes) = command else { return nil }
            return try Livekit_SignalRequest(parsing: bytes).message
        }
    }

    /// The last address dialled by the commands.
    mutating func dialled() -> String? {
        commands().compactMap { if case .openSocket(let url, _) = $0 { url } else { nil } }.last
    }
}

extension [SignalMachine.Event] {
    var end: SignalEnd? {
        for case .ended(let end) in self { return end }
        return nil
    }
}
