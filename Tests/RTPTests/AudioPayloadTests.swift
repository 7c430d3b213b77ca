import Bytes
import Media
import RTP
import Testing

@Suite struct AudioPayloadTests {
    @Test(
        "each packet is a frame that a decoder can start at", arguments: [AudioCodec.opus, .pcmALaw, .pcmMuLaw, .g722])
    func frames(codec: AudioCodec) {
        let packets = [PlacedPayload([1], 65_535, 160), PlacedPayload([2, 3], 0, 320, marker: true)]
        let result = unpack(.audio(codec), packets)
        #expect(result.payloads == [[1], [2, 3]] && result.keys == [true, true])
        #expect(result.frames.map(\.timestamp) == [160, 320])
        #expect(result.losses == [false, false])
    }

    @Test("a gap is told once; late packets, repeated ones and empty ones are no frames")
    func gaps() {
        let packets: [PlacedPayload] = [
            PlacedPayload([1], 65_535), PlacedPayload([2], 0), PlacedPayload([2], 0), PlacedPayload([9], 65_534),
            PlacedPayload([], 1), PlacedPayload([3], 3), PlacedPayload([4], 4),
        ]
        let result = unpack(.audio(.opus), packets)
        #expect(result.payloads == [[1], [2], [3], [4]])
        #expect(result.losses == [false, false, true, false])
    }

    @Test("numbers that begin anew are taken when the packet says so")
    func restart() throws {
        var depacketizer = AudioDepacketizer()
        for (number, isAnew) in [(500, false), (7, true), (8, false)] as [(UInt16, Bool)] {
            let place = DepacketizerInput(sequenceNumber: number, timestamp: 0, marker: false, followsGap: isAnew)
            try depacketizer.receive([1].rawSpan, place)
            let frame = depacketizer.pollFrame()
            #expect(frame?.followsLoss == isAnew)
        }
    }

    @Test("clocks are those of the payload formats, G.722's half of its samples")
    func clockRates() {
        #expect(Depacketizer.clockRate(of: .audio(.opus)) == 48_000)
        #expect(Depacketizer.clockRate(of: .audio(.g722)) == 8_000)
        #expect(Depacketizer.clockRate(of: .video(.av1)) == 90_000)
    }
}
