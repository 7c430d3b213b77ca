/// How loud a run of samples is.
package struct AudioLevel: Sendable, Hashable {
    /// Mean of the squared samples; 1 at full scale.
    package let meanSquare: Float

    package static let silence = AudioLevel(meanSquare: 0)

    package init(meanSquare: Float) { self.meanSquare = meanSquare }

    /// The mean over all samples of all channels.
    package init(of samples: Span<Float>) {
        var sum: Float = 0
        for index in samples.indices { sum += samples[index] * samples[index] }
        meanSquare = samples.isEmpty ? 0 : sum / Float(samples.count)
    }

    /// Minus dBov as RFC 6464 carries it: 0 at full scale … 127 for silence.
    package var minusDecibels: UInt8 {
        // Half way between two steps a level rounds to the louder one.
        var floor = Self.halfStep
        for level in 0..<UInt8(127) {
            if meanSquare >= floor { return level }
            floor *= Self.step
        }
        return 127
    }

    package var rms: Float { meanSquare.squareRoot() }

    /// One and half a decibel down, as ratios of power.
    private static let step: Float = 0.794_328_2
    private static let halfStep: Float = 0.891_250_9
}
