import Bytes

extension TransportAttributes {
    /// False when the attribute is none of these.
    mutating func receive(_ attribute: AttributeLine) throws(SDPError) -> Bool {
        switch attribute.name {
        case "ice-ufrag": iceUfrag = try attribute.credential(.iceUfrag)
        case "ice-pwd": icePwd = try attribute.credential(.icePwd)
        case "ice-options": iceOptions = attribute.options
        case "fingerprint": fingerprints.append(try Fingerprint(attribute))
        case "setup":
            guard let role = SetupRole(rawValue: try attribute.identifier(.setup).lowercased()) else {
                throw attribute.malformed(.setup)
            }
            setup = role
        default: return false
        }
        return true
    }
}

extension AttributeLine {
    /// A word of 1 to 256 ice-chars (RFC 8839 section 5.4). The lower bounds, 4 and 22, are left to ICE.
    fileprivate func credential(_ field: SDPField) throws(SDPError) -> String {
        var words = words
        guard let word = words.word(), words.isEmpty, word.count <= 256, word.allSatisfy(\.isICECharacter) else {
            throw malformed(field)
        }
        return word.text
    }

    /// Words apart by blanks; libdatachannel puts commas.
    fileprivate var options: [String] {
        (value ?? []).split { $0.isBlank || $0 == UInt8(ascii: ",") }.map(\.text)
    }
}

extension UInt8 {
    /// ALPHA, DIGIT, "+" and "/" of RFC 8839, and "-" and "_" that some clients take from the other base64 alphabet.
    fileprivate var isICECharacter: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "/"), UInt8(ascii: "-"),
            UInt8(ascii: "_"):
            true
        default: false
        }
    }
}

extension Fingerprint {
    /// `<hash> <hex>:<hex>:…`, any case.
    init(_ attribute: AttributeLine) throws(SDPError) {
        var words = attribute.words
        guard let algorithm = words.text()?.lowercased(), let digits = words.word(), words.isEmpty,
            digits.count < SDPLimits.fingerprintBytes * 3
        else { throw attribute.malformed(.fingerprint) }
        var bytes: [UInt8] = []
        for pair in digits.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false) {
            guard pair.count == 2, let byte = [UInt8](hex: pair.text) else { throw attribute.malformed(.fingerprint) }
            bytes += byte
        }
        if let length = Self.length(of: algorithm), length != bytes.count { throw attribute.malformed(.fingerprint) }
        self.init(algorithm: algorithm, bytes: bytes)
    }
}
