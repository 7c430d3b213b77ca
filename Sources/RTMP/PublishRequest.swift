import Bytes

/// What an encoder wants to publish and as whom. The key is a secret: the text form shows a tag of it only.
package struct RTMPPublishRequest: Equatable, Sendable, CustomStringConvertible {
    /// The path before the key, without slashes at its ends: "live", or "a/b" for "rtmp://host/a/b/key".
    package var app: String
    /// The last part of the path; empty when the encoder gave none.
    package var key: String
    /// What followed "?" in the publish name, else in the app or URL, without the mark; empty when there was none.
    package var query: String
    /// "live", "record" or "append"; servers of live streams treat all alike.
    package var publishType: String
    package var connect: RTMPConnectRequest

    package var description: String {
        "app \(app) key \(Redacted(key)) encoder \(connect.flashVersion)"
    }

    /// Encoders put the key into the publish name, with or without more path before it, or leave the name empty and have all
    /// in the app or the URL alone.
    package init(connect: RTMPConnectRequest, name: String, publishType: String) {
        let (appPath, appQuery) = Self.splitQuery(connect.app)
        let (urlPath, urlQuery) = Self.splitQuery(Self.path(of: connect.tcURL))
        let (namePath, nameQuery) = Self.splitQuery(name)
        let base = Self.parts(appPath).isEmpty ? Self.parts(urlPath) : Self.parts(appPath)
        let given = Self.parts(namePath)
        var path = base
        if given.isEmpty {
            // The app is at times the first part alone of a longer URL.
            let full = Self.parts(urlPath)
            if full.count > base.count, full.starts(with: base) { path = full }
        }
        path += given
        key = path.count > 1 || !given.isEmpty ? path.removeLast() : ""
        app = path.joined(separator: "/")
        query = [nameQuery, appQuery, urlQuery].first { !$0.isEmpty } ?? ""
        self.publishType = publishType
        self.connect = connect
    }

    private static func parts(_ path: String) -> [String] {
        path.split(separator: "/", omittingEmptySubsequences: true).map(String.init)
    }

    private static func splitQuery(_ text: String) -> (path: String, query: String) {
        guard let mark = text.firstIndex(of: "?") else { return (text, "") }
        return (String(text[..<mark]), String(text[text.index(after: mark)...]))
    }

    /// Path and query of a URL; all of a text that is no URL.
    private static func path(of url: String) -> String {
        var rest = url[...]
        var scan = url[...]
        while let colon = scan.firstIndex(of: ":") {
            let after = scan[scan.index(after: colon)...]
            if after.hasPrefix("//") {
                rest = after.dropFirst(2)
                guard let slash = rest.firstIndex(of: "/") else { return "" }
                return String(rest[slash...])
            }
            scan = after
        }
        return String(rest)
    }
}
