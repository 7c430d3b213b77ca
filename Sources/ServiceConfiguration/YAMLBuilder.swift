/// Makes a tree of the parser's events. Its own recursion is bounded by `ConfigurationLimits.depth`.
struct YAMLBuilder: ~Copyable {
    /// A value with what it costs where an alias repeats it.
    private struct Built {
        var node: YAMLNode
        var weight: Int
        /// Levels of lists and mappings, 0 for a scalar.
        var height = 0
    }

    private struct Mapping {
        var entries: [YAMLEntry] = []
        var places: [String: YAMLPosition] = [:]
        var merged: [YAMLNode] = []
        var built: Built
    }

    private var events: YAMLEvents
    private var anchors: [String: Built] = [:]
    private var weight = 0

    init(events: consuming YAMLEvents) { self.events = events }

    mutating func document() throws(YAMLError) -> YAMLDocument {
        var root: YAMLNode?
        var isFirst = true
        while true {
            let event = try events.next()
            switch event.kind {
            case .streamEnd: return YAMLDocument(root: root, nextDocument: nil)
            case .documentStart:
                guard isFirst else { return YAMLDocument(root: root, nextDocument: event.position) }
                isFirst = false
                root = try value(try events.next(), depth: 0).node
            default: continue
            }
        }
    }

    private mutating func value(_ event: YAMLEvent, depth: Int) throws(YAMLError) -> Built {
        let built: Built
        switch event.kind {
        case .scalar(let scalar):
            let cost = 1 + scalar.text.utf8.count / 16
            built = Built(node: YAMLNode(.scalar(scalar), at: event.position), weight: cost)
            try charge(cost, at: event.position)
        case .alias(let name):
            guard let target = anchors[name] else { throw .unknownAlias(name, event.position) }
            guard depth + target.height <= ConfigurationLimits.depth else { throw .tooDeep(event.position) }
            try charge(target.weight, at: event.position)
            return target
        case .sequenceStart: built = try sequence(from: event, depth: depth + 1)
        case .mappingStart: built = try mapping(from: event, depth: depth + 1)
        default: preconditionFailure("libyaml reported a value where it cannot stand")
        }
        if let anchor = event.anchor { anchors[anchor] = built }
        return built
    }

    private mutating func charge(_ cost: Int, at position: YAMLPosition) throws(YAMLError) {
        weight += cost
        guard weight <= ConfigurationLimits.weight else { throw .tooMuch(position) }
    }

    private mutating func sequence(from start: YAMLEvent, depth: Int) throws(YAMLError) -> Built {
        guard depth <= ConfigurationLimits.depth else { throw .tooDeep(start.position) }
        var items: [YAMLNode] = []
        var built = Built(node: YAMLNode(.sequence([]), at: start.position), weight: 1, height: 1)
        try charge(1, at: start.position)
        while true {
            let event = try events.next()
            if case .collectionEnd = event.kind { break }
            let item = try value(event, depth: depth)
            built.weight += item.weight
            built.height = max(built.height, item.height + 1)
            items.append(item.node)
        }
        built.node.content = .sequence(items)
        return built
    }

    private mutating func mapping(from start: YAMLEvent, depth: Int) throws(YAMLError) -> Built {
        guard depth <= ConfigurationLimits.depth else { throw .tooDeep(start.position) }
        var mapping = Mapping(built: Built(node: YAMLNode(.mapping([]), at: start.position), weight: 1, height: 1))
        try charge(1, at: start.position)
        while true {
            let event = try events.next()
            if case .collectionEnd = event.kind { break }
            let key = try value(event, depth: depth)
            guard case .scalar(let name) = key.node.content else { throw .keyNotScalar(event.position) }
            let item = try value(try events.next(), depth: depth)
            mapping.built.weight += key.weight + item.weight
            mapping.built.height = max(mapping.built.height, item.height + 1)
            if name.isPlain && name.text == "<<" {
                mapping.merged += try Self.mergeSources(item.node)
                continue
            }
            if let first = mapping.places.updateValue(event.position, forKey: name.text) {
                throw .duplicateKey(name.text, event.position, first: first)
            }
            mapping.entries.append(YAMLEntry(key: name.text, keyPosition: event.position, value: item.node))
        }
        Self.merge(into: &mapping)
        mapping.built.node.content = .mapping(mapping.entries)
        return mapping.built
    }

    private static func mergeSources(_ node: YAMLNode) throws(YAMLError) -> [YAMLNode] {
        switch node.content {
        case .mapping: return [node]
        case .sequence(let nodes):
            for node in nodes {
                guard case .mapping = node.content else { throw .badMerge(node.position) }
            }
            return nodes
        case .scalar: throw .badMerge(node.position)
        }
    }

    /// Keys of the mapping itself win over merged ones, earlier sources over later ones.
    private static func merge(into mapping: inout Mapping) {
        for source in mapping.merged {
            guard case .mapping(let entries) = source.content else { continue }
            for entry in entries where mapping.places[entry.key] == nil {
                mapping.places[entry.key] = entry.keyPosition
                mapping.entries.append(entry)
            }
        }
    }
}
