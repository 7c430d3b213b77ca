import Bytes
import Media
import RTP

package let rtpReceiverTargets: [FuzzTarget] = [
    FuzzTarget("rtp-receiver") { bytes in receive(FuzzInput(bytes)) },
    FuzzTarget("red") { bytes in readRedundant(bytes) },
    FuzzTarget("ulpfec") { bytes in correct(FuzzInput(bytes)) },
]

private let map: HeaderExtensionMap = {
    var map = HeaderExtensionMap()
    for kind in HeaderExtensionKind.allCases { map[kind] = kind.rawValue + 1 }
    return map
}()

private func written(_ body: (inout OutputRawSpan) -> Void) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: 4_096) { buffer, count in
        var output = OutputRawSpan(buffer: UnsafeMutableRawBufferPointer(buffer), initializedCount: 0)
        body(&output)
        count = output.finalize(for: UnsafeMutableRawBufferPointer(buffer))
    }
}

private func makeReceiver(isReduced: Bool, isSimulcast: Bool) -> RTPReceiver {
    let audio = RTPReceiver.Section(
        index: 0, kind: .audio, mid: InlineBytes("0"),
        payloads: [.init(type: 111, role: .media(clockRate: 48_000)), .init(type: 63, role: .redundancy)],
        extensions: map, feedback: [.nack, .transportWide])
    let video = RTPReceiver.Section(
        index: 1, kind: .video, mid: InlineBytes("1"),
        payloads: [
            .init(type: 96, role: .media(clockRate: 90_000)), .init(type: 97, role: .retransmission(of: 96)),
            .init(type: 116, role: .redundancy), .init(type: 117, role: .ulpfec),
        ],
        extensions: map,
        feedback: isReduced ? [.nack, .pictureLoss, .transportWide] : [.nack, .fullIntra, .maximumBitrate],
        streamIDs: isSimulcast ? [InlineBytes("q"), InlineBytes("h")].compactMap(\.self) : [], ssrcs: [1, 2],
        retransmissionPairs: [.init(media: 1, retransmission: 2)])
    return RTPReceiver(
        RTPReceiver.Configuration(
            localSSRC: 9, cname: InlineBytes(), clock: NTPClock(NTPTime(rawValue: 1 << 40), at: .zero),
            sections: isReduced ? [audio, video] : [video], allowsReducedSize: isReduced))
}

/// Packets, RTCP and time in any order: numbers never come twice, what is written parses, and a drained receiver is due
/// in the future.
private func receive(_ input: FuzzInput) {
    var input = input
    let flags = input.byte()
    var receiver = makeReceiver(isReduced: flags & 1 == 1, isSimulcast: flags & 2 == 2)
    var clock = SourceClock(clockRate: 90_000)
    var timeline = PeerTimeline()
    var seen: Set<Place> = []
    var now = Monotonic.ms(1)
    while !input.isEmpty {
        let choice = input.byte()
        switch choice & 7 {
        case 0: now += .milliseconds(Int64(input.byte()))
        case 1: now += .milliseconds(Int64(input.byte()) * 20)
        case 2: try? receiver.receiveControl(input.slice(upTo: 300).rawSpan, at: now)
        case 3: try? receiver.receive(input.slice(upTo: 300).rawSpan, at: now)
        default:
            let bytes = packet(choice, &input)
            try? receiver.receive(bytes.rawSpan, at: now)
        }
        if choice & 0xF0 == 0xF0, receiver.streamCount > 0 { receiver.requestKeyFrame(stream: 0) }
        if choice & 0xF0 == 0xE0, receiver.streamCount > 0 { receiver.noteKeyFrame(stream: 0) }
        while let event = receiver.pollEvent() {
            guard case .senderReport(let stream) = event, let report = receiver.stream(stream).lastReport else {
                continue
            }
            clock.receive(report, timeline: &timeline)
        }
        while let packet = receiver.pollPacket() {
            check(packet, receiver, &seen)
            _ = clock.time(of: packet.timestamp, arrival: packet.arrival, timeline: &timeline)
        }
        drain(&receiver, at: now)
    }
}

private struct Place: Hashable {
    var stream: Int
    var number: Int64
}

