/// Where a request goes: `<base>/<key>` is a stream's endpoint, `<base>/resource/<id>` one viewing session.
package enum WHEPRoute: Equatable, Sendable {
    /// `layer` is the text of the query, not judged yet.
    case endpoint(key: String, layer: String?)
    case resource(id: String)

    /// Nil: no path of ours.
    package init?(_ target: String, base: String) throws(WHIPError) {
        guard let path = TargetPath(target), let parts = path.segments(below: base), let first = parts.first else {
            return nil
        }
        switch parts.count {
        case 1:
            self = .endpoint(key: try String(key: first), layer: try path.query.flatMap(Self.layer))
        case 2 where first.elementsEqual("resource".utf8):
            // Ids of ours need no escapes, so an escaped one is none of ours.
            self = .resource(id: String(Substring(parts[parts.startIndex + 1])))
        default:
            return nil
        }
    }

    /// The value of the first `layer` parameter.
    private static func layer(_ query: Substring.UTF8View) throws(WHIPError) -> String? {
        for parameter in query.split(separator: UInt8(ascii: "&")) {
            let parts = parameter.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            guard parts[0].elementsEqual("layer".utf8) else { continue }
            guard let text = parts.last.flatMap({ String(percentEncoded: $0) }), parts.count == 2 else {
                throw .malformedLayer
            }
            return text
        }
        return nil
    }

    /// For `Allow`, and for a browser's question before a request to another origin.
    var methods: String {
        switch self {
        case .endpoint: "POST, OPTIONS"
        case .resource: "PATCH, DELETE, OPTIONS"
        }
    }

    /// What OPTIONS tells besides the methods.
    var accepts: HeaderField {
        switch self {
        case .endpoint: HeaderField("accept-post", MediaTypes.sdp)
        case .resource: HeaderField("accept-patch", MediaTypes.json)
        }
    }
}
