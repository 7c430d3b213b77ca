import SDP
import Testing
import WHIP

@Suite struct WHIPSessionTests {
    private let fixture = WHIPFixture()
    private static let session = "WH_abcdefghijkm"
    private static let url = "/live/key/" + session
    private static let restart = WHIPFixture.fragment(ufrag: "anew", password: "anewanewanewanewanewanew")

    private func id(_ path: String) -> String { String(path.split(separator: "/").last ?? "") }

    @Test("a session is reached by LiveKit's id for it, with its key")
    func byID() async {
        fixture.publishers.call(sessions: Self.session)
        let (path, tag) = await fixture.opened()
        #expect(!path.contains(Self.session), "our own URL has an id of its own")
        #expect(await fixture.send("GET", Self.url).status == 204)
        #expect(await fixture.patch(Self.url, ifMatch: tag).status == 204)
        let restarted = await fixture.patch(Self.url, Self.restart, ifMatch: "*")
        #expect(restarted.status == 200 && restarted.body == PaperPublishers.fragment.serialized())
        #expect(await fixture.patch(Self.url, ifMatch: tag).status == 412)
        #expect(await fixture.send("DELETE", Self.url).status == 200)
        #expect(await fixture.send("GET", path).status == 404)
        #expect(await fixture.send("DELETE", Self.url).status == 200, "once more is no mistake")
        let id = id(path)
        #expect(fixture.publishers.calls == ["trickle " + id, "restart " + id, "close " + id])
    }

    @Test("its id is no secret, so the key has to be right", arguments: ["GET", "PATCH", "DELETE"])
    func key(method: String) async {
        fixture.publishers.call(sessions: Self.session)
        let (path, _) = await fixture.opened()
        let headers = [HeaderField("content-type", MediaTypes.trickleFragment), HeaderField("if-match", "*")]
        let body = Array(WHIPFixture.fragment().utf8)
        let wrong = await fixture.send(method, "/live/wrong/" + Self.session, headers, body: body)
        #expect(wrong.status == 403)
        // Without any key it is no more than an unknown id, though a token may be right.
        for target in ["/live/resource/" + Self.session, "/whip/v1/" + Self.session] {
            let token = [HeaderField("authorization", "Bearer key")]
            #expect(await fixture.send(method, target, headers + token, body: body).status == 404)
        }
        #expect(fixture.publishers.calls.isEmpty)
        #expect(await fixture.send("GET", path).status == 204)
    }

    @Test("of several publishers the newest is meant, and DELETE ends them all")
    func several() async {
        fixture.publishers.call(sessions: Self.session)
        let (first, _) = await fixture.opened()
        let (second, tag) = await fixture.opened()
        #expect(await fixture.patch(Self.url, ifMatch: tag).status == 204)
        #expect(fixture.publishers.calls == ["trickle " + id(second)])
        await fixture.endpoint.publisherEnded(id(second))
        #expect(await fixture.patch(Self.url, ifMatch: "*").status == 204)
        #expect(fixture.publishers.calls.last == "trickle " + id(first))
        let (third, _) = await fixture.opened()
        #expect(await fixture.send("DELETE", Self.url).status == 200)
        #expect(Set(fixture.publishers.calls.suffix(2)) == ["close " + id(first), "close " + id(third)])
        #expect(await fixture.endpoint.count == 0)
    }

    @Test("what is not here is asked for elsewhere, and its answer is ours")
    func elsewhere() async {
        fixture.publishers.place(elsewhere: Self.session, key: "key")
        #expect(await fixture.patch("/live/wrong/" + Self.session, ifMatch: "*").status == 403)
        #expect(await fixture.patch(Self.url, ifMatch: "\"old\"").status == 204)
        let restarted = await fixture.patch(Self.url, Self.restart, ifMatch: "*")
        #expect(restarted.status == 200 && restarted.header("etag") == "\"new\"")
        #expect(restarted.header("content-type") == MediaTypes.trickleFragment)
        #expect(await fixture.send("DELETE", Self.url).status == 200)
        #expect(await fixture.send("DELETE", Self.url).status == 200)
        #expect(
            fixture.publishers.calls == [
                "patch elsewhere \(Self.session) \"old\"", "patch elsewhere \(Self.session) *",
                "close elsewhere \(Self.session)",
            ])
    }

    @Test("what cannot be carried out anywhere is not asked for elsewhere")
    func judgedHere() async {
        fixture.publishers.place(elsewhere: Self.session, key: "key")
        #expect(await fixture.patch(Self.url, ifMatch: nil).status == 428)
        #expect(await fixture.patch(Self.url, ifMatch: "*", type: "text/plain").status == 415)
        let long = String(repeating: "a=x\r\n", count: WHIPLimits.offerBytes / 5 + 1)
        #expect(await fixture.patch(Self.url, long, ifMatch: "*").status == 413)
        #expect(await fixture.send("GET", Self.url).status == 404)
        #expect(await fixture.send("PUT", Self.url).status == 405)
        #expect(fixture.publishers.calls.isEmpty)
    }

    @Test(
        "only what looks like LiveKit's id is asked for elsewhere",
        arguments: [
            "WH_", "RT_abcdefghijkm", "WH_abc-def", "WH_" + String(repeating: "a", count: 62), "abcdefghijkmnpqr",
        ])
    func shape(id: String) async {
        fixture.publishers.place(elsewhere: id, key: "key")
        #expect(await fixture.send("DELETE", "/live/key/" + id).status == 404)
        #expect(await fixture.patch("/live/key/" + id, ifMatch: "*").status == 404)
        #expect(fixture.publishers.calls.isEmpty)
    }

    @Test("nobody has it: 404")
    func nobody() async {
        #expect(await fixture.send("DELETE", Self.url).status == 404)
        #expect(await fixture.patch(Self.url, ifMatch: "*").status == 404)
    }

    @Test("what others pass on to us is judged like a client's own request")
    func passedOn() async throws {
        fixture.publishers.call(sessions: Self.session)
        _ = await fixture.opened()
        let fragment = Array(Self.restart.utf8)
        await #expect(throws: WHIPError.notFound) {
            try await fixture.endpoint.patch(session: "WH_other", key: "key", (fragment, "*"))
        }
        await #expect(throws: WHIPError.forbidden) {
            try await fixture.endpoint.patch(session: Self.session, key: "wrong", (fragment, "*"))
        }
        await #expect(throws: WHIPError.preconditionFailed) {
            try await fixture.endpoint.patch(session: Self.session, key: "key", (fragment, "\"old\""))
        }
        let patched = try await fixture.endpoint.patch(session: Self.session, key: "key", (fragment, "*"))
        guard case .restarted(let answer, let tag) = patched else { return #expect(Bool(false), "\(patched)") }
        #expect(answer == PaperPublishers.fragment.serialized())
        let again = try await fixture.endpoint.patch(session: Self.session, key: "key", (fragment, tag))
        #expect(again == .taken)
    }
}
