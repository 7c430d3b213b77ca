import Bytes

/// Walks the mappings of a document and puts what it finds into a configuration, by the table of keys.
struct ConfigurationDecoder {
    private static let keys = Dictionary(uniqueKeysWithValues: ConfigurationKey.all.map { ($0.name, $0) })
    /// `redis`, `redis.tls`, …
    private static let sections = Set(
        ConfigurationKey.all.flatMap { key in
            let parts = key.name.split(separator: ".")
            return (1..<parts.count + 1).dropLast().map { parts.prefix($0).joined(separator: ".") }
        })

    private(set) var configuration = IngressConfiguration()
    private(set) var diagnostics: [ConfigurationDiagnostic] = []
    /// Where each key and section that the text has stands: its value's place.
    private(set) var places: [String: YAMLPosition] = [:]

    mutating func decode(_ document: YAMLDocument) {
        if let next = document.nextDocument {
            report(.init(.warning, at: next, "only the first document of the text is read"))
        }
        guard let root = document.root, !root.isNull else { return }
        section(root, path: "")
    }

    mutating func report(_ diagnostic: ConfigurationDiagnostic) {
        // The first error is kept even behind too many warnings: it decides.
        let isFirstError = diagnostic.severity == .error && !diagnostics.contains { $0.severity == .error }
        if diagnostics.count < ConfigurationLimits.diagnostics || isFirstError { diagnostics.append(diagnostic) }
    }

    private mutating func section(_ node: YAMLNode, path: String) {
        guard case .mapping(let entries) = node.content else {
            let name = path.isEmpty ? "the configuration" : path
            report(.unparsable(at: node.position, "\(name): expected keys with values, found \(node.summary)"))
            return
        }
        for entry in entries {
            // A dot in a key is not a way into a section.
            let name = entry.key.contains(".") ? nil : path.isEmpty ? entry.key : path + "." + entry.key
            if let name, Self.sections.contains(name) {
                guard !entry.value.isNull else { continue }
                places[name] = entry.value.position
                section(entry.value, path: name)
            } else if let name, let key = Self.keys[name] {
                guard !entry.value.isNull else { continue }
                places[name] = entry.value.position
                assign(entry.value, to: key)
            } else {
                unknown(entry, in: path)
            }
        }
    }

    private mutating func unknown(_ entry: YAMLEntry, in path: String) {
        // Searching for what was meant takes time, so it stops where reporting stops.
        guard diagnostics.count < ConfigurationLimits.diagnostics else { return }
        let name = (path.isEmpty ? "" : path + ".") + entry.key.shortened
        var text = "unknown key \(name) is ignored"
        if path.isEmpty && entry.key == "log_level" {
            text = "log_level is not read: use logging.level"
        } else if let meant = Self.suggestion(for: entry.key, in: path) {
            text += ": did you mean \(meant)?"
        }
        report(.init(.warning, at: entry.keyPosition, text))
    }

    /// A neighbour with nearly the same name, or the same name in another section.
    private static func suggestion(for key: String, in path: String) -> String? {
        let names = Array(keys.keys) + sections
        let prefix = path.isEmpty ? "" : path + "."
        let siblings = names.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
            .filter { !$0.contains(".") }
        if let near = NearestName.of(key, among: siblings) { return prefix + near }
        return names.sorted().first { $0.hasSuffix("." + key) || $0 == key }
    }

    // MARK: Values

    private mutating func assign(_ node: YAMLNode, to key: ConfigurationKey) {
        switch key.binding {
        case .texts(let path):
            if let texts = list(node, key) { configuration[keyPath: path] = texts }
        case .levels(let path):
            if let levels = levels(node, key) { configuration[keyPath: path] = levels }
        case .level(let path):
            guard case .scalar(let scalar) = node.content else { return mismatch(node, key) }
            if let level = level(scalar, at: node.position, key.name) { configuration[keyPath: path] = level }
        default:
            guard case .scalar(let scalar) = node.content else { return mismatch(node, key) }
            if let problem = Self.set(key, to: scalar, in: &configuration) {
                report(.unparsable(at: node.position, "\(key.name): \(problem)"))
            }
        }
    }

    private mutating func mismatch(_ node: YAMLNode, _ key: ConfigurationKey) {
        report(.unparsable(at: node.position, "\(key.name): expected \(key.expectation), found \(node.summary)"))
    }

