extension RTPMap {
    init(_ attribute: AttributeLine) throws(SDPError) {
        var words = attribute.words
        guard let payloadType = words.integer(UInt8.self, upTo: 127), let encoding = words.word(), words.isEmpty else {
            throw attribute.malformed(.rtpmap)
        }
        let (name, rest) = encoding.cut(at: "/")
        guard !name.isEmpty, let (rate, channels) = rest?.cut(at: "/"), let rate = UInt32(decimal: rate), rate > 0
        else {
            throw attribute.malformed(.rtpmap)
        }
        self.init(payloadType: payloadType, name: name.text, clockRate: rate)
        guard let channels else { return }
        guard let count = UInt8(decimal: channels) else { throw attribute.malformed(.rtpmap) }
        self.channels = count
    }
}

extension FormatParameters {
    /// Nil when the format is no payload type.
    init?(_ attribute: AttributeLine) throws(SDPError) {
        var words = attribute.words
        guard let format = words.word() else { throw attribute.malformed(.fmtp) }
        guard let payloadType = UInt8(decimal: format, upTo: 127) else { return nil }
        self.init(payloadType: payloadType)
        guard let rest = words.rest() else { return }
        for part in rest.utf8.split(separator: UInt8(ascii: ";")) {
            let part = ArraySlice(part).trimmed
            if part.isEmpty { continue }
            guard parameters.count < SDPLimits.parameters else {
                throw .tooMany(.fmtp, line: attribute.line, limit: SDPLimits.parameters)
            }
            let (name, value) = part.cut(at: "=")
            parameters.append(Parameter(name: name.text, value: value?.text))
        }
    }
}

extension RTCPFeedback {
    init(_ attribute: AttributeLine) throws(SDPError) {
        var words = attribute.words
        guard let format = words.word(), let type = words.text() else { throw attribute.malformed(.feedback) }
        if format.elementsEqual("*".utf8) {
            self.init(payloadType: nil, type: type, parameter: words.rest())
        } else {
            guard let payloadType = UInt8(decimal: format, upTo: 127) else { throw attribute.malformed(.feedback) }
            self.init(payloadType: payloadType, type: type, parameter: words.rest())
        }
    }
}

extension ExtensionMapping {
    init(_ attribute: AttributeLine) throws(SDPError) {
        var words = attribute.words
        guard let (id, way) = words.word()?.cut(at: "/"), let uri = words.text(),
            let id = UInt16(decimal: id, upTo: 4351),
            (1...255).contains(id) || id >= 4096
        else { throw attribute.malformed(.extmap) }
        self.init(id: id, uri: uri, parameters: words.rest())
        guard let way else { return }
        guard let direction = Direction(rawValue: way.text) else { throw attribute.malformed(.extmap) }
        self.direction = direction
    }
}

extension MediaStreamID {
    init(_ attribute: AttributeLine) throws(SDPError) {
        var words = attribute.words
        guard let stream = words.text() else { throw attribute.malformed(.msid) }
        self.init(stream: stream, track: words.text())
        guard words.isEmpty else { throw attribute.malformed(.msid) }
    }
}

extension SSRCAttribute {
    init(_ attribute: AttributeLine) throws(SDPError) {
        var words = attribute.words
        guard let ssrc = words.integer(UInt32.self), let rest = words.rest() else { throw attribute.malformed(.ssrc) }
        let (name, value) = ArraySlice(rest.utf8).cut(at: ":")
        guard !name.isEmpty else { throw attribute.malformed(.ssrc) }
        self.init(ssrc: ssrc, name: name.text, value: value?.text)
    }
}

extension SSRCGroup {
    init(_ attribute: AttributeLine) throws(SDPError) {
        var words = attribute.words
        guard let semantics = words.text() else { throw attribute.malformed(.ssrcGroup) }
        self.init(semantics: semantics, ssrcs: [])
        while !words.isEmpty {
            guard let ssrc = words.integer(UInt32.self) else { throw attribute.malformed(.ssrcGroup) }
            guard ssrcs.count < SDPLimits.groupMembers else {
                throw .tooMany(.ssrcGroup, line: attribute.line, limit: SDPLimits.groupMembers)
            }
            ssrcs.append(ssrc)
        }
    }
}

extension RestrictionID {
    init(_ attribute: AttributeLine) throws(SDPError) {
        var words = attribute.words
        guard let id = words.word(), Self.isValid(id), let way = words.text(),
            let direction = StreamDirection(rawValue: way)
        else { throw attribute.malformed(.rid) }
        self.init(id: id.text, direction: direction, restrictions: words.rest())
    }

    /// Letters, digits, "-" and "_" (RFC 8851 section 10).
    static func isValid(_ id: ArraySlice<UInt8>) -> Bool {
        !id.isEmpty && id.count <= SDPLimits.identifierBytes
            && id.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
    }
}

extension Simulcast {
    /// One or both of `send <list>` and `recv <list>`, each at most once.
    init(_ attribute: AttributeLine) throws(SDPError) {
        self.init()
        var words = attribute.words
        while let way = words.text() {
            guard let direction = StreamDirection(rawValue: way), let list = words.word() else {
                throw attribute.malformed(.simulcast)
            }
            let streams = try Self.streams(list, attribute)
            switch direction {
            case .send where send.isEmpty: send = streams
            case .recv where receive.isEmpty: receive = streams
            default: throw attribute.malformed(.simulcast)
            }
        }
        guard !send.isEmpty || !receive.isEmpty else { throw attribute.malformed(.simulcast) }
    }

    /// Streams apart by ";", alternatives of one stream by ",".
    private static func streams(
        _ list: ArraySlice<UInt8>, _ attribute: AttributeLine
    ) throws(SDPError) -> [[Alternative]] {
        var count = 0
        var streams: [[Alternative]] = []
        for stream in list.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false) {
            var alternatives: [Alternative] = []
            for part in stream.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
                count += 1
                guard count <= SDPLimits.parameters else {
                    throw .tooMany(.simulcast, line: attribute.line, limit: SDPLimits.parameters)
                }
                let isPaused = part.first == UInt8(ascii: "~")
                let rid = isPaused ? part.dropFirst() : part
                guard RestrictionID.isValid(rid) else { throw attribute.malformed(.simulcast) }
                alternatives.append(Alternative(rid: rid.text, isPaused: isPaused))
            }
            streams.append(alternatives)
        }
        return streams
    }
}
