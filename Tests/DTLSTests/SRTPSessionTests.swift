import Bytes
import DTLS
import TestSupport
import Testing

@Suite struct SRTPSessionTests {
    struct Vector: Sendable, CustomTestStringConvertible {
        let profile: SRTPProfile
        let key: [UInt8]
        let rtp: [UInt8]
        let rtcp: [UInt8]
        var testDescription: String { "\(profile)" }
    }

    static let plainRTP = hex("800f1234decafbadcafebabe") + [UInt8](repeating: 0xAB, count: 16)
    static let plainRTCP = hex("81c8000bcafebabe") + [UInt8](repeating: 0xAB, count: 16)
    private static let ascending = (0..<32).map { UInt8($0) }
    private static let gcmSalt = (0xA0..<0xAC).map { UInt8($0) }

    /// The first key and salt are those of RFC 3711 appendix B.3. The protected forms were computed from the RFCs' formulas
    /// (key derivation of RFC 3711 section 4.3; section 4.1.1 with 4.2, and RFC 7714 sections 8 and 9) apart from this code.
    static let vectors = [
        Vector(
            profile: .aes128CMSHA1With80BitTag,
            key: hex("e1f97a0d3e018be0d64fa32c06de4139 0ec675ad498afeebb6960b3aabe6"),
            rtp: hex("800f1234decafbadcafebabe 4e55dc4ce79978d88ca4d215949d2402 b78d6acc99ea179b8dbb"),
            rtcp: hex("81c8000bcafebabe 7128035be487b9bdbef89041f977a5a8 80000001 993e08cd54d6c1230798")),
        Vector(
            profile: .aeadAES128GCM, key: ascending.prefix(16) + gcmSalt,
            rtp: hex("800f1234decafbadcafebabe c5002ede04cfdd2eb91159e0880aa06e d2976826f796b201df3131a127e8a392"),
            rtcp: hex("81c8000bcafebabe c98b8b5df0392a55852b6c21ac8e7025 c52c6fbea2b3b446ea31123ba88ce61e 80000001")),
        Vector(
            profile: .aeadAES256GCM, key: ascending + gcmSalt,
            rtp: hex("800f1234decafbadcafebabe 0af7f21e8a90bdad7a425c9c31ed4bb1 d90238917e7390a2793500e1681acaea"),
            rtcp: hex("81c8000bcafebabe 8abfafa780070a90e80f9161cf4aac08 1ed93aaa53c15b0f3ed1a3b984167b03 80000001")),
    ]

    @Test("known packets protect to known bytes", arguments: vectors)
    func protect(vector: Vector) throws {
        let sender = try SRTPSession(.sending, profile: vector.profile, key: vector.key)
        let rtp = sender.protected(Self.plainRTP)
        #expect(rtp == vector.rtp)
        #expect(rtp.count == Self.plainRTP.count + vector.profile.tagBytes)
        #expect(sender.protected(Self.plainRTCP, rtcp: true) == vector.rtcp)
    }

    @Test("known bytes unprotect to known packets", arguments: vectors)
    func unprotect(vector: Vector) throws {
        let receiver = try SRTPSession(.receiving, profile: vector.profile, key: vector.key)
        #expect(receiver.unprotected(vector.rtp) == Received(.ok, Self.plainRTP))
        #expect(receiver.unprotected(vector.rtcp, rtcp: true) == Received(.ok, Self.plainRTCP))
    }

    @Test("a packet that comes twice is a replay", arguments: vectors)
    func replay(vector: Vector) throws {
        let receiver = try SRTPSession(.receiving, profile: vector.profile, key: vector.key)
        #expect(receiver.unprotected(vector.rtp).status == .ok)
        #expect(receiver.unprotected(vector.rtp) == Received(.replayed))
        #expect(receiver.unprotected(vector.rtcp, rtcp: true).status == .ok)
        #expect(receiver.unprotected(vector.rtcp, rtcp: true) == Received(.replayed))
    }

    @Test("any bit changed anywhere is refused and leaves the packet acceptable", arguments: vectors)
    func forged(vector: Vector) throws {
        let receiver = try SRTPSession(.receiving, profile: vector.profile, key: vector.key)
        for (packet, rtcp) in [(vector.rtp, false), (vector.rtcp, true)] {
            for index in packet.indices {
                var forged = packet
                forged[index] ^= 0x01
                let status = receiver.unprotected(forged, rtcp: rtcp).status
                #expect(status != .ok, "byte \(index) of \(rtcp ? "RTCP" : "RTP")")
            }
            #expect(receiver.unprotected(packet, rtcp: rtcp).status == .ok)
        }
    }