    /// Sets one scalar; the problem when it does not fit.
    private static func set(
        _ key: ConfigurationKey, to scalar: YAMLScalar, in configuration: inout IngressConfiguration
    ) -> String? {
        let found = "expected \(key.expectation), found \(scalar.summary)"
        switch key.binding {
        case .flag(let path):
            guard let value = scalar.boolean else { return found }
            configuration[keyPath: path] = value
        case .integer(let path, let range):
            guard let value = scalar.integer else { return found }
            guard range.contains(value) else { return outside(range.lowerBound, range.upperBound, scalar) }
            configuration[keyPath: path] = value
        case .number(let path, let range):
            guard let value = scalar.number else { return found }
            guard range.contains(value) else { return outside(range.lowerBound, range.upperBound, scalar) }
            configuration[keyPath: path] = value
        case .text(let path), .secret(let path):
            configuration[keyPath: path] = scalar.text
        case .duration(let path, let longest):
            guard let value = scalar.duration else { return found }
            guard value >= .zero, value <= longest else { return outside("0", longest.goText, scalar) }
            configuration[keyPath: path] = value
        case .ports(let path):
            guard let ports = scalar.ports else { return found }
            configuration[keyPath: path] = ports == 0...0 ? nil : ports
        case .addresses(let path):
            guard let addresses = scalar.addresses else { return found }
            configuration[keyPath: path] = addresses
        case .level, .texts, .levels: preconditionFailure("these are set elsewhere")
        }
        return nil
    }

    private static func outside(
        _ low: some CustomStringConvertible, _ high: some CustomStringConvertible, _ found: YAMLScalar
    )
        -> String
    {
        "expected a value from \(low) to \(high), found \(found.summary)"
    }

    private mutating func list(_ node: YAMLNode, _ key: ConfigurationKey) -> [String]? {
        guard case .sequence(let items) = node.content else {
            mismatch(node, key)
            return nil
        }
        var texts: [String] = []
        for item in items {
            guard case .scalar(let scalar) = item.content, !scalar.isNull else {
                report(.unparsable(at: item.position, "\(key.name): expected text, found \(item.summary)"))
                return nil
            }
            texts.append(scalar.text)
        }
        return texts
    }

    private mutating func levels(_ node: YAMLNode, _ key: ConfigurationKey) -> [String: ConfiguredLogLevel]? {
        guard case .mapping(let entries) = node.content else {
            mismatch(node, key)
            return nil
        }
        var levels: [String: ConfiguredLogLevel] = [:]
        for entry in entries {
            let name = "\(key.name).\(entry.key.shortened)"
            guard case .scalar(let scalar) = entry.value.content else {
                let text = "\(name): expected debug, info, warn or error, found \(entry.value.summary)"
                report(.unparsable(at: entry.value.position, text))
                return nil
            }
            levels[entry.key] = level(scalar, at: entry.value.position, name)
        }
        return levels
    }

    /// A word that is no level costs a warning only: the service this one stands in for started with it, too.
    private mutating func level(_ scalar: YAMLScalar, at position: YAMLPosition, _ name: String) -> ConfiguredLogLevel?
    {
        if let level = ConfiguredLogLevel(name: scalar.text) { return level }
        let words = "debug, info, warn or error"
        report(.init(.warning, at: position, "\(name): expected \(words), found \(scalar.summary); it is ignored"))
        return nil
    }

    mutating func update(_ change: (inout IngressConfiguration) -> Void) { change(&configuration) }
}

extension Substring {
    /// Without spaces around it.
    fileprivate var trimmed: Substring {
        var rest = drop { $0 == " " }
        while rest.last == " " { rest.removeLast() }
        return rest
    }
}

extension YAMLNode {
    /// A few words for messages.
    fileprivate var summary: String {
        switch content {
        case .scalar(let scalar): scalar.summary
        case .sequence: "a list"
        case .mapping: "a mapping"
        }
    }
}

extension YAMLScalar {
    fileprivate var summary: String { isNull ? "nothing" : ConfigurationKey.quoted(text.shortened) }

    /// `7885` or `7885-7888`; 0 for none.
    fileprivate var ports: ClosedRange<UInt16>? {
        if let port = integer { return UInt16(exactly: port).map { $0...$0 } }
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
            .map { UInt16($0.trimmed) }
        switch parts.count {
        case 1:
            guard let port = parts[0] else { return nil }
            return port...port
        case 2:
            guard let first = parts[0], let last = parts[1], first > 0, first <= last else { return nil }
            return first...last
        default: return nil
        }
    }

    /// `v4`, `v6`, or one of each with a comma between.
    fileprivate var addresses: NodeAddresses? {
        var result = NodeAddresses()
        if text.isEmpty { return result }
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let ip = TransportAddress.IP(part.trimmed)?.unmapped else { return nil }
            switch ip {
            case .v4 where result.v4.isEmpty: result.v4 = ip.description
            case .v6 where result.v6.isEmpty: result.v6 = ip.description
            default: return nil
            }
        }
        return result
    }
}
