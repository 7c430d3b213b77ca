/// What a session was asked to publish as audio: Opus at 48 kHz in packets of 20 ms.
package struct AudioSpec: Sendable, Hashable {
    /// 1 or 2.
    package let channels: Int
    /// Bits per second.
    package let bitrate: Int
    /// Silence is sent as almost nothing.
    package let usesDTX: Bool
    /// Opus's own effort, 0 … 10.
    package let complexity: Int

    package static let sampleRate = 48_000
    package static let frameSamples = 960
    package static let bitrates = 6_000...510_000
    /// The least that analyses the signal, which DTX needs in music; 10 costs a third more time and hardly sounds
    /// better.
    package static let defaultComplexity = 7

    /// Zeroes ask for the usual: two channels; 64 kbit/s mono, 96 kbit/s stereo. Other values are held within Opus's
    /// ranges.
    package init(channels: Int = 0, bitrate: Int = 0, usesDTX: Bool = true, complexity: Int = defaultComplexity) {
        self.channels = channels == 1 ? 1 : 2
        let usual = self.channels == 1 ? 64_000 : 96_000
        self.bitrate = bitrate <= 0 ? usual : min(max(bitrate, Self.bitrates.lowerBound), Self.bitrates.upperBound)
        self.usesDTX = usesDTX
        self.complexity = min(max(complexity, 0), 10)
    }

    /// LiveKit's `IngressAudioEncodingPreset`, names and numbers.
    package enum Preset: Int, Sendable, CaseIterable {
        case opusStereo96 = 0
        case opusMono64 = 1

        /// The name in LiveKit's API.
        package var name: String { self == .opusStereo96 ? "OPUS_STEREO_96KBPS" : "OPUS_MONO_64KBS" }
    }

    package init(preset: Preset) { self.init(channels: preset == .opusMono64 ? 1 : 2) }
}
