import Bytes
import Ingress
import LiveKitProtocol
import Logging
import PSRPC
import Runtime
import SDP
import Synchronization
import SwiftProtobuf
import Testing
import WHIP

/// A LiveKit server on paper: what it was asked, and what it answers.
private final class PaperServer: Sendable {
    private struct Record {
        var requests: [(request: ResourceRequest, url: HTTPURL)] = []
        var answers: [ResourceResponse] = []
        var isGone = false
        var meanwhile: (@Sendable () async -> Void)?
    }

    private let record = Mutex(Record())

    var requests: [ResourceRequest] { record.withLock { $0.requests.map(\.request) } }
    var urls: [String] { record.withLock { $0.requests.map(\.url.text) } }

    /// Runs `action` within the next request.
    func meanwhile(_ action: @escaping @Sendable () async -> Void) { record.withLock { $0.meanwhile = action } }

    func vanish() { record.withLock { $0.isGone = true } }

    func answer(_ response: ResourceResponse) { record.withLock { $0.answers.append(response) } }

    static func created(
        _ location: String = "/whip/v1/PA_1", tag: String? = "ufrag", links: [String] = []
    ) -> ResourceResponse {
        let tags = tag.map { [HeaderField("etag", $0)] } ?? []
        return ResourceResponse(
            status: 201,
            headers: [HeaderField("location", location)] + tags + links.map { HeaderField("Link", $0) },
            body: Array("answer".utf8))
    }

    var send: HTTPSend {
        { [self] request, url throws(HTTPClientError) in
            await record.withLock { $0.meanwhile.take() }?()
            let answer = record.withLock { record -> ResourceResponse? in
                record.requests.append((request, url))
                if record.isGone { return nil }
                return record.answers.isEmpty ? ResourceResponse(status: 200) : record.answers.removeFirst()
            }
            guard let answer else { throw HTTPClientError("h: no route") }
            return answer
        }
    }
}

/// Where notices are heard; nothing else is asked of it here.
@MediaLoop
private final class PaperDirectory: IngressDirectory {
    final class Notices: IngressControl {
        let participant: String
        let receive: @MediaLoop (Rpc_WHIPRTCConnectionNotifyRequest) -> Void
        var isOpen = true

        init(_ participant: String, _ receive: @escaping @MediaLoop (Rpc_WHIPRTCConnectionNotifyRequest) -> Void) {
            self.participant = participant
            self.receive = receive
        }

        func close() async { isOpen = false }

        func tell(video: UInt32? = nil, closed: Bool = false) {
            receive(
                .with {
                    $0.participantID = participant
                    $0.closed = closed
                    if let video { $0.video.width = video }
                })
        }
    }

    private static let unused = PSRPCError(.unimplemented, "not here")

    var notices: [Notices] = []
    var failure: PSRPCError?

    func openNotices(
        of participantID: String, receive: @escaping @MediaLoop (Rpc_WHIPRTCConnectionNotifyRequest) -> Void
    ) async throws(PSRPCError) -> any IngressControl {
        if let failure { throw failure }
        let opened = Notices(participantID, receive)
        notices.append(opened)
        return opened
    }

    func ingress(streamKey: String) async throws(PSRPCError) -> Rpc_GetIngressInfoResponse { throw Self.unused }
    func update(_ state: Livekit_IngressState, of ingressID: String) async throws(PSRPCError) {}
    func endElsewhere(_ ingressID: String) async throws(PSRPCError) {}
    func deleteElsewhere(_ request: Rpc_DeleteWHIPResourceRequest) async throws(PSRPCError) {}
    func restartElsewhere(
        _ request: Rpc_ICERestartWHIPResourceRequest
    ) async throws(PSRPCError) -> Rpc_ICERestartWHIPResourceResponse { throw Self.unused }
    func openControl(_ controls: SessionControls) async throws(PSRPCError) -> any IngressControl { throw Self.unused }
}

/// One proxied session between paper on both sides.
@MediaLoop
private final class World {
    let server = PaperServer()
    let directory = PaperDirectory()
    private(set) var states: [Livekit_IngressState] = []
    private(set) var ends: [SessionEnd] = []
    private(set) var answers: [PublishStatus] = []
    private var over: CheckedContinuation<Void, Never>?
    private var isOver = false
    private var made: ProxiedSession?

