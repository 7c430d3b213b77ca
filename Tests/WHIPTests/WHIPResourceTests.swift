import SDP
import Testing
import WHIP

@Suite struct WHIPPatchTests {
    private let fixture = WHIPFixture()
    private static let id = "AQEBAQEBAQEBAQEBAQEBAQEB"

    @Test("candidates are handed on: 204, without a tag and without a body")
    func trickle() async {
        let (path, tag) = await fixture.opened()
        let response = await fixture.patch(path, ifMatch: tag)
        #expect(response.status == 204 && response.body.isEmpty && response.header("etag") == nil)
        #expect(fixture.publishers.calls == ["trickle " + Self.id])
    }

    @Test("credentials that are new are a restart: 200 with our fragment and a new tag, and the old tag is stale")
    func restart() async {
        let (path, tag) = await fixture.opened()
        let fragment = WHIPFixture.fragment(ufrag: "anew", password: "anewanewanewanewanewanew")
        let response = await fixture.patch(path, fragment, ifMatch: "*")
        #expect(response.status == 200)
        #expect(response.header("content-type") == "application/trickle-ice-sdpfrag")
        #expect(response.body == PaperPublishers.fragment.serialized())
        let newTag = response.header("etag") ?? ""
        #expect(!newTag.isEmpty && newTag != tag)
        #expect(await fixture.patch(path, fragment, ifMatch: tag).status == 412)
        #expect(await fixture.patch(path, fragment, ifMatch: newTag).status == 204)
        #expect(fixture.publishers.calls == ["restart " + Self.id, "trickle " + Self.id])
    }

    @Test("a restart that fails leaves the tag and the generation as they were")
    func failedRestart() async {
        let (path, tag) = await fixture.opened()
        let fragment = WHIPFixture.fragment(ufrag: "anew", password: "anewanewanewanewanewanew")
        fixture.publishers.refuse(with: .restartUnsupported)
        #expect(await fixture.patch(path, fragment, ifMatch: "*").status == 422)
        fixture.publishers.refuse(with: nil)
        #expect(await fixture.patch(path, ifMatch: tag).status == 204)
        #expect(await fixture.endpoint.count == 1)
    }

    @Test(
        "If-Match decides: nothing is 428, another tag 412",
        arguments: [
            (nil, 428), ("", 412), ("*", 204), ("\"*\"", 204), ("\"0202020202020202\"", 204),
            (" \"a\" , \"0202020202020202\"", 204), ("\"a\"", 412), ("W/\"0202020202020202\"", 412),
            ("0202020202020202", 412),
        ] as [(String?, Int)])
    func ifMatch(condition: String?, status: Int) async {
        let (path, _) = await fixture.opened()
        #expect(await fixture.patch(path, ifMatch: condition).status == status)
        #expect(fixture.publishers.calls.count == (status == 204 ? 1 : 0))
    }

    @Test("a list of tags may stand in several headers")
    func severalHeaders() async {
        let (path, tag) = await fixture.opened()
        let response = await fixture.send(
            "PATCH", path,
            [
                HeaderField("content-type", "application/trickle-ice-sdpfrag"), HeaderField("if-match", "\"a\""),
                HeaderField("if-match", tag),
            ], body: Array(WHIPFixture.fragment().utf8))
        #expect(response.status == 204)
    }

    @Test("a stale tag is 412 for a restart too, and a matching one as good as an asterisk")
    func restartByTag() async {
        let (path, tag) = await fixture.opened()
        let fragment = WHIPFixture.fragment(ufrag: "anew", password: "anewanewanewanewanewanew")
        #expect(await fixture.patch(path, fragment, ifMatch: "\"stale\"").status == 412)
        #expect(await fixture.patch(path, fragment, ifMatch: tag).status == 200)
    }

    @Test(
        "what the credentials mean",
        arguments: [
            (nil, nil, 204), ("theirs", nil, 204), ("theirs", "theirstheirstheirstheirs", 204),
            ("anew", "anewanewanewanewanewanew", 200), ("anew", nil, 422), (nil, "anewanewanewanewanewanew", 422),
            ("theirs", "anewanewanewanewanewanew", 422), ("anew", "theirstheirstheirstheirs", 422),
        ] as [(String?, String?, Int)])
    func credentials(ufrag: String?, password: String?, status: Int) async {
        let (path, tag) = await fixture.opened()
        let fragment = WHIPFixture.fragment(ufrag: ufrag, password: password)
        #expect(await fixture.patch(path, fragment, ifMatch: tag).status == status)
    }

