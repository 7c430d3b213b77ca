/// What a section, or the session for all of them, says of ICE and DTLS.
package struct TransportAttributes: Equatable, Sendable {
    /// `a=ice-ufrag` (RFC 8839 section 5.4).
    package var iceUfrag: String?
    /// `a=ice-pwd` (RFC 8839 section 5.4); a secret of the session.
    package var icePwd: String?
    /// `a=ice-options` (RFC 8839 section 5.6): "trickle", "ice2", …
    package var iceOptions: [String]
    /// `a=fingerprint` (RFC 8122): any one of them may match.
    package var fingerprints: [Fingerprint]
    /// `a=setup` (RFC 4145, RFC 8842).
    package var setup: SetupRole?

    package init(
        iceUfrag: String? = nil, icePwd: String? = nil, iceOptions: [String] = [], fingerprints: [Fingerprint] = [],
        setup: SetupRole? = nil
    ) {
        self.iceUfrag = iceUfrag
        self.icePwd = icePwd
        self.iceOptions = iceOptions
        self.fingerprints = fingerprints
        self.setup = setup
    }

    /// These attributes, with those of `defaults` where there are none. Ufrag and password stay a pair.
    package func filled(from defaults: TransportAttributes) -> TransportAttributes {
        var result = self
        if iceUfrag == nil && icePwd == nil {
            result.iceUfrag = defaults.iceUfrag
            result.icePwd = defaults.icePwd
        }
        if iceOptions.isEmpty { result.iceOptions = defaults.iceOptions }
        if fingerprints.isEmpty { result.fingerprints = defaults.fingerprints }
        if setup == nil { result.setup = defaults.setup }
        return result
    }
}

/// A hash of the certificate that DTLS will show (RFC 8122 section 5).
package struct Fingerprint: Equatable, Hashable, Sendable {
    /// Lower case: "sha-256".
    package var algorithm: String
    package var bytes: [UInt8]

    package init(algorithm: String, bytes: [UInt8]) {
        self.algorithm = algorithm
        self.bytes = bytes
    }

    /// Octets that `algorithm` gives; nil when it is unknown here.
    static func length(of algorithm: String) -> Int? {
        switch algorithm {
        case "md5": 16
        case "sha-1": 20
        case "sha-224": 28
        case "sha-256": 32
        case "sha-384": 48
        case "sha-512": 64
        default: nil
        }
    }
}

/// `a=setup` (RFC 4145 section 4): who starts the DTLS handshake.
package enum SetupRole: String, Equatable, Sendable {
    case actpass, active, passive, holdconn
}
