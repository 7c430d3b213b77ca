// Sessions by the id that LiveKit gives them: it stands in the URLs of LiveKit's own ingress, and is the topic of its RPC.
// It is known to many, so the stream's key has to come with it.

extension WHIPEndpoint {
    /// Answers PATCH and DELETE of a session by its id, here or on another server, and other methods where it is here;
    /// nil when they find nothing.
    func answer(
        _ request: ResourceRequest, ofSession id: String, key: String
    ) async throws(WHIPError) -> ResourceResponse? {
        let isHere = sessions[id] != nil
        switch request.method {
        case "PATCH":
            let body = try patchBody(request)
            guard isHere else {
                return ResourceResponse(
                    try await publishers.patchElsewhere(
                        body.fragment, ifMatch: body.ifMatch, sessionID: id, key: key))
            }
            return ResourceResponse(try await patch(session: id, key: key, body))
        case "DELETE":
            if !isHere, ended.contains(id) { return ResourceResponse(status: 200) }
            if isHere {
                try await close(session: id, key: key)
            } else {
                try await publishers.closeElsewhere(sessionID: id, key: key)
            }
            ended.insert(id)
            return ResourceResponse(status: 200)
        case "GET", "HEAD":
            guard let newest = sessions[id]?.last else { return nil }
            _ = try resource(newest, key: key, token: nil)
            return ResourceResponse(status: 204, headers: [HeaderField("accept-patch", MediaTypes.trickleFragment)])
        default: return nil
        }
    }

    /// Carries out a PATCH on the session's newest publisher.
    package func patch(
        session id: String, key: String, _ body: (fragment: [UInt8], ifMatch: String)
    ) async throws(WHIPError) -> WHIPPatched {
        guard let newest = sessions[id]?.last else { throw .notFound }
        _ = try resource(newest, key: key, token: nil)
        return try await patch(newest, body)
    }

    /// Ends all publishers of the session.
    private func close(session id: String, key: String) async throws(WHIPError) {
        let ids = sessions[id] ?? []
        for id in ids { _ = try resource(id, key: key, token: nil) }
        for id in ids {
            forget(id)
            await publishers.close(resourceID: id)
        }
    }
}

extension String {
    /// What LiveKit calls WHIP sessions.
    var isSessionID: Bool {
        WHIPLimits.sessionIDBytes.contains(utf8.count) && hasPrefix(WHIPLimits.sessionIDPrefix)
            && utf8.dropFirst(WHIPLimits.sessionIDPrefix.utf8.count).allSatisfy(\.isAlphanumeric)
    }
}
