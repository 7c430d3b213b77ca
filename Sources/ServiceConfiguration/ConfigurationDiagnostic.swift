/// One remark on a configuration. An error means that the daemon must not start.
package struct ConfigurationDiagnostic: Equatable, Sendable, CustomStringConvertible {
    package enum Severity: String, Sendable {
        case warning
        case error
    }

    package var severity: Severity
    /// Nil where no line is at fault, as with a key that is missing.
    package var position: YAMLPosition?
    package var text: String

    package init(_ severity: Severity, at position: YAMLPosition? = nil, _ text: String) {
        self.severity = severity
        self.position = position
        self.text = text
    }

    package var line: Int? { position?.line }
    package var column: Int? { position?.column }

    /// `12:3: error: …`, to be put behind the name of the file.
    package var description: String { (position.map { "\($0): " } ?? "") + "\(severity.rawValue): \(text)" }
}

extension ConfigurationDiagnostic {
    /// Upstream's words for whatever stands wrong in the text.
    static func unparsable(at position: YAMLPosition?, _ text: String) -> ConfigurationDiagnostic {
        ConfigurationDiagnostic(.error, at: position, "could not parse config: \(text)")
    }
}
