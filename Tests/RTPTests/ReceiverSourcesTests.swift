import Bytes
import RTP
import Testing

@Suite struct ReceiverSourcesTests {
    typealias Pair = RTPReceiver.RetransmissionPair

    /// The section and the layer that a packet of an unknown source goes to.
    private func place(_ sections: [RTPReceiver.Section], _ packet: PublishedPacket) throws -> String? {
        var receiver = makeReceiver(sections)
        guard let stream = try receiver.take(packet).first?.stream else {
            #expect(receiver.counters.unknownSource == 1 && receiver.streamCount == 0)
            return nil
        }
        let found = receiver.stream(stream)
        #expect(found.ssrc == packet.ssrc)
        return "\(found.section)\(found.streamID.map { ":" + $0.text } ?? "")"
    }

    @Test("the mid decides before the payload type and the SSRC")
    func mid() throws {
        var other = RTPReceiver.Section.video(mid: "2")
        other.index = 2
        let sections: [RTPReceiver.Section] = [.video(ssrcs: [0x1111]), other]
        #expect(try place(sections, PublishedPacket(number: 1, mid: "2")) == "2")
        #expect(try place(sections, PublishedPacket(number: 1, mid: "3")) == nil)
        #expect(try place(sections, PublishedPacket(number: 1)) == "1")
        #expect(try place(sections, PublishedPacket(ssrc: 9, number: 1)) == nil)
        #expect(try place([.audio()], PublishedPacket(number: 1, mid: "0")) == nil)
    }

    @Test("a payload type of one section alone is enough")
    func payloadType() throws {
        #expect(try place([.audio(), .video()], PublishedPacket(type: 111, number: 1)) == "0")
        #expect(try place([.audio(), .video()], PublishedPacket(type: 96, number: 1)) == "1")
        #expect(try place([.audio(), .video()], PublishedPacket(type: 100, number: 1)) == nil)
    }

    @Test("layers are told by their rid, of which only negotiated ones count")
    func rid() throws {
        let sections: [RTPReceiver.Section] = [.audio(), .video(rids: ["q", "h"])]
        #expect(try place(sections, PublishedPacket(number: 1, mid: "1", rid: "h")) == "1:h")
        #expect(try place(sections, PublishedPacket(number: 1, rid: "q")) == "1:q")
        #expect(try place(sections, PublishedPacket(number: 1, mid: "1", rid: "x")) == nil)
        #expect(try place(sections, PublishedPacket(number: 1, mid: "1")) == nil)
        #expect(try place([.video(rids: ["q"])], PublishedPacket(number: 1, mid: "1")) == "1:q")
        #expect(try place([.video()], PublishedPacket(number: 1, mid: "1", rid: "q")) == "1")
    }

    @Test("a layer is remembered when its packets no longer name it")
    func remembered() throws {
        var receiver = makeReceiver([.video(rids: ["q", "h"])])
        _ = try receiver.take(PublishedPacket(ssrc: 1, number: 1, rid: "q"))
        _ = try receiver.take(PublishedPacket(ssrc: 2, number: 9, rid: "h"))
        #expect(try receiver.take(PublishedPacket(ssrc: 2, number: 10)).map(\.stream) == [1])
        #expect(try receiver.take(PublishedPacket(ssrc: 1, number: 2)).map(\.stream) == [0])
        #expect(receiver.events() == [.streamAdded(0), .streamAdded(1)])
    }

    @Test("announced sources without names are streams of their own")
    func announced() throws {
        var receiver = makeReceiver([.video(ssrcs: [1, 2])])
        for ssrc in [1, 2, 1] as [UInt32] { _ = try receiver.take(PublishedPacket(ssrc: ssrc, number: 1)) }
        #expect(receiver.streamCount == 2)
    }

    @Test("retransmissions belong to the stream of their repaired rid")
    func repairedRid() throws {
        var receiver = makeReceiver([.video(rids: ["q", "h"])])
        for (ssrc, rid) in [(1, "q"), (2, "h")] as [(UInt32, String)] {
            _ = try receiver.take(PublishedPacket(ssrc: ssrc, number: 10, rid: rid))
            _ = try receiver.take(PublishedPacket(ssrc: ssrc, number: 12))
        }
        var again = PublishedPacket(number: 11, payload: [7]).retransmitted(ssrc: 22, type: 97)
        again.repairedRid = "h"
        let found = try receiver.take(again)
        #expect(found.map(\.stream) == [1] && found.map(\.sequenceNumber) == [11])
        #expect(receiver.stream(1).retransmissionSSRC == 22)
        var nameless = again
        nameless.ssrc = 33
        nameless.repairedRid = nil
        #expect(try receiver.take(nameless).isEmpty)
        #expect(receiver.counters.unknownSource == 1)
    }

    @Test("retransmissions belong to the stream of their FID group")
    func group() throws {
        var receiver = makeReceiver([
            .video(
                ssrcs: [1, 2, 21, 22], pairs: [Pair(media: 1, retransmission: 21), Pair(media: 2, retransmission: 22)])
        ])
        let again = PublishedPacket(number: 11).retransmitted(ssrc: 22, type: 97)
        #expect(try receiver.take(again).isEmpty)
        #expect(receiver.streamCount == 0)
        for ssrc in [1, 2] as [UInt32] {
            for number in [10, 12] as [UInt16] { _ = try receiver.take(PublishedPacket(ssrc: ssrc, number: number)) }
        }
        #expect(try receiver.take(again).map(\.stream) == [1])
    }

