/// Why a text is no YAML document that this project reads.
package enum YAMLError: Error, Equatable, Sendable {
    /// libyaml's own words.
    case syntax(String, YAMLPosition)
    /// More than `ConfigurationLimits.bytes`.
    case tooLong
    /// Deeper than `ConfigurationLimits.depth`, aliases followed.
    case tooDeep(YAMLPosition)
    /// More than `ConfigurationLimits.weight`, aliases followed.
    case tooMuch(YAMLPosition)
    /// No anchor of this name ended before here.
    case unknownAlias(String, YAMLPosition)
    /// A key that its mapping already had, at `first`.
    case duplicateKey(String, YAMLPosition, first: YAMLPosition)
    /// A list or a mapping as a key.
    case keyNotScalar(YAMLPosition)
    /// `<<` with something that is neither a mapping nor a list of mappings.
    case badMerge(YAMLPosition)

    package var position: YAMLPosition? {
        switch self {
        case .tooLong: nil
        case .syntax(_, let position), .unknownAlias(_, let position), .duplicateKey(_, let position, _): position
        case .tooDeep(let position), .tooMuch(let position), .keyNotScalar(let position), .badMerge(let position):
            position
        }
    }

    /// One sentence without the place.
    package var text: String {
        switch self {
        case .syntax(let problem, _): problem
        case .tooLong: "the text is longer than \(ConfigurationLimits.bytes) bytes"
        case .tooDeep: "nested deeper than \(ConfigurationLimits.depth) levels"
        case .tooMuch: "more values than a configuration can need (aliases followed)"
        case .unknownAlias(let name, _): "no anchor named \(name.shortened) stands before this alias"
        case .duplicateKey(let key, _, let first): "\(key.shortened) is already set in line \(first.line)"
        case .keyNotScalar: "a key has to be a single word, not a list or a mapping"
        case .badMerge: "<< needs a mapping or a list of mappings"
        }
    }
}

/// What a configuration may cost to read, whatever stands in it.
package enum ConfigurationLimits {
    /// A real one has a few thousand.
    package static let bytes = 1 << 20
    /// The deepest key has three levels.
    package static let depth = 32
    /// Values plus sixteenths of their bytes, aliases followed: what keeps "a billion laughs" small.
    package static let weight = 1 << 17
    /// Lines of complaint; more tell nothing new.
    package static let diagnostics = 100
    /// Characters of the operator's text that one complaint repeats.
    package static let quotedCharacters = 40
}

extension String {
    /// The beginning, for messages.
    var shortened: String {
        count <= ConfigurationLimits.quotedCharacters ? self : prefix(ConfigurationLimits.quotedCharacters) + "…"
    }
}
