import Bytes
import Media

// What comes on a stream's own source, and what is taken out of it.

extension RTPReceiver {
    /// Where a packet stands that is to be handed out.
    struct Place {
        var stream: Int
        var number: Int64
        var timestamp: UInt32
        var marker: Bool
        var isRepaired: Bool
        var didRestart = false
        var audioLevel: HeaderExtensionValues.AudioLevel?
        /// Where the packet that is at hand has its dependency descriptor.
        var descriptor: Range<Int>?
        var now: Monotonic
    }

    mutating func receiveOriginal(
        _ packet: RawSpan, _ header: RTPHeader, _ values: HeaderExtensionValues, _ role: PayloadRole?,
        on stream: Int, at now: Monotonic
    ) throws(RTPError) {
        var clockRate: Int?
        if case .media(let rate) = role { clockRate = rate }
        let placement = streams[stream].receive(header, byteCount: packet.byteCount, clockRate: clockRate, at: now)
        var place = Place(
            stream: stream, number: 0, timestamp: header.timestamp, marker: header.marker, isRepaired: false,
            audioLevel: values.audioLevel, descriptor: descriptor(in: header, of: packet, on: stream), now: now)
        switch placement {
        case .duplicate, .refused: return
        case .ahead(let number, let missing):
            place.number = number
            place.didRestart = streams[stream].takeRestart()
            noteAhead(number, missing: missing, on: stream, at: now)
        case .late(let number):
            place.number = number
            noteFound(number, on: stream, isOriginal: true, at: now)
        case .restarted(let number):
            place.number = number
            place.didRestart = streams[stream].takeRestart()
        }
        if reportDueAt == nil { reportDueAt = now + RTPLimits.firstReportDelay }
        streams[stream].noteAlive(at: now)
        try handle(packet, header, header.payloadType, header.payloadRange, place)
        recoverLosses(on: stream, at: now)
    }

    /// Streams with error correction have none: what that gives back would lack it.
    private func descriptor(in header: RTPHeader, of packet: RawSpan, on stream: Int) -> Range<Int>? {
        guard let id = sections[streams[stream].section].configuration.extensions[.dependencyDescriptor],
            streams[stream].correction == nil, streams[stream].kind == .video,
            let place = HeaderExtensionReader.place(of: id, in: header, of: packet), !place.isEmpty
        else { return nil }
        return place
    }

    private mutating func noteAhead(_ number: Int64, missing: Int64, on stream: Int, at now: Monotonic) {
        guard streams[stream].nacks?.noteArrival(number, skipped: missing, at: now) == false else { return }
        requestKeyFrame(stream: stream)
    }

    /// A number that may have been asked for came. How long that took is a round trip when it came again.
    private mutating func noteFound(_ number: Int64, on stream: Int, isOriginal: Bool, at now: Monotonic) {
        // With a source for retransmissions, what comes late on the own one was just late.
        let isKnown = !isOriginal || streams[stream].retransmissionSSRC != nil
        let sample = streams[stream].nacks?.noteFound(
            number, isOriginal: isKnown ? isOriginal : nil, roundTrip: roundTrip ?? .zero, at: now)
        guard let sample, !hasExactRoundTrip, !isOriginal || !isKnown else { return }
        noteRoundTrip(sample)
    }

    mutating func noteRoundTrip(_ sample: Interval) {
        guard sample >= .zero else { return }
        roundTrip = roundTrip.map { ($0 * 7 + sample) / 8 } ?? sample
    }

    /// A payload of any negotiated kind, which stands at `range`.
    private mutating func handle(
        _ packet: RawSpan, _ header: RTPHeader, _ payloadType: UInt8, _ range: Range<Int>, _ place: Place
    ) throws(RTPError) {
        guard !range.isEmpty else { return emitEmpty(payloadType, place) }
        switch sections[streams[place.stream].section].role(of: payloadType) {
        case .media: emit(packet, header, payloadType, range, place)
        case .redundancy: try unwrap(packet, header, range, place)
        case .ulpfec:
            let payload = videoArena.append(packet.extracting(range))
            emitEmpty(payloadType, place)
            try streams[place.stream].correction?.addGroup(payload, place: place.number)
        case .retransmission, nil:
            emitEmpty(payloadType, place)
            counters.unknownPayloadType &+= 1
        }
    }

    /// RFC 2198: redundant audio fills gaps before the primary block is handed out.
    private mutating func unwrap(
        _ packet: RawSpan, _ header: RTPHeader, _ range: Range<Int>, _ place: Place
    ) throws(RTPError) {
        let payload: RedundantPayload
        do throws(RTPError) {
            payload = try RedundantPayload(parsing: packet.extracting(range))
        } catch {
            emitEmpty(header.payloadType, place)
            throw error
        }
        if streams[place.stream].kind == .audio {
            for index in 0..<payload.count - 1 {
                fill(payload[index], distance: Int64(payload.count - 1 - index), packet, header, range, place)
            }
        }
        let primary = payload.primary
        let found = range.lowerBound + primary.range.lowerBound..<range.lowerBound + primary.range.upperBound
        if case .redundancy = sections[streams[place.stream].section].role(of: primary.payloadType) {
            emitEmpty(header.payloadType, place)
            throw .badPayload
        }
        try handle(packet, header, primary.payloadType, found, place)
    }

