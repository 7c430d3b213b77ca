extension WHIPConformance {
    /// Sections 4.2, 4.5 to 4.7 and 5: the end of sessions, redirections, servers, credentials.
    static let sessionRows: [ConformanceRow] = [
        ConformanceRow("4.2", "delete", .must, "DELETE ends the session") { client throws(Finding) in
            let session = try await client.open()
            let response = try await client.send("DELETE", session.url)
            guard response.isSuccess else { throw .failed(response.shown) }
            let after = try await client.patch(session, "a=end-of-candidates\r\n", ifMatch: "*")
            guard !after.isSuccess else { throw .failed("PATCH after it gave \(after.shown)") }
            return "\(response.shown), then PATCH \(after.shown)"
        },
        ConformanceRow("4.3.1", "delete-if-match", .must, "DELETE takes no notice of If-Match") {
            client throws(Finding) in
            let session = try await client.open()
            let response = try await client.send("DELETE", session.url, [HeaderField("if-match", "\"no-such-tag\"")])
            guard response.isSuccess else {
                _ = try await client.send("DELETE", session.url)
                throw .failed(response.shown)
            }
            return response.shown
        },
        ConformanceRow("4.1", "session-unknown", .must, "DELETE of a session that is not there: 4xx") {
            client throws(Finding) in
            let session = try await client.open()
            _ = try await client.send("DELETE", session.url)
            let id = session.url.path.split(separator: "/").last ?? ""
            guard !id.isEmpty,
                let other = client.endpoint.resolving(session.url.text.replacing(id, with: client.word()))
            else { throw .notApplicable("the session's URL has no last part") }
            let response = try await client.send("DELETE", other)
            guard response.isClientError else { throw .failed(response.shown) }
            return response.shown
        },
    ]

    static let serverRows: [ConformanceRow] = [
        ConformanceRow("4.5", "redirect", .must, "a POST is never redirected with 301 or 302") {
            client throws(Finding) in
            let (response, url, hops) = try await client.post(client.newOffer(ConformanceOffer()).text)
            await client.end(response, from: url)
            guard !hops.isEmpty else { throw .notApplicable("no redirection") }
            let shown = hops.map(String.init).joined(separator: ", ")
            guard !hops.contains(where: { $0 == 301 || $0 == 302 }) else { throw .failed(shown) }
            return shown
        },
        ConformanceRow("4.6", "ice-servers", .must, "Link headers of ICE servers are well formed") {
            client throws(Finding) in
            try await client.withSession { session throws(Finding) in
                let links = session.created.iceServerLinks
                guard !links.isEmpty else { throw .notApplicable("none given") }
                for link in links { try link.checkICEServer() }
                return "\(links.count) servers"
            }
        },
        ConformanceRow("4.6", "preflight-ice-servers", .should, "a preflight that will not read Link gets no servers") {
            client throws(Finding) in
            let response = try await client.send(
                "OPTIONS", client.endpoint,
                [
                    HeaderField("origin", "https://page.example"), HeaderField("access-control-request-method", "POST"),
                    HeaderField("access-control-request-headers", "content-type"),
                ], isAuthorized: false)
            guard response.iceServerLinks.isEmpty else { throw .failed("\(response.iceServerLinks.count) servers") }
            return "none"
        },
        ConformanceRow("4.7.1", "bearer-missing", .must, "without its token a POST gets 401 and a challenge") {
            client throws(Finding) in
            guard client.token != nil else { throw .notApplicable("no token was given") }
            let offer = client.newOffer(ConformanceOffer()).text
            let (response, url, _) = try await client.post(offer, isAuthorized: false)
            await client.end(response, from: url)
            if response.status == 201 { throw .notApplicable("the endpoint needs no token") }
            guard response.status == 401 else { throw .failed(response.shown) }
            guard let challenge = response.header("www-authenticate") else { throw .failed("401 without a challenge") }
            return "401, " + challenge
        },
        ConformanceRow("5", "location-random", .should, "session URLs cannot be guessed") { client throws(Finding) in
            try await client.withSession { first throws(Finding) in
                let one = first.url.target
                let other = try await client.withSession { second throws(Finding) in second.url.target }
                let common = zip(one, other).prefix { $0 == $1 }.count
                let tail = one.count - common
                // 128 bits in the densest alphabet that URLs have.
                guard one != other, tail >= 20 else { throw .failed("they differ in \(tail) characters") }
                return "\(tail) characters of their own"
            }
        },
        ConformanceRow("5", "https", .must, "HTTPS, wherever a network lies between") { client throws(Finding) in
            if client.endpoint.isSecure { return "https" }
            guard ["localhost", "127.0.0.1", "::1"].contains(client.endpoint.host) else { throw .failed("http") }
            throw .notApplicable("http to this machine")
        },
        ConformanceRow("4.9", "extension-links", .must, "extensions have names of urn:ietf:params:whip:ext") {
            client throws(Finding) in
            try await client.withSession { session throws(Finding) in
                let names: [String] = session.created.all("link").flatMap { $0.split(separator: ";").map(String.init) }
                    .filter { $0.contains("params:whip") }
                guard !names.isEmpty else { throw .notApplicable("none announced") }
                guard names.allSatisfy({ $0.contains("urn:ietf:params:whip:ext") }) else {
                    throw .failed(names.joined(separator: ", "))
                }
                return "\(names.count) extensions"
            }
        },
    ]
}

/// A value of a `Link` header.
private struct LinkValue {
    let target: Substring
    let parameters: [(name: String, value: String)]

    init?(_ text: String) {
        guard text.hasPrefix("<"), let end = text.firstIndex(of: ">") else { return nil }
        target = text[text.index(after: text.startIndex)..<end]
        parameters = text[end...].dropFirst().split(separator: ";").compactMap { part in
            let pair = part.split(separator: "=", maxSplits: 1)
            guard pair.count == 2 else { return nil }
            return (String(pair[0].trimmed).lowercased(), pair[1].trimmed.filter { $0 != "\"" })
        }
    }

    subscript(_ name: String) -> String? { parameters.first { $0.name == name }?.value }

    func checkICEServer() throws(Finding) {
        let scheme = target.prefix { $0 != ":" }
        guard ["stun", "stuns", "turn", "turns"].contains(scheme), target.count > scheme.count + 1 else {
            throw .failed("<\(target)>")
        }
        guard scheme.hasPrefix("turn") else { return }
        guard self["username"] != nil, self["credential"] != nil else {
            throw .failed("<\(target)> has no credentials")
        }
    }
}

extension ResourceResponse {
    /// One header each, or several with commas between.
    fileprivate var iceServerLinks: [LinkValue] {
        all("link").flatMap { $0.replacing(",<", with: ", <").split(separator: ", <") }.compactMap { part in
            LinkValue(part.hasPrefix("<") ? String(part) : "<" + part)
        }.filter { $0["rel"] == "ice-server" }
    }
}
