package import Bytes
package import Media

/// Which of a publisher's streams is decoded: the one with the largest picture that comes.
///
/// Rooms keep the layers that the first picture leads to, so that a publisher of several gets a moment to show them all.
package struct LayerChoice: Sendable {
    /// How long layers may take to show themselves before those that have are chosen from.
    package static let wait = Interval.milliseconds(1_500)
    /// A layer that is silent for so long gives way to another.
    package static let patience = Interval.seconds(1)

    package enum Verdict: Equatable, Sendable {
        /// The packet is of the stream that is decoded.
        case current
        /// From this packet on it is this stream.
        case taken
        /// It is of no use yet; a key frame of its stream would be, or not.
        case passedOver(wantsKeyFrame: Bool)
    }

    /// What a packet tells of its stream.
    package struct Packet: Sendable {
        package var stream: Int
        package var isKey: Bool
        /// Of the picture that a key frame begins.
        package var size: VideoSize?
        /// The stream has layers of its own, and may have more of them soon: browsers begin with few.
        package var mayGrow: Bool

        package init(stream: Int, isKey: Bool, size: VideoSize? = nil, mayGrow: Bool = false) {
            self.stream = stream
            self.isKey = isKey
            self.size = size
            self.mayGrow = mayGrow
        }
    }

    private struct Layer {
        var size: VideoSize?
        var mayGrow = false
        var lastPacketAt: Monotonic
        var pixels: Int { (size?.width ?? 0) * (size?.height ?? 0) }
    }

    /// The stream whose pictures are taken.
    package private(set) var current: Int?
    private let expected: Int
    private var layers: [Int: Layer] = [:]
    private var dueAt: Monotonic?

    /// - Parameter expected: streams that the publisher announced.
    package init(expected: Int) { self.expected = expected }

    package mutating func note(_ packet: Packet, at now: Monotonic) -> Verdict {
        var layer = layers[packet.stream] ?? Layer(lastPacketAt: now)
        layer.lastPacketAt = now
        if packet.isKey, let size = packet.size { layer.size = size }
        if packet.isKey { layer.mayGrow = packet.mayGrow }
        layers[packet.stream] = layer
        guard packet.stream != current else { return .current }
        guard let current, let other = layers[current] else { return begin(packet, layer, at: now) }
        let isSilent = now - other.lastPacketAt > Self.patience
        let isBetter = layer.pixels > other.pixels
        guard isSilent || isBetter || layer.size == nil else { return .passedOver(wantsKeyFrame: false) }
        guard packet.isKey, isSilent || isBetter else { return .passedOver(wantsKeyFrame: true) }
        self.current = packet.stream
        return .taken
    }

    private mutating func begin(_ packet: Packet, _ layer: Layer, at now: Monotonic) -> Verdict {
        let due = dueAt ?? now + Self.wait
        dueAt = due
        let isWhole = layers.values.count { $0.size != nil } >= expected && !layers.values.contains(where: \.mayGrow)
        guard expected <= 1 && !layer.mayGrow || isWhole || now >= due else {
            return .passedOver(wantsKeyFrame: layer.size == nil)
        }
        let largest = layers.values.filter { now - $0.lastPacketAt <= Self.patience }.map(\.pixels).max() ?? 0
        guard layer.pixels >= largest else { return .passedOver(wantsKeyFrame: false) }
        current = packet.stream
        return .taken
    }
}
