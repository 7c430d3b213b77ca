import DTLS
import TestSupport
import Testing

/// The vectors of RFC 3711 appendix B and RFC 7714 sections 16 and 17.
@Suite struct SRTPVectorTests {
    @Test("RFC 3711 appendix B.3: session keys from a master key")
    func derivation() throws {
        let master = hex("e1f97a0d3e018be0d64fa32c06de4139 0ec675ad498afeebb6960b3aabe6")
        let keys = try SRTPKeys(.media, profile: .aes128CMSHA1With80BitTag, master: master)
        #expect(keys.cipher == hex("c61e7a93744f39ee10734afe3ff7a087"))
        #expect(keys.salt == hex("30cbbc08863d8c85d49db34a9ae1"))
        #expect(keys.authentication == hex("cebe321f6ff7716b6fd4ab49af256a156d38baa4"))
    }

    @Test("RFC 3711 appendix B.2: the key stream of AES in counter mode")
    func keyStream() throws {
        let keys = SRTPKeys(
            cipher: hex("2b7e151628aed2a6abf7158809cf4f3c"), authentication: [UInt8](repeating: 0, count: 20),
            salt: hex("f0f1f2f3f4f5f6f7f8f9fafbfcfd"))
        let sender = try session(.sending, .aes128CMSHA1With80BitTag, keys)
        // SSRC and index are 0, and so is what is encrypted.
        let packet = sender.protected(hex("8060 0000 00000000 00000000") + [UInt8](repeating: 0, count: 48))
        #expect(
            Array(packet[12..<60])
                == hex(
                    "e03ead0935c95e80e166b16dd92b4eb4 d23513162b02d0f72a43a2fe4a5f97ab 41e95b3bb0a2e8dd477901e4fca894c0"
                ))
    }

    struct Vector: Sendable {
        let profile: SRTPProfile
        let rtp: [UInt8]
        let rtcp: [UInt8]
    }

    static let gcm = [
        Vector(
            profile: .aeadAES128GCM,
            rtp: hex(
                """
                8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a 51c7d19b 36de3adf
                8833899d 7f27beb1 6a9152cf 765ee439 0cce
                """),
            rtcp: hex(
                """
                81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1 730d6fda 4ce09b46 86303ded
                0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4
                """)),
        Vector(
            profile: .aeadAES256GCM,
            rtp: hex(
                """
                8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3 b50b2a02 76ffae0f 1ba63799
                b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13
                """),
            rtcp: hex(
                """
                81c8000d 4d617273 d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d bffe0a50 a2eaa5c1 110555be 8415f658 c61de047
                6f1b6fad 1d1eb30c 4446839f 57ff6f6c b26ac3be 800005d4
                """)),
    ]
    static let rtp = hex("8040f17b 8041f8d3 5501a0b2") + Array("Gallia est omnis divisa in partes tres".utf8)
    static let rtcp = hex(
        """
        81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef deadbeef deadbeef deadbeef
        deadbeef
        """)

    private static func keys(_ vector: Vector) -> SRTPKeys {
        SRTPKeys(
            cipher: (0..<UInt8(vector.profile.keyBytes)).map { $0 }, authentication: [],
            salt: hex("517569642070726f2071756f"))
    }

    @Test("RFC 7714 sections 16.1 to 17.2: sealing", arguments: gcm)
    func seal(vector: Vector) throws {
        let sender = try session(.sending, vector.profile, Self.keys(vector))
        #expect(sender.protected(Self.rtp) == vector.rtp)
        sender.resume(0x4D61_7273, index: 0, controlIndex: 0x5D3)
        #expect(sender.protected(Self.rtcp, rtcp: true) == vector.rtcp)
    }

    @Test("RFC 7714 sections 16.1 to 17.2: opening", arguments: gcm)
    func open(vector: Vector) throws {
        let receiver = try session(.receiving, vector.profile, Self.keys(vector))
        #expect(receiver.unprotected(vector.rtp) == Received(.ok, Self.rtp))
        #expect(receiver.unprotected(vector.rtcp, rtcp: true) == Received(.ok, Self.rtcp))
    }

    @Test("RFC 7714 section 17.3: RTCP that is tagged and not encrypted is refused")
    func tagOnly() throws {
        let receiver = try session(.receiving, .aeadAES128GCM, Self.keys(Self.gcm[0]))
        let packet = Self.rtcp + hex("841dd968 3dd78ec9 2ae58790 125f62b3 000005d4")
        #expect(receiver.unprotected(packet, rtcp: true) == Received(.malformed))
    }

    @Test("keys of a wrong length make no session", arguments: SRTPProfile.allCases)
    func lengths(profile: SRTPProfile) throws {
        let right = try SRTPKeys(
            .media, profile: profile, master: .init(repeating: 1, count: profile.keyBytes + profile.saltBytes))
        let wrong = [
            SRTPKeys(cipher: right.cipher + [0], authentication: right.authentication, salt: right.salt),
            SRTPKeys(cipher: right.cipher, authentication: right.authentication, salt: right.salt.dropLast()),
        ]
        for keys in wrong {
            #expect(throws: DTLSError.srtpKeyMaterialMalformed) { try session(.sending, profile, keys) }
        }
        #expect("\(right)" == "SRTPKeys")
        #expect(String(reflecting: right) == "SRTPKeys")
    }

    @discardableResult
    private func session(
        _ direction: SRTPSession.Direction, _ profile: SRTPProfile, _ keys: SRTPKeys
    ) throws -> SRTPSession {
        try SRTPSession(direction, profile: profile, mediaKeys: keys, controlKeys: keys)
    }
}
