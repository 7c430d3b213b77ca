import Bytes

/// Makes transport-wide feedback from arrivals.
package enum TransportFeedback {
    /// Appends one feedback packet about the packets from `baseSequence` on and returns how many of `arrivals` it
    /// covers: those from the start whose deltas can be coded and that fit into `maxBytes`.
    ///
    /// `arrivals` are in 250 µs on one clock of the receiver; nil marks a packet that did not come. The first must
    /// have come.
    package static func write(
        sender: UInt32, media: UInt32, baseSequence: UInt16, feedbackCount: UInt8, arrivals: [Int64?], maxBytes: Int,
        into output: inout OutputRawSpan
    ) -> Int {
        guard let first = arrivals.first, let firstArrival = first else { return 0 }
        let reference = Int64(floorDividing: firstArrival, by: TransportFeedbackReader.ticksPerReference)
        var previous = reference * TransportFeedbackReader.ticksPerReference
        var symbols: [UInt8] = []
        var deltas: [Int16] = []
        // Chunks cost at most two bytes for seven packets.
        var deltaBytes = 0
        for arrival in arrivals.prefix(RTPLimits.maxFeedbackStatuses) {
            var symbol: UInt8 = 0
            var delta: Int16 = 0
            if let arrival {
                guard let coded = Int16(exactly: arrival - previous) else { break }
                delta = coded
                symbol = (0...255).contains(coded) ? 1 : 2
            }
            let needed = 20 + (symbols.count / 7 + 1) * 2 + deltaBytes + Int(symbol) + 3
            guard needed <= maxBytes else { break }
            if let arrival {
                previous = arrival
                deltas.append(delta)
            }
            symbols.append(symbol)
            deltaBytes += Int(symbol)
        }
        let chunks = Self.chunks(of: symbols)
        let detailBytes = (8 + chunks.count * 2 + deltaBytes + 3) / 4 * 4
        let end = output.byteCount + 12 + detailBytes
        Feedback.writeHead(
            RTCPType.transportFeedback, Feedback.transportWideFormat, detailBytes, sender, media, &output)
        output.append(bigEndian: baseSequence)
        output.append(bigEndian: UInt16(truncatingIfNeeded: symbols.count))
        output.append(uint24: UInt32(truncatingIfNeeded: reference))
        output.append(feedbackCount)
        for chunk in chunks { output.append(bigEndian: chunk) }
        for delta in deltas {
            if (0...255).contains(delta) {
                output.append(UInt8(truncatingIfNeeded: delta))
            } else {
                output.append(bigEndian: UInt16(bitPattern: delta))
            }
        }
        while output.byteCount < end { output.append(0 as UInt8) }
        return symbols.count
    }

    /// Run lengths where seven or more symbols are equal, otherwise vectors: of one-bit symbols while no large delta
    /// is among the next fourteen.
    private static func chunks(of symbols: [UInt8]) -> [UInt16] {
        var chunks: [UInt16] = []
        var rest = symbols[...]
        while let first = rest.first {
            let run = rest.prefix(0x1FFF).prefix { $0 == first }.count
            if run >= 7 || run == rest.count {
                chunks.append(UInt16(first) << 13 | UInt16(truncatingIfNeeded: run))
                rest = rest.dropFirst(run)
            } else if !rest.prefix(14).contains(2) {
                chunks.append(0x8000 | vector(rest, count: 14, bits: 1))
                rest = rest.dropFirst(14)
            } else {
                chunks.append(0xC000 | vector(rest, count: 7, bits: 2))
                rest = rest.dropFirst(7)
            }
        }
        return chunks
    }

    private static func vector(_ symbols: ArraySlice<UInt8>, count: Int, bits: UInt16) -> UInt16 {
        var vector: UInt16 = 0
        for index in 0..<count {
            let at = symbols.startIndex + index
            vector = vector << bits | UInt16(at < symbols.endIndex ? symbols[at] : 0)
        }
        return vector
    }
}

extension Int64 {
    /// Rounds toward negative infinity.
    fileprivate init(floorDividing value: Int64, by divisor: Int64) {
        let (quotient, rest) = value.quotientAndRemainder(dividingBy: divisor)
        self = rest < 0 ? quotient - 1 : quotient
    }
}