    func session(url: String = "wss://sfu.example/base") throws -> ProxiedSession {
        var info = Livekit_IngressInfo()
        info.ingressID = "IN_1"
        info.inputType = .whipInput
        info.streamKey = "key"
        info.roomName = "room"
        info.participantIdentity = "identity"
        info.enableTranscoding = false
        info.reusable = true
        let session = try ProxiedSession(
            info: info,
            order: .with {
                $0.wsURL = url
                $0.token = "token"
                $0.resourceID = "WH_1"
            },
            environment: ProxiedSession.Environment(
                send: server.send, directory: directory,
                log: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
                report: { [weak self] in self?.states.append($0) },
                onAnswer: { [weak self] in self?.answers.append($0) },
                onEnd: { [weak self] _ in self?.end() }),
            at: MediaLoop.now)
        made = session
        session.start()
        return session
    }

    func source(of session: ProxiedSession) -> ProxiedSource {
        let admission = session.join(encoder: "encoder") { [weak self] in self?.ends.append($0) }
        guard case .proxied(let source) = admission.way else { fatalError("not proxied") }
        #expect(admission.sessionID == "WH_1")
        return source
    }

    /// A session with one publisher that the server took.
    func published() async throws -> (session: ProxiedSession, source: ProxiedSource) {
        let session = try session()
        let source = source(of: session)
        server.answer(PaperServer.created())
        let accepted = try await source.open(offer: Array("offer".utf8), userAgent: "OBS")
        #expect(accepted == WHIPAccepted(answer: Array("answer".utf8), sessionID: "WH_1"))
        return (session, source)
    }

    var statuses: [Livekit_IngressState.Status] { states.map(\.status) }

    private func end() {
        isOver = true
        over?.resume()
        over = nil
    }

    func ended() async {
        guard !isOver else { return }
        await withCheckedContinuation { over = $0 }
    }
}

@Suite("Proxied session") @MediaLoop
struct ProxiedSessionTests {
    private static let fragment = TrickleFragment(
        transport: TransportAttributes(iceUfrag: "anew", icePwd: "anewanewanewanewanewanew"))

    @Test("the offer goes to the server of ws_url with the participant's token, and nothing is published yet")
    func offer() async throws {
        let world = World()
        let (session, _) = try await world.published()
        #expect(world.server.urls == ["https://sfu.example/base/whip/v1"])
        let request = try #require(world.server.requests.first)
        #expect(request.method == "POST" && request.body == Array("offer".utf8))
        #expect(request.header("authorization") == "Bearer token")
        #expect(request.header("content-type") == "application/sdp")
        #expect(request.header("x-livekit-ingress") == "true")
        #expect(request.header("user-agent") == "OBS")
        #expect(world.directory.notices.map(\.participant) == ["PA_1"])
        #expect(world.statuses == [.endpointBuffering])
        world.directory.notices[0].tell()
        #expect(world.statuses == [.endpointBuffering])
        world.directory.notices[0].tell(video: 640)
        #expect(world.statuses == [.endpointBuffering, .endpointPublishing])
        #expect(session.state.video.width == 640)
    }

    @Test("a name that would break its header's line is not handed on", arguments: ["a\r\nb: c", "a\u{7F}", "ä"])
    func userAgent(name: String) async throws {
        let world = World()
        let source = world.source(of: try world.session())
        world.server.answer(PaperServer.created())
        _ = try await source.open(offer: [1], userAgent: name)
        #expect(world.server.requests.first?.header("user-agent") == nil)
    }

    private static let turn =
        "<turn:sfu.example:3478?transport=udp>; rel=\"ice-server\"; username=\"u\"; credential=\"c,d\""

    @Test("the server's ICE servers are handed on as they came; what is too long or breaks its line is left out")
    func links() async throws {
        let world = World()
        let source = world.source(of: try world.session())
        let stun = "<stun:sfu.example>; rel=\"ice-server\""
        let long = "<stun:" + String(repeating: "a", count: 2_048) + ">; rel=\"ice-server\""
        let others = [stun + "\r\nset-cookie: a", stun + "\n", stun + "\0", stun + "ä", long, "", "</x>; rel=\"next\""]
        world.server.answer(PaperServer.created(links: [Self.turn] + others + [stun]))
        #expect(try await source.open(offer: [1], userAgent: nil).links == [Self.turn, stun])
    }

    @Test("no more ICE servers are handed on than a room tells of")
    func manyLinks() async throws {
        let world = World()
        let source = world.source(of: try world.session())
        world.server.answer(PaperServer.created(links: (0..<40).map { "<stun:h\($0)>; rel=\"ice-server\"" }))
        let links = try await source.open(offer: [1], userAgent: nil).links
        #expect(links.count == 16 && links.last == "<stun:h15>; rel=\"ice-server\"")
    }

