/// Why a description or fragment was refused. Lines count from 1.
package enum SDPError: Error, Equatable, Sendable {
    case tooLarge(limitBytes: Int)
    /// Not UTF-8 (RFC 8866 section 4.6).
    case notText
    /// No `<letter>=`, an unknown letter, or a stray carriage return or NUL.
    case malformedLine(line: Int)
    /// The line is known, its value breaks the grammar.
    case malformed(SDPField, line: Int)
    /// The line may not stand here.
    case misplaced(SDPField, line: Int)
    case tooMany(SDPField, line: Int, limit: Int)
    case missing(SDPField)

    /// The line to blame; nil when the fault is the text as a whole.
    package var line: Int? {
        switch self {
        case .tooLarge, .notText, .missing: nil
        case .malformedLine(let line), .malformed(_, let line), .misplaced(_, let line), .tooMany(_, let line, _): line
        }
    }
}

/// The parts of a description that an error can name.
package enum SDPField: String, Equatable, Sendable {
    case line = "lines"
    case version = "v="
    case origin = "o="
    case timing = "t="
    case bandwidth = "b="
    case media = "m="
    case format = "formats of m="
    case attribute = "a="
    case group = "a=group"
    case mid = "a=mid"
    case rtpmap = "a=rtpmap"
    case fmtp = "a=fmtp"
    case feedback = "a=rtcp-fb"
    case extmap = "a=extmap"
    case ssrc = "a=ssrc"
    case ssrcGroup = "a=ssrc-group"
    case msid = "a=msid"
    case rid = "a=rid"
    case simulcast = "a=simulcast"
    case iceUfrag = "a=ice-ufrag"
    case icePwd = "a=ice-pwd"
    case candidate = "a=candidate"
    case fingerprint = "a=fingerprint"
    case setup = "a=setup"
}

extension SDPError: CustomStringConvertible {
    /// One sentence for whoever sent the description.
    package var description: String {
        switch self {
        case .tooLarge(let limit): "The description is longer than \(limit) bytes."
        case .notText: "The description is not UTF-8 text."
        case .malformedLine(let line): "Line \(line) is not of the form <letter>=<value>."
        case .malformed(let field, let line): "Line \(line): the value of \(field.rawValue) is malformed."
        case .misplaced(let field, let line): "Line \(line): \(field.rawValue) may not stand here."
        case .tooMany(let field, let line, let limit): "Line \(line): more than \(limit) \(field.rawValue)."
        case .missing(let field): "The description has no \(field.rawValue) line."
        }
    }
}
