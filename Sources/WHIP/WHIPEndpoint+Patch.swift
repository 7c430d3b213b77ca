import SDP

extension WHIPEndpoint {
    /// Body and condition of a PATCH, as far as they can be judged without the resource.
    func patchBody(_ request: ResourceRequest) throws(WHIPError) -> (fragment: [UInt8], ifMatch: String) {
        guard request.body.count <= WHIPLimits.offerBytes else {
            throw .bodyTooLarge(limitBytes: WHIPLimits.offerBytes)
        }
        guard request.mediaType == MediaTypes.trickleFragment else {
            throw .unsupportedMediaType(expected: MediaTypes.trickleFragment)
        }
        guard let condition = request.joined("if-match") else { throw .preconditionRequired }
        return (request.body, condition)
    }

    /// RFC 9725 sections 4.3.1 to 4.3.3: candidates, or a restart of ICE. The resource exists.
    func patch(_ id: String, _ body: (fragment: [UInt8], ifMatch: String)) async throws(WHIPError) -> WHIPPatched {
        try await begin(id)
        defer { finish(id) }
        // What came before may have changed the tag, or ended the session.
        guard let resource = resources[id] else { throw .notFound }
        guard resource.entityTag.satisfies(ifMatch: body.ifMatch) else { throw .preconditionFailed }
        let fragment = try readFragment(body.fragment)
        switch try fragment.meaning(for: resource) {
        case .trickle:
            try await publishers.trickle(fragment, resourceID: id)
            return .taken
        case .restart(let credentials):
            let answer = try await publishers.restart(fragment, resourceID: id)
            let tag = newTag()
            resources[id]?.credentials = credentials
            resources[id]?.entityTag = tag
            return .restarted(fragment: answer.serialized(), entityTag: tag.text)
        }
    }

    private func readFragment(_ body: [UInt8]) throws(WHIPError) -> TrickleFragment {
        guard !body.isEmpty else {
            throw .emptyBody(expected: "candidates as \(MediaTypes.trickleFragment)")
        }
        do {
            return try TrickleFragment(parsing: body)
        } catch {
            throw .malformedFragment(error)
        }
    }

    /// Waits until the requests before this one are through.
    private func begin(_ id: String) async throws(WHIPError) {
        guard let resource = resources[id] else { throw .notFound }
        guard resource.isBusy else {
            resources[id]?.isBusy = true
            return
        }
        guard resource.waiting.count < WHIPLimits.waitingPatches else { throw .tooManyRequests(retryAfterSeconds: 1) }
        // The turn is handed on, so the resource stays busy.
        await withCheckedContinuation { resources[id]?.waiting.append($0) }
    }

    private func finish(_ id: String) {
        guard let resource = resources[id] else { return }
        if resource.waiting.isEmpty {
            resources[id]?.isBusy = false
        } else {
            resources[id]?.waiting.removeFirst().resume()
        }
    }
}

extension ResourceResponse {
    init(_ patched: WHIPPatched) {
        switch patched {
        case .taken: self.init(status: 204)
        case .restarted(let fragment, let tag):
            self.init(
                status: 200,
                headers: [
                    HeaderField("content-type", MediaTypes.trickleFragment), HeaderField("etag", tag),
                    HeaderField("cache-control", "no-store"),
                ], body: fragment)
        }
    }
}
