import Bytes
import Media
import RTP

package let rtpTargets: [FuzzTarget] = [
    FuzzTarget("rtp") { bytes in readPacket(bytes) },
    FuzzTarget("rtcp") { bytes in
        readCompound(bytes)
        var sender = makeSender()
        try? sender.receiveControl(bytes.rawSpan, at: .zero)
        while sender.pollEvent() != nil {}
    },
    FuzzTarget("h264") { bytes in depacketize(.h264, FuzzInput(bytes)) },
    FuzzTarget("hevc") { bytes in depacketize(.hevc, FuzzInput(bytes)) },
    FuzzTarget("vp8") { bytes in depacketize(.vp8, FuzzInput(bytes)) },
    FuzzTarget("vp9") { bytes in depacketize(.vp9, FuzzInput(bytes)) },
    FuzzTarget("av1-payload") { bytes in depacketize(.av1, FuzzInput(bytes)) },
    FuzzTarget("packet-inspector") { bytes in inspect(bytes) },
    FuzzTarget("payload-round-trip") { bytes in packetize(FuzzInput(bytes)) },
    FuzzTarget("jitter-buffer") { bytes in reorder(FuzzInput(bytes)) },
    FuzzTarget("frame-assembler") { bytes in assemble(FuzzInput(bytes)) },
    FuzzTarget("rtp-send") { bytes in send(FuzzInput(bytes)) },
    FuzzTarget("transport-feedback") { bytes in writeFeedback(FuzzInput(bytes)) },
    FuzzTarget("bandwidth") { bytes in estimateBandwidth(FuzzInput(bytes)) },
]

/// Every extension known, in the order of the kinds from id 1.
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

/// What can be read can be written, and reads the same.
private func readPacket(_ bytes: [UInt8]) {
    guard let header = try? RTPHeader(parsing: bytes.rawSpan) else { return }
    _ = header.payload(of: bytes.rawSpan).byteCount
    guard let values = try? HeaderExtensionValues(header, of: bytes.rawSpan, map: map) else { return }
    let again = written {
        header.write(hasExtension: values.encodedByteCount(map: map) > 0, into: &$0)
        values.write(map: map, into: &$0)
    }
    guard let second = try? RTPHeader(parsing: again.rawSpan),
        let secondValues = try? HeaderExtensionValues(second, of: again.rawSpan, map: map)
    else { preconditionFailure("a written header does not parse") }
    precondition(second.timestamp == header.timestamp && secondValues == values, "a header changed on its way")
}

private func readCompound(_ bytes: [UInt8]) {
    var reader = RTCPReader(bytes.rawSpan)
    do {
        while let packet = try reader.next() {
            _ = try? packet.senderReport()
            try? packet.forEachReportBlock { _ = $0.roundTrip(arrival: NTPTime(rawValue: 1 << 40)) }
            try? packet.forEachCanonicalName { _ = $1.byteCount }
            try? packet.forEachGoodbye { _ in }
            try? packet.forEachNacked { _ in }
            try? packet.forEachFullIntra { _, _ in }
            _ = try? packet.maximumBitrate()
            _ = try? packet.extendedReport { _ in }
            guard packet.isTransportWide else { continue }
            var feedback = try TransportFeedbackReader(packet)
            var count = 0
            while feedback.next() != nil { count += 1 }
            precondition(count == feedback.statusCount, "a checked feedback ended early")
        }
    } catch {}
}

/// Payloads behind a marker, a sequence step and a timestamp step each.
private func eachPacket(_ input: FuzzInput, _ visit: ([UInt8], DepacketizerInput) -> Void) {
    var input = input
    var place = DepacketizerInput(sequenceNumber: 65_530, timestamp: 0, marker: false)
    while !input.isEmpty {
        let flags = input.byte()
        place.sequenceNumber &+= flags & 0x0C == 0x0C ? UInt16(flags >> 4) : 1
        place.timestamp &+= flags & 2 == 0 ? 0 : 3_000
        place.marker = flags & 1 == 1
        visit(input.slice(upTo: 64), place)
    }
}

private func depacketize(_ codec: VideoCodec, _ input: FuzzInput) {
    guard var depacketizer = Depacketizer(codec: .video(codec), maxFrameBytes: 512) else {
        preconditionFailure("a codec without a payload format")
    }
    eachPacket(input) { payload, place in
        try? depacketizer.receive(payload.rawSpan, place)
        while let frame = depacketizer.pollFrame() { check(frame, codec) }
    }
}

