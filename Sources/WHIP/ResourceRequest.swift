/// A header field; names are lower case.
package struct HeaderField: Equatable, Sendable {
    package var name: String
    package var value: String

    package init(_ name: String, _ value: String) {
        self.name = name.lowercased()
        self.value = value
    }
}

/// An HTTP request as a value: the whole of it, body included.
package struct WHEPRequest: Equatable, Sendable {
    /// Upper case, as in HTTP.
    package var method: String
    /// Path and query as they stand in the request line, percent signs and all.
    package var target: String
    package var headers: [HeaderField]
    package var body: [UInt8]

    package init(method: String, target: String, headers: [HeaderField] = [], body: [UInt8] = []) {
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body
    }

    /// The first value of a header; `name` in lower case.
    func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }

    /// Type and subtype of the body, in lower case and without parameters.
    var mediaType: String? {
        header("content-type").map { value in
            value.prefix { $0 != ";" }.filter { $0 != " " && $0 != "\t" }.lowercased()
        }
    }

    /// The token of `Authorization: Bearer <token>`.
    var bearerToken: String? {
        guard let value = header("authorization") else { return nil }
        let words = value.split(separator: " ", omittingEmptySubsequences: true)
        guard words.count == 2, words[0].lowercased() == "bearer" else { return nil }
        return String(words[1])
    }
}

/// An HTTP response as a value.
package struct WHEPResponse: Equatable, Sendable {
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

extension WHEPResponse {
    /// The refusal as plain text, with the headers that its status asks for.
    init(_ error: WHIPError) {
        self.init(
            status: error.status, headers: [HeaderField("content-type", "text/plain; charset=utf-8")],
            body: Array(error.description.utf8))
        switch error {
        case .methodNotAllowed(let allow): headers.append(HeaderField("allow", allow))
        case .unauthorized: headers.append(HeaderField("www-authenticate", "Bearer"))
        case .unavailable: headers.append(HeaderField("retry-after", "2"))
        case .unsupportedMediaType(let expected):
            headers.append(HeaderField(expected == MediaTypes.sdp ? "accept-post" : "accept-patch", expected))
        default: break
        }
    }
}

enum MediaTypes {
    static let sdp = "application/sdp"
    static let json = "application/json"
}
