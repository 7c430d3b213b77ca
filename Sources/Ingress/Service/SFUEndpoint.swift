import Bytes
package import Logging
package import SDP
package import WHIP

/// Sends a request to where the URL says.
package typealias HTTPSend = @Sendable (ResourceRequest, HTTPURL) async throws(HTTPClientError) -> ResourceResponse

/// livekit-server's own WHIP endpoint, as a participant with a token uses it.
package struct SFUEndpoint: Sendable {
    /// A publisher's session there.
    package struct Resource: Equatable, Sendable {
        package var url: HTTPURL
        /// As it came: livekit-server writes it without quotes. Nil: it takes no candidates later.
        package var entityTag: String?

        /// The last part of the URL.
        package var participantID: String { String(url.path.split(separator: "/").last ?? "") }
    }

    /// What became of an offer.
    package struct Answer: Equatable, Sendable {
        package var description: [UInt8]
        package var resource: Resource
        /// The ICE servers that the server tells publishers of, as values of `Link` headers (RFC 9725 section 4.6).
        package var links: [String]
    }

    private enum Limits {
        static let participantIDBytes = 1...128
        /// As many as a room's join tells of.
        static let links = 16
        static let linkBytes = 2_048
        /// Of a refusal, in bytes.
        static let refusal = 200
    }

    private let url: HTTPURL
    private let token: String
    private let send: HTTPSend
    private let log: Logger

    package init(url: HTTPURL, token: String, send: @escaping HTTPSend, log: Logger) {
        self.url = url
        self.token = token
        self.send = send
        self.log = log
    }

    /// Hands an encoder's offer on; the answer is the server's.
    package func create(offer: [UInt8], userAgent: String?) async throws(WHIPError) -> Answer {
        var headers = [HeaderField("content-type", MediaTypes.sdp), HeaderField("x-livekit-ingress", "true")]
        if let userAgent, userAgent.isHeaderValue { headers.append(HeaderField("user-agent", userAgent)) }
        let response = try await exchange("POST", url, headers, body: offer)
        guard let location = response.header("location").flatMap({ url.resolving($0) }) else {
            throw .upstream(status: 502, text: "the answer has no Location")
        }
        // Whatever it says, the token goes to this server only.
        var target = url
        target.target = location.target
        let resource = Resource(url: target, entityTag: response.header("etag"))
        guard Limits.participantIDBytes.contains(resource.participantID.utf8.count), !response.body.isEmpty else {
            throw .upstream(status: 502, text: "the answer is incomplete")
        }
        return Answer(description: response.body, resource: resource, links: Self.links(of: response))
    }

    /// Links to anything else would want the participant's token. What is too much, or no header's value, is left out.
    private static func links(of response: ResourceResponse) -> [String] {
        let values = response.headers.lazy.filter { $0.name == "link" }.map(\.value)
        return Array(
            values.filter { value in
                value.utf8.count <= Limits.linkBytes && value.isHeaderValue
                    && value.lowercased().contains("ice-server")
            }.prefix(Limits.links))
    }

    package func trickle(_ fragment: TrickleFragment, to resource: Resource) async throws(WHIPError) {
        guard let tag = resource.entityTag else { throw .trickleUnsupported }
        _ = try await patch(fragment, resource, ifMatch: tag)
    }

    /// Gives the server's fragment, and the resource with its new entity tag.
    package func restart(
        _ fragment: TrickleFragment, of resource: Resource
    ) async throws(WHIPError) -> (answer: TrickleFragment, resource: Resource) {
        let response = try await patch(fragment, resource, ifMatch: "*")
        // It took candidates, and made nothing new of the rest.
        guard response.status != 204 else { throw .restartUnsupported }
        guard let answer = try? TrickleFragment(parsing: response.body) else {
            throw .upstream(status: 502, text: "the answer is no fragment")
        }
        var resource = resource
        resource.entityTag = response.header("etag") ?? resource.entityTag
        return (answer, resource)
    }

    package func delete(_ resource: Resource) async throws(WHIPError) { _ = try await exchange("DELETE", resource.url) }

    private func patch(
        _ fragment: TrickleFragment, _ resource: Resource, ifMatch: String
    ) async throws(WHIPError) -> ResourceResponse {
        try await exchange(
            "PATCH", resource.url,
            [HeaderField("content-type", MediaTypes.trickleFragment), HeaderField("if-match", ifMatch)],
            body: fragment.serialized())
    }

    /// Any status but a success is an error. What is the encoder's fault keeps its status; all else is the server's.
    private func exchange(
        _ method: String, _ url: HTTPURL, _ headers: [HeaderField] = [], body: [UInt8] = []
    ) async throws(WHIPError) -> ResourceResponse {
        let request = ResourceRequest(
            method: method, target: url.target, headers: headers + [HeaderField("authorization", "Bearer " + token)],
            body: body)
        let response: ResourceResponse
        do throws(HTTPClientError) {
            response = try await send(request, url)
        } catch {
            // Encoders need not know where the server is.
            log.warning("the LiveKit server was not reached: \(error)")
            throw .refused(status: 503, sentence: "The LiveKit server cannot be reached: try again later.")
        }
        guard (200..<300).contains(response.status) else {
            throw .upstream(status: response.status, text: Self.line(response.body.prefix(Limits.refusal)))
        }
        return response
    }

    /// On one line, without what terminals and logs would take for something else.
    private static func line(_ bytes: ArraySlice<UInt8>) -> String {
        var text = String(decoding: bytes, as: UTF8.self).unicodeScalars.map { scalar -> Character in
            scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value) ? " " : Character(scalar)
        }
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}

extension String {
    /// Nothing in it can end the line that it stands in.
    fileprivate var isHeaderValue: Bool { utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F } }
}
