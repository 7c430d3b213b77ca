import CYAML

/// The first document of a YAML text, every value with its place. Aliases and merge keys (`<<`) are followed, within
/// `ConfigurationLimits`.
package struct YAMLDocument: Equatable, Sendable {
    /// Nil when the text has no value at all.
    package var root: YAMLNode?
    /// Where a second document begins, which nobody reads.
    package var nextDocument: YAMLPosition?

    package init(parsing text: [UInt8]) throws(YAMLError) {
        guard text.count <= ConfigurationLimits.bytes else { throw .tooLong }
        self = try text.withUnsafeBufferPointer { buffer throws(YAMLError) in
            var builder = YAMLBuilder(events: YAMLEvents(buffer))
            return try builder.document()
        }
    }

    init(root: YAMLNode?, nextDocument: YAMLPosition?) {
        self.root = root
        self.nextDocument = nextDocument
    }
}

/// What libyaml's parser reports, without its C types.
struct YAMLEvent {
    enum Kind {
        case stream
        case documentStart
        case documentEnd
        case streamEnd
        case alias(String)
        case scalar(YAMLScalar)
        case sequenceStart
        case mappingStart
        case collectionEnd
    }

    var kind: Kind
    var anchor: String?
    var position: YAMLPosition
}

/// Owner of libyaml's parser over memory that outlives it.
struct YAMLEvents: ~Copyable {
    private let parser: UnsafeMutablePointer<yaml_parser_t>

    init(_ text: UnsafeBufferPointer<UInt8>) {
        parser = .allocate(capacity: 1)
        guard yaml_parser_initialize(parser) == 1 else { preconditionFailure("no memory for a YAML parser") }
        yaml_parser_set_input_string(parser, text.baseAddress, text.count)
    }

    deinit {
        yaml_parser_delete(parser)
        parser.deallocate()
    }

    mutating func next() throws(YAMLError) -> YAMLEvent {
        var event = yaml_event_t()
        guard yaml_parser_parse(parser, &event) == 1 else { throw failure() }
        defer { yaml_event_delete(&event) }
        let (kind, anchor) = Self.content(of: event)
        return YAMLEvent(kind: kind, anchor: anchor, position: YAMLPosition(event.start_mark))
    }

    private func failure() -> YAMLError {
        let problem = parser.pointee.problem.map { String(cString: $0) } ?? "no YAML"
        // The reader, which checks the encoding, names no place of its own.
        let isReader = parser.pointee.error == YAML_READER_ERROR
        let mark = isReader ? parser.pointee.mark : parser.pointee.problem_mark
        return .syntax(problem, YAMLPosition(mark))
    }

    private static func content(of event: yaml_event_t) -> (YAMLEvent.Kind, anchor: String?) {
        switch event.type {
        case YAML_DOCUMENT_START_EVENT: return (.documentStart, nil)
        case YAML_DOCUMENT_END_EVENT: return (.documentEnd, nil)
        case YAML_STREAM_END_EVENT: return (.streamEnd, nil)
        case YAML_ALIAS_EVENT: return (.alias(string(event.data.alias.anchor) ?? ""), nil)
        case YAML_SEQUENCE_START_EVENT: return (.sequenceStart, string(event.data.sequence_start.anchor))
        case YAML_MAPPING_START_EVENT: return (.mappingStart, string(event.data.mapping_start.anchor))
        case YAML_SEQUENCE_END_EVENT, YAML_MAPPING_END_EVENT: return (.collectionEnd, nil)
        case YAML_SCALAR_EVENT:
            let scalar = event.data.scalar
            let text = String(decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
            let tag = string(scalar.tag)
            let isString = tag == "tag:yaml.org,2002:str" || tag == "!"
            let isPlain = scalar.style == YAML_PLAIN_SCALAR_STYLE && !isString
            return (.scalar(YAMLScalar(text, isPlain: isPlain)), string(scalar.anchor))
        default: return (.stream, nil)
        }
    }

    private static func string(_ text: UnsafeMutablePointer<yaml_char_t>?) -> String? {
        text.map { String(decodingCString: $0, as: UTF8.self) }
    }
}

extension YAMLPosition {
    init(_ mark: yaml_mark_t) { self.init(line: Int(mark.line) + 1, column: Int(mark.column) + 1) }
}
