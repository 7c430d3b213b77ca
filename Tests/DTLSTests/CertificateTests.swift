import Bytes
import DTLS
import TestSupport
import Testing

@Suite struct CertificateTests {
    @Test("every self-made certificate is another one")
    func fresh() throws {
        let (one, other) = (try Certificate.selfSigned(unixSeconds: 0), try Certificate.selfSigned(unixSeconds: 0))
        #expect(one.fingerprint() != other.fingerprint())
        #expect(one.fingerprint() == one.fingerprint())
    }

    @Test("fingerprints of a known certificate match the openssl command's")
    func known() throws {
        let certificate = try Certificate(pem: PEM.ecCertificate, key: PEM.ecKey)
        #expect(
            certificate.fingerprint().sdp == "sha-256 "
                + "78:A5:70:83:C3:29:56:9C:EF:63:12:A2:82:75:B1:A9:3C:BC:37:57:AF:7E:5C:C3:4C:E0:67:41:F8:37:3A:53"
        )
        #expect(certificate.fingerprint(.sha384).text.hasPrefix("3A:99:D6:7B:08:CE:C0:EE:59:A6:82:13:F4:F4:22:23"))
        #expect(certificate.fingerprint(.sha512).text.hasPrefix("A5:B6:C1:B0:5B:05:E0:66:5A:CE:A4:95:03:4B:5E:2F"))
        #expect(certificate.fingerprint(.sha512).bytes.count == 64)
    }

    @Test("a fingerprint survives its text form, in either case", arguments: Fingerprint.Algorithm.allCases)
    func roundTrip(algorithm: Fingerprint.Algorithm) throws {
        let fingerprint = try Certificate.selfSigned(unixSeconds: 0).fingerprint(algorithm)
        #expect(Fingerprint(sdp: fingerprint.sdp) == fingerprint)
        #expect(Fingerprint(algorithm: algorithm.name.uppercased(), text: fingerprint.text.lowercased()) == fingerprint)
        #expect(Fingerprint(algorithm: algorithm, bytes: fingerprint.bytes) == fingerprint)
        #expect(Fingerprint(algorithm: algorithm, bytes: Array(fingerprint.bytes.dropLast())) == nil)
    }

    static let malformedFingerprints: [String] = [
        "", "sha-256", "sha-256 ", "sha-256 AB",
        "sha-1 " + bytes("AB", 20), "sha-256 " + bytes("AB", 31), "sha-256 " + bytes("AB", 33),
        "sha-256 " + bytes("ABC", 24), "sha-256 " + bytes("AG", 32), "sha-384 " + bytes("AB", 32),
        "sha-256 " + bytes("AB", 32, separator: "-"), "sha-256 " + bytes("AB", 32) + " x", "sha-256 " + bytes("+1", 32),
    ]

    static func bytes(_ digits: String, _ count: Int, separator: String = ":") -> String {
        Array(repeating: digits, count: count).joined(separator: separator)
    }

    @Test("malformed fingerprints are refused", arguments: malformedFingerprints)
    func malformed(text: String) {
        #expect(Fingerprint(sdp: text) == nil)
    }

    @Test("a chain may follow the leaf, up to ten links")
    func chain() throws {
        let ten = Array(repeating: PEM.rsaCertificate, count: 10).flatMap { $0 }
        let certificate = try Certificate(pem: PEM.ecCertificate + ten, key: PEM.ecKey)
        #expect(certificate.fingerprint() == (try Certificate(pem: PEM.ecCertificate, key: PEM.ecKey)).fingerprint())
        #expect(throws: DTLSError.certificateMalformed) {
            try Certificate(pem: PEM.ecCertificate + ten + PEM.rsaCertificate, key: PEM.ecKey)
        }
    }

    @Test("bad PEM text gives one clear error each")
    func badText() {
        #expect(throws: DTLSError.certificateMalformed) { try Certificate(pem: [], key: PEM.ecKey) }
        #expect(throws: DTLSError.certificateMalformed) { try Certificate(pem: PEM.ecKey, key: PEM.ecKey) }
        #expect(throws: DTLSError.certificateMalformed) {
            try Certificate(pem: Array(PEM.ecCertificate.prefix(200)), key: PEM.ecKey)
        }
        #expect(throws: DTLSError.certificateMalformed) {
            try Certificate(pem: PEM.ecCertificate + PEM.rsaCertificate.prefix(200), key: PEM.ecKey)
        }
        #expect(throws: DTLSError.keyMalformed) { try Certificate(pem: PEM.ecCertificate, key: []) }
        #expect(throws: DTLSError.keyMalformed) { try Certificate(pem: PEM.ecCertificate, key: PEM.ecCertificate) }
        #expect(throws: DTLSError.keyMalformed) { try Certificate(pem: PEM.ecCertificate, key: PEM.encryptedKey) }
        #expect(throws: DTLSError.keyMismatch) { try Certificate(pem: PEM.ecCertificate, key: PEM.rsaKey) }
    }

    @Test("missing files give one clear error each")
    func missingFiles() throws {
        #expect(throws: DTLSError.certificateFileUnreadable) {
            try TLSServerContext(certificateFile: "/nonexistent/certificate.pem", keyFile: #filePath)
        }
        #expect(throws: DTLSError.keyFileUnreadable) {
            try TLSServerContext(certificateFile: #filePath, keyFile: "/nonexistent/key.pem")
        }
        #expect(throws: DTLSError.certificateMalformed) {
            try TLSServerContext(certificateFile: #filePath, keyFile: #filePath)
        }
        #expect(throws: DTLSError.certificateMalformed) { try TLSServerContext(certificateFile: "/", keyFile: "/") }
        #expect("\(DTLSError.keyFileUnreadable)" == "The key file is missing or cannot be read.")
    }

    @Test("a pair of files makes a server")
    func files() throws {
        let certificate = try TemporaryFile(PEM.ecCertificate)
        let key = try TemporaryFile(PEM.ecKey)
        _ = try TLSServerContext(certificateFile: certificate.path, keyFile: key.path)
        let both = try TemporaryFile(PEM.ecKey + PEM.ecCertificate)
        _ = try TLSServerContext(certificateFile: both.path, keyFile: both.path)
        let other = try TemporaryFile(PEM.rsaKey)
        #expect(throws: DTLSError.keyMismatch) {
            try TLSServerContext(certificateFile: certificate.path, keyFile: other.path)
        }
    }

    @Test("every error has a sentence")
    func sentences() {

        #expect("\(DTLSError.peerCertificateRejected(10))".contains("expired"))
    }
}
