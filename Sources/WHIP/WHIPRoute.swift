/// Where a publisher's request goes.
///
///     /<app>                  endpoint; the key comes as bearer token
///     /<app>/<key>            endpoint
///     /<app>/resource/<id>    one session, as our own answers name it
///     /<app>/<key>/<id>       the same session, as clients of LiveKit's ingress build it; the id may be LiveKit's own
///
/// `/whip/v1` and `/whip/v1/<id>` are those of livekit-server's own endpoint, which has no key in its paths.
package enum WHIPRoute: Equatable, Sendable {
    /// `app` keeps its escapes.
    case endpoint(app: String, key: String?)
    /// `key` is to be held against the session's, when it is there.
    case resource(app: String, key: String?, id: String)

    /// `base`: the path that stands for the app; nil takes any single segment. `hasToken`: a key came otherwise.
    /// Nil: no path of ours.
    package init?(_ target: String, base: String?, hasToken: Bool) throws(WHIPError) {
        guard let path = TargetPath(target) else { return nil }
        let app: String
        let rest: ArraySlice<Substring.UTF8View>
        if let base {
            guard let below = path.segments(below: base) else { return nil }
            app = String(base.drop { $0 == "/" })
            rest = below
        } else {
            guard let first = path.segments.first else { return nil }
            guard first.isPlainSegment else { throw .malformedPath }
            app = String(Substring(first))
            rest = path.segments.dropFirst()
        }
        let isKeyless = { (segment: Substring.UTF8View) in
            segment.elementsEqual("v1".utf8) && (app == "whip" || app.hasSuffix("/whip"))
        }
        guard rest.count <= 2 else { return nil }
        guard let first = rest.first else {
            self = .endpoint(app: app, key: nil)
            return
        }
        guard let last = rest.last, rest.count == 2 else {
            self = .endpoint(app: app, key: hasToken && isKeyless(first) ? nil : try String(key: first))
            return
        }
        let isOurs = first.elementsEqual("resource".utf8) || isKeyless(first)
        // Ids of ours need no escapes, so an escaped one is none of ours.
        self = .resource(app: app, key: isOurs ? nil : try String(key: first), id: String(Substring(last)))
    }

    /// For `Allow`, and for a browser's question before a request to another origin.
    var methods: String {
        switch self {
        case .endpoint: "POST, GET, HEAD, OPTIONS"
        case .resource: "PATCH, DELETE, GET, HEAD, OPTIONS"
        }
    }
}

extension Substring.UTF8View {
    /// A segment that can go into a URL of ours as it came (RFC 3986 section 3.3).
    fileprivate var isPlainSegment: Bool {
        count <= WHIPLimits.appBytes && !elementsEqual(".".utf8) && !elementsEqual("..".utf8)
            && allSatisfy { $0.isAlphanumeric || "-._~%!$&'()*+,;=:@".utf8.contains($0) }
    }
}