    @Test("sections that do not agree on credentials do not fit")
    func severalCredentials() async {
        let (path, tag) = await fixture.opened()
        let fragment =
            WHIPFixture.fragment(ufrag: "anew", password: "anewanewanewanewanewanew")
            + WHIPFixture.fragment(ufrag: "more", password: "moremoremoremoremoremore", mid: "1")
        #expect(await fixture.patch(path, fragment, ifMatch: tag).status == 422)
    }

    @Test("credentials may stand above the sections, in both, and in each of them")
    func levels() async {
        let (path, tag) = await fixture.opened()
        let head = "a=ice-ufrag:\(WHIPFixture.ufrag)\r\na=ice-pwd:\(WHIPFixture.password)\r\n"
        let bare = WHIPFixture.fragment(ufrag: nil, password: nil)
        for fragment in [head, head + bare, head + WHIPFixture.fragment(), bare + WHIPFixture.fragment(mid: "1")] {
            #expect(await fixture.patch(path, fragment, ifMatch: tag).status == 204)
        }
    }

    @Test("a mid that the offer does not have does not fit; none is no harm")
    func mids() async {
        let (path, tag) = await fixture.opened()
        #expect(await fixture.patch(path, WHIPFixture.fragment(mid: "9"), ifMatch: tag).status == 422)
        #expect(await fixture.patch(path, WHIPFixture.fragment(mid: nil), ifMatch: tag).status == 204)
    }

    @Test(
        "types and bodies that are refused before the tag is looked at",
        arguments: [
            ("application/sdp", "a=x", 415), ("application/json", "{}", 415), ("", "a=x", 415),
            ("application/trickle-ice-sdpfrag", String(repeating: "a", count: 65_537), 413),
        ])
    func patchRefusals(type: String, body: String, status: Int) async {
        let (path, _) = await fixture.opened()
        let response = await fixture.patch(path, body, ifMatch: nil, type: type)
        #expect(response.status == status)
        #expect(response.header("accept-patch") == (status == 415 ? "application/trickle-ice-sdpfrag" : nil))
    }

    @Test("a fragment's type may have parameters and capitals")
    func typeParameters() async {
        let (path, tag) = await fixture.opened()
        #expect(await fixture.patch(path, ifMatch: tag, type: "Application/Trickle-ICE-sdpfrag; x=y").status == 204)
    }

    @Test("what is no fragment is 400", arguments: ["", "v=0\r\n", "hello", "a=candidate:\r\nm=audio"])
    func malformed(body: String) async {
        let (path, tag) = await fixture.opened()
        #expect(await fixture.patch(path, body, ifMatch: tag).status == 400)
        #expect(fixture.publishers.calls.isEmpty)
    }

    @Test("the example of RFC 9725 is a restart")
    func example() async {
        let (path, _) = await fixture.opened()
        let text = """
            a=ice-options:trickle ice2\r
            a=group:BUNDLE 0 1\r
            m=audio 9 UDP/TLS/RTP/SAVPF 111\r
            a=mid:0\r
            a=ice-ufrag:ysXw\r
            a=ice-pwd:vw5LmwG4y/e6dPP/zAP9Gp5k\r
            a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw network-id 1\r

            """
        #expect(await fixture.patch(path, text, ifMatch: "\"*\"").status == 200)
    }

    @Test("requests of one resource go through one after the other, in order")
    func order() async {
        let (path, tag) = await fixture.opened()
        let second = WHIPFixture.fragment(ufrag: "more", password: "moremoremoremoremoremore")
        let late = Gate()
        fixture.publishers.meanwhile { _ in await late.pass() }
        async let restart = fixture.patch(
            path, WHIPFixture.fragment(ufrag: "anew", password: "anewanewanewanewanewanew"), ifMatch: "*")
        await late.reached()
        fixture.publishers.meanwhile(nil)
        async let stale = fixture.patch(path, second, ifMatch: tag)
        late.open()
        // Whichever way the second came in, the restart before it has made its tag stale.
        #expect(await restart.status == 200)
        #expect(await stale.status == 412)
        #expect(fixture.publishers.calls == ["restart " + Self.id])
    }

