import Bytes
import SDP
import Testing
import WHIP
import WebRTC

@Suite struct WHIPPostTests {
    private let fixture = WHIPFixture()

    @Test("a good offer is answered with 201, the answer as it is, a resource and its tag")
    func created() async {
        let response = await fixture.post(
            "/live/secret", [HeaderField("host", "in.example:8080"), HeaderField("user-agent", "OBS")],
            from: "192.0.2.7")
        #expect(response.status == 201)
        #expect(response.body == PaperPublishers.answer)
        #expect(response.header("content-type") == "application/sdp")
        #expect(response.header("location") == "http://in.example:8080/live/resource/AQEBAQEBAQEBAQEBAQEBAQEB")
        #expect(response.header("etag") == "\"0202020202020202\"")
        #expect(response.header("accept-patch") == "application/trickle-ice-sdpfrag")
        #expect(response.header("cache-control") == "no-store")
        let opening = fixture.publishers.openings[0]
        #expect(opening.key == "secret" && opening.app == "live")
        #expect(opening.resourceID == "AQEBAQEBAQEBAQEBAQEBAQEB")
        #expect(opening.offer.media.count == 2 && opening.offerText == WHIPFixture.offer)
        #expect(opening.clientAddress == "192.0.2.7" && opening.userAgent == "OBS")
        #expect(await fixture.endpoint.count == 1)
    }

    @Test("an opening in print has neither key nor address")
    func redacted() async {
        _ = await fixture.post("/live/secret", from: "192.0.2.7")
        let text = "\(fixture.publishers.openings[0])"
        #expect(!text.contains("secret") && !text.contains("192.0.2.7"))
    }

    @Test(
        "the key is the bearer token, with or without its first word, or the path's last part, which goes first",
        arguments: [
            ("/live", "Bearer k", "k"), ("/live/", "bearer  k", "k"), ("/live", "k", "k"), ("/live/k", nil, "k"),
            ("/live/k/", nil, "k"), ("/live/path", "Bearer k", "path"), ("/live/k?a=b", nil, "k"),
            ("/whip/v1", "Bearer k", "k"), ("/whip/v1", nil, "v1"), ("/whip/v1/", "Bearer k", "k"),
            ("/live/v1", "Bearer k", "v1"), ("/any-app_1.0~/k", nil, "k"), ("/live/resource", nil, "resource"),
            ("/live/a%20b%2Fc", nil, "a b/c"), ("/live/%C3%A9", nil, "é"), ("/a%20b/k", nil, "k"),
        ] as [(String, String?, String)])
    func keys(target: String, authorization: String?, key: String) async {
        let response = await fixture.post(target, authorization.map { [HeaderField("authorization", $0)] } ?? [])
        #expect(response.status == 201)
        #expect(fixture.publishers.openings.last?.key == key)
    }

    @Test("no key is 401 with a challenge", arguments: [nil, "", "Bearer", "Basic a2V5", "Bearer a b"])
    func noKey(authorization: String?) async {
        let response = await fixture.post("/live", authorization.map { [HeaderField("authorization", $0)] } ?? [])
        #expect(response.status == 401)
        #expect(response.header("www-authenticate") == "Bearer")
        #expect(fixture.publishers.openings.isEmpty)
    }

    @Test("the location's app is the one of the request, as it was written")
    func app() async {
        #expect(await fixture.opened("/a%20b/k").path == "/a%20b/resource/AQEBAQEBAQEBAQEBAQEBAQEB")
        let based = WHIPFixture(options: WHIPOptions(basePath: "/in/whip"))
        #expect(await based.opened("/in/whip/k").path == "/in/whip/resource/AQEBAQEBAQEBAQEBAQEBAQEB")
        #expect(await based.post("/whip/k").status == 404)
        #expect(await based.post("/in/whip").status == 401)
        #expect(await based.post("/in/whip/v1", [HeaderField("authorization", "k")]).status == 201)
    }

