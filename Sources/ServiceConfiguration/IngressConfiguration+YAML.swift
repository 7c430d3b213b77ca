extension IngressConfiguration {
    /// The whole effective configuration in the order of the table, as YAML that reads back as the same.
    ///
    /// With `maskingSecrets`, what is secret and set shows as `***`; paths of key files stay.
    package func yaml(maskingSecrets: Bool = true) -> String {
        var text = ""
        var open: [Substring] = []
        for key in ConfigurationKey.all {
            var sections = key.name.split(separator: ".")
            let last = sections.removeLast()
            if !sections.starts(with: open) { open = Array(open.prefix(sections.common(with: open))) }
            for section in sections[open.count...] {
                text += Self.indent(open.count) + section + ":\n"
                open.append(section)
            }
            text += Self.indent(open.count) + last + ":"
            switch key.shown(in: self, maskingSecrets: maskingSecrets) {
            case .word(let word): text += " \(word)\n"
            case .list(let items): text += " [\(items.map(ConfigurationKey.quoted).joined(separator: ", "))]\n"
            case .map(let pairs):
                let lines = pairs.map { ConfigurationKey.quoted($0.key) + ": " + $0.value }
                text += " {\(lines.joined(separator: ", "))}\n"
            }
        }
        return text
    }

    private static func indent(_ level: Int) -> String { String(repeating: "  ", count: level) }
}

extension [Substring] {
    fileprivate func common(with other: [Substring]) -> Int { zip(self, other).prefix { $0 == $1 }.count }
}

extension IngressConfiguration {
    /// This configuration with what SIGHUP may change taken from `new`, and the names of the keys that differ but need a
    /// restart.
    package func reloading(_ new: IngressConfiguration) -> (IngressConfiguration, needingRestart: [String]) {
        var result = self
        for key in ConfigurationKey.all where key.isReloadable { key.copy(from: new, to: &result) }
        let stale = ConfigurationKey.all.filter { key in
            var changed = result
            key.copy(from: new, to: &changed)
            return changed != result
        }
        return (result, stale.map(\.name))
    }
}

/// The part of the README that lists the keys.
package enum ConfigurationReference {
    /// What stands before and behind the table in the README.
    package static let beginMark = "<!-- configuration keys -->"
    package static let endMark = "<!-- end of configuration keys -->"

    /// A table with one line a key, between its marks.
    package static func markdown() -> String {
        var text = beginMark + "\n| key | type | default | meaning |\n|---|---|---|---|\n"
        for key in ConfigurationKey.all {
            let reload = key.isReloadable ? " (SIGHUP)" : ""
            text += "| `\(key.name)` | \(key.type) | \(key.defaultText) | \(key.meaning)\(reload) |\n"
        }
        return text + endMark + "\n"
    }
}
