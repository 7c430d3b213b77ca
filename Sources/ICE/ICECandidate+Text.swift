import Bytes

extension ICECandidate {
    /// Parses `candidate:…`, with or without `a=` before it (RFC 8839 section 5.1). Extensions other than `tcptype`
    /// and `ufrag` are passed over.
    package init(parsing text: some StringProtocol) throws(ICEError) {
        guard text.utf8.count <= ICELimits.candidateBytes else { throw .tooLarge }
        var fields = text.split(separator: " " as Character, omittingEmptySubsequences: true).map { String($0) }[...]
        guard fields.count >= 8, let first = fields.popFirst() else { throw .malformedCandidate }
        foundation = try Self.foundation(inPrefix: first)
        component = UInt16(try Self.number(fields.popFirst(), in: 1...256))
        let transportText = fields.popFirst()?.lowercased() ?? ""
        priority = UInt32(try Self.number(fields.popFirst(), in: 0...UInt64(UInt32.max)))
        let host = fields.popFirst() ?? ""
        let port = UInt16(try Self.number(fields.popFirst(), in: 0...65_535))
        endpoint = try Self.endpoint(host, port)
        guard fields.popFirst()?.lowercased() == "typ" else { throw .malformedCandidate }
        guard let transport = ICETransport(rawValue: transportText),
            let kind = ICECandidateKind(rawValue: fields.popFirst()?.lowercased() ?? "")
        else { throw .unsupportedCandidate }
        self.transport = transport
        self.kind = kind
        try readExtensions(fields)
        guard (transport == .tcp) == (tcpType != nil) else { throw .malformedCandidate }
    }

    private mutating func readExtensions(_ fields: ArraySlice<String>) throws(ICEError) {
        var fields = fields
        var relatedHost: String?
        while let name = fields.popFirst() {
            guard let value = fields.popFirst() else { throw .malformedCandidate }
            switch name.lowercased() {
            case "raddr": relatedHost = value
            case "rport":
                let port = UInt16(try Self.number(value, in: 0...65_535))
                related = relatedHost.flatMap { TransportAddress(host: $0, port: port) }
            case "tcptype":
                guard let type = ICETCPType(rawValue: value.lowercased()) else { throw .unsupportedCandidate }
                tcpType = type
            case "ufrag":
                guard ICELimits.fragmentCharacters.contains(value.utf8.count) else { throw .malformedCandidate }
                fragment = value
            default: break
            }
        }
    }

    private static func foundation(inPrefix first: String) throws(ICEError) -> String {
        let parts = first.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0] == "candidate" || parts[0] == "a=candidate",
            ICELimits.foundationCharacters.contains(parts[1].utf8.count),
            parts[1].utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else { throw .malformedCandidate }
        return String(parts[1])
    }

    private static func number(_ text: String?, in range: ClosedRange<UInt64>) throws(ICEError) -> UInt64 {
        guard let text, text.utf8.count <= 10, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let value = UInt64(text), range.contains(value)
        else { throw .malformedCandidate }
        return value
    }

    private static func endpoint(_ host: String, _ port: UInt16) throws(ICEError) -> Endpoint {
        if let address = TransportAddress(host: host, port: port) { return .address(address) }
        guard (1...ICELimits.nameBytes).contains(host.utf8.count), host.utf8.allSatisfy(isNameByte) else {
            throw .malformedCandidate
        }
        return .name(host, port: port)
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}

extension ICECandidate: CustomStringConvertible {
    /// `candidate:…`, the value of the SDP attribute with its name and without `a=`.
    package var description: String {
        let (host, port) =
            switch endpoint {
            case .address(let address): (address.host, address.port)
            case .name(let name, let port): (name, port)
            }
        var text = "candidate:\(foundation) \(component) \(transport.rawValue) \(priority) \(host) \(port)"
        text += " typ \(kind.rawValue)"
        if let related { text += " raddr \(related.host) rport \(related.port)" }
        if let tcpType { text += " tcptype \(tcpType.rawValue)" }
        if let fragment { text += " ufrag \(fragment)" }
        return text
    }
}
