import Bytes
import SDP

/// All publishing sessions of one server, as the HTTP resources of RFC 9725 (WHIP).
///
///     OPTIONS <endpoint>    200: what can be posted, ICE servers, and the permission for pages of other origins
///     POST    <endpoint>    201: an offer's answer; Location and ETag name the session
///     PATCH   <resource>    204: candidates were taken; 200: ICE was restarted, with our fragment and a new ETag
///     DELETE  <resource>    200: the end of the session, also when it had ended already
///     GET     <either>      204: they have no representation (section 4.1)
///
/// `WHIPRoute` tells the paths. Whoever knows a resource's id may change and end it: it is random, long, and says nothing
/// of the stream's key, which no response has in it. PATCH requests of one resource are carried out one after the other,
/// in the order of their arrival.
package actor WHIPEndpoint<Publishers: WHIPPublishers> {
    let publishers: Publishers
    let options: WHIPOptions
    private let randomBytes: @Sendable (Int) -> [UInt8]
    /// By id; those whose session is still being made count as well.
    var resources: [String: WHIPResource] = [:]
    /// The resources of each session that other servers know of, by its id, oldest first.
    var sessions: [String: [String]] = [:]
    var ended = EndedResources()
    private var posts: ClientRates
    private var requests: ClientRates

    /// `randomBytes` gives that many octets from a generator fit for secrets.
    package init(
        publishers: Publishers, options: WHIPOptions = WHIPOptions(), randomBytes: @escaping @Sendable (Int) -> [UInt8]
    ) {
        self.publishers = publishers
        self.options = options
        self.randomBytes = randomBytes
        posts = ClientRates(options.postRate)
        requests = ClientRates(options.requestRate)
    }

    /// Sessions at this time.
    package var count: Int { resources.count }

    /// Answers one request; never throws, since every refusal is a response.
    package func respond(to request: ResourceRequest, at now: ResourceMoment) async -> ResourceResponse {
        var response: ResourceResponse
        do {
            response = try await route(request, at: now)
        } catch {
            response = ResourceResponse(error)
        }
        response.headers += CrossOrigin.headers
        return response
    }

    /// The session is over by itself: its resource goes too, without a call of `close`.
    package func publisherEnded(_ resourceID: String) { forget(resourceID) }

    private func route(_ request: ResourceRequest, at now: ResourceMoment) async throws(WHIPError) -> ResourceResponse {
        let client = ClientGroup(request.client)
        if let client {
            let isPost = request.method == "POST"
            let wait = isPost ? posts.take(client, at: now.monotonic) : requests.take(client, at: now.monotonic)
            if let wait { throw .tooManyRequests(retryAfterSeconds: wait) }
        }
        let token = request.bearerToken
        guard let route = try WHIPRoute(request.target, base: options.basePath, hasToken: token != nil) else {
            throw .notFound
        }
        if case .resource(_, let key?, let id) = route, resources[id] == nil, id.isSessionID,
            let response = try await answer(request, ofSession: id, key: key)
        {
            return response
        }
        switch (request.method, route) {
        case ("OPTIONS", _):
            return preflight(request, route, at: now)
        case ("POST", .endpoint(let app, let key)):
            return try await open(app: app, key: key, client, request, at: now)
        case ("GET", .endpoint), ("HEAD", .endpoint):
            return ResourceResponse(status: 204, headers: [HeaderField("accept-post", MediaTypes.sdp)])
        case ("GET", .resource(_, let key, let id)), ("HEAD", .resource(_, let key, let id)):
            _ = try resource(id, key: key, token: token)
            return ResourceResponse(status: 204, headers: [HeaderField("accept-patch", MediaTypes.trickleFragment)])
        case ("PATCH", .resource(_, let key, let id)):
            _ = try resource(id, key: key, token: token)
            return ResourceResponse(try await patch(id, try patchBody(request)))
        case ("DELETE", .resource(_, let key, let id)):
            return try await close(id, key: key, token: token)
        default:
            throw .methodNotAllowed(allow: route.methods)
        }
    }

    /// A session that runs. Unknown ones and those that are not answered yet look the same.
    func resource(_ id: String, key: String?, token: String?) throws(WHIPError) -> WHIPResource {
        guard let resource = resources[id], resource.isOpen else { throw .notFound }
        guard resource.admits(key: key, bearerToken: token) else { throw .forbidden }
        return resource
    }

    private func preflight(
        _ request: ResourceRequest, _ route: WHIPRoute, at now: ResourceMoment
    ) -> ResourceResponse {
        var headers = CrossOrigin.preflight(request, methods: route.methods)
        switch route {
        case .endpoint:
            headers.append(HeaderField("accept-post", MediaTypes.sdp))
            // Section 4.6: a browser's question is not the client's, unless it is about to read these links.
            let asksForLinks = request.joined("access-control-request-headers")?.lowercased().contains("link") ?? false
            if !request.isPreflight || asksForLinks { headers += options.iceServers.links(at: now.unixSeconds) }
        case .resource:
            headers.append(HeaderField("accept-patch", MediaTypes.trickleFragment))
        }
        return ResourceResponse(status: 200, headers: headers)
    }

    // MARK: The endpoint

    private func open(
        app: String, key: String?, _ client: ClientGroup?, _ request: ResourceRequest, at now: ResourceMoment
    ) async throws(WHIPError) -> ResourceResponse {
        guard let key = key ?? request.bearerToken else { throw .missingKey }
        guard key.utf8.count <= WHIPLimits.keyBytes else { throw .unknownKey }
        let offer = try readOffer(request)
        guard resources.count < options.maximumResources else { throw .unavailable }
        if let client {
            let own = resources.values.count { $0.client == client }
            guard own < options.maximumResourcesPerClient else { throw .tooManyRequests(retryAfterSeconds: 10) }
        }
        let id = String(base64: randomBytes(WHIPLimits.resourceIDBytes), urlSafe: true, padded: false)
        precondition(id.utf8.count == WHIPLimits.resourceIDBytes * 4 / 3, "too few random octets")
        let opening = WHIPOpening(
            resourceID: id, app: app, key: key, offer: offer, offerText: request.body,
            clientAddress: request.client.map { "\($0)" }, userAgent: request.header("user-agent"))
        // Taken before the session is made, so that the caps hold however many are being made at once.
        let resource = WHIPResource(
            opening: opening, bearerToken: request.bearerToken, client: client, entityTag: newTag())
        resources[id] = resource
        let accepted: WHIPAccepted
        do {
            accepted = try await publishers.open(opening)
        } catch {
            resources[id] = nil
            throw error
        }
        // Ended while it was being made.
        guard resources[id] != nil else { throw .unavailable }
        resources[id]?.isOpen = true
        if let session = accepted.sessionID {
            resources[id]?.sessionID = session
            sessions[session, default: []].append(id)
        }
        return created(id, app, resource, accepted, request, at: now)
    }

    private func readOffer(_ request: ResourceRequest) throws(WHIPError) -> SessionDescription {
        guard request.body.count <= WHIPLimits.offerBytes else {
            throw .bodyTooLarge(limitBytes: WHIPLimits.offerBytes)
        }
        guard request.mediaType == MediaTypes.sdp else { throw .unsupportedMediaType(expected: MediaTypes.sdp) }
        guard request.accepts(MediaTypes.sdp) else { throw .notAcceptable(offered: MediaTypes.sdp) }
        guard !request.body.isEmpty else { throw .emptyBody(expected: "the encoder's offer as \(MediaTypes.sdp)") }
        do {
            return try SessionDescription(parsing: request.body)
        } catch {
            throw .malformedOffer(error)
        }
    }

    private func created(
        _ id: String, _ app: String, _ resource: WHIPResource, _ accepted: WHIPAccepted, _ request: ResourceRequest,
        at now: ResourceMoment
    ) -> ResourceResponse {
        let origin = options.publicURL ?? request.origin ?? ""
        let links = accepted.links.map { HeaderField("link", $0) }
        return ResourceResponse(
            status: 201,
            headers: [
                HeaderField("content-type", MediaTypes.sdp),
                HeaderField("location", "\(origin)/\(app)/resource/\(id)"), resource.entityTag.field,
                HeaderField("accept-patch", MediaTypes.trickleFragment), HeaderField("cache-control", "no-store"),
            ] + (links.isEmpty ? options.iceServers.links(at: now.unixSeconds) : links),
            body: accepted.answer)
    }

    // MARK: One session

    func newTag() -> EntityTag { EntityTag(random: randomBytes(WHIPLimits.entityTagBytes)) }

    private func close(_ id: String, key: String?, token: String?) async throws(WHIPError) -> ResourceResponse {
        if resources[id] == nil, ended.contains(id) { return ResourceResponse(status: 200) }
        _ = try resource(id, key: key, token: token)
        forget(id)
        await publishers.close(resourceID: id)
        return ResourceResponse(status: 200)
    }

    func forget(_ id: String) {
        guard let resource = resources.removeValue(forKey: id) else { return }
        ended.insert(id)
        if let session = resource.sessionID {
            sessions[session]?.removeAll { $0 == id }
            if sessions[session]?.isEmpty == true { sessions[session] = nil }
        }
        // They will find nothing.
        for waiting in resource.waiting { waiting.resume() }
    }
}
