/// A place in the text, counted from 1; the column counts characters.
package struct YAMLPosition: Hashable, Comparable, Sendable, CustomStringConvertible {
    package var line: Int
    package var column: Int

    package init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }

    package static func < (a: YAMLPosition, b: YAMLPosition) -> Bool { (a.line, a.column) < (b.line, b.column) }

    package var description: String { "\(line):\(column)" }
}

/// One value with the place where it stands. What an alias stands for keeps the place of its anchor.
package struct YAMLNode: Equatable, Sendable {
    package enum Content: Equatable, Sendable {
        case scalar(YAMLScalar)
        case sequence([YAMLNode])
        case mapping([YAMLEntry])
    }

    package var content: Content
    package var position: YAMLPosition

    package init(_ content: Content, at position: YAMLPosition) {
        self.content = content
        self.position = position
    }

    /// Written as nothing, `~` or `null`.
    package var isNull: Bool {
        if case .scalar(let scalar) = content { return scalar.isNull }
        return false
    }
}

/// One line of a mapping. Keys are scalars, and unique within their mapping.
package struct YAMLEntry: Equatable, Sendable {
    package var key: String
    package var keyPosition: YAMLPosition
    package var value: YAMLNode

    package init(key: String, keyPosition: YAMLPosition, value: YAMLNode) {
        self.key = key
        self.keyPosition = keyPosition
        self.value = value
    }
}

/// The text of a scalar; its type is found by whoever knows what it should be (`YAMLScalar+Values.swift`).
package struct YAMLScalar: Equatable, Sendable {
    package var text: String
    /// Without quotes and not tagged as a string, so that it may be a number, a truth value or null.
    package var isPlain: Bool

    package init(_ text: String, isPlain: Bool = true) {
        self.text = text
        self.isPlain = isPlain
    }

    package var isNull: Bool { isPlain && ["", "~", "null", "Null", "NULL"].contains(text) }
}
