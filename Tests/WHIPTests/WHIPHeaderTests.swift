import Bytes
import Testing
import WHIP

@Suite struct WHIPMethodTests {
    private let fixture = WHIPFixture()

    @Test(
        "methods that a path does not know are 405 with Allow",
        arguments: [
            ("PUT", "/live/key", "POST, GET, HEAD, OPTIONS"), ("PATCH", "/live", "POST, GET, HEAD, OPTIONS"),
            ("DELETE", "/live/key", "POST, GET, HEAD, OPTIONS"), ("post", "/live/key", "POST, GET, HEAD, OPTIONS"),
            ("POST", "/live/resource/x", "PATCH, DELETE, GET, HEAD, OPTIONS"),
            ("PUT", "/live/key/x", "PATCH, DELETE, GET, HEAD, OPTIONS"),
        ])
    func notAllowed(method: String, target: String, allow: String) async {
        let response = await fixture.send(method, target)
        #expect(response.status == 405)
        #expect(response.header("allow") == allow)
    }

    @Test("GET and HEAD have nothing to show, on an endpoint as on a session", arguments: ["GET", "HEAD"])
    func nothingToShow(method: String) async {
        let (path, _) = await fixture.opened()
        for target in ["/live", "/live/key", "/live/other/", path] {
            let response = await fixture.send(method, target)
            #expect(response.status == 204 && response.body.isEmpty)
        }
        #expect(await fixture.send(method, "/live/resource/none").status == 404)
    }

    @Test("OPTIONS tells what may be asked, and of a session nothing that depends on whether there is one")
    func options() async {
        let endpoint = await fixture.send("OPTIONS", "/live/key")
        #expect(endpoint.status == 200 && endpoint.body.isEmpty)
        #expect(endpoint.header("allow") == "POST, GET, HEAD, OPTIONS")
        #expect(endpoint.header("access-control-allow-methods") == "POST, GET, HEAD, OPTIONS")
        #expect(endpoint.header("accept-post") == "application/sdp")
        let (path, _) = await fixture.opened()
        let resource = await fixture.send("OPTIONS", path)
        #expect(resource.header("accept-patch") == "application/trickle-ice-sdpfrag")
        #expect(resource == (await fixture.send("OPTIONS", "/live/resource/none")))
    }

    @Test("a page of another origin can read what it needs, from refusals too")
    func exposed() async {
        let responses = [
            await fixture.post(), await fixture.post(type: nil), await fixture.send("GET", "/"),
            await fixture.send("OPTIONS", "/live"),
        ]
        for response in responses {
            #expect(response.header("access-control-allow-origin") == "*")
            let exposed = response.header("access-control-expose-headers") ?? ""
            for name in ["location", "etag", "link", "accept-patch", "retry-after", "www-authenticate"] {
                #expect(exposed.split(separator: ", ").contains { $0 == name })
            }
        }
    }

    @Test(
        "a browser's question is answered with the headers that it asks for",
        arguments: [
            (nil, "authorization, content-type, if-match"), ("", "authorization, content-type, if-match"),
            ("content-type", "authorization, content-type, if-match"),
            ("X-Trace, Content-Type", "authorization, content-type, if-match, x-trace"),
            ("a b\r\nx", "authorization, content-type, if-match"), ("é", "authorization, content-type, if-match"),
            (String(repeating: "x", count: 1_025), "authorization, content-type, if-match"),
        ] as [(String?, String)])
    func requestedHeaders(asked: String?, allowed: String) async {
        let response = await fixture.send(
            "OPTIONS", "/live",
            [HeaderField("access-control-request-method", "POST")]
                + (asked.map { [HeaderField("access-control-request-headers", $0)] } ?? []))
        #expect(response.header("access-control-allow-headers") == allowed)
        #expect(response.header("access-control-max-age") == "86400")
    }
}

@Suite struct ICEServerTests {
    private static let servers = ICEServers(
        [
            ICEServer(url: "stun:stun.example.net"),
            ICEServer(
                url: "turn:turn.example.net?transport=udp",
                credential: .timeLimited(secret: "shared", name: "whip", lifetimeSeconds: 600)),
            ICEServer(url: "turns:turn.example.net", credential: .password(username: "a\"b\\", password: "p\r\nw")),
        ], hmacSHA1: { key, message in Array(key.reversed()) + message.suffix(4) })

