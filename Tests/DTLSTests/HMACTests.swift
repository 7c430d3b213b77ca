import Bytes
import DTLS
import TestSupport
import Testing

@Suite struct HMACTests {
    struct Vector: Sendable, CustomTestStringConvertible {
        let name: String
        let key: [UInt8]
        let message: [UInt8]
        let tag: [UInt8]
        var testDescription: String { name }
    }

    static let sha1Vectors = [
        Vector(
            name: "RFC 2202 3.1", key: .init(repeating: 0x0B, count: 20), message: Array("Hi There".utf8),
            tag: hex("b617318655057264e28bc0b6fb378c8ef146be00")),
        Vector(
            name: "RFC 2202 3.2", key: Array("Jefe".utf8), message: Array("what do ya want for nothing?".utf8),
            tag: hex("effcdf6ae5eb2fa2d27416d5f184df9c259a7c79")),
        Vector(
            name: "RFC 2202 3.3", key: .init(repeating: 0xAA, count: 20), message: .init(repeating: 0xDD, count: 50),
            tag: hex("125d7342b9ac11cd91a39af48aa17b4f63f175d3")),
        Vector(
            name: "RFC 2202 3.6", key: .init(repeating: 0xAA, count: 80),
            message: Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
            tag: hex("aa4ae5e15272d00e95705637ce8a3b55ed402112")),
    ]

    static let sha256Vectors = [
        Vector(
            name: "RFC 4231 4.2", key: .init(repeating: 0x0B, count: 20), message: Array("Hi There".utf8),
            tag: hex("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7")),
        Vector(
            name: "RFC 4231 4.3", key: Array("Jefe".utf8), message: Array("what do ya want for nothing?".utf8),
            tag: hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")),
        Vector(
            name: "RFC 4231 4.4", key: .init(repeating: 0xAA, count: 20), message: .init(repeating: 0xDD, count: 50),
            tag: hex("773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe")),
        Vector(
            name: "RFC 4231 4.7", key: .init(repeating: 0xAA, count: 131),
            message: Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
            tag: hex("60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54")),
    ]

    @Test("MD5 gives the digests of RFC 1321")
    func md5() throws {
        let vectors = [
            ("", "d41d8cd98f00b204e9800998ecf8427e"), ("abc", "900150983cd24fb0d6963f7d28e17f72"),
            ("message digest", "f96b697d7cb7938d525a2f31aaf161d0"),
        ]
        for (text, expected) in vectors {
            let bytes = Array(text.utf8)
            let tag = Digest.md5Tag(bytes.rawSpan)
            let digest = try #require(tag)
            #expect(String(hex: (0..<16).map { digest[$0] }) == expected)
        }
    }

    @Test("HMAC-SHA1 gives the tags of RFC 2202", arguments: sha1Vectors)
    func sha1(vector: Vector) {
        #expect(HMAC.sha1(key: vector.key, vector.message) == vector.tag)
        let tag = HMAC.sha1Tag(key: vector.key, vector.message.rawSpan)
        #expect(tag.indices.map { tag[$0] } == vector.tag)
    }

    @Test("HMAC-SHA256 gives the tags of RFC 4231", arguments: sha256Vectors)
    func sha256(vector: Vector) {
        #expect(HMAC.sha256(key: vector.key, vector.message) == vector.tag)
    }

    @Test("the appending forms write the same bytes behind what was there")
    func appending() {
        let vector = Self.sha256Vectors[1]
        let written = [UInt8](unsafeUninitializedCapacity: 64) { buffer, count in
            var output = OutputRawSpan(buffer: UnsafeMutableRawBufferPointer(buffer), initializedCount: 0)
            output.append(7)
            HMAC.sha1(key: vector.key.rawSpan, vector.message.rawSpan, into: &output)
            HMAC.sha256(key: vector.key.rawSpan, vector.message.rawSpan, into: &output)
            count = output.finalize(for: UnsafeMutableRawBufferPointer(buffer))
        }
        #expect(written == [7] + Self.sha1Vectors[1].tag + vector.tag)
    }

    @Test("an empty key and an empty message are a valid pair")
    func empty() {
        #expect(HMAC.sha1(key: [], []) == hex("fbdb1d1b18aa6c08324b7d64b71fb76370690e1d"))
        #expect(HMAC.sha256(key: [], []) == hex("b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"))
    }

    @Test("plain digests match FIPS 180 examples")
    func digests() {
        #expect(Digest.sha1(Array("abc".utf8)) == hex("a9993e364706816aba3e25717850c26c9cd0d89d"))
        #expect(
            Digest.sha256(Array("abc".utf8)) == hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"))
        #expect(Digest.sha1([]) == hex("da39a3ee5e6b4b0d3255bfef95601890afd80709"))
    }

    @Test("comparison tells equal from unequal at every byte and length")
    func comparison() {
        let tag = Self.sha1Vectors[0].tag
        #expect(HMAC.isEqual(tag, tag))
        #expect(HMAC.isEqual([], []))
        #expect(!HMAC.isEqual(tag, []))
        #expect(!HMAC.isEqual(tag, Array(tag.dropLast())))
        for index in tag.indices {
            var other = tag
            other[index] ^= 1
            #expect(!HMAC.isEqual(tag, other))
        }
    }
}
