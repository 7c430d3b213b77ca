import Bytes
import Media

/// The frames since the last key frame of a source that nobody watches, not decoded yet: whoever comes to watch needs them first,
/// and with the next key frame nobody ever will. Pure.
struct HeldGroup {
    /// What a viewer who comes may have to wait for.
    static let longestCatchUp = Interval.milliseconds(250)
    static let maxFrames = 600
    static let maxBytes = 8 << 20

    private var frames: [EncodedFrame] = []
    /// Where the frames begin that were not taken.
    private var first = 0
    private var bytes = 0
    /// Frames were let go of: the decoder has not seen what came before the next one.
    private(set) var hasGap = false

    var isEmpty: Bool { first == frames.count }
    private var count: Int { frames.count - first }

    /// A key frame takes the place of all others; with anything else the group has to have begun.
    mutating func hold(_ frame: EncodedFrame) {
        if frame.isKey {
            hasGap = hasGap || !isEmpty
            clear()
        }
        frames.append(frame)
        bytes += frame.payload.count
    }

    /// Whether the oldest frame has to be decoded now, where one takes `cost`.
    func isFull(at cost: Interval) -> Bool {
        count > 0 && (count > Self.maxFrames || bytes > Self.maxBytes || cost * Int64(count) > Self.longestCatchUp)
    }

    mutating func takeOldest() -> EncodedFrame? {
        guard !isEmpty else { return nil }
        let frame = frames[first]
        first += 1
        bytes -= frame.payload.count
        if isEmpty { clear() }
        return frame
    }

    /// The decoder starts anew with the frame that was taken.
    mutating func closeGap() { hasGap = false }

    mutating func clear() {
        frames.removeAll(keepingCapacity: true)
        first = 0
        bytes = 0
    }
}