    /// A redundant block holds what the packet `distance` before this one held.
    private mutating func fill(
        _ block: RedundantPayload.Block, distance: Int64, _ packet: RawSpan, _ header: RTPHeader, _ range: Range<Int>,
        _ place: Place
    ) {
        let number = place.number - distance
        guard block.timestampOffset > 0, !block.range.isEmpty, number >= streams[place.stream].window.base,
            case .media = sections[streams[place.stream].section].role(of: block.payloadType),
            streams[place.stream].window.placeRepaired(number) != nil
        else { return }
        _ = streams[place.stream].nacks?.noteFound(number, isOriginal: false, at: place.now)
        streams[place.stream].statistics.repairedByRedundancy &+= 1
        let earlier = Place(
            stream: place.stream, number: number, timestamp: place.timestamp &- block.timestampOffset, marker: false,
            isRepaired: true, now: place.now)
        let found = range.lowerBound + block.range.lowerBound..<range.lowerBound + block.range.upperBound
        emit(packet, header, block.payloadType, found, earlier)
    }

    /// RFC 4588 section 4: the original number stands before the original payload.
    mutating func receiveRetransmission(
        _ packet: RawSpan, _ header: RTPHeader, of payloadType: UInt8, on stream: Int, at now: Monotonic
    ) throws(RTPError) {
        // Probes of the path are padding alone.
        guard !header.payloadRange.isEmpty else { return }
        guard header.payloadRange.count >= 2 else { throw .badPayload }
        let start = header.payloadRange.lowerBound
        let original = packet.bigEndian(at: start, as: UInt16.self)
        let highest = streams[stream].window.highest ?? .max
        guard let number = streams[stream].window.placeRepaired(original) else { return }
        streams[stream].statistics.repairedByRetransmission &+= 1
        if number > highest {
            noteAhead(number, missing: number - highest - 1, on: stream, at: now)
        } else {
            noteFound(number, on: stream, isOriginal: false, at: now)
        }
        let place = Place(
            stream: stream, number: number, timestamp: header.timestamp, marker: header.marker, isRepaired: true,
            didRestart: streams[stream].takeRestart(),
            descriptor: descriptor(in: header, of: packet, on: stream), now: now)
        try handle(packet, header, payloadType, start + 2..<header.payloadRange.upperBound, place)
    }

    /// Hands out what error correction can give back, and what that gives back in turn.
    private mutating func recoverLosses(on stream: Int, at now: Monotonic) {
        guard streams[stream].correction != nil else { return }
        // Each round takes a group away.
        for _ in 0..<RTPLimits.maxCorrectionGroups {
            var packet: [UInt8] = []
            swap(&packet, &recovered)
            defer { swap(&packet, &recovered) }
            guard let number = streams[stream].recover(into: &packet) else { return }
            guard let header = try? RTPHeader(parsing: packet.rawSpan),
                case .media = sections[streams[stream].section].role(of: header.payloadType),
                streams[stream].window.placeRepaired(number) != nil
            else { continue }
            _ = streams[stream].nacks?.noteFound(number, isOriginal: false, at: now)
            streams[stream].statistics.repairedByRedundancy &+= 1
            let place = Place(
                stream: stream, number: number, timestamp: header.timestamp, marker: header.marker, isRepaired: true,
                now: now)
            emit(packet.rawSpan, header, header.payloadType, header.payloadRange, place, isWhole: true)
        }
    }

    /// Copies a payload and hands it out. `isWhole` of a packet that is here as it was sent.
    private mutating func emit(
        _ packet: RawSpan, _ header: RTPHeader, _ payloadType: UInt8, _ range: Range<Int>, _ place: Place,
        isWhole: Bool = false
    ) {
        guard !range.isEmpty else { return emitEmpty(payloadType, place) }
        let payload: SlabSlice
        var descriptor: SlabSlice?
        if let place = place.descriptor {
            let both = videoArena.append(packet.extracting(place), packet.extracting(range))
            descriptor = both[0..<place.count]
            payload = both[place.count..<both.count]
        } else if streams[place.stream].correction != nil, isWhole || !place.isRepaired {
            // Correction covers all behind the fixed header, as it was before RED.
            let prefix = RTPHeader.byteCount..<header.payloadRange.lowerBound
            let body = videoArena.append(
                packet.extracting(prefix), packet.extracting(range.lowerBound..<packet.byteCount))
            let head = UInt16(packet[0]) << 8 | UInt16(packet[1] & 0x80 | payloadType)
            streams[place.stream].correction?.addMedia(
                place.number, head: head, timestamp: header.timestamp, body: body)
            payload = body[prefix.count..<prefix.count + range.count]
        } else if streams[place.stream].kind == .audio {
            payload = audioArena.append(packet.extracting(range))
        } else {
            payload = videoArena.append(packet.extracting(range))
        }
        hand(payload, payloadType, place, descriptor: descriptor)
    }

    private mutating func emitEmpty(_ payloadType: UInt8, _ place: Place) {
        hand(audioArena.append(RawSpan()), payloadType, place)
    }

    private mutating func hand(
        _ payload: SlabSlice, _ payloadType: UInt8, _ place: Place, descriptor: SlabSlice? = nil
    ) {
        let packet = ReceivedPacket(
            stream: place.stream, sequenceNumber: place.number, timestamp: place.timestamp, marker: place.marker,
            payloadType: payloadType, payload: payload, arrival: place.now, isRepaired: place.isRepaired,
            didRestart: place.didRestart, audioLevel: place.audioLevel, descriptor: descriptor)
        if !packets.append(packet) { counters.overflowed &+= 1 }
    }
}
