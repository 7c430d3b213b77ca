import Bytes
import Media
import RTP
import Testing

private let clock = NTPClock(NTPTime(rawValue: 1_000 << 32), at: .zero)

private func videoConfiguration(retransmission: Bool = true) -> SendStream.Configuration {
    var configuration = SendStream.Configuration(
        kind: .video, ssrc: 0xAAAA, payloadType: 96, clockRate: 90_000, firstSequenceNumber: 65_535,
        timestampOffset: 0xFFFF_FFFF)
    if retransmission {
        configuration.retransmission = .init(ssrc: 0xBBBB, payloadType: 97, firstSequenceNumber: 500)
    }
    for kind in HeaderExtensionKind.allCases { configuration.extensions[kind] = kind.rawValue + 1 }
    configuration.mid = InlineBytes("1")
    configuration.streamID = InlineBytes("h")
    configuration.playoutDelay = .init(min10ms: 0, max10ms: 0)
    return configuration
}

extension SendStream {
    /// Writes the packets of a frame as they would leave at `now`.
    fileprivate mutating func writeAll(_ frame: PacketizedFrame, at now: Monotonic) throws -> [ParsedPacket] {
        try frame.fragments.indices.map { index in
            let stamp = timestamp(at: frame.pts)
            return try ParsedPacket(
                written {
                    write(
                        frame, fragment: index, timestamp: stamp, transportSequence: 77, at: now, clock: clock,
                        into: &$0)
                }, map: configuration.extensions)
        }
    }

    fileprivate mutating func writeOneAgain(_ number: UInt16, at now: Monotonic) throws -> ParsedPacket? {
        var isWritten = false
        let bytes = written {
            isWritten = writeAgain(number, transportSequence: 78, at: now, clock: clock, into: &$0)
        }
        return isWritten ? try ParsedPacket(bytes, map: configuration.extensions) : nil
    }
}

@Suite struct SendStreamTests {
    @Test("packets are numbered over the wrap and carry the frame's bytes and time")
    func packets() throws {
        var stream = SendStream(videoConfiguration())
        let frame = try pictures(packets: 3, pts: 1_000_000_000, isKey: true)
        let packets = try stream.writeAll(frame, at: .ms(1_010))
        #expect(packets.map(\.header.sequenceNumber) == [65_535, 0, 1])
        // Offset and one second of ticks.
        #expect(Set(packets.map(\.header.timestamp)) == [89_999])
        #expect(Set(packets.map(\.header.ssrc)) == [0xAAAA] && Set(packets.map(\.header.payloadType)) == [96])
        #expect(packets.map(\.header.marker) == [false, false, true])
        #expect(packets.map(\.payload) == payloads(of: frame))
    }

    @Test("no packet is larger than the bound, with every extension at its longest")
    func size() throws {
        var configuration = videoConfiguration()
        configuration.mid = InlineBytes("sixteen letters!")
        configuration.streamID = InlineBytes("sixteen letters!")
        for kind in HeaderExtensionKind.allCases { configuration.extensions[kind] = kind.rawValue + 200 }
        var stream = SendStream(configuration)
        let frame = try pictures(packets: 1, isKey: true)
        var bytes = written {
            stream.write(frame, fragment: 0, timestamp: 0, transportSequence: 0, at: .zero, clock: clock, into: &$0)
        }
        #expect(bytes.count <= RTPLimits.maxDatagramBytes)
        bytes = written {
            _ = stream.writeAgain(65_535, transportSequence: 0, at: .zero, clock: clock, into: &$0)
        }
        #expect(bytes.count <= RTPLimits.maxDatagramBytes)
    }

    @Test("ids stand in every packet until a report shows that the source is known")
    func identification() throws {
        var stream = SendStream(videoConfiguration())
        let before = try stream.writeAll(try pictures(packets: 2), at: .ms(1))
        #expect(before.allSatisfy { $0.extensions.mid?.text == "1" && $0.extensions.streamID?.text == "h" })
        stream.receive(ReportBlock(ssrc: 0xAAAA), arrival: clock.time(at: .ms(2)), at: .ms(2))
        let after = try stream.writeAll(try pictures(packets: 2), at: .ms(3))
        #expect(after.allSatisfy { $0.extensions.mid == nil && $0.extensions.streamID == nil })
        // The retransmission source was not reported yet.
        let again = try #require(try stream.writeOneAgain(65_535, at: .ms(4)))
        #expect(again.extensions.mid?.text == "1" && again.extensions.repairedStreamID?.text == "h")
        #expect(again.extensions.streamID == nil)
        stream.receive(ReportBlock(ssrc: 0xBBBB), arrival: clock.time(at: .ms(5)), at: .ms(5))
        #expect(try stream.writeOneAgain(0, at: .ms(6))?.extensions.repairedStreamID == nil)
    }

    @Test("send time and transport number are those of the moment")
    func timing() throws {
        var stream = SendStream(videoConfiguration())
        let packet = try #require(try stream.writeAll(try pictures(packets: 1), at: .ms(250)).first)
        #expect(packet.extensions.transportSequence == 77)
        #expect(packet.extensions.absoluteSendTime == HeaderExtensionValues.sendTime24(clock.time(at: .ms(250))))
    }

