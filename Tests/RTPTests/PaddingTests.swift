import Bytes
import Media
import RTP
import Testing

private let map: HeaderExtensionMap = {
    var map = HeaderExtensionMap()
    map[.mid] = 1
    map[.repairedStreamID] = 2
    map[.transportSequence] = 3
    map[.streamID] = 4
    return map
}()
private let clock = NTPClock(NTPTime(rawValue: 1_000 << 32), at: .zero)

private func makeStream(retransmission: Bool) -> SendStream {
    var configuration = SendStream.Configuration(
        kind: .video, ssrc: 1, payloadType: 96, clockRate: 90_000, firstSequenceNumber: 65_535, timestampOffset: 0)
    configuration.extensions = map
    configuration.mid = InlineBytes("0")
    configuration.streamID = InlineBytes("q")
    if retransmission {
        configuration.retransmission = .init(ssrc: 2, payloadType: 97, firstSequenceNumber: 500)
    }
    return SendStream(configuration)
}

extension SendStream {
    fileprivate mutating func write(_ frame: PacketizedFrame, _ index: Int, at now: Monotonic = .zero) -> [UInt8] {
        written {
            write(frame, fragment: index, timestamp: 9_000, transportSequence: 1, at: now, clock: clock, into: &$0)
        }
    }

    fileprivate mutating func pad() -> [UInt8] {
        written { writePadding(transportSequence: 7, at: .zero, clock: clock, into: &$0) }
    }
}

@Suite struct PaddingTests {
    @Test("padding goes with the source for retransmissions and leaves the stream's numbers alone")
    func onRetransmission() throws {
        var stream = makeStream(retransmission: true)
        let frame = try pictures(packets: 2, isKey: true)
        _ = stream.write(frame, 0)
        #expect(stream.canPad)
        let packets = try [stream.pad(), stream.pad()].map { try ParsedPacket($0, map: map) }
        #expect(packets.map(\.header.ssrc) == [2, 2] && packets.map(\.header.payloadType) == [97, 97])
        #expect(packets.map(\.header.sequenceNumber) == [500, 501])
        #expect(packets.allSatisfy { $0.payload.isEmpty && $0.header.paddingCount == 255 && !$0.header.marker })
        #expect(packets[0].extensions.transportSequence == 7)
        #expect(packets[0].extensions.mid == InlineBytes("0"))
        #expect(packets[0].extensions.repairedStreamID == InlineBytes("q"))
        let next = try ParsedPacket(stream.write(frame, 1), map: map)
        #expect(next.header.sequenceNumber == 0 && next.header.paddingCount == 0)
        #expect(stream.statistics.paddingPacketsSent == 2 && stream.statistics.packetsSent == 2)
    }

    @Test("without such a source padding takes the stream's next number, between frames, and can be asked for again")
    func onStream() throws {
        var stream = makeStream(retransmission: false)
        let frame = try pictures(packets: 2, isKey: true)
        #expect(!stream.canPad)
        _ = stream.write(frame, 0)
        #expect(!stream.canPad)
        _ = stream.write(frame, 1)
        #expect(stream.canPad)
        let bytes = stream.pad()
        let packet = try ParsedPacket(bytes, map: map)
        #expect(packet.header.ssrc == 1 && packet.header.sequenceNumber == 1 && packet.header.timestamp == 9_000)
        #expect(packet.header.paddingCount == 255 && packet.payload.isEmpty)
        #expect(stream.receiveNack(1, at: .zero, interval: .zero) == 0)
        let again = written {
            #expect(stream.writeAgain(1, transportSequence: 7, at: .zero, clock: clock, into: &$0))
        }
        #expect(again == bytes)
        #expect(try ParsedPacket(stream.write(frame, 0), map: map).header.sequenceNumber == 2)
    }

    @Test("reports count padding as packets of its source, but not as octets of payload")
    func reports() throws {
        let frame = try pictures(packets: 1, isKey: true)
        for (retransmission, count) in [(true, 1), (false, 2)] as [(Bool, UInt32)] {
            var stream = makeStream(retransmission: retransmission)
            _ = stream.write(frame, 0)
            let octets = stream.senderReport(at: .zero, clock: clock).octetCount
            _ = stream.pad()
            let report = stream.senderReport(at: .zero, clock: clock)
            #expect(report.packetCount == count && report.octetCount == octets)
        }
    }
}
