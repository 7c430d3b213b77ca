// WHIP holds the HTTP resources of RFC 9725 (WHIP) and of its playing counterpart WHEP as values: requests in,
// responses out. It reads no socket and knows no server; the adapter of the HTTP server turns its messages into these
// and back.
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

package struct WHEPOptions: Equatable, Sendable {
    /// Without a slash at its end.
    package var basePath: String
    /// Viewing sessions at one time, over all streams.
    package var maximumResources: Int
    /// Values of `Link` headers for STUN and TURN servers: `<stun:stun.example.net>; rel="ice-server"`.
    package var iceServerLinks: [String]

    package init(basePath: String = "/whep", maximumResources: Int = 1_000, iceServerLinks: [String] = []) {
        self.basePath = basePath
        self.maximumResources = maximumResources
        self.iceServerLinks = iceServerLinks
    }
}

/// All viewing sessions of one server.
package actor WHEPEndpoint<Viewers: WHEPViewers> {
    private struct Resource {
        let entityTag: String
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
    package func respond(to request: WHEPRequest) async -> WHEPResponse {
        var response: WHEPResponse
        do {
            response = try await route(request)
        } catch {
            response = WHEPResponse(error)
        }
        response.headers += [
            HeaderField("access-control-allow-origin", "*"),
            HeaderField("access-control-expose-headers", "location, etag, link, accept-post, accept-patch, allow"),
        ]
        return response
    }

    /// The peer is gone by itself: its resource goes too, without a call of `close`.
    package func viewerEnded(_ resourceID: String) { resources[resourceID] = nil }

    private func route(_ request: WHEPRequest) async throws(WHIPError) -> WHEPResponse {
        guard let route = try WHEPRoute(request.target, base: options.basePath) else { throw .notFound }
        switch (request.method, route) {
        case ("OPTIONS", _):
            return preflight(route)
        case ("POST", .endpoint(let key, let layer)):
            return try await open(key: key, layer: layer, request)
        case ("PATCH", .resource(let id)):
            return try await selectLayer(id, request)
        case ("DELETE", .resource(let id)):
            guard resources.removeValue(forKey: id) != nil else { throw .notFound }
            await viewers.close(resourceID: id)
            return WHEPResponse(status: 200)
        default:
            throw .methodNotAllowed(allow: route.methods)
        }
    }

    private func preflight(_ route: WHEPRoute) -> WHEPResponse {
        var headers = [
            HeaderField("allow", route.methods), route.accepts,
            HeaderField("access-control-allow-methods", route.methods),
            HeaderField("access-control-allow-headers", "authorization, content-type, if-match"),
            HeaderField("access-control-max-age", "86400"),
        ]
        if case .endpoint = route { headers += options.iceServerLinks.map { HeaderField("link", $0) } }
        return WHEPResponse(status: 204, headers: headers)
    }

    // MARK: A stream's endpoint

    private func open(key: String, layer: String?, _ request: WHEPRequest) async throws(WHIPError) -> WHEPResponse {
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
        let resource = Resource(entityTag: "\"" + String(hex: randomBytes(WHIPLimits.entityTagBytes)) + "\"")
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
        return created(id, resource, answer)
    }

    private func created(_ id: String, _ resource: Resource, _ answer: SessionDescription) -> WHEPResponse {
        WHEPResponse(
            status: 201,
            headers: [
                HeaderField("content-type", MediaTypes.sdp),
                HeaderField("location", options.basePath + "/resource/" + id),
                HeaderField("etag", resource.entityTag), HeaderField("accept-patch", MediaTypes.json),
                HeaderField("cache-control", "no-store"),
            ] + options.iceServerLinks.map { HeaderField("link", $0) },
            body: answer.serialized())
    }

    // MARK: One session

    private func selectLayer(_ id: String, _ request: WHEPRequest) async throws(WHIPError) -> WHEPResponse {
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
        return WHEPResponse(status: 204, headers: [HeaderField("etag", resource.entityTag)])
    }
}

extension String {
    /// Strong comparison with a list of entity tags (RFC 9110 section 13.1.1); ours have no comma in them.
    fileprivate func satisfies(ifMatch condition: String) -> Bool {
        condition.split(separator: ",").contains { part in
            let tag = part.filter { $0 != " " && $0 != "\t" }
            return tag == "*" || tag == self
        }
    }
}