/// A packet that may well be taken: numbers stay close together.
private func packet(_ choice: UInt8, _ input: inout FuzzInput) -> [UInt8] {
    let types: [UInt8] = [96, 97, 116, 117, 111, 63, 96, 96]
    let number = input.byte()
    let ssrc = input.byte()
    var values = HeaderExtensionValues()
    if choice & 0x10 != 0 { values.transportSequence = UInt16(number) &* 7 }
    if choice & 0x20 != 0 { values.streamID = InlineBytes(ssrc & 1 == 0 ? "q" : "h") }
    if choice & 0x40 != 0 { values.mid = InlineBytes(ssrc & 0x10 == 0 ? "1" : "0") }
    if choice & 0x80 != 0 { values.repairedStreamID = InlineBytes("q") }
    let header = RTPHeader(
        marker: choice & 8 != 0, payloadType: types[Int(ssrc >> 5)], sequenceNumber: UInt16(number) &+ 65_400,
        timestamp: UInt32(number) &* 3_000, ssrc: UInt32(ssrc & 0x0F))
    let payload = input.slice(upTo: 200)
    // Short and long ones; the payload has bytes enough for both.
    let descriptorCount = choice & 0x30 == 0x30 ? min(payload.count, Int(number)) : 0
    return written {
        let byteCount = values.encodedByteCount(map: map, descriptorCount: descriptorCount)
        header.write(hasExtension: byteCount > 0, into: &$0)
        values.write(map: map, descriptor: payload.rawSpan.extracting(first: descriptorCount), into: &$0)
        $0.append(copying: payload)
    }
}

private func check(_ packet: ReceivedPacket, _ receiver: borrowing RTPReceiver, _ seen: inout Set<Place>) {
    precondition(packet.stream < receiver.streamCount, "a packet without a stream")
    precondition(
        seen.insert(Place(stream: packet.stream, number: packet.sequenceNumber)).inserted, "a number came twice")
    _ = packet.payload.copied()
    if let descriptor = packet.descriptor { precondition(!descriptor.isEmpty, "a descriptor without bytes") }
}

private func drain(_ receiver: inout RTPReceiver, at now: Monotonic) {
    receiver.advance(to: now)
    var isMore = true
    while isMore {
        let bytes = written { isMore = receiver.pollControl(into: &$0, at: now) }
        precondition(bytes.isEmpty == !isMore && bytes.count <= RTPLimits.maxDatagramBytes, "RTCP is over its limit")
        var reader = RTCPReader(bytes.rawSpan)
        do {
            while let packet = try reader.next() {
                if packet.isTransportWide { _ = try TransportFeedbackReader(packet) }
                if packet.isNack { try packet.forEachNacked { _ in } }
            }
        } catch { preconditionFailure("written RTCP does not parse") }
    }
    if let deadline = receiver.nextDeadline { precondition(deadline > now, "a drained receiver is due at once") }
    for index in 0..<receiver.streamCount {
        let statistics = receiver.stream(index).statistics
        precondition(statistics.packetsLost >= 0 && statistics.jitter >= .zero, "a count is negative")
    }
}

/// Blocks stand one behind the other, the last up to the end.
private func readRedundant(_ bytes: [UInt8]) {
    guard let payload = try? RedundantPayload(parsing: bytes.rawSpan) else { return }
    var end = payload[0].range.lowerBound
    for index in 0..<payload.count {
        precondition(payload[index].range.lowerBound == end, "a gap between blocks")
        end = payload[index].range.upperBound
    }
    precondition(end == bytes.count && payload.primary == payload[payload.count - 1], "bytes are left over")
}

/// Any correction over packets of which one is missing.
private func correct(_ input: FuzzInput) {
    var input = input
    var receiver = makeReceiver(isReduced: false, isSimulcast: false)
    let lost = input.byte() & 15
    for index in 0..<16 as Range<UInt8> {
        let payload = input.slice(upTo: 20)
        guard index != lost else { continue }
        let header = RTPHeader(
            marker: false, payloadType: 96, sequenceNumber: 65_530 &+ UInt16(index), timestamp: UInt32(index), ssrc: 1)
        let bytes = written {
            header.write(hasExtension: false, into: &$0)
            $0.append(copying: payload)
        }
        try? receiver.receive(bytes.rawSpan, at: .ms(1))
        while receiver.pollPacket() != nil {}
    }
    let header = RTPHeader(marker: false, payloadType: 117, sequenceNumber: 10, timestamp: 0, ssrc: 1)
    let bytes = written {
        header.write(hasExtension: false, into: &$0)
        $0.append(copying: Array(input.remainder().prefix(2_000)))
    }
    try? receiver.receive(bytes.rawSpan, at: .ms(2))
    while let packet = receiver.pollPacket() {
        precondition(packet.payload.count <= RTPLimits.maxRecoveredBytes, "a packet is over its limit")
    }
}

extension Monotonic {
    fileprivate static func ms(_ count: Int64) -> Monotonic { .zero + .milliseconds(count) }
}
