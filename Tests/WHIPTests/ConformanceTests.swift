import Bytes
import SDP
import Synchronization
import Testing
import WHIP
import WebRTC

/// Publishers that answer as a media server would, with everything but the media.
private final class AnsweringPublishers: WHIPPublishers {
    /// What this server does otherwise than it should.
    struct Faults {
        var answer: @Sendable (inout SessionDescription) -> Void = { _ in }
        var fragment: @Sendable (inout TrickleFragment) -> Void = { _ in }
        var trickle: WHIPError?
        var restart: WHIPError?
    }

    private let faults: Faults
    private let generation = Mutex(0)

    init(_ faults: Faults = Faults()) { self.faults = faults }

    private func transport() -> TransportAttributes {
        let number = generation.withLock { number in
            number += 1
            return number
        }
        return TransportAttributes(
            iceUfrag: "ours\(number)", icePwd: "oursoursoursoursours\(100 + number)", iceOptions: ["trickle"])
    }

    private static let candidate = "candidate:1 1 udp 2130706431 192.0.2.9 7885 typ host"

    func open(_ opening: WHIPOpening) async throws(WHIPError) -> WHIPAccepted {
        var answer = SessionDescription(origin: Origin(sessionID: 1, sessionVersion: 1))
        answer.isICELite = true
        let transport = transport()
        for offered in opening.offer.media {
            guard offered.rtpmaps.contains(where: { $0.name != "x-no-such-codec" }) else {
                throw .unusableOffer(.noCommonCodec)
            }
            var section = offered
            section.direction = .recvonly
            section.transport = transport
            let asked = opening.offer.transport(of: offered).setup
            section.transport.setup = asked == .active ? .passive : .active
            section.transport.fingerprints = [Fingerprint(algorithm: "sha-256", bytes: Array(repeating: 1, count: 32))]
            section.candidates = [Self.candidate]
            section.msids = []
            if let simulcast = offered.simulcast { section.simulcast = Simulcast(receive: simulcast.send) }
            for index in section.rids.indices { section.rids[index].direction = .recv }
            answer.media.append(section)
        }
        answer.groups = [MediaGroup(semantics: "BUNDLE", mids: answer.media.compactMap(\.mid))]
        faults.answer(&answer)
        return WHIPAccepted(answer: answer.serialized())
    }

    func trickle(_ fragment: TrickleFragment, resourceID: String) async throws(WHIPError) {
        if let error = faults.trickle { throw error }
    }

    func restart(_ fragment: TrickleFragment, resourceID: String) async throws(WHIPError) -> TrickleFragment {
        if let error = faults.restart { throw error }
        var section = MediaSection(kind: .audio, port: 9, transportProtocol: "UDP/TLS/RTP/SAVPF", formats: ["111"])
        section.mid = "0"
        section.transport = transport()
        section.candidates = [Self.candidate]
        var answer = TrickleFragment(media: [section])
        answer.isICELite = true
        faults.fragment(&answer)
        return answer
    }

    func close(resourceID: String) async {}
}

@Suite struct ConformanceTests {
    /// Changes what goes over the wire, as a server with that fault would send it.
    private typealias Tampering = @Sendable (ResourceRequest, inout ResourceResponse) -> Void

