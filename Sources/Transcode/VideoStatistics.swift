package import Bytes
package import Media

/// What a `VideoPipeline` has done so far; a value without references.
package struct VideoStatistics: Sendable, Hashable {
    /// How often something was done and how long it took, on the caller's clock.
    package struct Timing: Sendable, Hashable {
        package private(set) var count: UInt64 = 0
        package private(set) var sum = Interval.zero
        package private(set) var last = Interval.zero

        mutating func record(_ duration: Interval) {
            count &+= 1
            sum += duration
            last = duration
        }
    }

    package struct Rung: Sendable, Hashable {
        package var size = PictureSize(0, 0)
        package var framesOut: UInt64 = 0
        package var keyFramesOut: UInt64 = 0
        package var bytesOut: UInt64 = 0
        package var scale = Timing()
        package var encode = Timing()
    }

    package struct Source: Sendable, Hashable {
        package var codec: VideoCodec?
        /// libavcodec's profile number; negative while unknown.
        package var profile: Int32 = -1
        /// As coded, before the sample aspect ratio.
        package var size = PictureSize(0, 0)
        /// With square pixels.
        package var displaySize = PictureSize(0, 0)
        /// Measured over the last second of source time; 0 before the first second is over.
        package var framesPerSecond = 0.0
        /// Frames from one key frame to the next, the last group that ended; 0 before.
        package var gopLength = 0
        /// Some frame was shown before one that was decoded earlier.
        package var hasReordering = false
        package var isInterlaced = false
    }

    package var source = Source()
    /// What the encoders put into each picture now.
    package var effort = EncodingEffort.full
    package var framesIn: UInt64 = 0
    package var bytesIn: UInt64 = 0
    package var picturesDecoded: UInt64 = 0
    /// Pictures that libavcodec had to patch up.
    package var picturesCorrupt: UInt64 = 0
    /// Frames that gave an error instead of a picture; those before the first key frame count apart.
    package var decoderErrors: UInt64 = 0
    package var framesBeforeKey: UInt64 = 0
    /// Pictures above the maximum frame rate.
    package var droppedForRate: UInt64 = 0
    /// Pictures that the caller was too late for.
    package var droppedForLateness: UInt64 = 0
    /// Pictures whose time did not grow.
    package var droppedForTime: UInt64 = 0
    /// Times the ladder was built.
    package var rebuilds: UInt64 = 0
    package var decode = Timing()
    package var low = Rung()
    package var medium = Rung()
    package var high = Rung()

    package init() {}

    package subscript(_ quality: LayerQuality) -> Rung {
        get {
            switch quality {
            case .low: low
            case .medium: medium
            case .high: high
            }
        }
        set {
            switch quality {
            case .low: low = newValue
            case .medium: medium = newValue
            case .high: high = newValue
            }
        }
    }
}
