import SDP
import Testing
import WHIP
import WebRTC

@Suite struct WHEPPostTests {
    private let fixture = WHEPFixture()

    @Test("a good offer is answered with 201, the answer, a resource and its tag")
    func created() async {
        let response = await fixture.post("/whep/key?layer=h")
        #expect(response.status == 201)
        #expect(response.body == PaperViewers.answer.serialized())
        #expect(response.header("content-type") == "application/sdp")
        #expect(response.header("location") == "/whep/resource/AQEBAQEBAQEBAQEBAQEBAQEB")
        #expect(response.header("etag") == "\"0202020202020202\"")
        #expect(response.header("accept-patch") == "application/json")
        #expect(response.header("cache-control") == "no-store")
        let opening = fixture.viewers.openings[0]
        #expect(opening.key == "key" && opening.layer == .h && opening.bearerToken == nil)
        #expect(opening.resourceID == "AQEBAQEBAQEBAQEBAQEBAQEB")
        #expect(opening.offer.origin.sessionID == 1)
        #expect(await fixture.endpoint.count == 1)
    }

    @Test("the key is not in the response, and each session has an id of its own")
    func noKey() async {
        let first = await fixture.post("/whep/secret")
        let second = await fixture.post("/whep/secret")
        #expect(first.headers.allSatisfy { !$0.value.contains("secret") })
        #expect(first.header("location") != second.header("location"))
        #expect(first.header("etag") != second.header("etag"))
    }

    @Test("a page of another origin can read what it needs, from refusals too")
    func cors() async {
        for response in [await fixture.post(), await fixture.post(type: nil), await fixture.send("GET", "/nowhere")] {
            #expect(response.header("access-control-allow-origin") == "*")
            let exposed = response.header("access-control-expose-headers") ?? ""
            #expect(exposed.contains("location") && exposed.contains("etag") && exposed.contains("link"))
        }
    }

    @Test("ICE servers come as Link headers")
    func links() async {
        let link = "<stun:stun.example.net>; rel=\"ice-server\""
        let server = ICEServer(url: "stun:stun.example.net")
        let fixture = WHEPFixture(
            options: WHEPOptions(iceServers: ICEServers([server, server], hmacSHA1: { _, _ in [] })))
        #expect(await fixture.post().headers.filter { $0.name == "link" }.map(\.value) == [link, link])
        #expect(await fixture.send("OPTIONS", "/whep/key").headers.filter { $0.name == "link" }.count == 2)
    }

    @Test(
        "the body's type may have parameters and capitals, and must be SDP",
        arguments: [
            ("application/sdp", 201), ("Application/SDP ; charset=utf-8", 201), ("text/plain", 415),
            ("application/sdpx", 415),
            ("", 415), (nil, 415),
        ] as [(String?, Int)])
    func contentType(type: String?, status: Int) async {
        let response = await fixture.post(type: type)
        #expect(response.status == status)
        #expect(response.header("accept-post") == (status == 415 ? "application/sdp" : nil))
    }

    @Test("64 KiB are read, one byte more is 413")
    func bodyLimit() async {
        let head = WHEPFixture.offer + Array("a=x:".utf8)
        let full = head + Array(repeating: UInt8(ascii: "y"), count: WHIPLimits.offerBytes - head.count)
        #expect(await fixture.post(body: full).status == 201)
        #expect(await fixture.post(body: full + [UInt8(ascii: "y")]).status == 413)
    }

    @Test("a body that is no description is 400 with a sentence that names the line")
    func badSDP() async {
        let response = await fixture.post(body: Array("v=0\nm=audio".utf8))
        #expect(response.status == 400)
        #expect(response.header("content-type") == "text/plain; charset=utf-8")
        #expect(String(decoding: response.body, as: UTF8.self) == "Line 2: the value of m= is malformed.")
        #expect(await fixture.post(body: []).status == 400)
        #expect(fixture.viewers.openings.isEmpty)
    }

    @Test(
        "the layer is q, h or f or nothing",
        arguments: [
            ("", 201), ("?", 201), ("?layer=q", 201), ("?a=b&layer=f&c", 201), ("?layer=%71", 201), ("?layerx=z", 201),
            ("?layer=z", 400), ("?layer=", 400), ("?layer", 400), ("?layer=%7", 400), ("?layer=Q", 400),
        ])
    func layer(query: String, status: Int) async {
        #expect(await fixture.post("/whep/key" + query).status == status)
    }

