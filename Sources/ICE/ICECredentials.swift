import Bytes

/// User fragment and password of one side for one ICE generation (RFC 8839 section 5.4).
package struct ICECredentials: Equatable, Sendable {
    package let fragment: String
    package let password: String
    /// The same in bytes, as USERNAME and HMAC want them.
    let fragmentBytes: [UInt8]
    let passwordBytes: [UInt8]

    /// Random bytes that `init(random:)` wants.
    package static let randomBytes = 24

    /// From the peer's description.
    package init(fragment: String, password: String) throws(ICEError) {
        let fragmentBytes = Array(fragment.utf8)
        let passwordBytes = Array(password.utf8)
        guard ICELimits.fragmentCharacters.contains(fragmentBytes.count),
            ICELimits.passwordCharacters.contains(passwordBytes.count),
            fragmentBytes.allSatisfy(Self.isICECharacter), passwordBytes.allSatisfy(Self.isICECharacter)
        else { throw .malformedCredentials }
        self.init(fragment, password, fragmentBytes, passwordBytes)
    }

    /// Our own: 8 characters (48 bits) of fragment and 24 (144 bits) of password from 24 cryptographically random
    /// bytes.
    package init(random bytes: [UInt8]) {
        precondition(bytes.count >= Self.randomBytes, "credentials are made of 24 random bytes")
        let fragment = String(base64: Array(bytes[..<6]))
        let password = String(base64: Array(bytes[6..<24]))
        self.init(fragment, password, Array(fragment.utf8), Array(password.utf8))
    }

    private init(_ fragment: String, _ password: String, _ fragmentBytes: [UInt8], _ passwordBytes: [UInt8]) {
        self.fragment = fragment
        self.password = password
        self.fragmentBytes = fragmentBytes
        self.passwordBytes = passwordBytes
    }

    /// ice-char: letters, digits, "+" and "/".
    static func isICECharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "/"):
            true
        default: false
        }
    }

    /// Whether USERNAME names these credentials: `<fragment>:<anything>`.
    func isNamed(by username: RawSpan) -> Bool {
        let count = fragmentBytes.count
        return username.byteCount > count && username[count] == UInt8(ascii: ":")
            && username.extracting(0..<count).elementsEqual(fragmentBytes.rawSpan)
    }
}