    @Test("a request whose session ends while it waits finds nothing")
    func endedWhileWaiting() async {
        let (path, tag) = await fixture.opened()
        let gate = Gate()
        fixture.publishers.meanwhile { _ in await gate.pass() }
        async let first = fixture.patch(path, ifMatch: tag)
        await gate.reached()
        async let second = fixture.patch(path, ifMatch: tag)
        #expect(await fixture.send("DELETE", path).status == 200)
        gate.open()
        #expect(await first.status == 204)
        #expect(await second.status == 404)
    }
}

@Suite struct WHIPDeleteTests {
    private let fixture = WHIPFixture()
    private static let id = "AQEBAQEBAQEBAQEBAQEBAQEB"

    @Test("DELETE ends the session once, and is welcome again; If-Match does not matter")
    func delete() async {
        let (path, _) = await fixture.opened()
        #expect(await fixture.send("DELETE", path, [HeaderField("if-match", "\"stale\"")]).status == 200)
        #expect(await fixture.send("DELETE", path).status == 200)
        #expect(fixture.publishers.calls == ["close " + Self.id])
        #expect(await fixture.patch(path, ifMatch: "*").status == 404)
    }

    @Test("a session that ended by itself may be ended, and nobody is closed for it")
    func endedByItself() async {
        let (path, _) = await fixture.opened()
        await fixture.endpoint.publisherEnded(Self.id)
        #expect(await fixture.endpoint.count == 0)
        #expect(await fixture.send("DELETE", path).status == 200)
        #expect(fixture.publishers.calls.isEmpty)
    }

    @Test("a wrong id is 404 whatever stands beside it, and ends nothing")
    func wrongID() async {
        _ = await fixture.opened()
        for id in [
            "none", Self.id.lowercased(), Self.id + "A", String(Self.id.dropLast()), "%41" + Self.id.dropFirst(),
        ] {
            for path in ["/live/resource/", "/live/key/", "/whip/v1/"] {
                #expect(await fixture.send("DELETE", path + id).status == 404)
                #expect(await fixture.patch(path + id, ifMatch: "*").status == 404)
                #expect(await fixture.send("GET", path + id).status == 404)
            }
        }
        #expect(await fixture.endpoint.count == 1 && fixture.publishers.calls.isEmpty)
    }

    @Test(
        "paths that clients build name the session too, with the right key",
        arguments: [
            ("/live/resource/", nil, 200), ("/live/key/", nil, 200), ("/other/key/", nil, 200), ("/whip/v1/", nil, 200),
            ("/live/resource/", "Bearer key", 200), ("/live/resource/", "Bearer token", 200),
            ("/live/token/", nil, 200),
            ("/live/wrong/", nil, 403), ("/live/keys/", nil, 403), ("/live/resource/", "Bearer wrong", 403),
            ("/live/key/", "wrong", 403), ("/live/v1/", nil, 403), ("/live/a%2/", nil, 400),
        ] as [(String, String?, Int)])
    func forms(prefix: String, authorization: String?, status: Int) async {
        _ = await fixture.opened("/live/key", [HeaderField("authorization", "Bearer token")])
        let headers = authorization.map { [HeaderField("authorization", $0)] } ?? []
        for suffix in [Self.id, Self.id + "/"] {
            let response = await fixture.send("DELETE", prefix + suffix, headers)
            #expect(response.status == status)
            #expect(!response.everything.contains("key or token is not the one") || status == 403)
        }
        #expect(fixture.publishers.calls.count == (status == 200 ? 1 : 0))
    }

    @Test("so many ended sessions are remembered, and no more")
    func memory() async {
        let fixture = WHIPFixture()
        var paths: [String] = []
        for _ in 0...255 {
            let (path, _) = await fixture.opened()
            guard !paths.contains(path) else { break }
            paths.append(path)
            #expect(await fixture.send("DELETE", path).status == 200)
        }
        #expect(paths.count >= 128)
        for path in paths { #expect(await fixture.send("DELETE", path).status == 200) }
    }
}

/// Holds whoever passes until it is opened.
private final class Gate: Sendable {
    private let passing = AsyncStream<Void>.makeStream()
    private let opening = AsyncStream<Void>.makeStream()

    func pass() async {
        passing.continuation.yield()
        for await _ in opening.stream { return }
    }

    func reached() async { for await _ in passing.stream { return } }

    func open() {
        opening.continuation.yield()
        opening.continuation.finish()
    }
}
