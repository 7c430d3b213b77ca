import Bytes
import Ingress
import LiveKitProtocol
import Testing

@Suite("Session machine")
struct SessionMachineTests {
    private static let start = Monotonic(nanoseconds: 1_000_000_000)
    private static let unix: Int64 = 1_760_000_000_000_000_000

    private static func info(reusable: Bool = true) -> Livekit_IngressInfo {
        var info = Livekit_IngressInfo()
        info.ingressID = "IN_1"
        info.inputType = reusable ? .rtmpInput : .urlInput
        info.reusable = reusable
        return info
    }

    private static func machine(
        grace: Interval = .seconds(10), info: Livekit_IngressInfo = info()
    ) -> SessionMachine {
        SessionMachine(info: info, resourceID: "RT_1", grace: grace, at: start, unixNow: unix)
    }

    private static func publishing(grace: Interval = .seconds(10)) -> SessionMachine {
        var machine = machine(grace: grace)
        machine.sourceAttached(at: start)
        machine.tracksPublished([track("TR_1")], unixNow: unix + 1)
        _ = drain(&machine)
        return machine
    }

    private static func track(_ sid: String) -> Livekit_TrackInfo {
        var track = Livekit_TrackInfo()
        track.sid = sid
        return track
    }

    private static func drain(_ machine: inout SessionMachine) -> [SessionMachine.Command] {
        var commands: [SessionMachine.Command] = []
        while let command = machine.pollCommand() { commands.append(command) }
        return commands
    }

    private static func reports(_ commands: [SessionMachine.Command]) -> [Livekit_IngressState] {
        commands.compactMap { if case .report(let state) = $0 { state } else { nil } }
    }

    @Test("a session begins by reporting that it buffers")
    func beginning() throws {
        var machine = Self.machine()
        let state = try #require(Self.reports(Self.drain(&machine)).first)
        #expect(state.status == .endpointBuffering)
        #expect(state.startedAt == Self.unix)
        #expect(state.updatedAt >= Self.unix)
        #expect(state.resourceID == "RT_1")
    }

    @Test("a session starts later than the one before it, even when the clock went back")
    func startGrows() throws {
        var info = Self.info()
        info.state.startedAt = Self.unix + 5
        var machine = Self.machine(info: info)
        #expect(try #require(Self.reports(Self.drain(&machine)).first).startedAt == Self.unix + 6)
    }

    @Test("published tracks make it publishing, with room, tracks and input in one state")
    func publishing() throws {
        var machine = Self.machine()
        machine.sourceAttached(at: Self.start)
        var video = Livekit_InputVideoState()
        video.mimeType = "video/H264"
        machine.inputChanged(video: video, audio: nil, unixNow: Self.unix)
        machine.roomJoined(sid: "RM_1", unixNow: Self.unix)
        #expect(Self.reports(Self.drain(&machine)).count == 1, "nothing is told before something is published")
        machine.tracksPublished([Self.track("TR_1")], unixNow: Self.unix)
        let state = try #require(Self.reports(Self.drain(&machine)).first)
        #expect(state.status == .endpointPublishing)
        #expect(state.roomID == "RM_1")
        #expect(state.tracks.map(\.sid) == ["TR_1"])
        #expect(state.video.mimeType == "video/H264")
    }

    @Test("updated_at grows with every report, whatever the clock does")
    func updatedAtGrows() {
        var machine = Self.machine()
        machine.sourceAttached(at: Self.start)
        machine.tracksPublished([Self.track("TR_1")], unixNow: Self.unix - 100)
        machine.tracksPublished([Self.track("TR_2")], unixNow: Self.unix - 200)
        machine.stop(.finished, unixNow: Self.unix - 300)
        let times = Self.reports(Self.drain(&machine)).map(\.updatedAt)
        #expect(times == times.sorted() && Set(times).count == times.count)
        #expect(times.count == 4)
    }