    @Test(
        "what the viewers refuse has its own status, and leaves no resource",
        arguments: [
            (WHIPError.notFound, 404), (.unusableOffer(.noCommonCodec), 422), (.unusableOffer(.fingerprint), 400),
            (.unauthorized, 401), (.forbidden, 403), (.unavailable, 503), (.internalFault, 500), (.noSuchLayer, 409),
        ])
    func refusals(error: WHIPError, status: Int) async {
        fixture.viewers.refuse(with: error)
        let response = await fixture.post()
        #expect(response.status == status)
        #expect(response.header("location") == nil)
        #expect(!response.body.isEmpty)
        #expect(response.header("www-authenticate") == (status == 401 ? "Bearer" : nil))
        #expect((response.header("retry-after") != nil) == (status == 503))
        #expect(await fixture.endpoint.count == 0)
    }

    @Test("a bearer token is handed on")
    func bearer() async {
        for (value, token) in [
            ("Bearer t", "t"), ("bearer  t", "t"), ("t", "t"), ("Basic t", nil), ("Bearer", nil),
        ] {
            _ = await fixture.send(
                "POST", "/whep/key",
                [HeaderField("content-type", "application/sdp"), HeaderField("Authorization", value)],
                body: WHEPFixture.offer)
            #expect(fixture.viewers.openings.last?.bearerToken == token)
        }
    }

    @Test("past the number of sessions new ones are 503, until one ends")
    func cap() async {
        let fixture = WHEPFixture(options: WHEPOptions(maximumResources: 1))
        let location = await fixture.opened()
        #expect(await fixture.post().status == 503)
        #expect(await fixture.send("DELETE", location).status == 200)
        #expect(await fixture.post().status == 201)
    }

    @Test("sessions that are being opened count")
    func capWhileOpening() async {
        let fixture = WHEPFixture(options: WHEPOptions(maximumResources: 1))
        fixture.viewers.onOpening { _ in
            let second = await fixture.post()
            #expect(second.status == 503)
        }
        #expect(await fixture.post().status == 201)
    }

    @Test("a viewer that ends while it is being opened is no session")
    func endedEarly() async {
        fixture.viewers.onOpening { [endpoint = fixture.endpoint] id in await endpoint.viewerEnded(id) }
        #expect(await fixture.post().status == 503)
        #expect(await fixture.endpoint.count == 0)
    }
}

@Suite struct WHEPResourceTests {
    private let fixture = WHEPFixture()

    @Test("DELETE ends the session once; after that it is unknown")
    func delete() async {
        let location = await fixture.opened()
        #expect(await fixture.send("DELETE", location).status == 200)
        #expect(fixture.viewers.closed == ["AQEBAQEBAQEBAQEBAQEBAQEB"])
        #expect(await fixture.send("DELETE", location).status == 404)
        #expect(fixture.viewers.closed.count == 1)
    }

    @Test("a session that ended by itself is unknown, and nobody is closed twice")
    func ended() async {
        let location = await fixture.opened()
        await fixture.endpoint.viewerEnded("AQEBAQEBAQEBAQEBAQEBAQEB")
        #expect(await fixture.send("DELETE", location).status == 404)
        #expect(await fixture.patch(location, #"{"layer":"q"}"#).status == 404)
        #expect(fixture.viewers.closed.isEmpty)
    }

