package import Bytes
import Glibc

/// Keeps a layer's bit rate: chooses one quantiser for each picture, in one pass and without looking ahead.
///
/// A picture's bits are taken for its cost divided by the quantiser's step, which doubles every six (ITU-T H.264, 8.5.9).
/// What was coded flows into a leaky bucket that drains at the bit rate, over the source's own time, and holds what the
/// rate carries in `Limits.bucketTime`. Costs of the last pictures say which quantiser spends the rate; the bucket's
/// fill corrects that a little; and no picture may be expected to take more than a share of the room left.
///
/// x264's own control spends a fifth of the encoder's time on learning what a picture will cost, by searching motion in a
/// copy of half the size. The cost of the last pictures says the same, except when the picture changes as a whole, and
/// `PictureChange` tells that.
package struct RateControl {
    package enum Limits {
        /// H.264's coarsest, and as fine as anybody sees.
        package static let quantizers = 14...51
        /// The bucket holds what the bit rate carries in this time, or in that of a few pictures if that is longer.
        package static let bucketTime = Interval.seconds(1)
        static let leastPictures = 3.0
        /// Longer gaps in the source drain it no further.
        static let longestGap = Interval.seconds(1)
        /// Fill, as a share of the bucket, that control steers for.
        static let restingFill = 0.25
        /// Of the room in the bucket, how much one picture may be expected to take.
        static let shareOfRoom = 0.6
        /// Even a full bucket leaves each picture this share of its time's bits.
        static let leastShare = 0.25
        /// A picture that others build on deserves a finer step.
        static let keyStepDivisor = 1.4
        /// From one picture to the next the quantiser becomes finer by this at most.
        static let fastestRefinement = 3.0
        /// How far back the usual cost looks.
        static let memory = Interval.milliseconds(500)
        /// How fast a cost once seen is no longer expected, for each cheaper picture.
        static let latestWeight = 0.3
        /// What a picture of which nothing is known is taken to cost, in bits per pixel at step 1.
        static let assumedKeyCost = 10.0
        /// What others are taken to cost before any was coded, as a share of a key frame.
        static let assumedShareOfKey = 0.2
    }

    /// Bits per second.
    package var bitrate: Int
    /// Pictures per second that really come.
    package var frameRate: Double

    /// Bits that were coded and have not drained yet.
    package private(set) var backlog: Double
    /// Costs of pictures that are no key frames: of the last half second, and the highest of the last few.
    private var usualCost: Double
    private var latestCost: Double
    private var keyCost: Double
    private let assumedKeyCost: Double
    private var quantizer = 0
    private var changed = 0.0
    private var lastPredicted: Int?
    private var lastPTS: Int64?

    package init(bitrate: Int, frameRate: Double, size: PictureSize) {
        self.bitrate = bitrate
        self.frameRate = frameRate
        backlog = Limits.restingFill * Double(bitrate) * Limits.bucketTime.seconds
        assumedKeyCost = Limits.assumedKeyCost * Double(size.width * size.height)
        keyCost = assumedKeyCost
        usualCost = Limits.assumedShareOfKey * keyCost
        latestCost = usualCost
    }

    /// The quantiser of the next picture.
    /// - Parameters:
    ///   - changed: share of the picture that is not what it was in the last one, 0 to 1.
    ///   - pts: nanoseconds; steps back and long gaps count as no time and as the longest gap.
    package mutating func nextQuantizer(isKey: Bool, changed: Double, pts: Int64) -> Int {
        drain(until: pts)
        self.changed = changed
        let budget = Double(bitrate) / frameRate
        let bucket = max(Double(bitrate) * Limits.bucketTime.seconds, budget * Limits.leastPictures)
        let excess = backlog / bucket - Limits.restingFill
        var step = usualCost / budget * exp2(excess)
        if isKey { step /= Limits.keyStepDivisor }
        // What was there before says nothing of what is new: after a black picture even a plain one is dear.
        let expected = max(isKey ? keyCost : latestCost, changed * max(keyCost, assumedKeyCost))
        let room = max(Limits.shareOfRoom * (bucket - backlog), Limits.leastShare * budget)
        step = max(step, expected / room)
        var wanted = 6 * log2(step)
        if let lastPredicted, !isKey { wanted = max(wanted, Double(lastPredicted) - Limits.fastestRefinement) }
        let range = Limits.quantizers
        quantizer = Int(min(max(wanted, Double(range.lowerBound)), Double(range.upperBound)).rounded())
        return quantizer
    }

    /// Notes what the picture took that `nextQuantizer` was asked for.
    package mutating func record(bits: Int, isKey: Bool) {
        backlog += Double(bits)
        let cost = Double(bits) * exp2(Double(quantizer) / 6)
        if isKey {
            keyCost = cost
            return
        }
        usualCost += (cost - usualCost) * min(1 / (frameRate * Limits.memory.seconds), 0.5)
        latestCost = max(cost, latestCost + (cost - latestCost) * Limits.latestWeight)
        // Mostly new, so what a key frame of it costs is known as well.
        if changed > 0.5 { keyCost = max(keyCost, cost) }
        lastPredicted = quantizer
    }

    private mutating func drain(until pts: Int64) {
        defer { lastPTS = pts }
        guard let lastPTS, pts > lastPTS else { return }
        let (gap, overflows) = pts.subtractingReportingOverflow(lastPTS)
        let elapsed = overflows ? Limits.longestGap : min(Interval(nanoseconds: gap), Limits.longestGap)
        backlog = max(0, backlog - Double(bitrate) * elapsed.seconds)
    }
}

/// How much of a picture is new, by comparing samples of its luma on a grid with those of the last picture.
package struct PictureChange {
    private static let columnSpacing = 16
    private static let rowSpacing = 8
    /// A sample that differs by more than this is new; noise and slow fades do not.
    private static let threshold = 16

    private let columns: Int
    private let rows: Int
    private var samples: [UInt8]

    package init(size: PictureSize) {
        columns = size.width / Self.columnSpacing
        rows = size.height / Self.rowSpacing
        samples = [UInt8](repeating: 0, count: columns * rows)
    }

    /// Share of samples that changed, 0 to 1; 1 for pictures too small to tell.
    /// - Parameters:
    ///   - luma: plane of a picture of the size given at the start.
    ///   - stride: bytes from one line to the next.
    package mutating func measure(_ luma: UnsafePointer<UInt8>, stride: Int) -> Double {
        guard !samples.isEmpty else { return 1 }
        var changed = 0
        var index = 0
        for row in 0..<rows {
            let line = luma + (row * Self.rowSpacing + Self.rowSpacing / 2) * stride + Self.columnSpacing / 2
            for column in 0..<columns {
                let value = line[column * Self.columnSpacing]
                if abs(Int(value) - Int(samples[index])) > Self.threshold { changed += 1 }
                samples[index] = value
                index += 1
            }
        }
        return Double(changed) / Double(samples.count)
    }
}
