import SDP

extension WHIPConformance {
    /// Sections 4.1 and 4.2: what the endpoint takes, and what it refuses.
    static let endpointRows: [ConformanceRow] = [
        ConformanceRow("4.1", "endpoint-get", .must, "GET on the endpoint: 2xx and nothing to show") {
            client throws(Finding) in
            try await client.showsNothing(client.endpoint)
        },
        ConformanceRow("4.1", "session-get", .must, "GET on a session: 2xx and nothing to show") {
            client throws(Finding) in
            try await client.withSession { session throws(Finding) in try await client.showsNothing(session.url) }
        },
        ConformanceRow("4.2", "post-created", .must, "a good offer is answered with 201") { client throws(Finding) in
            try await client.withSession { session throws(Finding) in session.created.shown }
        },
        ConformanceRow("4.2", "post-type", .must, "the answer is application/sdp") { client throws(Finding) in
            try await client.withSession { session throws(Finding) in
                let type = session.created.mediaType
                guard type == MediaTypes.sdp else { throw .failed(type ?? "no Content-Type") }
                return MediaTypes.sdp
            }
        },
        ConformanceRow("4.2", "post-location", .must, "Location names the session, not the endpoint") {
            client throws(Finding) in
            try await client.withSession { session throws(Finding) in
                guard session.url.target != client.endpoint.target else { throw .failed("it is the endpoint") }
                return session.created.header("location")?.contains("://") == true ? "absolute" : "relative"
            }
        },
        ConformanceRow("4.2", "post-other-type", .must, "another content type is refused with 4xx") {
            client throws(Finding) in
            try await client.refuses(client.newOffer(ConformanceOffer()).text, type: "text/plain")
        },
        ConformanceRow("4.2", "post-no-type", .must, "no content type is refused with 4xx") { client throws(Finding) in
            try await client.refuses(client.newOffer(ConformanceOffer()).text, type: nil)
        },
        ConformanceRow("4.2", "post-malformed", .must, "a body that is no SDP is refused with 4xx") {
            client throws(Finding) in
            try await client.refuses("this is no offer\r\n")
        },
        ConformanceRow("4.2", "post-empty", .must, "an empty body is refused with 4xx") { client throws(Finding) in
            try await client.refuses("")
        },
        ConformanceRow("4.2", "post-cut", .must, "an offer that breaks off is refused with 4xx") {
            client throws(Finding) in
            let offer = client.newOffer(ConformanceOffer()).text
            return try await client.refuses(String(offer.prefix(offer.count / 2).dropLast(3)) + "\r\nm=vid")
        },
        ConformanceRow("4.2", "options", .must, "OPTIONS on the endpoint: 2xx") { client throws(Finding) in
            let response = try await client.send("OPTIONS", client.endpoint)
            guard response.isSuccess else { throw .failed(response.shown) }
            return response.shown
        },
        ConformanceRow("4.2", "options-accept-post", .should, "OPTIONS tells Accept-Post: application/sdp") {
            client throws(Finding) in
            let response = try await client.send("OPTIONS", client.endpoint)
            let accepted = response.all("accept-post").joined(separator: ",")
            guard accepted.lowercased().contains(MediaTypes.sdp) else { throw .failed("Accept-Post: \(accepted)") }
            return accepted
        },
        ConformanceRow("4.2", "preflight", .must, "a browser's preflight gets leave to POST with its headers") {
            client throws(Finding) in
            try await client.letsBrowserPost()
        },
        ConformanceRow("4.2", "cors-readable", .must, "a page of another origin can read Location of a 201") {
            client throws(Finding) in
            try await client.withSession { session throws(Finding) in
                let origin = session.created.header("access-control-allow-origin")
                let exposed = session.created.all("access-control-expose-headers").joined(separator: ",").lowercased()
                guard origin != nil else { throw .failed("no Access-Control-Allow-Origin") }
                guard exposed.contains("location") || exposed.contains("*") else {
                    throw .failed("Access-Control-Expose-Headers: \(exposed)")
                }
                return exposed
            }
        },
    ]
}

extension ConformanceClient {
    fileprivate func showsNothing(_ url: HTTPURL) async throws(Finding) -> String {
        let response = try await send("GET", url)
        guard response.isSuccess else { throw .failed(response.shown) }
        guard response.body.isEmpty else { throw .failed("\(response.status) with \(response.body.count) bytes") }
        return response.shown
    }

    /// 4xx for a body, and no session.
    func refuses(_ body: String, type: String? = MediaTypes.sdp) async throws(Finding) -> String {
        let (response, url, _) = try await post(body, type: type)
        await end(response, from: url)
        guard response.isClientError else { throw .failed(response.shown) }
        return response.shown
    }

    fileprivate func letsBrowserPost() async throws(Finding) -> String {
        let response = try await send(
            "OPTIONS", endpoint,
            [
                HeaderField("origin", "https://page.example"), HeaderField("access-control-request-method", "POST"),
                HeaderField("access-control-request-headers", "authorization, content-type"),
            ], isAuthorized: false)
        guard response.isSuccess else { throw .failed(response.shown) }
        let origin = response.header("access-control-allow-origin")
        guard origin == "*" || origin == "https://page.example" else { throw .failed("origin: \(origin ?? "none")") }
        // POST needs no leave, but its headers do; an asterisk does not stand for Authorization.
        let allowed = response.all("access-control-allow-headers").joined(separator: ",").lowercased()
        let missing = ["authorization", "content-type"].filter { name in
            !allowed.contains(name) && !(allowed.contains("*") && name != "authorization")
        }
        guard missing.isEmpty else { throw .failed("not allowed: " + missing.joined(separator: ", ")) }
        return response.shown
    }
}
