// SDP reads and writes the session descriptions of WebRTC (RFC 8866 with the attributes of RFC 8829, 8839, 8842, 8851,
// 8853, 8285, 5576, 4585 and 9143) and trickle fragments (RFC 8840). It knows the text and nothing of its meaning:
// choosing codecs, roles and transports is the business of its users.
//
// Reading takes each line once. `\n` ends a line as well as `\r\n`; blank lines and blanks at a line's end do not
// count. An unknown attribute is kept as text and written again behind the known ones; a known one must keep its
// grammar. Of lines other than v, o, s, t, c, b, a and m only the form is checked: WebRTC has no use for them, and they
// are not written again.

/// A session description: what `createOffer` and `createAnswer` produce.
package struct SessionDescription: Equatable, Sendable {
    package var origin: Origin
    /// `s=`; "-" when there is none.
    package var name: String
    package var timing: Timing
    /// `c=` at session level, as text ("IN IP4 0.0.0.0").
    package var connection: String?
    package var bandwidths: [Bandwidth]
    /// `a=group` (RFC 5888, 9143), BUNDLE and others.
    package var groups: [MediaGroup]
    /// `a=msid-semantic`, as text; of no meaning any more (RFC 8830 section 2), yet older clients look for it.
    package var msidSemantic: String?
    /// `a=ice-lite` (RFC 8839 section 5.3).
    package var isICELite: Bool
    /// `a=extmap-allow-mixed` (RFC 8285 section 4.1.2).
    package var allowsMixedExtensions: Bool
    /// `a=sendrecv` and so on at session level: the default of sections that state none.
    package var direction: Direction?
    /// `a=end-of-candidates` at session level (RFC 8840 section 4.2).
    package var endOfCandidates: Bool
    /// ICE and DTLS attributes at session level: defaults for the sections.
    package var transport: TransportAttributes
    /// `a=extmap` at session level (RFC 8285 section 6): hold for every section.
    package var extensions: [ExtensionMapping]
    /// Attributes that this module does not know, in their order.
    package var otherAttributes: [SDPAttribute]
    package var media: [MediaSection]

    package init(origin: Origin, name: String = "-", media: [MediaSection] = []) {
        self.origin = origin
        self.name = name
        self.timing = Timing()
        self.connection = nil
        self.bandwidths = []
        self.groups = []
        self.msidSemantic = nil
        self.isICELite = false
        self.allowsMixedExtensions = false
        self.direction = nil
        self.endOfCandidates = false
        self.transport = TransportAttributes()
        self.extensions = []
        self.otherAttributes = []
        self.media = media
    }

    /// Mids of the first BUNDLE group, in its order; nil without one (RFC 9143).
    package var bundle: [String]? { groups.first { $0.semantics == "BUNDLE" }?.mids }

    /// The transport attributes that hold for `section`: its own, and the session's for what it leaves out.
    package func transport(of section: MediaSection) -> TransportAttributes {
        section.transport.filled(from: transport)
    }

    /// The direction that holds for `section` (RFC 8866 section 6.7): its own, the session's, or sendrecv.
    package func direction(of section: MediaSection) -> Direction { section.direction ?? direction ?? .sendrecv }

    /// The header extensions that hold for `section`.
    package func extensions(of section: MediaSection) -> [ExtensionMapping] { extensions + section.extensions }
}

/// `o=` (RFC 8866 section 5.2).
package struct Origin: Equatable, Sendable {
    package var username: String
    package var sessionID: UInt64
    package var sessionVersion: UInt64
    /// Net type, address type and address ("IN IP4 0.0.0.0"); names nobody in WebRTC.
    package var address: String

    package init(username: String = "-", sessionID: UInt64, sessionVersion: UInt64, address: String = "IN IP4 0.0.0.0")
    {
        self.username = username
        self.sessionID = sessionID
        self.sessionVersion = sessionVersion
        self.address = address
    }
}

/// `t=` (RFC 8866 section 5.9), NTP seconds; always 0 0 in WebRTC.
package struct Timing: Equatable, Sendable {
    package var start: UInt64
    package var stop: UInt64

    package init(start: UInt64 = 0, stop: UInt64 = 0) {
        self.start = start
        self.stop = stop
    }
}

/// `b=` (RFC 8866 section 5.8): AS in kbit/s, TIAS in bit/s.
package struct Bandwidth: Equatable, Sendable {
    package var type: String
    package var value: UInt64

    package init(type: String, value: UInt64) {
        self.type = type
        self.value = value
    }
}

/// `a=group` (RFC 5888 section 5).
package struct MediaGroup: Equatable, Sendable {
    /// "BUNDLE", "LS", …
    package var semantics: String
    package var mids: [String]

    package init(semantics: String, mids: [String]) {
        self.semantics = semantics
        self.mids = mids
    }
}

/// An attribute as it stands: `a=<name>` or `a=<name>:<value>`.
package struct SDPAttribute: Equatable, Sendable {
    package var name: String
    /// Nil for a property attribute, that is one without a colon.
    package var value: String?

    package init(name: String, value: String? = nil) {
        self.name = name
        self.value = value
    }
}

/// `a=sendrecv` and its kin (RFC 8866 section 6.7), seen by whoever wrote the description.
package enum Direction: String, Equatable, Sendable, CaseIterable {
    case sendrecv, sendonly, recvonly, inactive

    package var sends: Bool { self == .sendrecv || self == .sendonly }
    package var receives: Bool { self == .sendrecv || self == .recvonly }

    /// The same flow, seen by the other side.
    package var reversed: Direction {
        switch self {
        case .sendonly: .recvonly
        case .recvonly: .sendonly
        case .sendrecv, .inactive: self
        }
    }
}