private func check(_ frame: DepacketizedFrame, _ codec: VideoCodec) {
    precondition((1...512).contains(frame.payload.count), "a frame is empty or over its limit")
    switch codec {
    case .h264, .hevc:
        var units = AnnexBUnits(frame.payload.bytes)
        while let range = units.next() { precondition(!range.isEmpty, "an empty unit") }
    case .av1:
        var units = AV1Units(frame.payload.bytes)
        do { while try units.next() != nil {} } catch { preconditionFailure("a unit leaves its temporal unit") }
    default: break
    }
}

/// A size is within its limits, and what begins a key frame does so for the depacketizer's parsers too.
private func inspect(_ bytes: [UInt8]) {
    joinLayers(bytes)
    for codec in [VideoCodec.h264, .hevc, .vp8, .vp9, .av1] {
        _ = PacketInspector.beginsKeyFrame(bytes.rawSpan, codec)
        if let layers = PacketInspector.spatialLayers(bytes.rawSpan, codec) {
            precondition((1...8).contains(layers), "a picture has one to eight layers")
        }
        guard let size = PacketInspector.pictureSize(bytes.rawSpan, codec) else { continue }
        precondition((1...65_535).contains(size.width) && (1...65_535).contains(size.height), "a size out of range")
    }
}

/// What is cut into packets and put together again is the same.
private func packetize(_ input: FuzzInput) {
    var input = input
    let choice = input.byte()
    let size = 64 + Int(input.byte())
    let bytes = input.remainder()
    let (codec, format): (VideoCodec, PayloadFormat) =
        switch choice & 3 {
        case 0: (.hevc, .hevcAnnexB)
        case 1: (.vp9, .vp9(VP9PictureID(UInt16(choice) << 7)))
        case 2: (.av1, .av1)
        default: (.h264, .h264AnnexB)
        }
    let frame = EncodedFrame(
        codec: .video(codec), pts: 0, dts: 0, isKey: choice & 4 != 0, payload: SlabSlice(copying: bytes))
    guard let packets = try? PacketizedFrame(frame, as: format, maxPayloadBytes: size),
        var depacketizer = Depacketizer(codec: .video(codec))
    else { return }
    for (index, fragment) in packets.fragments.enumerated() {
        precondition(fragment.byteCount <= size, "a packet is over its size")
        let payload = written { output in
            fragment.prefix.write(into: &output)
            let whole = packets.payload
            output.append(copying: whole.bytes.extracting(fragment.range))
        }
        let place = DepacketizerInput(
            sequenceNumber: UInt16(truncatingIfNeeded: index), timestamp: 0, marker: fragment.marker)
        // Units of the types that only packets have are not what encoders make.
        guard (try? depacketizer.receive(payload.rawSpan, place)) != nil else { return }
    }
    guard let again = depacketizer.pollFrame() else { return }
    if codec == .vp9 { return precondition(again.payload.copied() == bytes, "a picture changed") }
    guard codec == .av1 else { return }
    precondition(av1Units(again.payload.copied()) == av1Units(bytes), "a temporal unit changed")
}

/// Those that are sent.
private func av1Units(_ bytes: [UInt8]) -> [[UInt8]] {
    var walk = AV1Units(bytes.rawSpan)
    var units: [[UInt8]] = []
    while let unit = try? walk.next() {
        if ![2, 8, 15].contains(unit.type), !unit.payload.isEmpty { units.append([unit.type] + bytes[unit.payload]) }
    }
    return units
}

/// Packets and time in any order: numbers grow but where a gap is told, waits and room are bounded.
private func reorder(_ input: FuzzInput) {
    var input = input
    let limits = input.byte() & 1 == 0 ? JitterBuffer.Limits.video : .audio
    var buffer = JitterBuffer(limits)
    var now = Monotonic.zero
    var number: Int64 = 65_500
    var last: Int64?
    while !input.isEmpty {
        let choice = input.byte()
        switch choice & 7 {
        case 0: now += .milliseconds(Int64(input.byte()) * 4)
        case 1: number &+= Int64(Int8(bitPattern: input.byte()))
        case 2: number = choice & 8 == 0 ? Int64(input.int(in: 0...100_000)) : Int64.max &- Int64(input.byte())
        default: number &+= 1
        }
        if choice & 7 != 0 {
            buffer.receive(
                JitterBuffer.Packet(
                    sequenceNumber: number, timestamp: 0, marker: false, payloadType: 0,
                    payload: SlabSlice(copying: []), arrival: now, followsGap: choice == 255))
        }
        while let packet = buffer.pollPacket(at: now) {
            precondition(packet.followsGap || last.map { packet.sequenceNumber == $0 &+ 1 } ?? true, "a gap untold")
            precondition(now - packet.arrival <= limits.maxWait + .milliseconds(1_020), "a packet waited too long")
            last = packet.sequenceNumber
        }
        precondition(buffer.waitingCount <= limits.maxPackets, "more packets than places")
        precondition(buffer.wait <= limits.maxWait, "a wait over its bound")
        if let deadline = buffer.nextDeadline { precondition(deadline > now, "a drained buffer is due at once") }
    }
}

