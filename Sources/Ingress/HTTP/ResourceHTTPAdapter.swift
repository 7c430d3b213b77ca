import Bytes
import HTTPTypes
import Hummingbird
import NIOCore
import Runtime
package import WHIP

/// Answers the requests of a set of HTTP resources: `WHIPEndpoint.respond` or `WHEPEndpoint.respond`.
package typealias ResourceResponder = @Sendable (ResourceRequest, ResourceMoment) async -> ResourceResponse

/// Turns the HTTP server's messages into the resources' values, and back.
enum ResourceHTTPAdapter {
    /// What a path of resources may be asked with; the resources refuse what they do not know.
    static let methods: [HTTPRequest.Method] = [.post, .patch, .delete, .options, .get, .put, .head]

    static func answer(
        _ request: Request, _ context: PeerRequestContext, isSecure: Bool, by respond: ResourceResponder
    ) async -> Response {
        guard let body = await read(request.body) else { return Response(status: .badRequest) }
        var headers = request.headers.map { HeaderField($0.name.canonicalName, $0.value) }
        if let authority = request.head.authority { headers.append(HeaderField("host", authority)) }
        let answer = await respond(
            ResourceRequest(
                method: request.method.rawValue, target: request.uri.string, headers: headers, body: body,
                peer: context.peer, isSecure: isSecure),
            ResourceMoment(
                monotonic: Monotonic.now, unixSeconds: SystemClock.unixNanoseconds() / 1_000_000_000))
        return response(answer)
    }

    /// One byte too many is enough for a resource to refuse it; nil when the connection broke.
    private static func read(_ stream: RequestBody) async -> [UInt8]? {
        var body: [UInt8] = []
        do {
            for try await part in stream {
                body += part.readableBytesView.prefix(WHIPLimits.offerBytes + 1 - body.count)
                if body.count > WHIPLimits.offerBytes { break }
            }
        } catch {
            return nil
        }
        return body
    }

    private static func response(_ answer: ResourceResponse) -> Response {
        var fields = HTTPFields()
        for header in answer.headers {
            if let name = HTTPField.Name(header.name) { fields.append(HTTPField(name: name, value: header.value)) }
        }
        return Response(
            status: .init(code: answer.status), headers: fields, body: .init(byteBuffer: ByteBuffer(bytes: answer.body))
        )
    }
}
