import Bytes
import Media
import RTP
import Testing

/// The extension ids of all sections in these tests.
let receiverMap: HeaderExtensionMap = {
    var map = HeaderExtensionMap()
    map[.mid] = 1
    map[.streamID] = 2
    map[.repairedStreamID] = 3
    map[.transportSequence] = 4
    map[.audioLevel] = 5
    map[.dependencyDescriptor] = 6
    return map
}()

/// A packet as a publisher sends it.
struct PublishedPacket {
    var ssrc: UInt32 = 0x1111
    var type: UInt8 = 96
    var number: UInt16
    var timestamp: UInt32 = 0
    var marker = false
    var payload: [UInt8] = [1, 2, 3]
    var mid: String?
    var rid: String?
    var repairedRid: String?
    var transport: UInt16?
    var level: HeaderExtensionValues.AudioLevel?
    var descriptor: [UInt8] = []
    var padding: UInt8 = 0
    var map = receiverMap

    var bytes: [UInt8] {
        var values = HeaderExtensionValues()
        values.mid = mid.flatMap { InlineBytes($0) }
        values.streamID = rid.flatMap { InlineBytes($0) }
        values.repairedStreamID = repairedRid.flatMap { InlineBytes($0) }
        values.transportSequence = transport
        values.audioLevel = level
        let header = RTPHeader(
            marker: marker, payloadType: type, sequenceNumber: number, timestamp: timestamp, ssrc: ssrc)
        return written(capacity: 70_000) {
            header.write(
                hasExtension: values.encodedByteCount(map: map, descriptorCount: descriptor.count) > 0,
                hasPadding: padding > 0, into: &$0)
            values.write(map: map, descriptor: descriptor.rawSpan, into: &$0)
            $0.append(copying: payload)
            for left in stride(from: padding, to: 0, by: -1) { $0.append(left == 1 ? padding : 0 as UInt8) }
        }
    }

    /// The same packet as RFC 4588 sends it again.
    func retransmitted(ssrc: UInt32, type: UInt8, number: UInt16 = 700) -> PublishedPacket {
        var copy = self
        copy.payload = [UInt8(self.number >> 8), UInt8(self.number & 0xFF)] + payload
        copy.ssrc = ssrc
        copy.type = type
        copy.number = number
        copy.rid = nil
        return copy
    }
}

extension RTPReceiver.Section {
    static let everyFeedback: RTPReceiver.FeedbackOptions = [.nack, .pictureLoss, .fullIntra, .transportWide]

    static func video(
        mid: String = "1", rids: [String] = [], ssrcs: [UInt32] = [], pairs: [RTPReceiver.RetransmissionPair] = [],
        feedback: RTPReceiver.FeedbackOptions = everyFeedback, more: [RTPReceiver.Payload] = []
    ) -> RTPReceiver.Section {
        RTPReceiver.Section(
            index: 1, kind: .video, mid: InlineBytes(mid),
            payloads: [
                .init(type: 96, role: .media(clockRate: 90_000)), .init(type: 97, role: .retransmission(of: 96)),
            ] + more,
            extensions: receiverMap, feedback: feedback, streamIDs: rids.compactMap { InlineBytes($0) }, ssrcs: ssrcs,
            retransmissionPairs: pairs)
    }

    static func audio(more: [RTPReceiver.Payload] = []) -> RTPReceiver.Section {
        RTPReceiver.Section(
            index: 0, kind: .audio, mid: InlineBytes("0"),
            payloads: [.init(type: 111, role: .media(clockRate: 48_000))] + more, extensions: receiverMap,
            feedback: [.transportWide])
    }
}

let receiverSSRC: UInt32 = 0xFEED

func makeReceiver(_ sections: [RTPReceiver.Section], allowsReducedSize: Bool = true) -> RTPReceiver {
    RTPReceiver(
        RTPReceiver.Configuration(
            localSSRC: receiverSSRC, cname: InlineBytes("name") ?? InlineBytes(),
            clock: NTPClock(NTPTime(rawValue: 1_000 << 32), at: .zero), sections: sections,
            allowsReducedSize: allowsReducedSize))
}

extension RTPReceiver {
    /// What one packet turns into.
    mutating func take(_ packet: PublishedPacket, at now: Monotonic = .zero) throws(RTPError) -> [ReceivedPacket] {
        try receive(packet.bytes.rawSpan, at: now)
        return drain()
    }

    mutating func drain() -> [ReceivedPacket] {
        var found: [ReceivedPacket] = []
        while let packet = pollPacket() { found.append(packet) }
        return found
    }

    mutating func events() -> [Event] {
        var found: [Event] = []
        while let event = pollEvent() { found.append(event) }
        return found
    }

    mutating func control(at now: Monotonic) throws -> [ControlDatagram] {
        advance(to: now)
        var found: [ControlDatagram] = []
        var isMore = true
        while isMore {
            let bytes = written { isMore = pollControl(into: &$0, at: now) }
            #expect(bytes.isEmpty == !isMore && bytes.count <= RTPLimits.maxDatagramBytes)
            if isMore { found.append(try ControlDatagram(bytes)) }
        }
        if let nextDeadline { #expect(nextDeadline > now, "a drained receiver is due at once") }
        return found
    }
}

/// What an RTCP datagram of a receiver says.
struct ControlDatagram {
    var types: [UInt8] = []
    var blocks: [ReportBlock] = []
    var nacks: [UInt32: [UInt16]] = [:]
    var pictureLosses: [UInt32] = []
    var fullIntras: [(ssrc: UInt32, sequence: UInt8)] = []
    var arrivals: [TransportFeedbackReader.Status] = []
    var maximumBitrate: UInt64?
    var referenceTime: NTPTime?
    var names: [String] = []

    init(_ bytes: [UInt8]) throws {
        var reader = RTCPReader(bytes.rawSpan)
        while let packet = try reader.next() {
            types.append(packet.type)
            switch packet.type {
            case RTCPType.receiverReport: try packet.forEachReportBlock { blocks.append($0) }
            case RTCPType.sourceDescription:
                try packet.forEachCanonicalName { names.append(String(decoding: $1.copied(), as: UTF8.self)) }
            case RTCPType.extendedReport: referenceTime = try packet.extendedReport { _ in }.referenceTime
            default: try readFeedback(packet)
            }
        }
    }

    private mutating func readFeedback(_ packet: borrowing RTCPPacket) throws {
        let media = try packet.feedbackSources().media
        if packet.isNack {
            try packet.forEachNacked { nacks[media, default: []].append($0) }
        } else if packet.isTransportWide {
            var feedback = try TransportFeedbackReader(packet)
            while let status = feedback.next() { arrivals.append(status) }
        } else if packet.isPictureLoss {
            pictureLosses.append(media)
        } else if packet.isFullIntra {
            try packet.forEachFullIntra { fullIntras.append(($0, $1)) }
        } else {
            maximumBitrate = try packet.maximumBitrate()
        }
    }
}

/// An XR with one answer to a reference time.
func delayReport(_ reference: NTPTime, held: Interval, ssrc: UInt32 = receiverSSRC) -> [UInt8] {
    let delay = ExtendedReport.Delay(
        ssrc: ssrc, lastReport: reference.compact, delay: NTPTime.compactUnits(held))
    return written { ExtendedReport.write(delay, sender: 0x1111, into: &$0) }
}