/// Packets of any codec with losses: nothing that needs a lost frame comes out.
private func assemble(_ input: FuzzInput) {
    var input = input
    let codecs: [EncodedFrame.Codec] = [
        .video(.h264), .video(.hevc), .video(.vp8), .video(.vp9), .video(.av1), .audio(.opus),
    ]
    let codec = codecs[Int(input.byte()) % codecs.count]
    guard var assembler = FrameAssembler(codec: codec) else { preconditionFailure("a codec without a payload format") }
    var number: Int64 = 0
    var now = Monotonic.zero
    var hasKey = false
    eachPacket(input) { payload, place in
        number += Int64(place.sequenceNumber &- UInt16(truncatingIfNeeded: number))
        now += .milliseconds(7)
        assembler.receive(
            JitterBuffer.Packet(
                sequenceNumber: number, timestamp: place.timestamp, marker: place.marker, payloadType: 96,
                payload: SlabSlice(copying: payload), arrival: now))
        if place.marker, place.timestamp & 1 == 0 { now += .milliseconds(200) }
        while let frame = assembler.pollFrame(at: now)?.frame {
            hasKey = hasKey || frame.isKey
            precondition(
                hasKey && (codec == .audio(.opus) || frame.isKey || !frame.followsLoss),
                "a frame without its references")
        }
    }
}

private func makeSender(estimatesBandwidth: Bool = true) -> RTPSender {
    var sender = RTPSender(
        clock: NTPClock(NTPTime(rawValue: 1 << 40), at: .zero), cname: InlineBytes(), targetBitrate: 1_000_000,
        estimatesBandwidth: estimatesBandwidth)
    for index in 0..<2 as Range<UInt32> {
        var configuration = SendStream.Configuration(
            kind: index == 0 ? .audio : .video, ssrc: index, payloadType: 96, clockRate: 90_000,
            firstSequenceNumber: 65_534, timestampOffset: 1)
        configuration.extensions = map
        configuration.mid = InlineBytes("0")
        if index == 1 { configuration.retransmission = .init(ssrc: 9, payloadType: 97, firstSequenceNumber: 0) }
        _ = sender.addStream(configuration)
    }
    return sender
}

/// Frames, RTCP and time in any order: what is written parses, and a drained sender is due in the future.
private func send(_ input: FuzzInput) {
    var input = input
    var sender = makeSender(estimatesBandwidth: input.byte() & 1 == 1)
    var now = Monotonic.zero
    while !input.isEmpty {
        let choice = input.byte()
        switch choice & 3 {
        case 0: now += .milliseconds(Int64(input.byte()))
        case 1:
            let bytes = input.slice(upTo: 600)
            try? sender.receiveControl(bytes.rawSpan, at: now)
        default: enqueue(input.slice(upTo: 3_000), choice, to: &sender, at: now)
        }
        sender.advance(to: now)
        while drainOne(&sender, at: now) {}
        while sender.pollEvent() != nil {}
        if let deadline = sender.nextDeadline { precondition(deadline > now, "a drained sender is due at once") }
    }
}

private func enqueue(_ bytes: [UInt8], _ choice: UInt8, to sender: inout RTPSender, at now: Monotonic) {
    let format: PayloadFormat =
        switch choice >> 2 & 3 {
        case 0: .h264AnnexB
        case 1: .h264LengthPrefixed(lengthSize: 4)
        case 2: .vp8(VP8PictureID(UInt16(choice) << 8))
        default: .opus
        }
    let frame = EncodedFrame(
        codec: format == .opus ? .audio(.opus) : .video(.h264), pts: now.nanoseconds, dts: now.nanoseconds,
        isKey: choice & 16 == 0, payload: SlabSlice(copying: bytes))
    guard let packets = try? PacketizedFrame(frame, as: format, maxPayloadBytes: 64 + Int(choice)) else { return }
    precondition(packets.fragments.last?.marker != false || format == .opus, "a frame's last packet has the marker")
    sender.send(packets, on: format == .opus ? 0 : 1, at: now)
}