    @Test("PATCH with JSON switches the layer")
    func switchLayer() async {
        let location = await fixture.opened()
        let response = await fixture.patch(location, #"{"layer":"q"}"#)
        #expect(response.status == 204 && response.body.isEmpty)
        #expect(fixture.viewers.selections == ["AQEBAQEBAQEBAQEBAQEBAQEB q"])
    }

    @Test(
        "PATCH refuses other types, sizes and layers",
        arguments: [
            ("application/trickle-ice-sdpfrag", "a=ice-ufrag:x", 415), ("application/sdp", #"{"layer":"q"}"#, 415),
            ("application/json", "", 400), ("application/json", #"{"layer":"x"}"#, 400),
            ("application/json", #"{"layer":"q""# + String(repeating: " ", count: 1_100) + "}", 413),
        ])
    func patchRefusals(type: String, body: String, status: Int) async {
        let response = await fixture.patch(await fixture.opened(), body, type: type)
        #expect(response.status == status)
        #expect(response.header("accept-patch") == (status == 415 ? "application/json" : nil))
        #expect(fixture.viewers.selections.isEmpty)
    }

    @Test("a layer that the stream does not have is refused by the viewers")
    func noSuchLayer() async {
        let location = await fixture.opened()
        fixture.viewers.refuse(with: .noSuchLayer)
        #expect(await fixture.patch(location, #"{"layer":"q"}"#).status == 409)
    }

    @Test(
        "If-Match must name the tag, when it is there",
        arguments: [
            ("\"0202020202020202\"", 204), ("*", 204), ("\"a\", \"0202020202020202\"", 204), ("\"a\"", 412),
            ("W/\"0202020202020202\"", 412), ("0202020202020202", 412), ("", 412),
        ])
    func ifMatch(condition: String, status: Int) async {
        let location = await fixture.opened()
        #expect(await fixture.patch(location, #"{"layer":"q"}"#, ifMatch: condition).status == status)
    }
}

@Suite struct WHEPRouteTests {
    private let fixture = WHEPFixture()

    @Test(
        "OPTIONS tells a browser and a client what may be asked",
        arguments: [
            ("/whep/key", "POST, OPTIONS", "accept-post", "application/sdp"),
            ("/whep/resource/x", "PATCH, DELETE, OPTIONS", "accept-patch", "application/json"),
        ])
    func options(target: String, methods: String, accepts: String, type: String) async {
        let response = await fixture.send("OPTIONS", target)
        #expect(response.status == 204)
        #expect(response.header("allow") == methods)
        #expect(response.header("access-control-allow-methods") == methods)
        #expect(response.header(accepts) == type)
        let headers = response.header("access-control-allow-headers") ?? ""
        #expect(["authorization", "content-type", "if-match"].allSatisfy { headers.contains($0) })
    }

    @Test(
        "methods that a path does not know are 405 with Allow",
        arguments: [
            ("GET", "/whep/key", "POST, OPTIONS"), ("HEAD", "/whep/key", "POST, OPTIONS"),
            ("DELETE", "/whep/key", "POST, OPTIONS"), ("PATCH", "/whep/key", "POST, OPTIONS"),
            ("post", "/whep/key", "POST, OPTIONS"), ("GET", "/whep/resource/x", "PATCH, DELETE, OPTIONS"),
            ("POST", "/whep/resource/x", "PATCH, DELETE, OPTIONS"),
        ])
    func notAllowed(method: String, target: String, allow: String) async {
        let response = await fixture.send(method, target)
        #expect(response.status == 405)
        #expect(response.header("allow") == allow)
    }

    @Test(
        "other paths are 404",
        arguments: [
            "", "/", "/whep", "/whep/", "/whepx/key", "/other/key", "/whep/a/b", "/whep//key", "/whep/key//",
            "/whep/resource/a/b", "/whep?x=/key", "whep/key",
        ])
    func notFound(target: String) async {
        #expect(await fixture.post(target).status == 404)
    }

    @Test(
        "a key is decoded, and refused when that fails or it is too long",
        arguments: [
            ("a%20b%2Fc", "a b/c"), ("%C3%A9", "é"), ("resource", "resource"), ("a%2", nil), ("a%zz", nil),
            ("%ff", nil),
            ("a%00", nil), ("%é", nil), ("%", nil), ("a%4é", nil), ("%0a", nil),
        ] as [(String, String?)])
    func keys(path: String, key: String?) async {
        let response = await fixture.post("/whep/" + path)
        #expect(response.status == (key == nil ? 400 : 201))
        #expect(fixture.viewers.openings.last?.key == key)
    }

    @Test("a key has 256 bytes at most")
    func keyLength() async {
        #expect(await fixture.post("/whep/" + String(repeating: "k", count: 256)).status == 201)
        #expect(await fixture.post("/whep/" + String(repeating: "k", count: 257)).status == 400)
    }

    @Test("the base path is the options'")
    func basePath() async {
        let fixture = WHEPFixture(options: WHEPOptions(basePath: "/play/whep"))
        let location = await fixture.post("/play/whep/key").header("location")
        #expect(location == "/play/whep/resource/AQEBAQEBAQEBAQEBAQEBAQEB")
        #expect(await fixture.post("/whep/key").status == 404)
    }
}

@Suite struct LayerRequestTests {
    @Test("blanks may stand wherever JSON lets them")
    func blanks() throws {
        #expect(try WHEPLayer(parsing: Array(" {\t\"layer\" :\r\n\"f\" } ".utf8)) == .f)
    }

    @Test(
        "anything but the one member is refused",
        arguments: [
            "", "{}", "null", #""q""#, #"{"layer":q}"#, #"{"layer":"q"}x"#, #"{"layer":"q","a":1}"#, #"{"rid":"q"}"#,
            #"{"layer":"q""#, #"{"layer":1}"#, #"{"layer":"\u0071"}"#, #"{"layer":"q"#, #"["layer","q"]"#,
            #"{"layer":""}"#,
        ])
    func refused(json: String) {
        #expect(throws: WHIPError.malformedLayer) { try WHEPLayer(parsing: Array(json.utf8)) }
    }

    @Test("every truncation is refused")
    func truncations() {
        let json = Array(#"{"layer":"h"}"#.utf8)
        for length in json.indices {
            #expect(throws: WHIPError.malformedLayer) { try WHEPLayer(parsing: Array(json[..<length])) }
        }
    }
}