    @Test("average bit rates survive a change of the input, and are told when due")
    func bitrates() throws {
        var machine = Self.publishing()
        var video = Livekit_InputVideoState()
        video.width = 1280
        machine.inputChanged(video: video, audio: nil, unixNow: Self.unix)
        machine.measured(videoBitrate: 2_000, audioBitrate: 100, isDue: false, unixNow: Self.unix)
        video.width = 640
        machine.inputChanged(video: video, audio: nil, unixNow: Self.unix)
        machine.inputChanged(video: video, audio: nil, unixNow: Self.unix)
        let changed = Self.reports(Self.drain(&machine))
        #expect(changed.count == 2)
        #expect(changed.last?.video.averageBitrate == 2_000)
        machine.measured(videoBitrate: 3_000, audioBitrate: 100, isDue: true, unixNow: Self.unix)
        #expect(Self.reports(Self.drain(&machine)).map(\.video.averageBitrate) == [3_000])
    }

    /// Every way a source can go, with and without grace.
    @Test(
        "a source that goes ends the session at once, later or never",
        arguments: [
            (SessionEnd.finished, 10, true), (.finished, 0, true), (.serverStopping, 10, true),
            (.disconnected, 10, false), (.disconnected, 0, true), (.failed("x"), 10, false), (.failed("x"), 0, true),
            (.replaced, 10, false), (.replaced, 0, false),
        ] as [(SessionEnd, Int, Bool)])
    func sourceGoes(reason: SessionEnd, grace: Int, ends: Bool) {
        var machine = Self.publishing(grace: .seconds(Int64(grace)))
        machine.sourceLost(reason, at: Self.start, unixNow: Self.unix)
        #expect((machine.phase == .ended) == ends)
        let commands = Self.drain(&machine)
        #expect(commands.contains(.finished) == ends)
        if ends { #expect(Self.reports(commands).map(\.status) == [.endpointInactive]) }
    }

    @Test("an encoder that returns in time goes on in the same session")
    func returns() {
        var machine = Self.publishing()
        machine.sourceLost(.disconnected, at: Self.start, unixNow: Self.unix)
        #expect(machine.nextDeadline == Self.start + .seconds(10))
        machine.sourceAttached(at: Self.start + .seconds(9))
        machine.advance(to: Self.start + .seconds(11), unixNow: Self.unix)
        #expect(machine.phase == .publishing)
        #expect(Self.drain(&machine).isEmpty)
    }

    @Test("an encoder that does not return ends the session in good order")
    func doesNotReturn() {
        var machine = Self.publishing()
        machine.sourceLost(.disconnected, at: Self.start, unixNow: Self.unix)
        machine.advance(to: Self.start + .seconds(10), unixNow: Self.unix)
        let commands = Self.drain(&machine)
        #expect(Self.reports(commands).map(\.status) == [.endpointInactive])
        #expect(Self.reports(commands).allSatisfy { $0.endedAt >= $0.startedAt })
        #expect(commands.first == .stopHandler && commands.last == .finished)
    }

    @Test("a source that sends nothing for a minute is an error")
    func silentSource() {
        var machine = Self.publishing()
        machine.mediaReceived(at: Self.start + .seconds(30))
        machine.advance(to: Self.start + .seconds(89), unixNow: Self.unix)
        #expect(machine.phase == .publishing)
        machine.advance(to: Self.start + .seconds(90), unixNow: Self.unix)
        let commands = Self.drain(&machine)
        #expect(Self.reports(commands).map(\.error) == ["source encoder not ready"])
        #expect(commands.first == .endSource(.failed(IngressError.sourceNotReady.advice)))
    }

    @Test("a child that crashes costs the session, with the cause")
    func crash() throws {
        var machine = Self.publishing()
        machine.handlerEnded(.crashed(cause: "SIGSEGV"), at: Self.start, unixNow: Self.unix)
        let commands = Self.drain(&machine)
        let state = try #require(Self.reports(commands).first)
        #expect(state.status == .endpointError)
        #expect(state.error.contains("SIGSEGV"))
        #expect(!commands.contains(.stopHandler), "it is gone already")
        #expect(commands.last == .finished)
    }

    @Test("a failure that may pass is tried three times, and then is the session's error")
    func retries() {
        var machine = Self.publishing()
        for run in 1...3 {
            #expect(machine.phase != .ended)
            machine.handlerEnded(.failed(.roomDisconnectedUnexpectedly), at: Self.start, unixNow: Self.unix)
            let commands = Self.drain(&machine)
            #expect(commands.contains(.startHandler) == (run < 3))
            #expect(Self.reports(commands).map(\.error) == (run < 3 ? [] : ["room disconnected unexpectedly"]))
        }
        #expect(machine.phase == .ended)
    }

    @Test("after a minute of good running the count of tries starts anew")
    func goodRun() {
        var machine = Self.publishing()
        var now = Self.start
        for _ in 0..<6 {
            now = now + .seconds(61)
            machine.mediaReceived(at: now)
            machine.handlerEnded(.failed(.roomDisconnectedUnexpectedly), at: now, unixNow: Self.unix)
            #expect(Self.drain(&machine) == [.startHandler])
        }
    }

    @Test("the room's last word is final")
    func finalFailure() {
        var machine = Self.publishing()
        machine.handlerEnded(.failed(.roomDisconnected), at: Self.start, unixNow: Self.unix)
        #expect(Self.reports(Self.drain(&machine)).map(\.status) == [.endpointError])
    }

    @Test("update and delete end a session, which then hears nothing any more")
    func stopped() {
        var machine = Self.publishing()
        machine.stop(.finished, unixNow: Self.unix)
        #expect(Self.drain(&machine).count == 4)
        machine.stop(.finished, unixNow: Self.unix)
        machine.sourceAttached(at: Self.start)
        machine.sourceLost(.disconnected, at: Self.start, unixNow: Self.unix)
        machine.tracksPublished([Self.track("TR_9")], unixNow: Self.unix)
        machine.roomJoined(sid: "RM_9", unixNow: Self.unix)
        machine.handlerEnded(.crashed(cause: "x"), at: Self.start, unixNow: Self.unix)
        machine.fail(.sourceNotReady, unixNow: Self.unix)
        machine.advance(to: Self.start + .seconds(1_000), unixNow: Self.unix)
        #expect(Self.drain(&machine).isEmpty)
        #expect(machine.nextDeadline == nil)
    }

    @Test("media that another server carries makes it publishing when that server has tracks of it")
    func carriedElsewhere() throws {
        var machine = Self.proxied()
        machine.inputChanged(video: nil, audio: nil, unixNow: Self.unix)
        #expect(Self.drain(&machine).isEmpty && machine.phase == .buffering)
        var video = Livekit_InputVideoState()
        video.width = 640
        machine.inputChanged(video: video, audio: nil, unixNow: Self.unix)
        machine.measured(videoBitrate: 1_000, audioBitrate: 0, isDue: true, unixNow: Self.unix)
        machine.carriedElsewhere(unixNow: Self.unix)
        machine.carriedElsewhere(unixNow: Self.unix)
        let states = Self.reports(Self.drain(&machine))
        #expect(states.map(\.status) == [.endpointPublishing])
        #expect(states.map(\.video.averageBitrate) == [1_000] && states.map(\.video.width) == [640])
        machine.sourceLost(.finished, at: Self.start, unixNow: Self.unix)
        #expect(Self.reports(Self.drain(&machine)).map(\.status) == [.endpointInactive])
        machine.carriedElsewhere(unixNow: Self.unix)
        #expect(Self.drain(&machine).isEmpty)
    }

    @Test("three minutes without a notice end it in good order")
    func silence() throws {
        var machine = Self.proxied()
        machine.carriedElsewhere(unixNow: Self.unix)
        machine.mediaReceived(at: Self.start + .seconds(100))
        _ = Self.drain(&machine)
        machine.advance(to: Self.start + .seconds(279), unixNow: Self.unix)
        #expect(machine.phase == .publishing)
        machine.advance(to: Self.start + .seconds(280), unixNow: Self.unix)
        let commands = Self.drain(&machine)
        #expect(Self.reports(commands).map(\.status) == [.endpointInactive])
        #expect(commands.first == .endSource(.finished))
    }

    private static func proxied() -> SessionMachine {
        var machine = SessionMachine(
            info: info(), resourceID: "WH_1", grace: .zero, watch: .notices, at: start, unixNow: unix)
        machine.sourceAttached(at: start)
        _ = drain(&machine)
        return machine
    }

    @Test("a session that cannot be repeated ends complete")
    func complete() {
        var machine = Self.machine(info: Self.info(reusable: false))
        machine.stop(.finished, unixNow: Self.unix)
        #expect(Self.reports(Self.drain(&machine)).last?.status == .endpointComplete)
    }
}
