/// What a peer's numbers are held against before they allocate or loop.
package enum TranscodeLimits {
    /// Pixels of a source picture: 4096x2304, which is H.264 level 5.1 and all that real cameras and screens send live.
    package static let maxSourcePixels: Int64 = 4096 * 2304
    /// Longest side of a source picture.
    package static let maxSourceSide = 8192
    /// One coded picture or audio packet.
    package static let maxFrameBytes = 16 << 20
    /// A decoder configuration record.
    package static let maxRecordBytes = 1 << 20
    /// A pixel may be this many times wider than high, or higher than wide; other shapes are taken for square.
    package static let maxSampleAspect = 4
    /// Nanoseconds either way that a timeline may reach: 36 years, far enough from overflow for every sum made here.
    package static let times: ClosedRange<Int64> = -(1 << 60)...1 << 60

    package static let audioRates = 4_000...192_000
    package static let maxAudioChannels = 16
    /// Samples of one decoded audio frame.
    package static let maxAudioFrameSamples = 1 << 16

    /// Sizes and rates that a ladder may ask for.
    package static let layerSides = 16...4096
    package static let layerBitrates = 10_000...100_000_000
    package static let frameRates = 1.0...120.0
}