    @Test("neither key nor token is in any response")
    func keyNeverShown() async {
        let secret = "s3cr3tkey"
        let token = [HeaderField("authorization", "Bearer " + secret), HeaderField("host", "h")]
        var responses = [await fixture.post("/live/" + secret), await fixture.post("/live", token)]
        let errors: [WHIPError] = [
            .unknownKey, .disabled, .conflict, .capacityExceeded, .shuttingDown, .unusableOffer(.noCommonCodec),
            .internalFault, .upstream(status: 500, text: "x"),
        ]
        for error in errors {
            fixture.publishers.refuse(with: error)
            responses.append(await fixture.post("/live/" + secret))
        }
        for method in ["GET", "PUT", "OPTIONS", "DELETE", "PATCH"] {
            responses.append(await fixture.send(method, "/live/" + secret, token))
            responses.append(await fixture.send(method, "/live/\(secret)/none", token))
        }
        responses.append(await fixture.post("/live/\(secret)/a/b"))
        responses.append(await fixture.post("/live/\(secret)", type: "text/plain"))
        #expect(responses.allSatisfy { !$0.everything.contains(secret) })
    }

    @Test(
        "scheme and authority of the location are the client's",
        arguments: [
            ([("host", "h")], false, "http://h"), ([("host", "h:1")], true, "https://h:1"),
            ([("host", "[2001:db8::1]:8080")], false, "http://[2001:db8::1]:8080"),
            ([("host", "h"), ("x-forwarded-proto", "https")], false, "https://h"),
            ([("host", "h"), ("x-forwarded-proto", "https, http")], false, "https://h"),
            ([("host", "h"), ("x-forwarded-proto", "http")], true, "http://h"),
            ([("host", "h"), ("x-forwarded-host", "outer, inner")], false, "http://outer"),
            ([], false, ""), ([("host", "a/b")], false, ""), ([("host", "a\"b")], false, ""),
            ([("host", "a@b")], false, ""), ([("host", String(repeating: "h", count: 263))], false, ""),
            ([("host", "h"), ("x-forwarded-proto", "javascript")], false, ""),
        ] as [([(String, String)], Bool, String)])
    func origin(headers: [(String, String)], isSecure: Bool, origin: String) async {
        let response = await fixture.post(headers: headers, isSecure: isSecure)
        #expect(response.header("location") == origin + "/live/resource/AQEBAQEBAQEBAQEBAQEBAQEB")
    }

    @Test("a public URL goes before what requests say")
    func publicURL() async {
        let fixture = WHIPFixture(options: WHIPOptions(publicURL: "https://in.example"))
        let response = await fixture.post(headers: [("host", "h")], isSecure: false)
        #expect(response.header("location")?.hasPrefix("https://in.example/live/resource/") == true)
    }

    @Test(
        "the body must be SDP",
        arguments: [
            ("application/sdp", 201), ("Application/SDP ; charset=utf-8", 201), ("text/plain", 415),
            ("application/sdpx", 415), ("application/trickle-ice-sdpfrag", 415), ("", 415), (nil, 415),
        ] as [(String?, Int)])
    func contentType(type: String?, status: Int) async {
        let response = await fixture.post(type: type)
        #expect(response.status == status)
        #expect(response.header("accept-post") == (status == 415 ? "application/sdp" : nil))
    }

    @Test(
        "an answer that the client refuses is not made",
        arguments: [
            ("application/sdp", 201), ("*/*", 201), ("application/*", 201), ("text/html, application/sdp;q=0.1", 201),
            ("text/html, */*;q=0.8", 201), ("application/*;q=0, application/sdp", 201), ("text/html", 406),
            ("application/json", 406), ("application/sdp;q=0", 406), ("*/*, application/sdp; q=0.000", 406),
            ("application/sdp;q=0.001", 201), ("", 406),
        ])
    func accept(value: String, status: Int) async {
        #expect(await fixture.post("/live/key", [HeaderField("accept", value)]).status == status)
    }

