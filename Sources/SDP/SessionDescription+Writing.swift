import Bytes

extension SessionDescription {
    /// The description in the order of RFC 8866, lines ending in CR LF. Reading it again gives an equal value.
    package func serialized() -> [UInt8] {
        var writer = SDPWriter()
        writer.line("v", "0")
        writer.line("o", "\(origin.username) \(origin.sessionID) \(origin.sessionVersion) \(origin.address)")
        writer.line("s", name.isEmpty ? "-" : name)
        if let connection { writer.line("c", connection) }
        for bandwidth in bandwidths { writer.line("b", "\(bandwidth.type):\(bandwidth.value)") }
        writer.line("t", "\(timing.start) \(timing.stop)")
        writeAttributes(to: &writer)
        for section in media { section.write(to: &writer) }
        return writer.bytes
    }

    /// `serialized()` as text.
    package var text: String { String(decoding: serialized(), as: UTF8.self) }

    /// The session's attributes: all of a description's, and all that a fragment may have.
    func writeAttributes(to writer: inout SDPWriter) {
        writer.attributes("group", groups.map(\.text))
        writer.attribute("msid-semantic", msidSemantic)
        writer.attribute("ice-lite", if: isICELite)
        writer.attribute("extmap-allow-mixed", if: allowsMixedExtensions)
        transport.write(to: &writer)
        if let direction { writer.attribute(direction.rawValue) }
        writer.attributes("extmap", extensions.map(\.text))
        writer.attribute("end-of-candidates", if: endOfCandidates)
        writer.others(otherAttributes)
    }
}

extension MediaSection {
    func write(to writer: inout SDPWriter) {
        let ports = portCount == 1 ? String(port) : "\(port)/\(portCount)"
        writer.line("m", ([kind.name, ports, transportProtocol] + formats).joined(separator: " "))
        if let connection { writer.line("c", connection) }
        for bandwidth in bandwidths { writer.line("b", "\(bandwidth.type):\(bandwidth.value)") }
        writer.attribute("mid", mid)
        writer.attribute("bundle-only", if: isBundleOnly)
        transport.write(to: &writer)
        if let direction { writer.attribute(direction.rawValue) }
        writer.attribute("rtcp-mux", if: rtcpMux)
        writer.attribute("rtcp-mux-only", if: rtcpMuxOnly)
        writer.attribute("rtcp-rsize", if: rtcpReducedSize)
        writeRTP(to: &writer)
        writer.others(otherAttributes)
        for candidate in candidates { writer.attribute(candidate) }
        writer.attribute("end-of-candidates", if: endOfCandidates)
    }

    private func writeRTP(to writer: inout SDPWriter) {
        writer.attributes("extmap", extensions.map(\.text))
        writer.attributes("rtpmap", rtpmaps.map(\.text))
        writer.attributes("rtcp-fb", feedback.map(\.text))
        writer.attributes("fmtp", formatParameters.map(\.text))
        writer.attributes("msid", msids.map(\.text))
        writer.attributes("rid", rids.map(\.text))
        writer.attribute("simulcast", simulcast?.text)
        writer.attributes("ssrc-group", ssrcGroups.map(\.text))
        writer.attributes("ssrc", ssrcs.map { "\($0.ssrc) \($0.attribute.text)" })
    }
}

extension TransportAttributes {
    func write(to writer: inout SDPWriter) {
        writer.attribute("ice-ufrag", iceUfrag)
        writer.attribute("ice-pwd", icePwd)
        if !iceOptions.isEmpty { writer.attribute("ice-options", iceOptions.joined(separator: " ")) }
        writer.attributes("fingerprint", fingerprints.map(\.text))
        writer.attribute("setup", setup?.rawValue)
    }
}

extension MediaGroup {
    var text: String { ([semantics] + mids).joined(separator: " ") }
}

extension Fingerprint {
    /// The value of the attribute: "sha-256 4A:AD:…".
    package var text: String { algorithm + " " + String(hex: bytes, separator: ":", uppercase: true) }
}

extension RTPMap {
    var text: String { "\(payloadType) \(name)/\(clockRate)" + (channels.map { "/\($0)" } ?? "") }
}

extension FormatParameters {
    var text: String {
        let parts = parameters.map { part in part.value.map { part.name + "=" + $0 } ?? part.name }
        return parts.isEmpty ? String(payloadType) : "\(payloadType) " + parts.joined(separator: ";")
    }
}

extension RTCPFeedback {
    var text: String {
        [payloadType.map(String.init) ?? "*", type, parameter].compactMap(\.self).joined(separator: " ")
    }
}

extension ExtensionMapping {
    var text: String {
        let id = direction.map { "\(self.id)/\($0.rawValue)" } ?? String(self.id)
        return [id, uri, parameters].compactMap(\.self).joined(separator: " ")
    }
}

extension MediaStreamID {
    var text: String { track.map { stream + " " + $0 } ?? stream }
}

extension SSRCGroup {
    var text: String { ([semantics] + ssrcs.map(String.init)).joined(separator: " ") }
}

extension RestrictionID {
    var text: String { [id, direction.rawValue, restrictions].compactMap(\.self).joined(separator: " ") }
}

extension Simulcast {
    var text: String {
        let lists = [("send", send), ("recv", receive)].filter { !$0.1.isEmpty }
        return lists.map { way, streams in
            let text = streams.map { $0.map { ($0.isPaused ? "~" : "") + $0.rid }.joined(separator: ",") }
            return way + " " + text.joined(separator: ";")
        }.joined(separator: " ")
    }
}
