// The playing counterpart of WHIP:
//
//     OPTIONS <base>/<key>            204: what can be posted, and the permission for pages of other origins
//     POST    <base>/<key>?layer=q    201: an offer's answer; Location and ETag name the viewing session
//     PATCH   <base>/resource/<id>    204: {"layer":"h"} switches the layer
//     DELETE  <base>/resource/<id>    200: the end of the session
//
// Whoever knows a resource's id may change and end it: it is random, long, and says nothing of the stream's key.
// Trickle fragments are refused (415): the answer is complete, and viewers are learned from their connectivity checks.

import Bytes
import SDP

package struct WHEPOptions: Sendable {
    /// Without a slash at its end.
    package var basePath: String
    /// Viewing sessions at one time, over all streams.
    package var maximumResources: Int
    package var iceServers: ICEServers

    package init(basePath: String = "/whep", maximumResources: Int = 1_000, iceServers: ICEServers = .none) {
        self.basePath = basePath
        self.maximumResources = maximumResources
        self.iceServers = iceServers
    }
}

/// All viewing sessions of one server.
package actor WHEPEndpoint<Viewers: WHEPViewers> {
    private struct Resource {
        let entityTag: EntityTag
    }

    private let viewers: Viewers
    private let options: WHEPOptions
    private let randomBytes: @Sendable (Int) -> [UInt8]
    /// By id; those whose peer is still being made count as well.
    private var resources: [String: Resource] = [:]

    /// `randomBytes` gives that many octets from a generator fit for secrets.
    package init(
        viewers: Viewers, options: WHEPOptions = WHEPOptions(), randomBytes: @escaping @Sendable (Int) -> [UInt8]
    ) {
        self.viewers = viewers
        self.options = options
        self.randomBytes = randomBytes
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

    /// The peer is gone by itself: its resource goes too, without a call of `close`.
    package func viewerEnded(_ resourceID: String) { resources[resourceID] = nil }

    private func route(_ request: ResourceRequest, at now: ResourceMoment) async throws(WHIPError) -> ResourceResponse {
        guard let route = try WHEPRoute(request.target, base: options.basePath) else { throw .notFound }
        switch (request.method, route) {
        case ("OPTIONS", _):
            return preflight(request, route, at: now)
        case ("POST", .endpoint(let key, let layer)):
            return try await open(key: key, layer: layer, request, at: now)
        case ("PATCH", .resource(let id)):
            return try await selectLayer(id, request)
        case ("DELETE", .resource(let id)):
            guard resources.removeValue(forKey: id) != nil else { throw .notFound }
            await viewers.close(resourceID: id)
            return ResourceResponse(status: 200)
        default:
            throw .methodNotAllowed(allow: route.methods)
        }
    }

    private func preflight(
        _ request: ResourceRequest, _ route: WHEPRoute, at now: ResourceMoment
    ) -> ResourceResponse {
        var headers = CrossOrigin.preflight(request, methods: route.methods) + [route.accepts]
        if case .endpoint = route { headers += options.iceServers.links(at: now.unixSeconds) }
        return ResourceResponse(status: 204, headers: headers)
    }

    // MARK: A stream's endpoint

    private func open(
        key: String, layer: String?, _ request: ResourceRequest, at now: ResourceMoment
    ) async throws(WHIPError) -> ResourceResponse {
        guard request.body.count <= WHIPLimits.offerBytes else {
            throw .bodyTooLarge(limitBytes: WHIPLimits.offerBytes)
        }
        guard request.mediaType == MediaTypes.sdp else { throw .unsupportedMediaType(expected: MediaTypes.sdp) }
        let layer = try layer.map { text throws(WHIPError) in try WHEPLayer(named: text) }
        let offer: SessionDescription
        do {
            offer = try SessionDescription(parsing: request.body)
        } catch {
            throw .malformedOffer(error)
        }
        guard resources.count < options.maximumResources else { throw .unavailable }

        let id = String(base64: randomBytes(WHIPLimits.resourceIDBytes), urlSafe: true, padded: false)
        let resource = Resource(entityTag: EntityTag(random: randomBytes(WHIPLimits.entityTagBytes)))
        precondition(id.utf8.count == WHIPLimits.resourceIDBytes * 4 / 3, "too few random octets")
        // Taken before the peer is made, so that the cap holds however many are being made at once.
        resources[id] = resource
        let answer: SessionDescription
        do {
            answer = try await viewers.open(
                WHEPOpening(
                    resourceID: id, key: key, bearerToken: request.bearerToken, layer: layer, offer: offer))
        } catch {
            resources[id] = nil
            throw error
        }
        // Ended while it was being made.
        guard resources[id] != nil else { throw .unavailable }
        return created(id, resource, answer, at: now)
    }

    private func created(
        _ id: String, _ resource: Resource, _ answer: SessionDescription, at now: ResourceMoment
    ) -> ResourceResponse {
        ResourceResponse(
            status: 201,
            headers: [
                HeaderField("content-type", MediaTypes.sdp),
                HeaderField("location", options.basePath + "/resource/" + id),
                resource.entityTag.field, HeaderField("accept-patch", MediaTypes.json),
                HeaderField("cache-control", "no-store"),
            ] + options.iceServers.links(at: now.unixSeconds),
            body: answer.serialized())
    }

    // MARK: One session

    private func selectLayer(_ id: String, _ request: ResourceRequest) async throws(WHIPError) -> ResourceResponse {
        guard let resource = resources[id] else { throw .notFound }
        guard request.body.count <= WHIPLimits.layerRequestBytes else {
            throw .bodyTooLarge(limitBytes: WHIPLimits.layerRequestBytes)
        }
        guard request.mediaType == MediaTypes.json else { throw .unsupportedMediaType(expected: MediaTypes.json) }
        if let condition = request.header("if-match"), !resource.entityTag.satisfies(ifMatch: condition) {
            throw .preconditionFailed
        }
        let layer = try WHEPLayer(parsing: request.body)
        try await viewers.select(layer, resourceID: id)
        return ResourceResponse(status: 204, headers: [resource.entityTag.field])
    }
}
