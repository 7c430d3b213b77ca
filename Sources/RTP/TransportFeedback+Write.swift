import Bytes

/// Makes transport-wide feedback from arrivals.
package enum TransportFeedback {
    /// Two-bit symbols of the packets covered, in place so that nothing is allocated.
    private typealias Symbols = InlineArray<2_048, UInt8>

    /// Appends one feedback packet about the packets from `baseSequence` on and returns how many of `arrivals` it
    /// covers: those from the start whose deltas can be coded and that fit into `maxBytes`. Nothing is appended when
    /// it covers none.
    ///
    /// `arrivals` are in 250 µs on one clock of the receiver; nil marks a packet that did not come. One at least must
    /// have come.
    package static func write(
        sender: UInt32, media: UInt32, baseSequence: UInt16, feedbackCount: UInt8, arrivals: [Int64?], maxBytes: Int,
        into output: inout OutputRawSpan
    ) -> Int {
        guard let first = arrivals.lazy.compactMap(\.self).first else { return 0 }
        let reference = Int64(floorDividing: first, by: TransportFeedbackReader.ticksPerReference)
        let origin = reference * TransportFeedbackReader.ticksPerReference
        var symbols = Symbols(repeating: 0)
        let count = cover(arrivals, origin: origin, maxBytes: maxBytes, &symbols)
        guard count > 0 else { return 0 }
        let start = output.byteCount
        Feedback.writeHead(RTCPType.transportFeedback, Feedback.transportWideFormat, 8, sender, media, &output)
        output.append(bigEndian: baseSequence)
        output.append(bigEndian: UInt16(truncatingIfNeeded: count))
        output.append(uint24: UInt32(truncatingIfNeeded: reference))
        output.append(feedbackCount)
        writeChunks(of: symbols, count: count, into: &output)
        writeDeltas(of: arrivals, symbols, count: count, origin: origin, into: &output)
        while (output.byteCount - start) % 4 != 0 { output.append(0 as UInt8) }
        RTCPPacket.patchLength(from: start, in: &output)
        return count
    }

    /// Fills in the symbols of as many packets as can be told of. A symbol is the size of its delta.
    private static func cover(
        _ arrivals: [Int64?], origin: Int64, maxBytes: Int, _ symbols: inout Symbols
    ) -> Int {
        var previous = origin
        // Chunks cost at most two bytes for seven packets.
        var deltaBytes = 0
        let limit = min(arrivals.count, symbols.count)
        for index in 0..<limit {
            var symbol: UInt8 = 0
            if let arrival = arrivals[index] {
                guard let delta = Int16(exactly: arrival - previous) else { return index }
                symbol = (0...255).contains(delta) ? 1 : 2
                previous = arrival
            }
            deltaBytes += Int(symbol)
            guard 20 + (index / 7 + 1) * 2 + deltaBytes + 3 <= maxBytes else { return index }
            symbols[index] = symbol
        }
        return limit
    }

    /// Run lengths where seven or more symbols are equal, otherwise vectors: of one-bit symbols while no large delta
    /// is among the next fourteen.
    private static func writeChunks(of symbols: Symbols, count: Int, into output: inout OutputRawSpan) {
        var at = 0
        while at < count {
            var run = 1
            while at + run < count, run < 0x1FFF, symbols[at + run] == symbols[at] { run += 1 }
            if run >= 7 || run == count - at {
                output.append(bigEndian: UInt16(symbols[at]) << 13 | UInt16(truncatingIfNeeded: run))
                at += run
                continue
            }
            var hasLarge = false
            for index in at..<min(at + 14, count) where symbols[index] == 2 { hasLarge = true }
            var vector: UInt16 = 0
            for index in at..<at + (hasLarge ? 7 : 14) {
                vector = vector << (hasLarge ? 2 : 1) | UInt16(index < count ? symbols[index] : 0)
            }
            output.append(bigEndian: vector | (hasLarge ? 0xC000 : 0x8000))
            at += hasLarge ? 7 : 14
        }
    }

    private static func writeDeltas(
        of arrivals: [Int64?], _ symbols: Symbols, count: Int, origin: Int64, into output: inout OutputRawSpan
    ) {
        var previous = origin
        for index in 0..<count {
            guard let arrival = arrivals[index] else { continue }
            let delta = arrival - previous
            previous = arrival
            if symbols[index] == 1 {
                output.append(UInt8(truncatingIfNeeded: delta))
            } else {
                output.append(bigEndian: UInt16(truncatingIfNeeded: delta))
            }
        }
    }
}

extension Int64 {
    /// Rounds toward negative infinity.
    fileprivate init(floorDividing value: Int64, by divisor: Int64) {
        let (quotient, rest) = value.quotientAndRemainder(dividingBy: divisor)
        self = rest < 0 ? quotient - 1 : quotient
    }
}