    @Test(
        "what the server refuses ends the session with its text, and the encoder sees the status",
        arguments: [
            (400, 400, .clientError), (401, 401, .clientError), (403, 403, .clientError), (404, 404, .clientError),
            (500, 500, .serverError), (302, 502, .internalError), (204, 502, .serverError), (200, 502, .serverError),
        ] as [(Int, Int, PublishStatus)])
    func refusal(status: Int, seen: Int, counted: PublishStatus) async throws {
        let world = World()
        let source = world.source(of: try world.session())
        world.server.answer(ResourceResponse(status: status, body: Array("be\ncause\n".utf8)))
        let error = await #expect(throws: WHIPError.self) { try await source.open(offer: [1], userAgent: nil) }
        #expect(error?.status == seen)
        await world.ended()
        #expect(world.statuses == [.endpointBuffering, .endpointError])
        #expect(world.answers == [counted])
        let text = status < 300 ? "HTTP error 502: the answer has no Location" : "HTTP error \(status): be cause"
        #expect(world.states.last?.error == text)
    }

    @Test("a server that cannot be reached is 503")
    func unreachable() async throws {
        let world = World()
        let source = world.source(of: try world.session())
        world.server.vanish()
        let error = await #expect(throws: WHIPError.self) { try await source.open(offer: [1], userAgent: nil) }
        #expect(error?.status == 503 && error?.description.contains("no route") == false)
        await world.ended()
        #expect(world.statuses == [.endpointBuffering, .endpointError])
    }

    @Test("a publisher whose notices cannot be heard is ended at the server")
    func deaf() async throws {
        let world = World()
        let source = world.source(of: try world.session())
        world.server.answer(PaperServer.created())
        world.directory.failure = PSRPCError(.unavailable, "no redis")
        let error = await #expect(throws: WHIPError.self) { try await source.open(offer: [1], userAgent: nil) }
        #expect(error?.status == 503)
        await world.ended()
        #expect(world.server.requests.map(\.method) == ["POST", "DELETE"])
    }

    @Test(
        "the token goes to no other server than that of ws_url",
        arguments: [
            ("/whip/v1/PA_1", "https://sfu.example/whip/v1/PA_1"), ("v1/PA_1", "https://sfu.example/base/whip/v1/PA_1"),
            ("http://other:81/x/PA_1?y", "https://sfu.example/x/PA_1?y"),
            ("//other/PA_1", "https://sfu.example/PA_1"),
        ])
    func location(said: String, used: String) async throws {
        let world = World()
        let source = world.source(of: try world.session())
        world.server.answer(PaperServer.created(said))
        _ = try await source.open(offer: [1], userAgent: nil)
        source.sourceEnded(.finished, at: MediaLoop.now)
        await world.ended()
        #expect(world.server.urls.last == used)
        #expect(world.server.requests.last?.method == "DELETE")
        #expect(world.server.requests.last?.header("authorization") == "Bearer token")
    }

    @Test("an answer without a session's name is none", arguments: ["/", "https://sfu.example/", "ftp://x/PA_1"])
    func badLocation(said: String) async throws {
        let world = World()
        let source = world.source(of: try world.session())
        world.server.answer(PaperServer.created(said))
        let error = await #expect(throws: WHIPError.self) { try await source.open(offer: [1], userAgent: nil) }
        #expect(error?.status == 502)
    }

    @Test("candidates go with the server's tag, a restart with an asterisk, and then with the new tag")
    func patches() async throws {
        let world = World()
        let (_, source) = try await world.published()
        world.server.answer(ResourceResponse(status: 204))
        try await source.trickle(Self.fragment)
        world.server.answer(
            ResourceResponse(
                status: 200, headers: [HeaderField("etag", "second")],
                body: Array("a=ice-ufrag:theirs\r\na=ice-pwd:theirstheirstheirstheirs\r\n".utf8)))
        let answer = try await source.restart(Self.fragment)
        #expect(answer.transport.iceUfrag == "theirs")
        try await source.trickle(Self.fragment)
        let patches = world.server.requests.filter { $0.method == "PATCH" }
        #expect(patches.map { $0.header("if-match") } == ["ufrag", "*", "second"])
        #expect(patches.allSatisfy { $0.body == Self.fragment.serialized() })
        #expect(patches.allSatisfy { $0.header("content-type") == MediaTypes.trickleFragment })
    }

