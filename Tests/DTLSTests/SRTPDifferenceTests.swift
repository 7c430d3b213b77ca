import DTLS
import TestSupport
import Testing

/// Our SRTP against libsrtp, in both directions, on the same random packets.
@Suite struct SRTPDifferenceTests {
    @Test("what one protects the other takes, byte for byte the same", arguments: SRTPProfile.allCases)
    func sameBytes(profile: SRTPProfile) throws {
        var world = try World(profile, seed: 1)
        for _ in 0..<400 {
            let (plain, rtcp) = world.packet()
            let ours = world.sender.protected(plain, rtcp: rtcp)
            #expect(world.oracleSender.protected(plain, rtcp: rtcp) ?? [] == ours)
            #expect(world.oracleReceiver.unprotected(ours, rtcp: rtcp) == plain)
            #expect(world.receiver.unprotected(ours, rtcp: rtcp) == Received(.ok, plain))
        }
    }

    @Test("lost, late, repeated and damaged packets have the same fate", arguments: SRTPProfile.allCases)
    func sameFate(profile: SRTPProfile) throws {
        var world = try World(profile, seed: 2)
        var sent: [(packet: [UInt8], rtcp: Bool)] = []
        var taken = 0
        for _ in 0..<3000 {
            let (plain, rtcp) = world.packet()
            sent.append((world.sender.protected(plain, rtcp: rtcp), rtcp))
            // libsrtp's window for RTCP is narrower than ours, so nothing comes later than it reaches.
            guard world.random.next() % 4 != 0 else { continue }
            var (packet, isControl) = sent[sent.count - 1 - Int(world.random.next() % UInt64(min(sent.count, 60)))]
            if world.random.next() % 8 == 0 {
                packet[Int(world.random.next() % UInt64(packet.count))] ^= UInt8(1 << (world.random.next() % 8))
            }
            if world.random.next() % 8 == 0 { packet.removeLast(Int(world.random.next() % 40) % packet.count) }
            let ours = world.receiver.unprotected(packet, rtcp: isControl)
            let theirs = world.oracleReceiver.unprotected(packet, rtcp: isControl)
            #expect(ours.status == .ok ? ours.packet == theirs : theirs == nil, "\(ours.status)")
            if ours.status == .ok { taken += 1 }
        }
        #expect(taken > 1000)
    }

    @Test("sequence numbers jump and wrap the same way", arguments: SRTPProfile.allCases)
    func sameIndices(profile: SRTPProfile) throws {
        var world = try World(profile, seed: 3)
        var sequence: UInt16 = 1
        for _ in 0..<3000 {
            // Up to a third of the round ahead, as far as a roll-over counter can follow without doubt.
            sequence &+= 1 + UInt16(world.random.next() % 16 == 0 ? world.random.next() % 20_000 : 0)
            let plain = SRTPSessionTests.packet(sequence: sequence, ssrc: 7)
            let ours = world.sender.protected(plain)
            #expect(world.oracleSender.protected(plain, rtcp: false) ?? [] == ours)
            #expect(world.receiver.unprotected(ours) == Received(.ok, plain))
            #expect(world.oracleReceiver.unprotected(ours, rtcp: false) == plain)
        }
    }

    private struct World {
        let sender: SRTPSession
        let receiver: SRTPSession
        let oracleSender: LibSRTP
        let oracleReceiver: LibSRTP
        var random: SeededGenerator
        private var sequence: UInt16 = 65_000

        init(_ profile: SRTPProfile, seed: UInt64) throws {
            var random = SeededGenerator(seed: seed)
            let key = (0..<profile.keyBytes + profile.saltBytes).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            sender = try SRTPSession(.sending, profile: profile, key: key)
            receiver = try SRTPSession(.receiving, profile: profile, key: key)
            oracleSender = try #require(LibSRTP(.sending, profile, key: key))
            oracleReceiver = try #require(LibSRTP(.receiving, profile, key: key))
            self.random = random
        }

        /// With CSRCs, extensions and payloads of any length, none included; RTCP now and then.
        mutating func packet() -> (plain: [UInt8], rtcp: Bool) {
            let payload = (0..<Int(random.next() % 1300)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            let ssrc: [UInt8] = [0, 0, 0, UInt8(random.next() % 3)]
            if random.next() % 5 == 0 { return ([0x81, 200, 0, 6] + ssrc + payload, true) }
            sequence &+= 1
            let sources = UInt8(random.next() % 4 == 0 ? random.next() % 16 : 0)
            let hasExtension = random.next() % 2 == 0
            var packet: [UInt8] = [0x80 | (hasExtension ? 0x10 : 0) | sources, 96]
            packet += [UInt8(sequence >> 8), UInt8(truncatingIfNeeded: sequence), 0, 0, 0, 1] + ssrc
            packet += [UInt8](repeating: 9, count: 4 * Int(sources))
            if hasExtension {
                let words = UInt8(random.next() % 5)
                packet += [0xBE, 0xDE, 0, words] + [UInt8](repeating: 3, count: 4 * Int(words))
            }
            return (packet + payload, false)
        }
    }
}
