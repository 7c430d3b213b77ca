/// What lets a page of another origin ask, and read the answer (the Fetch standard's CORS protocol).
enum CrossOrigin {
    /// Goes with every response, refusals too: a page has to see why.
    static let headers = [
        HeaderField("access-control-allow-origin", "*"),
        HeaderField(
            "access-control-expose-headers",
            "location, etag, link, accept-post, accept-patch, allow, retry-after, www-authenticate"),
    ]

    private static let usualHeaders = "authorization, content-type, if-match"

    /// The answer to OPTIONS, whether it is a browser's question or a client's.
    static func preflight(_ request: ResourceRequest, methods: String) -> [HeaderField] {
        [
            HeaderField("allow", methods), HeaderField("access-control-allow-methods", methods),
            HeaderField("access-control-allow-headers", allowedHeaders(request)),
            HeaderField("access-control-max-age", "86400"),
        ]
    }

    /// Those that were asked for, because an asterisk does not stand for `Authorization`.
    private static func allowedHeaders(_ request: ResourceRequest) -> String {
        guard let asked = request.joined("access-control-request-headers"),
            asked.utf8.count <= WHIPLimits.requestedHeadersBytes,
            asked.utf8.allSatisfy({ $0.isAlphanumeric || "-_, ".utf8.contains($0) })
        else { return usualHeaders }
        let names = asked.split(separator: ",").map { $0.trimmed.lowercased() }.filter { !$0.isEmpty }
        let usual = usualHeaders.split(separator: ",").map { String($0.trimmed) }
        return (usual + names.filter { !usual.contains($0) }).joined(separator: ", ")
    }
}

extension ResourceRequest {
    /// A browser asks before a request to another origin.
    var isPreflight: Bool { method == "OPTIONS" && header("access-control-request-method") != nil }
}