    @Test("every truncation is refused", arguments: vectors)
    func truncated(vector: Vector) throws {
        let receiver = try SRTPSession(.receiving, profile: vector.profile, key: vector.key)
        for length in 0..<vector.rtp.count {
            #expect(receiver.unprotected(Array(vector.rtp.prefix(length))).status != .ok)
        }
        for length in 0..<vector.rtcp.count {
            #expect(receiver.unprotected(Array(vector.rtcp.prefix(length)), rtcp: true).status != .ok)
        }
        #expect(receiver.unprotected([]) == Received(.malformed))
        let noRoomForTag = Array(vector.rtp.prefix(12 + vector.profile.tagBytes - 1))
        #expect(receiver.unprotected(noRoomForTag) == Received(.malformed))
    }

    @Test("headers that lie about their length are refused", arguments: vectors)
    func lyingHeaders(vector: Vector) throws {
        let receiver = try SRTPSession(.receiving, profile: vector.profile, key: vector.key)
        for first in UInt8.min...UInt8.max {
            let packet = [first] + vector.rtp.dropFirst()
            let expected: SRTPStatus? = first == 0x80 ? .ok : nil
            let status = receiver.unprotected(packet).status
            #expect(expected.map { status == $0 } ?? (status != .ok))
        }
        var extended = vector.rtp
        extended[0] |= 0x10
        extended[14] = 0xFF
        extended[15] = 0xFF
        #expect(receiver.unprotected(extended).status != .ok)
    }

    @Test("another key is refused", arguments: vectors)
    func otherKey(vector: Vector) throws {
        let receiver = try SRTPSession(.receiving, profile: vector.profile, key: vector.key.map { $0 ^ 1 })
        #expect(receiver.unprotected(vector.rtp) == Received(.authenticationFailed))
        #expect(receiver.unprotected(vector.rtcp, rtcp: true) == Received(.authenticationFailed))
    }

    @Test("late packets are taken within a window of 1024 and once")
    func window() throws {
        let (sender, receiver) = try Self.pair()
        let packets = (0..<1200).map { sender.protected(Self.packet(sequence: 60_000 + UInt16($0), ssrc: 1)) }
        #expect(receiver.unprotected(packets[1199]).status == .ok)
        #expect(receiver.unprotected(packets[1199 - 1023]).status == .ok)
        #expect(receiver.unprotected(packets[1199 - 1023]).status == .replayed)
        #expect(receiver.unprotected(packets[100]).status == .tooOld)
    }

    @Test("the sequence number wraps without loss of sync")
    func wrap() throws {
        let (sender, receiver) = try Self.pair()
        for round in 0..<3000 {
            let plain = Self.packet(sequence: UInt16(truncatingIfNeeded: 64_000 + round), ssrc: 1)
            let packet = sender.protected(plain)
            // Every third packet is lost, and all around the wrap.
            if round % 3 == 0 || (1500...1600).contains(round) { continue }
            #expect(receiver.unprotected(packet) == Received(.ok, plain))
        }
    }

    @Test("the same packet may be protected again for a retransmission, with the same bytes")
    func retransmission() throws {
        let (sender, receiver) = try Self.pair()
        let plain = Self.packet(sequence: 7, ssrc: 1)
        let first = sender.protected(plain)
        #expect(sender.protected(Self.packet(sequence: 8, ssrc: 1)) != first)
        #expect(sender.protected(plain) == first)
        #expect(receiver.unprotected(first) == Received(.ok, plain))
        #expect(receiver.unprotected(first) == Received(.replayed))
    }

    @Test("each SSRC has its own window; one more than 64 is refused and the old ones go on")
    func streams() throws {
        let (sender, receiver) = try Self.pair()
        for ssrc in 0..<UInt32(SRTPSession.maximumStreams) {
            #expect(receiver.unprotected(sender.protected(Self.packet(sequence: 1, ssrc: ssrc))).status == .ok)
        }
        // By another session, since one that sends has the same limit.
        let another = try Self.pair().sender.protected(Self.packet(sequence: 1, ssrc: 99))
        #expect(receiver.unprotected(another) == Received(.tooManyStreams))
        #expect(receiver.unprotected(sender.protected(Self.packet(sequence: 2, ssrc: 3))).status == .ok)
    }