    @Test("capture time is the frame's, in its first packet, at most once a second")
    func captureTime() throws {
        var stream = SendStream(videoConfiguration())
        func times(pts: Int64, at now: Int64) throws -> [NTPTime?] {
            try stream.writeAll(try pictures(packets: 2, pts: pts * 1_000_000), at: .ms(now)).map(
                \.extensions.absoluteCaptureTime)
        }
        #expect(try times(pts: 100, at: 150) == [clock.time(at: .ms(100)), nil])
        #expect(try times(pts: 1_099, at: 1_149) == [nil, nil])
        #expect(try times(pts: 1_100, at: 1_150) == [clock.time(at: .ms(1_100)), nil])
    }

    @Test("the wanted playout delay stands in key frames once the source is known")
    func playoutDelay() throws {
        var stream = SendStream(videoConfiguration())
        func delays(isKey: Bool) throws -> [Bool] {
            try stream.writeAll(try pictures(packets: 2, isKey: isKey), at: .zero).map {
                $0.extensions.playoutDelay != nil
            }
        }
        #expect(try delays(isKey: false) == [true, false])
        stream.receive(ReportBlock(ssrc: 0xAAAA), arrival: clock.time(at: .zero), at: .zero)
        #expect(try delays(isKey: false) == [false, false])
        #expect(try delays(isKey: true) == [true, false])
    }

    @Test("audio carries its level")
    func audioLevel() throws {
        var configuration = SendStream.Configuration(
            kind: .audio, ssrc: 1, payloadType: 111, clockRate: 48_000, firstSequenceNumber: 0, timestampOffset: 0)
        configuration.extensions[.audioLevel] = 1
        var stream = SendStream(configuration)
        let level = HeaderExtensionValues.AudioLevel(level: 20, isVoice: true)
        let packet = try stream.writeAll(try audioFrame(pts: 20_000_000, level: level), at: .ms(20))[0]
        #expect(packet.extensions.audioLevel == level)
        #expect(packet.header.timestamp == 960)
    }

    @Test("a retransmission is the original behind its number, on a source of its own")
    func retransmission() throws {
        var stream = SendStream(videoConfiguration())
        let frame = try pictures(packets: 2, pts: 40_000_000)
        let sent = try stream.writeAll(frame, at: .ms(40))
        let again = try #require(try stream.writeOneAgain(0, at: .ms(90)))
        #expect(again.header.ssrc == 0xBBBB && again.header.payloadType == 97)
        #expect(again.header.sequenceNumber == 500 && again.header.timestamp == sent[1].header.timestamp)
        #expect(again.header.marker)
        #expect(again.payload == [0, 0] + sent[1].payload)
        #expect(try stream.writeOneAgain(65_535, at: .ms(91))?.header.sequenceNumber == 501)
        #expect(try stream.writeOneAgain(1, at: .ms(91)) == nil)
        #expect(stream.statistics.packetsRetransmitted == 2)
    }

    @Test("without a source for retransmissions the packet goes out as it was")
    func plainRetransmission() throws {
        var stream = SendStream(videoConfiguration(retransmission: false))
        let sent = try stream.writeAll(try pictures(packets: 1), at: .ms(1))[0]
        let again = try #require(try stream.writeOneAgain(65_535, at: .ms(50)))
        #expect(again.header == sent.header || again.header.payloadRange != sent.header.payloadRange)
        #expect(again.header.sequenceNumber == 65_535 && again.header.ssrc == 0xAAAA)
        #expect(again.payload == sent.payload)
        #expect(try stream.writeAll(try pictures(packets: 1), at: .ms(60))[0].header.sequenceNumber == 0)
    }

    @Test("a sender report ties the present instant to the RTP clock and counts what left")
    func senderReport() throws {
        var stream = SendStream(videoConfiguration(retransmission: false))
        let frame = try pictures(packets: 2)
        _ = try stream.writeAll(frame, at: .ms(1))
        _ = try stream.writeOneAgain(65_535, at: .ms(30))
        let report = stream.senderReport(at: .ms(1_500), clock: clock)
        #expect(report.ssrc == 0xAAAA)
        #expect(report.ntp.rawValue == 1_001 << 32 | 0x8000_0000)
        // A frame of the same instant would have this time.
        #expect(report.rtpTimestamp == stream.timestamp(at: 1_500_000_000))
        #expect(report.rtpTimestamp == 134_999)
        #expect(report.packetCount == 3)
        #expect(report.octetCount == UInt32(frame.byteCount + frame.fragments[0].byteCount))
    }

    @Test("tracks of one timeline stay aligned through their reports")
    func alignment() {
        var audio = videoConfiguration()
        audio.kind = .audio
        audio.clockRate = 48_000
        audio.timestampOffset = 123
        let (video, sound) = (SendStream(videoConfiguration()), SendStream(audio))
        let now = Monotonic.ms(7_000)
        // From each stream's report, the wall-clock time of a frame of 6.9 s.
        let seconds = [(video, 90_000.0), (sound, 48_000.0)].map { stream, rate in
            let report = stream.senderReport(at: now, clock: clock)
            let behind = Double(Int32(bitPattern: report.rtpTimestamp &- stream.timestamp(at: 6_900_000_000))) / rate
            return Double(report.ntp.rawValue) / 4_294_967_296 - behind
        }
        #expect(abs(seconds[0] - seconds[1]) < 0.000_03)
        #expect(abs(seconds[0] - 1_006.9) < 0.000_03)
    }
}