    @Test("what the server does not do, the encoder is told")
    func unsupported() async throws {
        let world = World()
        let source = world.source(of: try world.session())
        world.server.answer(PaperServer.created(tag: nil))
        _ = try await source.open(offer: [1], userAgent: nil)
        await #expect(throws: WHIPError.trickleUnsupported) { try await source.trickle(Self.fragment) }
        world.server.answer(ResourceResponse(status: 204))
        await #expect(throws: WHIPError.restartUnsupported) { _ = try await source.restart(Self.fragment) }
        world.server.answer(ResourceResponse(status: 200, body: Array("v=0".utf8)))
        let error = await #expect(throws: WHIPError.self) { _ = try await source.restart(Self.fragment) }
        #expect(error?.status == 502)
    }

    @Test("the encoder's end is the server's, and its topic outlives it for a while")
    func encoderLeaves() async throws {
        let world = World()
        let (_, source) = try await world.published()
        source.sourceEnded(.finished, at: MediaLoop.now)
        await world.ended()
        #expect(world.server.requests.map(\.method) == ["POST", "DELETE"])
        #expect(world.statuses == [.endpointBuffering, .endpointInactive])
        #expect(world.ends.isEmpty, "it knows that")
        #expect(world.directory.notices[0].isOpen)
        world.directory.notices[0].tell(video: 1, closed: true)
        #expect(world.statuses.count == 2)
    }

    @Test("the server's end is the encoder's, and there is nothing to end at the server")
    func serverCloses() async throws {
        let world = World()
        let (_, source) = try await world.published()
        world.directory.notices[0].tell(video: 640)
        world.directory.notices[0].tell(video: 640, closed: true)
        await world.ended()
        #expect(world.ends == [.finished])
        #expect(world.server.requests.map(\.method) == ["POST"])
        #expect(world.statuses == [.endpointBuffering, .endpointPublishing, .endpointInactive])
        await #expect(throws: WHIPError.notFound) { try await source.trickle(Self.fragment) }
    }

    @Test("a session that is stopped ends both")
    func stopped() async throws {
        let world = World()
        let (session, _) = try await world.published()
        session.stop(.serverStopping)
        session.stop(.finished)
        await world.ended()
        #expect(world.ends == [.serverStopping])
        #expect(world.server.requests.map(\.method) == ["POST", "DELETE"])
        #expect(world.statuses == [.endpointBuffering, .endpointInactive])
    }

    @Test("a second encoder takes over, and a third that is refused changes nothing")
    func takeover() async throws {
        let world = World()
        let (session, _) = try await world.published()
        world.directory.notices[0].tell(video: 640)
        let second = world.source(of: session)
        world.server.answer(PaperServer.created("/whip/v1/PA_2"))
        _ = try await second.open(offer: [2], userAgent: nil)
        #expect(world.ends == [.replaced])
        // What is told of the first one is no longer of interest.
        world.directory.notices[0].tell(closed: true)
        world.directory.notices[1].tell(video: 320)
        #expect(session.state.video.width == 320)
        let third = world.source(of: session)
        world.server.answer(ResourceResponse(status: 403))
        await #expect(throws: WHIPError.self) { try await third.open(offer: [3], userAgent: nil) }
        #expect(!session.isOver)
        #expect(world.answers == [.success, .success, .clientError])
        #expect(Set(world.statuses) == [.endpointBuffering, .endpointPublishing])
    }

    @Test("a publisher that the server sends away for the next one does not end the session", arguments: [201, 403])
    func sentAway(status: Int) async throws {
        let world = World()
        let (session, _) = try await world.published()
        let first = world.directory.notices[0]
        first.tell(video: 640)
        let second = world.source(of: session)
        world.server.answer(status == 201 ? PaperServer.created("/whip/v1/PA_2") : ResourceResponse(status: status))
        world.server.meanwhile { await first.tell(closed: true) }
        _ = try? await second.open(offer: [2], userAgent: nil)
        #expect(session.isOver == (status != 201))
        #expect(world.ends == [.finished])
        if status == 201 { world.directory.notices[1].tell(video: 320) }
        #expect(world.statuses.last == (status == 201 ? .endpointPublishing : .endpointError))
    }

    @Test("a session that ended meanwhile takes nobody", .timeLimit(.minutes(1)))
    func late() async throws {
        let world = World()
        let session = try world.session()
        let source = world.source(of: session)
        session.stop(.finished)
        world.server.answer(PaperServer.created())
        let error = await #expect(throws: WHIPError.self) { try await source.open(offer: [1], userAgent: nil) }
        #expect(error?.status == 503)
        #expect(world.statuses == [.endpointBuffering, .endpointInactive])
    }

    @Test("an address that is none is refused before anything begins", arguments: ["", "sfu", "ftp://x", "ws://u:p@h"])
    func address(url: String) throws {
        let world = World()
        #expect(throws: IngressError.self) { try world.session(url: url) }
        #expect(world.states.isEmpty)
    }
}