    @Test("retransmissions belong to the only stream of their section")
    func onlyStream() throws {
        var receiver = makeReceiver([.audio(), .video()])
        _ = try receiver.take(PublishedPacket(ssrc: 5, type: 111, number: 10))
        for number in [10, 12] as [UInt16] { _ = try receiver.take(PublishedPacket(number: number, marker: true)) }
        let again = PublishedPacket(number: 11, timestamp: 90, marker: true, payload: [4, 5])
        let found = try receiver.take(again.retransmitted(ssrc: 0x2222, type: 97))
        #expect(found.count == 1)
        let packet = try #require(found.first)
        #expect(packet.stream == 1 && packet.sequenceNumber == 11 && packet.isRepaired && packet.marker)
        #expect(packet.payloadType == 96 && packet.timestamp == 90 && packet.payload.copied() == [4, 5])
    }

    @Test("a source that was silent is replaced at once")
    func replaced() throws {
        var receiver = makeReceiver([.video()])
        let old = try receiver.take(PublishedPacket(ssrc: 1, number: 10), at: .ms(0))
        let new = try receiver.take(PublishedPacket(ssrc: 2, number: 10), at: .ms(200))
        #expect(new.map(\.stream) == [0] && new.map(\.didRestart) == [true])
        #expect(new[0].sequenceNumber > old[0].sequenceNumber && new[0].sequenceNumber & 0xFFFF == 10)
        #expect(try receiver.take(PublishedPacket(ssrc: 2, number: 11), at: .ms(201)).map(\.didRestart) == [false])
        #expect(receiver.stream(0).ssrc == 2 && receiver.stream(0).statistics.restarts == 1)
        #expect(receiver.stream(0).statistics.packetsLost == 0)
    }

    @Test("a live source is replaced after two packets in a row, the first of which is asked for")
    func probation() throws {
        var receiver = makeReceiver([.video()])
        _ = try receiver.take(PublishedPacket(ssrc: 1, number: 10), at: .ms(100))
        #expect(try receiver.take(PublishedPacket(ssrc: 2, number: 500), at: .ms(110)).isEmpty)
        #expect(try receiver.take(PublishedPacket(ssrc: 2, number: 502), at: .ms(111)).isEmpty)
        #expect(receiver.stream(0).ssrc == 1)
        #expect(try receiver.take(PublishedPacket(ssrc: 2, number: 503), at: .ms(112)).map(\.didRestart) == [true])
        #expect(try receiver.control(at: .ms(120)).map(\.nacks) == [[2: [502]]])
        // The old source is nobody now, and takes the stream back only in the same way.
        #expect(try receiver.take(PublishedPacket(ssrc: 1, number: 11), at: .ms(113)).isEmpty)
    }

    @Test("a flood of sources neither replaces live streams nor makes new ones")
    func flood() throws {
        var receiver = makeReceiver([.audio(), .video(rids: ["q", "h"])])
        _ = try receiver.take(PublishedPacket(ssrc: 1, number: 1, rid: "q"), at: .ms(0))
        for ssrc in 1_000..<6_000 as Range<UInt32> {
            let now = Monotonic.ms(Int64(ssrc - 1_000) / 10)
            if ssrc % 100 == 0 {
                let number = UInt16((ssrc - 1_000) / 100 + 2)
                #expect(try receiver.take(PublishedPacket(ssrc: 1, number: number), at: now).count == 1)
            }
            _ = try receiver.take(
                PublishedPacket(ssrc: ssrc, number: UInt16(truncatingIfNeeded: ssrc), rid: "q"), at: now)
            _ = try receiver.take(PublishedPacket(ssrc: ssrc &+ 10_000, number: 0, rid: "w"), at: now)
        }
        #expect(receiver.streamCount == 1)
        #expect(receiver.stream(0).ssrc == 1 && receiver.stream(0).statistics.restarts == 0)
        #expect(receiver.counters.unknownSource == 10_000)
    }

    @Test("a receiver has at most sixteen streams")
    func streamLimit() throws {
        var receiver = makeReceiver([.video(ssrcs: Array(1...40))])
        for ssrc in 1...40 as ClosedRange<UInt32> { _ = try receiver.take(PublishedPacket(ssrc: ssrc, number: 1)) }
        #expect(receiver.streamCount == 16)
        #expect(receiver.counters.unknownSource == 24)
        #expect(try receiver.take(PublishedPacket(ssrc: 16, number: 2)).map(\.stream) == [15])
    }

    @Test("payload types are only taken from the kind of source that they belong to")
    func mismatch() throws {
        var receiver = makeReceiver([.video()])
        for number in [10, 12] as [UInt16] { _ = try receiver.take(PublishedPacket(number: number)) }
        let again = PublishedPacket(number: 11).retransmitted(ssrc: 2, type: 97)
        #expect(try receiver.take(again).count == 1)
        #expect(try receiver.take(PublishedPacket(ssrc: 2, number: 701)).isEmpty)
        #expect(try receiver.take(PublishedPacket(type: 97, number: 13)).isEmpty)
        #expect(try receiver.take(PublishedPacket(type: 50, number: 13)).isEmpty)
        #expect(receiver.counters.unknownPayloadType == 3)
    }
}
