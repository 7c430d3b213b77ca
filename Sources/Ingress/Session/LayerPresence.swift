package import Bytes
package import Transcode

/// Which of a publisher's layers come at present: browsers stop those for which their path has no room.
package struct LayerPresence: Sendable {
    /// A layer is missing when nothing of it came for so long …
    package static let patience = Interval.seconds(1)
    /// … and so many pictures of others meanwhile: those of a still screen are far between.
    package static let missedPictures = 20

    private struct Layer {
        var lastPacketAt: Monotonic
        var missedPictures = 0
    }

    /// By quality; in place, as every packet changes one.
    private var layers = [Layer?](repeating: nil, count: LayerQuality.allCases.count)
    package private(set) var missing: LayerSet = []

    package init() {}

    /// Notes a packet of a layer. True when it was missing, or when another one has turned out to be.
    package mutating func note(_ quality: LayerQuality, endsPicture: Bool, at now: Monotonic) -> Bool {
        layers[quality.index] = Layer(lastPacketAt: now)
        var hasChanged = missing.remove(quality) != nil
        guard endsPicture else { return hasChanged }
        for other in LayerQuality.allCases where other != quality {
            let index = other.index
            guard let layer = layers[index] else { continue }
            layers[index]?.missedPictures += 1
            if layer.missedPictures >= Self.missedPictures, now - layer.lastPacketAt >= Self.patience,
                missing.insert(other).inserted
            {
                hasChanged = true
            }
        }
        return hasChanged
    }
}
