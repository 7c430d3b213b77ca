import Bytes

/// The hash of a certificate as SDP carries it (RFC 8122 section 5).
package struct Fingerprint: Hashable, Sendable {
    /// In order of strength. SHA-1 and MD5 are not accepted.
    package enum Algorithm: Int, Comparable, Sendable, CaseIterable {
        case sha256
        case sha384
        case sha512

        package var byteCount: Int {
            switch self {
            case .sha256: 32
            case .sha384: 48
            case .sha512: 64
            }
        }

        /// As in SDP.
        package var name: String {
            switch self {
            case .sha256: "sha-256"
            case .sha384: "sha-384"
            case .sha512: "sha-512"
            }
        }

        package static func < (one: Algorithm, other: Algorithm) -> Bool { one.rawValue < other.rawValue }
    }

    package let algorithm: Algorithm
    /// As many as `algorithm.byteCount`.
    package let bytes: [UInt8]

    /// Nil when the number of bytes is not the algorithm's.
    package init?(algorithm: Algorithm, bytes: [UInt8]) {
        guard bytes.count == algorithm.byteCount else { return nil }
        self.algorithm = algorithm
        self.bytes = bytes
    }

    /// From the two words of an `a=fingerprint` line: `sha-256` and `4A:AD:…`, both in either case. Nil for other algorithms
    /// and for anything that does not have exactly the right form.
    package init?(algorithm name: some StringProtocol, text: some StringProtocol) {
        let name = name.lowercased()
        guard let algorithm = Algorithm.allCases.first(where: { $0.name == name }),
            text.utf8.count == algorithm.byteCount * 3 - 1
        else { return nil }
        var bytes: [UInt8] = []
        for pair in text.split(separator: ":", omittingEmptySubsequences: false) {
            guard pair.utf8.count == 2, let byte = [UInt8](hex: pair) else { return nil }
            bytes += byte
        }
        self.init(algorithm: algorithm, bytes: bytes)
    }

    /// The value of an `a=fingerprint` line, both words.
    package init?(sdp value: some StringProtocol) {
        let words = value.split(separator: " ")
        guard words.count == 2 else { return nil }
        self.init(algorithm: words[0], text: words[1])
    }

    /// `4A:AD:…`: upper case, as RFC 8122 wants it.
    package var text: String { String(hex: bytes, separator: ":", uppercase: true) }

    /// The value of an `a=fingerprint` line: `sha-256 4A:AD:…`.
    package var sdp: String { algorithm.name + " " + text }
}