    private static let links = [
        "<stun:stun.example.net>; rel=\"ice-server\"",
        "<turn:turn.example.net?transport=udp>; rel=\"ice-server\"; username=\"1600:whip\"; "
            + "credential=\"ZGVyYWhzd2hpcA==\"; credential-type=\"password\"",
        "<turns:turn.example.net>; rel=\"ice-server\"; username=\"a\\\"b\\\\\"; credential=\"pw\"; "
            + "credential-type=\"password\"",
    ]

    private func links(_ response: ResourceResponse) -> [String] {
        response.headers.filter { $0.name == "link" }.map(\.value)
    }

    @Test("a new session is told of the servers, with credentials that end")
    func created() async {
        let fixture = WHIPFixture(options: WHIPOptions(iceServers: Self.servers))
        #expect(links(await fixture.post()) == Self.links)
    }

    @Test("when another server answers, it is that server's ICE servers that a session is told of, if it names any")
    func answeredElsewhere() async {
        let fixture = WHIPFixture(options: WHIPOptions(iceServers: Self.servers))
        let theirs = ["<stun:sfu.example>; rel=\"ice-server\"", "<turn:sfu.example>; rel=\"ice-server\""]
        fixture.publishers.tell(links: theirs)
        #expect(links(await fixture.post()) == theirs)
        fixture.publishers.tell(links: [])
        #expect(links(await fixture.post()) == Self.links)
    }

    @Test("OPTIONS tells them too, unless it is a browser's question that will not read them")
    func options() async {
        let fixture = WHIPFixture(options: WHIPOptions(iceServers: Self.servers))
        let preflight = HeaderField("access-control-request-method", "POST")
        #expect(links(await fixture.send("OPTIONS", "/live")) == Self.links)
        #expect(links(await fixture.send("OPTIONS", "/live", [preflight])).isEmpty)
        let asking = [preflight, HeaderField("access-control-request-headers", "Link, content-type")]
        #expect(links(await fixture.send("OPTIONS", "/live", asking)) == Self.links)
        #expect(links(await fixture.send("OPTIONS", "/live/resource/x")).isEmpty)
    }

    @Test("a refusal tells of no server")
    func refusals() async {
        let fixture = WHIPFixture(options: WHIPOptions(iceServers: Self.servers))
        #expect(links(await fixture.post(type: nil)).isEmpty)
        #expect(links(await fixture.send("GET", "/live")).isEmpty)
    }

    @Test(
        "a URL that could break out of its header is left out", arguments: ["", "stun:a>", "stun:a b", "stun:a\r\nx:y"])
    func badURL(url: String) {
        #expect(ICEServers([ICEServer(url: url)], hmacSHA1: { _, _ in [] }).links(at: 0).isEmpty)
    }

    @Test("without a name the user name is the time alone, and times far off do no harm")
    func names() {
        let server = ICEServer(
            url: "turn:t", credential: .timeLimited(secret: "", name: "", lifetimeSeconds: .max))
        let link = ICEServers([server], hmacSHA1: { _, _ in [] }).links(at: 1)[0].value
        #expect(link.contains("username=\"\(Int64.max &+ 1)\"") && link.contains("credential=\"\""))
    }
}

@Suite struct WHIPFloodTests {
    private static let options = WHIPOptions(
        maximumResourcesPerClient: 2, postRate: RequestRate(burst: 4, perSecond: 2),
        requestRate: RequestRate(burst: 3, perSecond: 1))