    @Test("forged packets of unknown SSRCs take no place")
    func forgedStreams() throws {
        let (sender, receiver) = try Self.pair()
        for ssrc in 1000..<UInt32(2000) {
            #expect(receiver.unprotected(Self.packet(sequence: 1, ssrc: ssrc)).status == .authenticationFailed)
        }
        #expect(receiver.unprotected(sender.protected(Self.packet(sequence: 1, ssrc: 5))).status == .ok)
    }

    @Test("a header extension stays readable and is authenticated")
    func headerExtension() throws {
        let (sender, receiver) = try Self.pair()
        let plain = hex("90600001000000010000002a bede0001 10aa0000") + [1, 2, 3, 4, 5]
        var packet = sender.protected(plain)
        #expect(Array(packet.prefix(20)) == Array(plain.prefix(20)))
        packet[17] ^= 1
        #expect(receiver.unprotected(packet).status == .authenticationFailed)
        packet[17] ^= 1
        #expect(receiver.unprotected(packet) == Received(.ok, plain))
    }

    @Test("what is no packet is not protected")
    func malformedPlain() throws {
        let (sender, _) = try Self.pair()
        for length in 0..<12 {
            var status = SRTPStatus.ok
            _ = written(capacity: 512) { output in
                output.append(copying: Array(Self.plainRTP.prefix(length)))
                status = sender.protectRTP(&output)
            }
            #expect(status == .malformed)
        }
    }

    @Test("keys of a wrong length are refused", arguments: SRTPProfile.allCases)
    func keyLength(profile: SRTPProfile) {
        let right = profile.keyBytes + profile.saltBytes
        for length in [0, right - 1, right + 1] {
            #expect(throws: DTLSError.srtpKeyMaterialMalformed) {
                try SRTPSession(.sending, profile: profile, key: .init(repeating: 1, count: length))
            }
        }
    }

    @Test("keys from a handshake carry media both ways")
    func afterHandshake() throws {
        let pair = try DTLSPair()
        try pair.start()
        let (client, server) = (try #require(pair.client.keys), try #require(pair.server.keys))
        for (one, other) in [(client, server), (server, client)] {
            let sender = try SRTPSession(sendingWith: one)
            let receiver = try SRTPSession(receivingWith: other)
            #expect(receiver.unprotected(sender.protected(Self.plainRTP)) == Received(.ok, Self.plainRTP))
            let rtcp = sender.protected(Self.plainRTCP, rtcp: true)
            #expect(receiver.unprotected(rtcp, rtcp: true) == Received(.ok, Self.plainRTCP))
        }
    }

    static func pair() throws -> (sender: SRTPSession, receiver: SRTPSession) {
        let vector = vectors[1]
        return (
            try SRTPSession(.sending, profile: vector.profile, key: vector.key),
            try SRTPSession(.receiving, profile: vector.profile, key: vector.key)
        )
    }

    static func packet(sequence: UInt16, ssrc: UInt32) -> [UInt8] {
        var writer = ByteWriter()
        writer.write(UInt16(0x8060))
        writer.write(sequence)
        writer.write(UInt32(90_000))
        writer.write(ssrc)
        writer.write(Array("payload of a packet".utf8))
        return writer.bytes
    }
}

struct Received: Equatable {
    let status: SRTPStatus
    let packet: [UInt8]

    init(_ status: SRTPStatus, _ packet: [UInt8] = []) {
        self.status = status
        self.packet = packet
    }
}

extension SRTPSession {
    func status(_ plain: [UInt8], rtcp: Bool = false) -> SRTPStatus {
        var status = SRTPStatus.failed
        _ = written(capacity: plain.count + Self.protectionTailBytes) { output in
            output.append(copying: plain)
            status = rtcp ? protectRTCP(&output) : protectRTP(&output)
        }
        return status
    }

    /// Empty when the status was not `ok`.
    func protected(_ plain: [UInt8], rtcp: Bool = false) -> [UInt8] {
        var status = SRTPStatus.failed
        let packet = written(capacity: plain.count + Self.protectionTailBytes) { output in
            output.append(copying: plain)
            status = rtcp ? protectRTCP(&output) : protectRTP(&output)
        }
        return status == .ok ? packet : []
    }

    func unprotected(_ packet: [UInt8], rtcp: Bool = false) -> Received {
        var bytes = packet
        let (status, count) = bytes.withUnsafeMutableBytes { buffer in
            var span = MutableRawSpan(_unsafeBytes: buffer)
            return rtcp ? unprotectRTCP(&span) : unprotectRTP(&span)
        }
        return Received(status, Array(bytes.prefix(count)))
    }
}