    @Test("64 KiB are read, one byte more is 413")
    func bodyLimit() async {
        let head = WHIPFixture.offer + Array("a=x:".utf8)
        let full = head + Array(repeating: UInt8(ascii: "y"), count: WHIPLimits.offerBytes - head.count)
        #expect(await fixture.post(body: full).status == 201)
        #expect(await fixture.post(body: full + [UInt8(ascii: "y")]).status == 413)
    }

    @Test("an empty body and one that is no description are 400, each with its sentence")
    func badBodies() async {
        let empty = await fixture.post(body: [])
        #expect(empty.status == 400)
        #expect(String(decoding: empty.body, as: UTF8.self).hasPrefix("The body is empty"))
        let bad = await fixture.post(body: Array("v=0\nm=audio".utf8))
        #expect(bad.status == 400)
        #expect(String(decoding: bad.body, as: UTF8.self) == "Line 2: the value of m= is malformed.")
        #expect(fixture.publishers.openings.isEmpty)
    }

    @Test("every truncation of an offer is answered or refused with a status of its own")
    func truncations() async {
        for length in WHIPFixture.offer.indices {
            let status = await fixture.post(body: Array(WHIPFixture.offer[..<length])).status
            #expect(status == 201 || status == 400)
        }
    }

    @Test("headers of any size and kind do no harm")
    func hugeHeaders() async {
        let huge = String(repeating: ",q=0;\"*", count: 20_000)
        for name in [
            "accept", "authorization", "host", "x-forwarded-for", "x-forwarded-proto", "content-type", "if-match",
        ] {
            let response = await fixture.post("/live/key", [HeaderField(name, huge)], from: "10.0.0.1")
            #expect(response.everything.utf8.count < 4_096)
        }
    }

    @Test(
        "other paths are 404, broken ones 400",
        arguments: [
            ("", 404), ("/", 404), ("live/key", 404), ("//key", 404), ("/live//key", 404), ("/live/key//", 404),
            ("/live/a/b/c", 404), ("/live/a%2", 400), ("/live/a%zz", 400), ("/live/%ff", 400), ("/live/a%00", 400),
            ("/live/%0a", 400), ("/li\"ve/key", 400), ("/li ve/key", 400), ("/li\u{e9}/key", 400), ("/../key", 400),
            ("/./key", 400), ("/" + String(repeating: "a", count: 129), 400),
            ("/live/" + String(repeating: "k", count: 257), 400),
        ])
    func paths(target: String, status: Int) async {
        #expect(await fixture.post(target).status == status)
    }

    @Test("a key has 256 bytes at most, in a header too")
    func keyLength() async {
        let key = String(repeating: "k", count: 256)
        #expect(await fixture.post("/live/" + key).status == 201)
        #expect(await fixture.post("/live", [HeaderField("authorization", key)]).status == 201)
        #expect(await fixture.post("/live", [HeaderField("authorization", key + "k")]).status == 404)
    }
}

extension WHIPFixture {
    func post(headers: [(String, String)], isSecure: Bool) async -> ResourceResponse {
        await post("/live/key", headers.map { HeaderField($0.0, $0.1) }, isSecure: isSecure)
    }
}

@Suite struct WHIPRefusalTests {
    private let fixture = WHIPFixture()