    private static func run(
        faults: AnsweringPublishers.Faults = .init(), options: WHIPOptions = WHIPOptions(), token: String? = "key",
        target: String = "http://127.0.0.1:8080/live", deviations: Set<String> = [],
        endsAll: Bool = true, tampering: @escaping Tampering = { _, _ in }
    ) async throws -> [ConformanceResult] {
        let source = Counter()
        let endpoint = WHIPEndpoint(
            publishers: AnsweringPublishers(faults), options: options, randomBytes: { source.bytes($0) })
        let url = try #require(HTTPURL(target))
        let client = ConformanceClient(endpoint: url, token: token, randomBytes: { source.bytes($0) }) {
            url, request throws(ConformanceFinding) in
            var request = request
            request.headers.append(HeaderField("host", url.authority))
            var response = await endpoint.respond(
                to: request, at: ResourceMoment(monotonic: .zero, unixSeconds: 0))
            tampering(request, &response)
            return response
        }
        let results = await WHIPConformance.run(client, deviations: deviations)
        // Whatever the rows make, they end, unless they cannot know of it.
        if endsAll { #expect(await endpoint.count == 0) }
        return results
    }

    private final class Counter: Sendable {
        private let next = Mutex<UInt32>(0)

        func bytes(_ count: Int) -> [UInt8] {
            next.withLock { next in
                next &+= 1
                return (0..<count).map { index in UInt8(truncatingIfNeeded: next >> (index % 2 * 8)) &+ UInt8(index) }
            }
        }
    }

    private func failing(_ results: [ConformanceResult]) -> Set<String> {
        Set(results.filter { $0.outcome == .fail || $0.outcome == .warning }.map(\.row.id))
    }

    @Test("our endpoint keeps every rule, and hardly one cannot be tried on it")
    func ours() async throws {
        let servers = ICEServers(
            [
                ICEServer(url: "stun:s"),
                ICEServer(url: "turn:t", credential: .password(username: "u", password: "p")),
            ], hmacSHA1: { _, _ in [] })
        let results = try await Self.run(options: WHIPOptions(iceServers: servers))
        for result in results { #expect(result.outcome != .fail && result.outcome != .warning, "\(result.line)") }
        #expect(WHIPConformance.isConforming(results))
        let untried = results.filter { $0.outcome == .notApplicable }.map(\.row.id)
        #expect(untried == ["redirect", "https", "extension-links"])
        #expect(WHIPConformance.summary(results) == "\(results.count) rules: \(results.count - 3) pass, 3 n/a")
    }

    @Test("ids are unique, sections are those of the RFC, and lines are lines")
    func rows() {
        let rows = WHIPConformance.rows
        #expect(rows.count >= 40)
        #expect(Set(rows.map(\.id)).count == rows.count)
        #expect(rows.allSatisfy { $0.section.hasPrefix("4.") || $0.section == "5" })
        #expect(rows.allSatisfy { !$0.rule.isEmpty && $0.rule.count <= 70 && $0.id.count <= 22 })
    }

    @Test("a server that answers nothing but 500 fails wherever it can be tried")
    func broken() async throws {
        let results = try await Self.run(endsAll: false) { _, response in response = ResourceResponse(status: 500) }
        #expect(results.allSatisfy { $0.outcome != .pass || $0.row.id == "preflight-ice-servers" })
        #expect(!WHIPConformance.isConforming(results))
    }

    @Test("failures that are known are no failures")
    func known() async throws {
        let results = try await Self.run(deviations: ["created-tag"]) { request, response in
            if request.method == "POST" { response.headers.removeAll { $0.name == "etag" } }
        }
        #expect(results.first { $0.row.id == "created-tag" }?.outcome == .known)
    }

    private static func drop(_ name: String, from method: String) -> Tampering {
        { request, response in if request.method == method { response.headers.removeAll { $0.name == name } } }
    }

    private static func change(_ name: String, of method: String, to value: String) -> Tampering {
        { request, response in
            guard request.method == method else { return }
            for index in response.headers.indices where response.headers[index].name == name {
                response.headers[index].value = value
            }
        }
    }

    private static func status(_ status: Int, instead of: Set<Int>, for method: String) -> Tampering {
        { request, response in if request.method == method, of.contains(response.status) { response.status = status } }
    }

    private struct Fault: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var found: Set<String>
        var tampering: Tampering

        init(_ description: String, _ found: Set<String>, _ tampering: @escaping Tampering) {
            testDescription = description
            self.found = found
            self.tampering = tampering
        }
    }

    /// Whoever sends such a tag back hears 412.
    private static let unusableTag: Set<String> = [
        "created-tag", "patch-unsupported", "trickle", "trickle-transport", "trickle-name", "restart-refused",
    ]

    private static let faults: [Fault] = [
        Fault("GET 405", ["endpoint-get", "session-get"], status(405, instead: [204], for: "GET")),
        Fault(
            "GET with a page", ["endpoint-get", "session-get"],
            { request, response in if request.method == "GET", response.status == 204 { response.body = [1] } }),
        Fault("no type", ["post-type"], drop("content-type", from: "POST")),
        Fault("weak tag", unusableTag, change("etag", of: "POST", to: "W/\"a\"")),
        Fault("bare tag", unusableTag, change("etag", of: "POST", to: "0a1b2c3d")),
        Fault("no leave to read", ["cors-readable"], drop("access-control-expose-headers", from: "POST")),
        Fault(
            "no CORS", ["cors-readable", "preflight"],
            { _, response in response.headers.removeAll { $0.name == "access-control-allow-origin" } }),
        Fault(
            "an asterisk for all headers", ["preflight"], change("access-control-allow-headers", of: "OPTIONS", to: "*")
        ),
        Fault("no Accept-Post", ["options-accept-post"], drop("accept-post", from: "OPTIONS")),
        Fault("no OPTIONS", ["options", "options-accept-post", "preflight"]) { request, response in
            if request.method == "OPTIONS" { response = ResourceResponse(status: 405) }
        },
        Fault(
            "500 for bad bodies", ["post-other-type", "post-no-type", "post-malformed", "post-empty", "post-cut"],
            { request, response in
                if request.method == "POST", [400, 415].contains(response.status) { response.status = 500 }
            }),
        Fault("no precondition needed", ["if-match-missing"], status(204, instead: [428], for: "PATCH")),
        Fault("tags not looked at", ["if-match-stale", "restart-old-tag"], status(204, instead: [412], for: "PATCH")),
        Fault(
            "trickle 200", ["trickle", "trickle-transport", "trickle-name"], status(200, instead: [204], for: "PATCH")),
        Fault(
            "trickle with a tag", ["trickle-no-tag"],
            { request, response in
                if request.method == "PATCH", response.status == 204 {
                    response.headers.append(HeaderField("etag", "\"a\""))
                }
            }),
        Fault(
            "restart 204",
            ["restart", "restart-credentials", "restart-tag", "restart-old-tag", "restart-options", "restart-twice"],
            { request, response in
                if request.method == "PATCH", response.status == 200 { response = ResourceResponse(status: 204) }
            }),
        Fault("DELETE with conditions", ["delete-if-match"]) { request, response in
            if request.method == "DELETE", request.header("if-match") != nil { response.status = 412 }
        },
        Fault("unknown sessions end well", ["session-unknown"], status(200, instead: [404], for: "DELETE")),
        Fault("no challenge", ["bearer-missing"], drop("www-authenticate", from: "POST")),
        Fault(
            "TURN without a password", ["ice-servers", "preflight-ice-servers"],
            { _, response in response.headers.append(HeaderField("link", "<turn:t>; rel=\"ice-server\"")) }),
        Fault(
            "strange servers", ["ice-servers", "preflight-ice-servers"],
            { _, response in
                response.headers.append(HeaderField("link", "<stun:s>; rel=ice-server, <http:x>; rel=\"ice-server\""))
            }),
        Fault(
            "extensions without names", ["extension-links"],
            { request, response in
                if request.method == "POST" {
                    response.headers.append(HeaderField("link", "</x>; rel=\"urn:ietf:params:whip:other\""))
                }
            }),
        Fault(
            "an empty answer",
            [
                "answer-sections", "answer-recvonly", "offer-sendrecv", "offer-audio-only", "offer-video-only",
                "answer-candidates", "answer-bundle", "answer-rtcp-mux", "two-videos", "setup-actpass", "setup-active",
                "simulcast", "restart-credentials", "restart-options",
            ]
        ) { request, response in if request.method == "POST", response.status == 201 { response.body = [] } },
    ]

    @Test("each fault is found, and nothing else", arguments: faults)
    private func found(fault: Fault) async throws {
        let results = try await Self.run(tampering: fault.tampering)
        #expect(failing(results) == fault.found)
    }

    @Test("a redirection with 302 is found, one with 307 is followed")
    func redirections() async throws {
        for status in [302, 307] {
            let results = try await Self.run(endsAll: false) { request, response in
                guard request.method == "POST", request.target == "/live" else { return }
                response = ResourceResponse(status: status, headers: [HeaderField("location", "/other/")])
            }
            let redirect = try #require(results.first { $0.row.id == "redirect" })
            #expect(redirect.outcome == (status == 302 ? .fail : .pass))
            #expect(results.first { $0.row.id == "post-created" }?.outcome == .pass)
        }
    }

    @Test(
        "faults of an answer are found",
        arguments: [
            ("answer-recvonly", { @Sendable in $0.media[0].direction = .sendrecv }),
            ("answer-bundle", { @Sendable in $0.groups = [] }),
            ("answer-candidates", { @Sendable in for index in $0.media.indices { $0.media[index].candidates = [] } }),
            ("answer-rtcp-mux", { @Sendable in for index in $0.media.indices { $0.media[index].rtcpMux = false } }),
            ("answer-sections", { @Sendable in $0.media.reverse() }),
            ("two-videos", { @Sendable in if $0.media.count == 3 { $0.media[2].port = 0 } }),
            ("setup-active", { @Sendable in $0.media[0].transport.setup = .actpass }),
            (
                "simulcast",
                { @Sendable in if $0.media.count > 1 { $0.media[1].simulcast = Simulcast(receive: [[.init(rid: "x")]]) }
                }
            ),
            ("restart-options", { @Sendable in $0.isICELite = false }),
        ] as [(String, @Sendable (inout SessionDescription) -> Void)])
    func answers(row: String, change: @escaping @Sendable (inout SessionDescription) -> Void) async throws {
        #expect(failing(try await Self.run(faults: .init(answer: change))).contains(row))
    }

    @Test(
        "faults of a restart's fragment are found",
        arguments: [
            ("restart-credentials", { @Sendable in $0.media[0].transport.iceUfrag = "ours1" }),
            ("restart-credentials", { @Sendable in $0.media = [] }),
            ("restart-options", { @Sendable in $0.isICELite = false }),
            ("restart-options", { @Sendable in $0.media[0].transport.iceOptions = [] }),
        ] as [(String, @Sendable (inout TrickleFragment) -> Void)])
    func fragments(row: String, change: @escaping @Sendable (inout TrickleFragment) -> Void) async throws {
        let keepsUfrag: @Sendable (inout SessionDescription) -> Void = { answer in
            for index in answer.media.indices { answer.media[index].transport.iceUfrag = "ours1" }
        }
        let results = try await Self.run(faults: .init(answer: keepsUfrag, fragment: change))
        #expect(failing(results).contains(row))
    }

    @Test("what is not supported does not apply, and has to be 422 where the other is")
    func unsupported() async throws {
        let noTrickle = try await Self.run(faults: .init(trickle: .trickleUnsupported))
        #expect(WHIPConformance.isConforming(noTrickle))
        #expect(noTrickle.first { $0.row.id == "trickle" }?.outcome == .notApplicable)
        let noRestart = try await Self.run(faults: .init(restart: .restartUnsupported))
        #expect(WHIPConformance.isConforming(noRestart))
        #expect(noRestart.first { $0.row.id == "patch-unsupported" }?.outcome == .pass)
        let other = try await Self.run(faults: .init(restart: .forbidden))
        #expect(failing(other).contains("patch-unsupported"))
        let neither = try await Self.run(faults: .init(trickle: .trickleUnsupported, restart: .restartUnsupported))
        #expect(neither.first { $0.row.id == "patch-unsupported" }?.outcome == .notApplicable)
    }

    @Test("an endpoint with the key in its path needs no token; plain HTTP over a network is a fault")
    func target() async throws {
        let results = try await Self.run(token: nil, target: "http://media.example/live/key")
        #expect(failing(results) == ["https"])
        #expect(results.first { $0.row.id == "bearer-missing" }?.outcome == .notApplicable)
        let secure = try await Self.run(token: nil, target: "https://media.example/live/key")
        #expect(failing(secure).isEmpty)
    }
}
