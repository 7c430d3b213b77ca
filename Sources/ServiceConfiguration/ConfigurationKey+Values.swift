import Bytes

extension ConfigurationKey {
    /// A value as the file would have it.
    enum Shown {
        case word(String)
        case list([String])
        case map([(key: String, value: String)])
    }

    /// What a decoder expects there, for messages.
    var expectation: String {
        switch binding {
        case .flag: "true or false"
        case .integer(_, let range) where range.upperBound == 65_535 && !name.hasSuffix("db"):
            range.lowerBound < 0 ? "a port, or -1 for off" : "a port, or 0 for off"
        case .integer: "a whole number"
        case .number: "a number"
        case .text, .secret: "text"
        case .texts: "a list of texts"
        case .duration: "a duration such as 10s or 500ms"
        case .ports: "a port, or two with a dash between (7885-7888)"
        case .addresses: "an IPv4 address, an IPv6 address, or both with a comma between"
        case .level: "debug, info, warn or error"
        case .levels: "a mapping from logger names to debug, info, warn or error"
        }
    }

    /// The type in the README's table.
    package var type: String {
        switch binding {
        case .flag: "boolean"
        case .integer(_, let range) where range.upperBound == 65_535 && !name.hasSuffix("db"): "port"
        case .integer: "integer"
        case .number: "number"
        case .text, .secret: "text"
        case .texts: "list"
        case .duration: "duration"
        case .ports: "port or range"
        case .addresses: "addresses"
        case .level: "level"
        case .levels: "map"
        }
    }

    /// The default in the README's table.
    package var defaultText: String {
        if let defaultWords { return defaultWords }
        return switch shown(in: IngressConfiguration(), maskingSecrets: false) {
        case .word("\"\""), .list([]): ""
        case .word(let word): "`\(word)`"
        case .list(let items): items.map { "`\($0)`" }.joined(separator: ", ")
        case .map: ""
        }
    }

    func shown(in configuration: IngressConfiguration, maskingSecrets: Bool) -> Shown {
        switch binding {
        case .flag(let path): return .word(String(configuration[keyPath: path]))
        case .integer(let path, _): return .word(String(configuration[keyPath: path]))
        case .number(let path, _): return .word(String(configuration[keyPath: path]))
        case .text(let path): return .word(Self.quoted(configuration[keyPath: path]))
        case .secret(let path):
            let secret = configuration[keyPath: path]
            return .word(Self.quoted(maskingSecrets && !secret.isEmpty ? "***" : secret))
        case .texts(let path): return .list(configuration[keyPath: path])
        case .duration(let path, _): return .word(configuration[keyPath: path].goText)
        case .ports(let path):
            guard let ports = configuration[keyPath: path] else { return .word("0") }
            return .word(ports.count == 1 ? "\(ports.lowerBound)" : "\(ports.lowerBound)-\(ports.upperBound)")
        case .addresses(let path):
            let addresses = configuration[keyPath: path]
            return .word(Self.quoted([addresses.v4, addresses.v6].filter { !$0.isEmpty }.joined(separator: ",")))
        case .level(let path): return .word(configuration[keyPath: path].rawValue)
        case .levels(let path):
            let levels = configuration[keyPath: path].sorted { $0.key < $1.key }
            return .map(levels.map { (key: $0.key, value: $0.value.rawValue) })
        }
    }

    /// Takes the key's value over from another configuration.
    func copy(from source: IngressConfiguration, to target: inout IngressConfiguration) {
        switch binding {
        case .flag(let path): target[keyPath: path] = source[keyPath: path]
        case .integer(let path, _): target[keyPath: path] = source[keyPath: path]
        case .number(let path, _): target[keyPath: path] = source[keyPath: path]
        case .text(let path), .secret(let path): target[keyPath: path] = source[keyPath: path]
        case .texts(let path): target[keyPath: path] = source[keyPath: path]
        case .duration(let path, _): target[keyPath: path] = source[keyPath: path]
        case .ports(let path): target[keyPath: path] = source[keyPath: path]
        case .addresses(let path): target[keyPath: path] = source[keyPath: path]
        case .level(let path): target[keyPath: path] = source[keyPath: path]
        case .levels(let path): target[keyPath: path] = source[keyPath: path]
        }
    }

    /// In double quotes, so that no text is taken for something else.
    static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case " "..."~": result.unicodeScalars.append(scalar)
            default:
                let digits = String(scalar.value, radix: 16)
                result += "\\U" + String(repeating: "0", count: 8 - digits.count) + digits
            }
        }
        return result + "\""
    }
}
