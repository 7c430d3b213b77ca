extension MediaSection {
    /// `m=<media> <port>[/<count>] <proto> <fmt> …`
    init(parsing line: SDPLine) throws(SDPError) {
        var words = WordReader(line.value)
        guard let kind = words.text(), let ports = words.word(), let transportProtocol = words.text() else {
            throw .malformed(.media, line: line.number)
        }
        let (port, count) = ports.cut(at: "/")
        guard let port = UInt16(decimal: port) else { throw .malformed(.media, line: line.number) }
        guard let formats = words.texts(limit: SDPLimits.formats) else {
            throw .tooMany(.format, line: line.number, limit: SDPLimits.formats)
        }
        guard !formats.isEmpty else { throw .malformed(.media, line: line.number) }
        self.init(kind: Kind(name: kind), port: port, transportProtocol: transportProtocol, formats: formats)
        guard let count else { return }
        guard let count = UInt16(decimal: count), count > 0 else { throw .malformed(.media, line: line.number) }
        portCount = count
    }

    mutating func receive(_ attribute: AttributeLine) throws(SDPError) {
        if try transport.receive(attribute) { return }
        if try receiveRTP(attribute) { return }
        switch attribute.name {
        case "mid": mid = try attribute.identifier(.mid)
        case "sendrecv", "sendonly", "recvonly", "inactive": direction = Direction(rawValue: attribute.name)
        case "bundle-only": isBundleOnly = true
        case "rtcp-mux": rtcpMux = true
        case "rtcp-mux-only": rtcpMuxOnly = true
        case "rtcp-rsize": rtcpReducedSize = true
        case "candidate": candidates.append(try attribute.candidate())
        case "end-of-candidates": endOfCandidates = true
        default: otherAttributes.append(attribute.raw)
        }
    }

    /// False when the attribute is none of RTP's.
    private mutating func receiveRTP(_ attribute: AttributeLine) throws(SDPError) -> Bool {
        switch attribute.name {
        case "rtpmap": rtpmaps.append(try RTPMap(attribute))
        case "fmtp":
            // Formats other than payload types are the business of their own protocols.
            guard let parameters = try FormatParameters(attribute) else { return false }
            formatParameters.append(parameters)
        case "rtcp-fb": feedback.append(try RTCPFeedback(attribute))
        case "extmap": extensions.append(try ExtensionMapping(attribute))
        case "ssrc": ssrcs.append(try SSRCAttribute(attribute))
        case "ssrc-group": ssrcGroups.append(try SSRCGroup(attribute))
        case "msid": msids.append(try MediaStreamID(attribute))
        case "rid": rids.append(try RestrictionID(attribute))
        case "simulcast": simulcast = try Simulcast(attribute)
        default: return false
        }
        return true
    }
}

extension MediaGroup {
    init(_ attribute: AttributeLine) throws(SDPError) {
        var words = attribute.words
        guard let semantics = words.text() else { throw attribute.malformed(.group) }
        guard let mids = words.texts(limit: SDPLimits.groupMembers) else {
            throw .tooMany(.group, line: attribute.line, limit: SDPLimits.groupMembers)
        }
        self.init(semantics: semantics, mids: mids)
    }
}
