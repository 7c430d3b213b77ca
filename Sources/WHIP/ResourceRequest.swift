// WHIP holds the HTTP resources of RFC 9725 (WHIP) and of its playing counterpart WHEP as values: requests in,
// responses out. It reads no socket and no clock and knows no server; the adapter of the HTTP server turns its messages
// into these and back.

package import Bytes

/// A header field; names are lower case.
package struct HeaderField: Equatable, Sendable {
    package var name: String
    package var value: String

    package init(_ name: String, _ value: String) {
        self.name = name.lowercased()
        self.value = value
    }
}

/// When a request came, by the two clocks that answers need.
package struct ResourceMoment: Equatable, Sendable {
    package var monotonic: Monotonic
    /// For credentials that other servers check.
    package var unixSeconds: Int64

    package init(monotonic: Monotonic, unixSeconds: Int64) {
        self.monotonic = monotonic
        self.unixSeconds = unixSeconds
    }
}

/// An HTTP request as a value: the whole of it, body included.
package struct ResourceRequest: Equatable, Sendable {
    /// Upper case, as in HTTP.
    package var method: String
    /// Path and query as they stand in the request line, percent signs and all.
    package var target: String
    /// `host` among them, also where the server keeps it apart.
    package var headers: [HeaderField]
    package var body: [UInt8]
    /// The other end of the connection, which may be a proxy's.
    package var peer: TransportAddress.IP?
    /// The connection is TLS that ends here.
    package var isSecure: Bool

    package init(
        method: String, target: String, headers: [HeaderField] = [], body: [UInt8] = [],
        peer: TransportAddress.IP? = nil, isSecure: Bool = false
    ) {
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body
        self.peer = peer?.unmapped
        self.isSecure = isSecure
    }

    /// The first value of a header; `name` in lower case.
    package func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
}

/// An HTTP response as a value.
package struct ResourceResponse: Equatable, Sendable {
    package var status: Int
    /// In the order to write them; length and date are up to the server.
    package var headers: [HeaderField]
    package var body: [UInt8]

    package init(status: Int, headers: [HeaderField] = [], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// The first value of a header; `name` in lower case.
    package func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
}

extension ResourceResponse {
    /// The refusal as plain text, with the headers that its status asks for.
    package init(_ error: WHIPError) {
        self.init(
            status: error.status, headers: [HeaderField("content-type", "text/plain; charset=utf-8")],
            body: Array(error.description.utf8))
        if let seconds = error.retryAfterSeconds { headers.append(HeaderField("retry-after", String(seconds))) }
        switch error {
        case .methodNotAllowed(let allow): headers.append(HeaderField("allow", allow))
        case .unauthorized, .missingKey: headers.append(HeaderField("www-authenticate", "Bearer"))
        case .unsupportedMediaType(let expected):
            headers.append(HeaderField(expected == MediaTypes.sdp ? "accept-post" : "accept-patch", expected))
        default: break
        }
    }
}

package enum MediaTypes {
    package static let sdp = "application/sdp"
    package static let json = "application/json"
    /// RFC 8840 section 9.
    package static let trickleFragment = "application/trickle-ice-sdpfrag"
}
