import DTLS
import Testing

/// Roll-over counter, SRTCP's index, and what was seen before (RFC 3711 sections 3.3.1, 3.3.2 and 3.4).
@Suite struct SRTPStreamTests {
    struct Guess: Sendable {
        let newest: UInt64
        let sequence: UInt16
        let index: UInt64
    }

    static let guesses = [
        Guess(newest: 0, sequence: 0x8000, index: 0x8000),
        Guess(newest: 0, sequence: 0x8001, index: 0x8001),
        Guess(newest: 5, sequence: 4, index: 4),
        Guess(newest: 0x7FFF, sequence: 0xFFFF, index: 0xFFFF),
        Guess(newest: 0x8000, sequence: 0, index: 0),
        Guess(newest: 0x8001, sequence: 0, index: 0x1_0000),
        Guess(newest: 0xFFFF, sequence: 0, index: 0x1_0000),
        Guess(newest: 0xFFFF, sequence: 0x7FFE, index: 0x1_7FFE),
        Guess(newest: 0xFFFF, sequence: 0x7FFF, index: 0x7FFF),
        Guess(newest: 0x1_0000, sequence: 0xFFFF, index: 0xFFFF),
        Guess(newest: 0x1_0000, sequence: 0x8000, index: 0x1_8000),
        Guess(newest: 0x1_0000, sequence: 0x8001, index: 0x8001),
        Guess(newest: 0x5_7FFF, sequence: 0xFFFF, index: 0x5_FFFF),
        Guess(newest: 0x5_8000, sequence: 0, index: 0x5_0000),
        Guess(newest: 0xFFFF_FFFF_FFFF, sequence: 0, index: 0x1_0000_0000_0000),
    ]

    @Test("a sequence number stands for the index that is nearest to the newest", arguments: guesses)
    func estimate(guess: Guess) {
        #expect(SRTPStream(index: guess.newest, controlIndex: 0).index(of: guess.sequence) == guess.index)
    }

    @Test("the first sequence number is of the first round")
    func first() { #expect(SRTPStream().index(of: 65_535) == 65_535) }

    @Test("the window tells the newest 1024 indices, whatever came between")
    func window() {
        var window = ReplayWindow()
        var seen: Set<UInt64> = []
        var state: UInt64 = 5_000
        for step in 0..<20_000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let spread = step % 100 == 0 ? UInt64(5_000) : 1_500
            let index = (window.newest ?? 10_000) + 400 - min((state >> 33) % spread, 10_000)
            let newest = window.newest ?? 0
            let expected: ReplayWindow.Verdict =
                index > newest ? .fresh : newest - index >= 1024 ? .tooOld : seen.contains(index) ? .replayed : .fresh
            #expect(window.verdict(on: index) == expected)
            window.insert(index)
            if expected == .fresh { seen.insert(index) }
        }
    }

    @Test("a key ends with the last index of SRTCP")
    func controlExpiry() throws {
        let (sender, receiver) = try SRTPSessionTests.pair()
        sender.resume(0xCAFE_BABE, index: 0, controlIndex: SRTPStream.controlIndexLimit - 2)
        let last = sender.protected(SRTPSessionTests.plainRTCP, rtcp: true)
        #expect(receiver.unprotected(last, rtcp: true) == Received(.ok, SRTPSessionTests.plainRTCP))
        #expect(sender.status(SRTPSessionTests.plainRTCP, rtcp: true) == .keyExpired)
        #expect(receiver.unprotected(last, rtcp: true) == Received(.replayed))
    }

    @Test("a key ends with the last index of SRTP")
    func expiry() throws {
        let (sender, receiver) = try SRTPSessionTests.pair()
        sender.resume(1, index: SRTPStream.indexLimit - 2, controlIndex: 0)
        receiver.resume(1, index: SRTPStream.indexLimit - 2, controlIndex: 0)
        let plain = SRTPSessionTests.packet(sequence: 0xFFFF, ssrc: 1)
        #expect(receiver.unprotected(sender.protected(plain)) == Received(.ok, plain))
        let next = SRTPSessionTests.packet(sequence: 0, ssrc: 1)
        #expect(sender.status(next) == .keyExpired)
        #expect(receiver.unprotected(next + [UInt8](repeating: 0, count: 16)) == Received(.keyExpired))
    }

    @Test("a forged packet far ahead does not move the roll-over counter")
    func forgedJump() throws {
        let (sender, receiver) = try SRTPSessionTests.pair()
        for sequence in UInt16(65_530)...65_535 {
            let plain = SRTPSessionTests.packet(sequence: sequence, ssrc: 1)
            #expect(receiver.unprotected(sender.protected(plain)) == Received(.ok, plain))
            let forged = SRTPSessionTests.packet(sequence: sequence &+ 20_000, ssrc: 1)
            #expect(receiver.unprotected(forged).status == .authenticationFailed)
        }
        let next = SRTPSessionTests.packet(sequence: 0, ssrc: 1)
        #expect(receiver.unprotected(sender.protected(next)) == Received(.ok, next))
    }

    @Test("senders have a limit of SSRCs too")
    func senderStreams() throws {
        let (sender, _) = try SRTPSessionTests.pair()
        for ssrc in 0..<UInt32(SRTPSession.maximumStreams) {
            #expect(sender.status(SRTPSessionTests.packet(sequence: 1, ssrc: ssrc)) == .ok)
        }
        #expect(sender.status(SRTPSessionTests.packet(sequence: 1, ssrc: 99)) == .tooManyStreams)
    }
}
