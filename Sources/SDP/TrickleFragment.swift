/// Candidates and credentials that follow a description: `application/trickle-ice-sdpfrag` (RFC 8840 section 9).
///
/// Its `m=` lines only name sections, by their mids; ports and formats say nothing.
package struct TrickleFragment: Equatable, Sendable {
    package var groups: [MediaGroup]
    /// Credentials and options for all sections; a new ufrag and password mean an ICE restart.
    package var transport: TransportAttributes
    /// `a=ice-lite` (RFC 8839 section 5.3): an answer to a restart says it again (RFC 9725 section 4.3.3).
    package var isICELite: Bool
    /// No more candidates for any section.
    package var endOfCandidates: Bool
    package var otherAttributes: [SDPAttribute]
    package var media: [MediaSection]

    package init(transport: TransportAttributes = TransportAttributes(), media: [MediaSection] = []) {
        self.groups = []
        self.transport = transport
        self.isICELite = false
        self.endOfCandidates = false
        self.otherAttributes = []
        self.media = media
    }

    /// Reads a fragment; the lines that begin a description (v, o) may not stand in one.
    package init(parsing bytes: [UInt8]) throws(SDPError) {
        var lines = try SDPLineReader(bytes)
        var reader = DescriptionReader(isFragment: true)
        while let line = try lines.next() { try reader.receive(line) }
        let description = try reader.finish()
        self.init(transport: description.transport, media: description.media)
        groups = description.groups
        isICELite = description.isICELite
        endOfCandidates = description.endOfCandidates
        otherAttributes = description.otherAttributes
    }

    /// The fragment, lines ending in CR LF. Reading it again gives an equal value.
    package func serialized() -> [UInt8] {
        var writer = SDPWriter()
        var attributes = SessionDescription(origin: Origin(sessionID: 0, sessionVersion: 0))
        attributes.groups = groups
        attributes.transport = transport
        attributes.isICELite = isICELite
        attributes.endOfCandidates = endOfCandidates
        attributes.otherAttributes = otherAttributes
        attributes.writeAttributes(to: &writer)
        for section in media { section.write(to: &writer) }
        return writer.bytes
    }

    /// All candidates, in order, with the mid that they are for where one was given.
    package var candidates: [(mid: String?, candidate: String)] {
        media.flatMap { section in section.candidates.map { (mid: section.mid, candidate: $0) } }
    }
}
