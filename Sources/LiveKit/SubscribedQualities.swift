package import LiveKitProtocol

/// Which qualities of a track somebody in the room watches.
package struct SubscribedQualities: Hashable, Sendable {
    package var low: Bool
    package var medium: Bool
    package var high: Bool

    package static let all = SubscribedQualities(low: true, medium: true, high: true)
    package static let none = SubscribedQualities(low: false, medium: false, high: false)

    package init(low: Bool, medium: Bool, high: Bool) {
        self.low = low
        self.medium = medium
        self.high = high
    }

    /// What an update says of `codec` ("video/H264"; the server writes "h264"). When it speaks of other codecs only,
    /// whatever any of them needs; when it speaks of none, the older list counts.
    package init(_ update: Livekit_SubscribedQualityUpdate, codec: String) {
        let name = (codec.split(separator: "/" as Character).last ?? "").lowercased()
        let entries = update.subscribedCodecs
        let matching = entries.filter {
            ($0.codec.split(separator: "/" as Character).last ?? "").lowercased() == name
        }
        self = .none
        let lists = (matching.isEmpty ? entries : matching).map(\.qualities)
        for entry in entries.isEmpty ? update.subscribedQualities : lists.flatMap(\.self) { add(entry) }
    }

    private mutating func add(_ entry: Livekit_SubscribedQuality) {
        guard entry.enabled else { return }
        switch entry.quality {
        case .low: low = true
        case .medium: medium = true
        case .high: high = true
        case .off, .UNRECOGNIZED: break
        }
    }

    /// By the numbers of `VideoQuality`.
    package subscript(quality: Int) -> Bool {
        switch quality {
        case 0: low
        case 1: medium
        case 2: high
        default: false
        }
    }

    /// Which of a track's layers are needed. `layers` holds their `VideoQuality` numbers from low to high.
    ///
    /// A track need not have all three qualities: a wish for one that it lacks is met by the next above, as the only layer
    /// of a track without simulcast meets any wish.
    package func needed(of layers: [Int]) -> Set<Int> {
        var needed = Set(layers.filter { self[$0] })
        let top = (0...2).last { self[$0] }
        if needed.isEmpty, let top, let layer = layers.first(where: { $0 >= top }) ?? layers.last {
            needed.insert(layer)
        }
        return needed
    }
}
