import Bytes

/// Where a request goes: `<base>/<key>` is a stream's endpoint, `<base>/resource/<id>` one viewing session.
package enum WHEPRoute: Equatable, Sendable {
    /// `layer` is the text of the query, not judged yet.
    case endpoint(key: String, layer: String?)
    case resource(id: String)

    /// Nil: no path of ours.
    package init?(_ target: String, base: String) throws(WHIPError) {
        let bytes = target.utf8
        let pathEnd = bytes.firstIndex(of: UInt8(ascii: "?"))
        let path = target[..<(pathEnd ?? target.endIndex)]
        guard path.utf8.starts(with: base.utf8), path.utf8.dropFirst(base.utf8.count).first == UInt8(ascii: "/") else {
            return nil
        }
        let parts = path.utf8.dropFirst(base.utf8.count + 1)
            .split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        switch parts.count {
        case 1:
            guard !parts[0].isEmpty else { return nil }
            guard let key = String(percentEncoded: parts[0]), key.utf8.count <= WHIPLimits.keyBytes else {
                throw .malformedPath
            }
            let query = pathEnd.map { bytes[bytes.index(after: $0)...] }
            self = .endpoint(key: key, layer: try query.flatMap(Self.layer))
        case 2 where parts[0].elementsEqual("resource".utf8) && !parts[1].isEmpty:
            // Ids of ours need no escapes, so an escaped one is none of ours.
            self = .resource(id: String(Substring(parts[1])))
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

extension String {
    /// Decodes `%xx`; nil when an escape is broken, or the outcome is no UTF-8 or has control characters.
    init?(percentEncoded text: Substring.UTF8View) {
        var bytes: [UInt8] = []
        var rest = text[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%") {
                // Digits are looked at as bytes: a cut inside of a character is possible here.
                let digits = String(decoding: rest.prefix(2), as: UTF8.self)
                guard let value = [UInt8](hex: digits), value.count == 1 else { return nil }
                rest = rest.dropFirst(2)
                bytes += value
            } else {
                bytes.append(byte)
            }
        }
        guard bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else { return nil }
        self.init(validating: bytes, as: UTF8.self)
    }
}
