import SDP

extension WHIPConformance {
    /// Section 4.3.3: ICE restarts.
    static let restartRows: [ConformanceRow] = [
        ConformanceRow("4.3.3", "restart", .must, "new credentials with If-Match: * give 200 and a fragment") {
            client throws(Finding) in
            try await client.withRestart { _, response, _ throws(Finding) in
                guard response.status == 200 else { throw .failed(response.shown) }
                let type = response.mediaType
                guard type == MediaTypes.trickleFragment else { throw .failed(type ?? "no Content-Type") }
                return "200, " + MediaTypes.trickleFragment
            }
        },
        ConformanceRow("4.3.3", "restart-credentials", .must, "it has new credentials of the server, and candidates") {
            client throws(Finding) in
            try await client.withRestart { session, response, _ throws(Finding) in
                let before = try session.answer().serverTransport
                let after = try response.fragment().serverTransport
                guard let ufrag = after.iceUfrag, after.icePwd != nil else { throw .failed("no credentials") }
                guard ufrag != before.iceUfrag, after.icePwd != before.icePwd else {
                    throw .failed("the same as before")
                }
                return "new, \(try response.fragment().candidates.count) candidates"
            }
        },
        ConformanceRow("4.3.3", "restart-tag", .must, "it has a new, strong entity tag") { client throws(Finding) in
            try await client.withRestart { session, response, _ throws(Finding) in
                guard let tag = response.header("etag"), tag.isStrongEntityTag else {
                    throw .failed(response.header("etag") ?? "no ETag")
                }
                guard tag != session.tag else { throw .failed("the same tag as before") }
                return tag
            }
        },
        ConformanceRow("4.3.3", "restart-old-tag", .must, "after it the old tag is 412, and the new one is taken") {
            client throws(Finding) in
            try await client.withRestart { session, response, credentials throws(Finding) in
                let fragment = client.fragment(credentials.ufrag, credentials.password)
                guard let old = session.tag, let new = response.header("etag") else { throw .failed("no ETag") }
                let stale = try await client.patch(session, fragment, ifMatch: old)
                guard stale.status == 412 else { throw .failed("the old tag gave \(stale.shown)") }
                let fresh = try await client.patch(session, fragment, ifMatch: new)
                guard fresh.isSuccess || fresh.status == 422 else { throw .failed("the new tag gave \(fresh.shown)") }
                return "\(stale.shown), then \(fresh.shown)"
            }
        },
        ConformanceRow("4.3.3", "restart-options", .must, "ice-lite and ice-options are those of the answer") {
            client throws(Finding) in
            try await client.withRestart { session, response, _ throws(Finding) in
                let answer = try session.answer()
                let fragment = try response.fragment()
                let before = Set(answer.serverTransport.iceOptions)
                let after = Set(fragment.serverTransport.iceOptions)
                guard before == after else { throw .failed("ice-options: " + after.sorted().joined(separator: " ")) }
                guard fragment.isICELite == answer.isICELite else {
                    throw .failed(answer.isICELite ? "ice-lite is missing" : "ice-lite is new")
                }
                return answer.isICELite ? "ice-lite" : "full"
            }
        },
        ConformanceRow("4.3.3", "restart-refused", .must, "a restart that cannot be leaves the session as it is") {
            client throws(Finding) in
            try await client.withRestart { _, _, _ throws(Finding) in "" }
            return try await client.survivesBadRestart()
        },
        ConformanceRow("4.3.3", "restart-twice", .must, "ICE can be restarted again, with another tag") {
            client throws(Finding) in
            try await client.withRestart { session, first, _ throws(Finding) in
                let (second, _, _) = try await client.restart(session)
                guard second.status == 200 else { throw .failed(second.shown) }
                guard second.header("etag") != first.header("etag") else { throw .failed("the same tag as before") }
                return second.shown
            }
        },
    ]
}

extension ConformanceClient {
    /// A session that was restarted, on a server that can.
    @discardableResult
    fileprivate func withRestart(
        _ body: (Session, ResourceResponse, (ufrag: String, password: String)) async throws(Finding) ->
            String
    ) async throws(Finding) -> String {
        try await withSession { session throws(Finding) in
            let (response, ufrag, password) = try await restart(session)
            if [405, 422, 501].contains(response.status) {
                throw .notApplicable("no ICE restart: \(response.shown)")
            }
            return try await body(session, response, (ufrag, password))
        }
    }

    /// Credentials that RFC 8839 does not allow, and then what was good before.
    fileprivate func survivesBadRestart() async throws(Finding) -> String {
        try await withSession { session throws(Finding) in
            let refused = try await patch(session, fragment("x", "y"), ifMatch: "*")
            guard refused.isClientError else { throw .failed("too short credentials gave \(refused.shown)") }
            let after = try await trickle(session)
            guard after.isSuccess || after.status == 422 else { throw .failed("then a PATCH gave \(after.shown)") }
            return "\(refused.shown), then \(after.shown)"
        }
    }
}

extension ResourceResponse {
    fileprivate func fragment() throws(Finding) -> TrickleFragment {
        do {
            return try TrickleFragment(parsing: body)
        } catch {
            throw .failed("the fragment cannot be read: \(error)")
        }
    }
}

extension SessionDescription {
    /// Of the first section, in which a bundle has it.
    fileprivate var serverTransport: TransportAttributes { media.first.map { transport(of: $0) } ?? transport }
}

extension TrickleFragment {
    fileprivate var serverTransport: TransportAttributes { media.first?.transport.filled(from: transport) ?? transport }
}
