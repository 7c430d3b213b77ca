extension SessionDescription {
    /// Reads a whole description. Its `m=` sections keep their order and may be as few as none.
    package init(parsing bytes: [UInt8]) throws(SDPError) {
        var lines = try SDPLineReader(bytes)
        var reader = DescriptionReader()
        while let line = try lines.next() { try reader.receive(line) }
        self = try reader.finish()
    }

    package init(parsing text: String) throws(SDPError) { try self.init(parsing: Array(text.utf8)) }
}

/// Gathers lines into a description. A fragment's lines go the same way, without those that begin a description.
struct DescriptionReader {
    private(set) var description = SessionDescription(origin: Origin(sessionID: 0, sessionVersion: 0))
    private let isFragment: Bool
    private var hasVersion = false
    private var hasOrigin = false
    private var hasTiming = false
    private var attributesInLevel = 0
    private var candidates = 0
    private var section: MediaSection?

    init(isFragment: Bool = false) { self.isFragment = isFragment }

    mutating func receive(_ line: SDPLine) throws(SDPError) {
        if !hasVersion && !isFragment && line.type != UInt8(ascii: "v") { throw .missing(.version) }
        switch line.type {
        case UInt8(ascii: "a"): try receiveAttribute(line)
        case UInt8(ascii: "m"): try beginSection(line)
        case UInt8(ascii: "c"): setConnection(line.value.text)
        case UInt8(ascii: "b"): try receiveBandwidth(line)
        case UInt8(ascii: "v"), UInt8(ascii: "o"), UInt8(ascii: "s"), UInt8(ascii: "t"): try receiveSessionLine(line)
        case UInt8(ascii: "i"), UInt8(ascii: "u"), UInt8(ascii: "e"), UInt8(ascii: "p"), UInt8(ascii: "r"),
            UInt8(ascii: "z"), UInt8(ascii: "k"):
            break
        // RFC 8866 section 5: a description with a letter that the reader does not know is refused.
        default: throw .malformedLine(line: line.number)
        }
    }

    mutating func finish() throws(SDPError) -> SessionDescription {
        guard hasVersion || isFragment else { throw .missing(.version) }
        guard hasOrigin || isFragment else { throw .missing(.origin) }
        endSection()
        return description
    }

    // MARK: Lines

    private mutating func receiveSessionLine(_ line: SDPLine) throws(SDPError) {
        switch line.type {
        case UInt8(ascii: "v"):
            guard !hasVersion, !isFragment else { throw .misplaced(.version, line: line.number) }
            guard line.value.elementsEqual("0".utf8) else { throw .malformed(.version, line: line.number) }
            hasVersion = true
        case UInt8(ascii: "o"):
            guard !hasOrigin, !isFragment, section == nil else { throw .misplaced(.origin, line: line.number) }
            guard let origin = Origin(parsing: line.value) else { throw .malformed(.origin, line: line.number) }
            description.origin = origin
            hasOrigin = true
        case UInt8(ascii: "s"):
            if !line.value.isEmpty { description.name = line.value.text }
        default:
            var words = WordReader(line.value)
            guard let start = words.integer(UInt64.self), let stop = words.integer(UInt64.self), words.isEmpty else {
                throw .malformed(.timing, line: line.number)
            }
            if !hasTiming { description.timing = Timing(start: start, stop: stop) }
            hasTiming = true
        }
    }

    private mutating func setConnection(_ text: String) {
        if section == nil { description.connection = text } else { section?.connection = text }
    }

    private mutating func receiveBandwidth(_ line: SDPLine) throws(SDPError) {
        let (type, value) = line.value.cut(at: ":")
        guard !type.isEmpty, let value = value.flatMap({ UInt64(decimal: $0) }) else {
            throw .malformed(.bandwidth, line: line.number)
        }
        let bandwidth = Bandwidth(type: type.text, value: value)
        if section == nil { description.bandwidths.append(bandwidth) } else { section?.bandwidths.append(bandwidth) }
    }

    private mutating func beginSection(_ line: SDPLine) throws(SDPError) {
        endSection()
        guard description.media.count < SDPLimits.mediaSections else {
            throw .tooMany(.media, line: line.number, limit: SDPLimits.mediaSections)
        }
        section = try MediaSection(parsing: line)
        attributesInLevel = 0
    }

    private mutating func endSection() {
        if let section { description.media.append(section) }
        section = nil
    }

    private mutating func receiveAttribute(_ line: SDPLine) throws(SDPError) {
        attributesInLevel += 1
        guard attributesInLevel <= SDPLimits.attributesPerLevel else {
            throw .tooMany(.attribute, line: line.number, limit: SDPLimits.attributesPerLevel)
        }
        let attribute = try AttributeLine(line)
        if attribute.name == "candidate", section != nil {
            candidates += 1
            guard candidates <= SDPLimits.candidates else {
                throw .tooMany(.candidate, line: line.number, limit: SDPLimits.candidates)
            }
        }
        // The section is moved out and back, so that its arrays are never shared and copied.
        if var open = section.take() {
            try open.receive(attribute)
            section = open
        } else {
            try description.receive(attribute)
        }
    }
}

extension Origin {
    init?(parsing value: ArraySlice<UInt8>) {
        var words = WordReader(value)
        guard let username = words.text(), let id = words.integer(UInt64.self),
            let version = words.integer(UInt64.self),
            let words = words.texts(limit: 3), words.count == 3
        else { return nil }
        self.init(username: username, sessionID: id, sessionVersion: version, address: words.joined(separator: " "))
    }
}

extension SessionDescription {
    mutating func receive(_ attribute: AttributeLine) throws(SDPError) {
        if try transport.receive(attribute) { return }
        switch attribute.name {
        case "group": groups.append(try MediaGroup(attribute))
        case "msid-semantic": msidSemantic = attribute.value?.trimmed.text ?? ""
        case "ice-lite": isICELite = true
        case "extmap-allow-mixed": allowsMixedExtensions = true
        case "end-of-candidates": endOfCandidates = true
        case "extmap": extensions.append(try ExtensionMapping(attribute))
        case "sendrecv", "sendonly", "recvonly", "inactive": direction = Direction(rawValue: attribute.name)
        default: otherAttributes.append(attribute.raw)
        }
    }
}