private func drainOne(_ sender: inout RTPSender, at now: Monotonic) -> Bool {
    var kind: RTPSender.Transmit?
    let bytes = written { kind = sender.pollTransmit(into: &$0, at: now) }
    precondition(bytes.count <= RTPLimits.maxDatagramBytes, "a datagram is over its limit")
    switch kind {
    case nil:
        precondition(bytes.isEmpty, "bytes without a datagram")
        return false
    case .control: readCompound(bytes)
    case .media:
        guard let header = try? RTPHeader(parsing: bytes.rawSpan),
            (try? HeaderExtensionValues(header, of: bytes.rawSpan, map: map)) != nil
        else { preconditionFailure("a written packet does not parse") }
    }
    return true
}

/// What is written reads back.
private func writeFeedback(_ input: FuzzInput) {
    var input = input
    var time: Int64 = 0
    var arrivals: [Int64?] = [0]
    while !input.isEmpty, arrivals.count < 3_000 {
        let step = input.byte()
        if step == 255 { time += Int64(input.int(in: 0...80_000)) - 40_000 } else { time += Int64(step) }
        arrivals.append(step % 5 == 4 ? nil : time)
    }
    var covered = 0
    let bytes = written {
        covered = TransportFeedback.write(
            sender: 1, media: 2, baseSequence: 65_000, feedbackCount: 0, arrivals: arrivals, maxBytes: 1_200, into: &$0)
    }
    precondition(bytes.count <= 1_200, "feedback is over its room")
    guard let found = try? readArrivals(bytes) else { preconditionFailure("written feedback does not parse") }
    precondition(found == Array(arrivals.prefix(covered)), "an arrival changed on its way")
}

/// Whatever a peer reports, the estimate keeps its bounds, and time that was let pass is not due again.
private func estimateBandwidth(_ input: FuzzInput) {
    var input = input
    var estimator = BandwidthEstimator(wantedBitrate: 2_000_000)
    var now = Monotonic.zero
    var sent: [(number: UInt16, at: Monotonic)] = []
    var number: UInt16 = 65_500
    var arrival = input.word()
    while !input.isEmpty {
        let choice = input.byte()
        switch choice & 3 {
        case 0: now += .milliseconds(Int64(input.byte()))
        case 1:
            for _ in 0...choice >> 2 {
                estimator.recordSent(byteCount: 1_100, at: now)
                sent.append((number, now))
                number &+= 1
                now += .milliseconds(Int64(choice & 4) / 4)
            }
        case 2:
            var outcomes: [SentPacketHistory.Outcome] = []
            for packet in sent {
                let step = input.byte()
                arrival = step == 255 ? input.word() : arrival &+ Int64(step & 15)
                outcomes.append(
                    SentPacketHistory.Outcome(
                        sequenceNumber: packet.number, byteCount: 1_100, sentAt: packet.at,
                        arrival: step & 0x30 == 0x30 ? nil : arrival, wasReported: step & 0x40 != 0))
            }
            if choice & 4 == 0 { sent.removeAll() }
            estimator.receive(outcomes, roundTrip: .milliseconds(Int64(choice)), at: now)
        default:
            estimator.wantedBitrate = 100_000 + Int(choice) * 30_000
            estimator.cap = choice & 4 == 0 ? nil : Int(choice) * 10_000
        }
        estimator.advance(to: now)
        checkEstimate(estimator)
    }
}

extension FuzzInput {
    fileprivate mutating func word() -> Int64 {
        (0..<8).reduce(0) { value, _ in value << 8 | Int64(byte()) }
    }
}

private func checkEstimate(_ estimator: BandwidthEstimator) {
    guard let estimate = estimator.estimate else { return }
    let ceiling = max(estimator.wantedBitrate * 3 / 2, BandwidthEstimator.floor)
    precondition(estimate <= min(ceiling, estimator.cap ?? .max), "an estimate is above its ceiling")
    precondition(estimate >= min(BandwidthEstimator.floor, estimator.cap ?? .max), "an estimate is below its floor")
}

private func readArrivals(_ bytes: [UInt8]) throws(RTPError) -> [Int64?] {
    var reader = RTCPReader(bytes.rawSpan)
    var arrivals: [Int64?] = []
    while let packet = try reader.next() {
        var feedback = try TransportFeedbackReader(packet)
        while let status = feedback.next() { arrivals.append(status.arrival) }
    }
    return arrivals
}