    @Test(
        "what the publishers refuse has its status, its sentence and what its status asks for, and leaves no resource",
        arguments: [
            (WHIPError.unknownKey, 404), (.unauthorized, 401), (.disabled, 403), (.forbidden, 403), (.conflict, 409),
            (.malformedOffer(.notText), 400), (.unusableOffer(.fingerprint), 400),
            (.unusableOffer(.noCommonCodec), 422), (.unavailable, 503), (.shuttingDown, 503), (.capacityExceeded, 429),
            (.tooManyRequests(retryAfterSeconds: 7), 429), (.upstream(status: 418, text: "tea"), 418),
            (.upstream(status: 503, text: ""), 503), (.upstream(status: 204, text: ""), 502),
            (.upstream(status: -1, text: ""), 502), (.internalFault, 500),
        ])
    func refusals(error: WHIPError, status: Int) async {
        fixture.publishers.refuse(with: error)
        let response = await fixture.post()
        #expect(response.status == status)
        #expect(response.header("content-type") == "text/plain; charset=utf-8")
        #expect(!response.body.isEmpty)
        #expect(response.header("location") == nil && response.header("etag") == nil)
        #expect(response.header("www-authenticate") == (status == 401 ? "Bearer" : nil))
        #expect((response.header("retry-after") != nil) == [429, 503].contains(status))
        #expect(response.header("access-control-allow-origin") == "*")
        #expect(await fixture.endpoint.count == 0)
        fixture.publishers.refuse(with: nil)
        #expect(await fixture.post().status == 201)
    }

    @Test(
        "every refusal is one sentence of its own that ends as one",
        arguments: [
            .notFound, .unknownKey, .missingKey, .unauthorized, .forbidden, .disabled, .methodNotAllowed(allow: "POST"),
            .notAcceptable(offered: "application/sdp"), .bodyTooLarge(limitBytes: 1),
            .unsupportedMediaType(expected: "application/sdp"), .malformedPath, .emptyBody(expected: "an offer"),
            .malformedOffer(.notText), .unusableOffer(.setup), .malformedFragment(.malformedLine(line: 3)),
            .unusableFragment(.halfCredentials), .unusableFragment(.severalCredentials),
            .unusableFragment(.credentialLength), .unusableFragment(.unknownSection), .trickleUnsupported,
            .restartUnsupported, .malformedLayer, .noSuchLayer, .conflict, .preconditionFailed, .preconditionRequired,
            .tooManyRequests(retryAfterSeconds: 0), .capacityExceeded, .unavailable, .shuttingDown,
            .upstream(status: 401, text: ""), .internalFault,
        ] as [WHIPError])
    func sentences(error: WHIPError) {
        let text = error.description
        #expect(text.count > 20 && text.count < 160 && (text.hasSuffix(".") || text.hasSuffix("}.")))
        #expect(text.first?.isUppercase == true || text.hasPrefix("ice-"))
        #expect((400...599).contains(error.status))
    }

    @Test("another server's text is cut, and cleaned of what could break a line")
    func upstreamText() {
        let long = WHIPError.upstream(status: 400, text: "a\r\nb\u{7}" + String(repeating: "x", count: 1_000))
        #expect(long.description.utf8.count < 300)
        #expect(long.description.contains("400: a  b xxx"))
        #expect(long.description.unicodeScalars.allSatisfy { $0.value >= 0x20 })
    }

    @Test("past the number of sessions new ones are 503, until one ends")
    func cap() async {
        let fixture = WHIPFixture(options: WHIPOptions(maximumResources: 1))
        let (path, _) = await fixture.opened()
        let refused = await fixture.post()
        #expect(refused.status == 503 && refused.header("retry-after") == "2")
        #expect(await fixture.send("DELETE", path).status == 200)
        #expect(await fixture.post().status == 201)
    }

    @Test("sessions that are being opened count, and cannot be reached")
    func capWhileOpening() async {
        let fixture = WHIPFixture(options: WHIPOptions(maximumResources: 1))
        fixture.publishers.meanwhile { [fixture] id in
            #expect(await fixture.post().status == 503)
            #expect(await fixture.send("DELETE", "/live/resource/" + id).status == 404)
        }
        #expect(await fixture.post().status == 201)
        #expect(fixture.publishers.calls.isEmpty)
    }

    @Test("a session that ends while it is being opened is none")
    func endedEarly() async {
        fixture.publishers.meanwhile { [endpoint = fixture.endpoint] id in await endpoint.publisherEnded(id) }
        #expect(await fixture.post().status == 503)
        #expect(await fixture.endpoint.count == 0)
    }
}
