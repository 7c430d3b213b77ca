import SDP

extension WHIPConformance {
    /// Sections 4.3.1 and 4.3.2: candidates that come later, and when a PATCH may be taken.
    static let trickleRows: [ConformanceRow] = [
        ConformanceRow("4.3.1", "patch-other-type", .must, "a PATCH of another content type is refused with 4xx") {
            client throws(Finding) in
            try await client.withSession { session throws(Finding) in
                let fragment = client.fragment(session.ufrag, session.password)
                let response = try await client.patch(
                    session, fragment, ifMatch: session.tag ?? "*", type: MediaTypes.sdp)
                guard response.isClientError else { throw .failed(response.shown) }
                return response.shown
            }
        },
        ConformanceRow("4.3.1", "patch-malformed", .must, "a PATCH that is no fragment is refused with 4xx") {
            client throws(Finding) in
            try await client.withSession { session throws(Finding) in
                let response = try await client.patch(session, "this is none\r\n", ifMatch: session.tag ?? "*")
                guard response.isClientError else { throw .failed(response.shown) }
                return response.shown
            }
        },
        ConformanceRow("4.3.1", "patch-unsupported", .must, "of trickle and restart, what is not supported is 422") {
            client throws(Finding) in
            try await client.saysWhatItSupports()
        },
        ConformanceRow("4.3.1", "created-tag", .must, "201 has a strong entity tag") { client throws(Finding) in
            try await client.withSession { session throws(Finding) in
                guard let tag = session.tag else { throw .failed("no ETag") }
                guard tag.isStrongEntityTag else { throw .failed(tag) }
                return tag
            }
        },
        ConformanceRow("4.3.1", "if-match-missing", .must, "a PATCH without If-Match: 428") { client throws(Finding) in
            try await client.withTrickle { session throws(Finding) in
                let response = try await client.patch(
                    session, client.fragment(session.ufrag, session.password), ifMatch: nil)
                guard response.status == 428 else { throw .failed(response.shown) }
                return response.shown
            }
        },
        ConformanceRow("4.3.1", "if-match-stale", .must, "a PATCH with another tag: 412") { client throws(Finding) in
            try await client.withTrickle { session throws(Finding) in
                let response = try await client.patch(
                    session, client.fragment(session.ufrag, session.password), ifMatch: "\"no-such-tag\"")
                guard response.status == 412 else { throw .failed(response.shown) }
                return response.shown
            }
        },
        ConformanceRow("4.3.2", "trickle", .must, "candidates are taken with 204 and no body") {
            client throws(Finding) in
            try await client.withTrickle { session throws(Finding) in
                let response = try await client.trickle(session)
                guard response.status == 204, response.body.isEmpty else { throw .failed(response.shown) }
                return response.shown
            }
        },
        ConformanceRow("4.3.2", "trickle-no-tag", .must, "that 204 has no ETag") { client throws(Finding) in
            try await client.withTrickle { session throws(Finding) in
                let response = try await client.trickle(session)
                if let tag = response.header("etag") { throw .failed(tag) }
                return "none"
            }
        },
        ConformanceRow("4.3.2", "trickle-transport", .must, "a candidate of an unknown transport does no harm") {
            client throws(Finding) in
            try await client.takesCandidate("1 1 ssltcp 2122260223 192.0.2.1 443 typ host")
        },
        ConformanceRow("4.3.2", "trickle-name", .must, "a candidate whose name cannot be resolved does no harm") {
            client throws(Finding) in
            try await client.takesCandidate("1 1 udp 2122260223 no-such-name.invalid 61764 typ host")
        },
    ]
}

extension ConformanceClient {
    func trickle(_ session: Session) async throws(Finding) -> ResourceResponse {
        try await patch(session, fragment(session.ufrag, session.password), ifMatch: session.tag ?? "*")
    }

    /// A session on a server that takes candidates later.
    fileprivate func withTrickle(
        _ body: (Session) async throws(Finding) -> String
    ) async throws(Finding) -> String {
        try await withSession { session throws(Finding) in
            let probe = try await trickle(session)
            if [405, 422, 501].contains(probe.status) { throw .notApplicable("no trickle ICE: \(probe.shown)") }
            return try await body(session)
        }
    }

    fileprivate func takesCandidate(_ candidate: String) async throws(Finding) -> String {
        try await withTrickle { session throws(Finding) in
            let body = fragment(session.ufrag, session.password, candidate: candidate)
            let response = try await patch(session, body, ifMatch: session.tag ?? "*")
            guard response.status == 204 else { throw .failed(response.shown) }
            return response.shown
        }
    }

    fileprivate func saysWhatItSupports() async throws(Finding) -> String {
        try await withSession { session throws(Finding) in
            let trickled = try await trickle(session)
            let restarted = try await restart(session).response
            guard trickled.isSuccess != restarted.isSuccess else {
                if trickled.isSuccess { return "both are supported" }
                throw .notApplicable("neither is: \(trickled.shown), \(restarted.shown)")
            }
            let refusal = trickled.isSuccess ? restarted : trickled
            guard refusal.status == 422 else { throw .failed(refusal.shown) }
            return refusal.shown
        }
    }

    func restart(
        _ session: Session
    ) async throws(Finding) -> (response: ResourceResponse, ufrag: String, password: String) {
        let (ufrag, password) = newCredentials()
        return (try await patch(session, fragment(ufrag, password), ifMatch: "*"), ufrag, password)
    }
}

extension String {
    /// RFC 9110 section 8.8.3.
    var isStrongEntityTag: Bool {
        utf8.count >= 2 && hasPrefix("\"") && hasSuffix("\"")
            && dropFirst().dropLast().utf8.allSatisfy { $0 == 0x21 || (0x23...0x7E).contains($0) || $0 >= 0x80 }
    }
}