    @Test("an address may post so often at once, then as often as the rate gives")
    func postRate() async {
        let fixture = WHIPFixture(options: Self.options)
        for _ in 0..<4 { #expect(await fixture.post(type: nil, from: "192.0.2.1").status == 415) }
        let refused = await fixture.post(type: nil, from: "192.0.2.1")
        #expect(refused.status == 429 && refused.header("retry-after") == "1")
        #expect(await fixture.post(type: nil, from: "192.0.2.2").status == 415)
        fixture.pass(.milliseconds(499))
        #expect(await fixture.post(type: nil, from: "192.0.2.1").status == 429)
        fixture.pass(.milliseconds(1))
        #expect(await fixture.post(type: nil, from: "192.0.2.1").status == 415)
        #expect(await fixture.post(type: nil, from: "192.0.2.1").status == 429)
        fixture.pass(.seconds(3_600))
        for _ in 0..<4 { #expect(await fixture.post(type: nil, from: "192.0.2.1").status == 415) }
        #expect(await fixture.post(type: nil, from: "192.0.2.1").status == 429)
    }

    @Test("other requests have a rate of their own")
    func requestRate() async {
        let fixture = WHIPFixture(options: Self.options)
        for _ in 0..<3 { #expect(await fixture.send("DELETE", "/live/resource/x", from: "192.0.2.1").status == 404) }
        let refused = await fixture.send("DELETE", "/live/resource/x", from: "192.0.2.1")
        #expect(refused.status == 429 && refused.header("retry-after") == "1")
        #expect(await fixture.post(from: "192.0.2.1").status == 201)
    }

    @Test("an address has so many sessions at once")
    func sessions() async {
        let fixture = WHIPFixture(options: Self.options)
        let path = await fixture.post(from: "192.0.2.1").header("location") ?? ""
        #expect(await fixture.post(from: "192.0.2.1").status == 201)
        #expect(await fixture.post(from: "192.0.2.1").status == 429)
        #expect(await fixture.post(from: "192.0.2.2").status == 201)
        #expect(await fixture.send("DELETE", path, from: "192.0.2.3").status == 200)
        #expect(await fixture.post(from: "192.0.2.1").status == 201)
    }

    @Test(
        "who counts as one client",
        arguments: [
            ("192.0.2.1", nil, "192.0.2.1", nil, true), ("192.0.2.1", nil, "192.0.2.2", nil, false),
            ("2001:db8::1", nil, "2001:db8::2", nil, true), ("2001:db8::1", nil, "2001:db8:0:1::1", nil, false),
            ("::ffff:192.0.2.1", nil, "192.0.2.1", nil, true),
            // What a client says of itself does not count, what a proxy of ours says does, from the right.
            ("192.0.2.1", "198.51.100.1", "192.0.2.1", "198.51.100.2", true),
            ("10.0.0.1", "198.51.100.1", "10.0.0.1", "198.51.100.2", false),
            ("127.0.0.1", "1.1.1.1, 198.51.100.1", "127.0.0.1", "2.2.2.2, 198.51.100.1", true),
            ("fd00::1", "[2001:db8::1]:443", "10.0.0.2", "2001:db8::2", true),
            ("172.16.0.1", "198.51.100.1:5000", "192.168.1.1", "198.51.100.1", true),
            ("172.15.0.1", "198.51.100.1", "172.15.0.1", "198.51.100.2", true),
            ("10.0.0.1", "unknown", "10.0.0.1", nil, true),
        ] as [(String, String?, String, String?, Bool)])
    func clients(one: String, via: String?, other: String, otherVia: String?, isSame: Bool) async {
        let fixture = WHIPFixture(options: WHIPOptions(maximumResourcesPerClient: 1))
        let headers = { (forwarded: String?) in forwarded.map { [HeaderField("x-forwarded-for", $0)] } ?? [] }
        #expect(await fixture.post("/live/key", headers(via), from: one).status == 201)
        #expect(await fixture.post("/live/key", headers(otherVia), from: other).status == (isSame ? 429 : 201))
    }

    @Test("this machine is not counted")
    func loopback() async {
        let fixture = WHIPFixture(options: Self.options)
        for _ in 0..<20 { #expect(await fixture.post(from: "127.0.0.1").status == 201) }
        for _ in 0..<20 { #expect(await fixture.send("GET", "/live", from: "::1").status == 204) }
    }

    @Test("beyond so many addresses the rest share one rate, and room comes back")
    func manyAddresses() async {
        let fixture = WHIPFixture(options: WHIPOptions(requestRate: RequestRate(burst: 1, perSecond: 1)))
        for index in 0..<WHIPLimits.clients {
            _ = await fixture.send("GET", "/live", from: "198.18.\(index / 256).\(index % 256)")
        }
        #expect(await fixture.send("GET", "/live", from: "203.0.113.1").status == 204)
        #expect(await fixture.send("GET", "/live", from: "203.0.113.2").status == 429)
        fixture.pass(.seconds(2))
        #expect(await fixture.send("GET", "/live", from: "203.0.113.3").status == 204)
        #expect(await fixture.send("GET", "/live", from: "203.0.113.4").status == 204)
    }
}
