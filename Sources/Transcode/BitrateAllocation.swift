package import Bytes

/// Shares what the path to the server carries among the layers of a ladder: a value that is told of estimates and
/// demand and says what each encoder is to make.
///
/// Less bandwidth first costs all layers alike, down to half of what they were configured for; then the highest layers
/// are switched off, one after the other. The lowest layer that is wanted and the sound always stay. What was taken
/// away comes back later than it went, and later again each time that proved too early, so that nothing flaps.
package struct BitrateAllocation: Sendable, Hashable {
    /// One layer, as it is configured.
    package struct Rung: Sendable, Hashable {
        package var quality: LayerQuality
        /// Bits a second; never exceeded.
        package var bitrate: Int
        /// Somebody watches the layer.
        package var isActive: Bool

        package init(quality: LayerQuality, bitrate: Int, isActive: Bool = true) {
            self.quality = quality
            self.bitrate = bitrate
            self.isActive = isActive
        }
    }

    /// What one layer's encoder is to do.
    package struct Target: Sendable, Hashable {
        package var quality: LayerQuality
        /// Bits a second; of a layer that is off, what it would begin with.
        package var bitrate: Int
        /// False when nobody watches the layer, or the path cannot carry it.
        package var isEncoded: Bool

        package init(quality: LayerQuality, bitrate: Int, isEncoded: Bool) {
            self.quality = quality
            self.bitrate = bitrate
            self.isEncoded = isEncoded
        }
    }

    /// Of the estimate, for headers, retransmissions and what encoders overshoot.
    package static let overhead = 0.08
    /// A layer gets no less than this share of its configured rate, but for the lowest.
    package static let leastShare = 0.5
    /// The same of layers that others encode, at their bitrates: the path carries them, with the estimate's own lag and
    /// what it is cut by, or it does not.
    package static let leastFixedShare = 0.85
    /// A layer comes back when all layers could have this share …
    package static let returnShare = 0.6
    /// … for so long since it could first, and twice as long after each return that did not last, up to 32 s.
    package static let returnDelay = Interval.seconds(1)
    package static let maxReturnDelay = Interval.seconds(32)
    /// A return lasted when the layer stayed for so long.
    package static let trialTime = Interval.seconds(15)
    /// How fast shares may rise, of the configured rates in a second.
    package static let rise = 0.25
    /// Smaller rises of a target wait, for each change upsets rate control a little; falls never do.
    package static let leastRise = 0.03

    package private(set) var rungs: [Rung]
    /// The layers cannot be made smaller, only switched off.
    private let isFixed: Bool
    /// Of sound that shares the estimate, bits a second; 0 when its packets are not counted by it.
    package var soundBitrate: Int
    /// One for each rung, lowest first.
    package private(set) var targets: [Target]

    /// How many of the active rungs, from the lowest, are on.
    private var onCount: Int
    private var share = 1.0
    private var isLimited = false
    private var updatedAt: Monotonic?
    private var fitsSince: Monotonic?
    private var returnedAt: Monotonic?
    private var patience = returnDelay

    /// `rungs`: lowest first, at least one. Without an estimate every active layer gets what it was configured for.
    package init(rungs: [Rung], soundBitrate: Int, isFixed: Bool = false) {
        precondition(!rungs.isEmpty, "a ladder has layers")
        self.isFixed = isFixed
        self.rungs = rungs
        self.soundBitrate = soundBitrate
        onCount = rungs.count
        targets = rungs.map { Target(quality: $0.quality, bitrate: $0.bitrate, isEncoded: $0.isActive) }
    }

    /// Bits a second of the active rungs as configured: what would be sent on a perfect path.
    package var wantedBitrate: Int { rungs.reduce(0) { $0 + ($1.isActive ? $1.bitrate : 0) } }

    /// Says whether a layer is watched. True when `targets` changed. The estimate follows what is wanted, so that
    /// `update` comes next.
    package mutating func setActive(_ isActive: Bool, _ quality: LayerQuality) -> Bool {
        guard let index = rungs.firstIndex(where: { $0.quality == quality }), rungs[index].isActive != isActive else {
            return false
        }
        let highest = activeRungs.prefix(onCount).last
        rungs[index].isActive = isActive
        if isLimited {
            // What is on stays on until an estimate speaks against it; what is above comes when there is room.
            onCount = activeRungs.count { $0 <= highest ?? index }
            onCount = max(onCount, min(1, activeRungs.count))
        } else {
            onCount = activeRungs.count
        }
        return apply(leastRise: 0)
    }

    /// What a layer takes has changed. `update` comes next.
    package mutating func setBitrate(_ bitrate: Int, _ quality: LayerQuality) {
        guard let index = rungs.firstIndex(where: { $0.quality == quality }) else { return }
        rungs[index].bitrate = max(bitrate, TranscodeLimits.layerBitrates.lowerBound)
    }

    /// Takes a new estimate, bits a second, nil while there is none; call it at least once a second with the last one.
    /// True when `targets` changed.
    package mutating func update(estimate: Int?, at now: Monotonic) -> Bool {
        defer { updatedAt = now }
        guard let estimate else {
            onCount = activeRungs.count
            share = 1
            isLimited = false
            return apply(leastRise: 0)
        }
        let budget = max(Double(estimate) * (1 - Self.overhead) - Double(soundBitrate), 0)
        switchOff(budget, at: now)
        switchOn(budget, at: now)
        let possible = min(budget / max(cost(of: onCount), 1), 1)
        let seconds = updatedAt.map { min(max((now - $0).seconds, 0), 1) } ?? 1
        share = min(possible, share + Self.rise * seconds)
        isLimited = share < 1 || onCount < activeRungs.count
        return apply(leastRise: share == 1 ? 0 : Self.leastRise)
    }

    /// Takes the first estimate after a black-out: what the silence took away comes back at once, for it was no sign of
    /// what the path carries. True when `targets` changed.
    package mutating func restore(estimate: Int, at now: Monotonic) -> Bool {
        onCount = activeRungs.count
        share = 1
        return update(estimate: estimate, at: now)
    }
}

extension BitrateAllocation {
    private var activeRungs: [Int] { rungs.indices.filter { rungs[$0].isActive } }

    /// Of the lowest `count` active rungs as configured.
    private func cost(of count: Int) -> Double {
        activeRungs.prefix(count).reduce(0) { $0 + Double(rungs[$1].bitrate) }
    }

    private mutating func switchOff(_ budget: Double, at now: Monotonic) {
        let before = onCount
        while onCount > 1, budget < cost(of: onCount) * (isFixed ? Self.leastFixedShare : Self.leastShare) {
            onCount -= 1
            share = 1
        }
        guard onCount < before else { return }
        fitsSince = nil
        if let returned = returnedAt, now - returned < Self.trialTime {
            patience = min(patience * 2, Self.maxReturnDelay)
        }
        returnedAt = nil
    }

    private mutating func switchOn(_ budget: Double, at now: Monotonic) {
        if let returned = returnedAt, now - returned >= Self.trialTime {
            patience = Self.returnDelay
            returnedAt = nil
        }
        guard onCount < activeRungs.count, budget >= cost(of: onCount + 1) * (isFixed ? 1 : Self.returnShare) else {
            fitsSince = nil
            return
        }
        let since = fitsSince ?? now
        fitsSince = since
        guard now - since >= patience else { return }
        onCount += 1
        returnedAt = now
        fitsSince = nil
        // It begins low; the rise follows.
        share = min(share, max(budget / cost(of: onCount) * 0.9, Self.leastShare))
    }

    private mutating func apply(leastRise: Double) -> Bool {
        let on = activeRungs.prefix(onCount)
        var changed = false
        for index in rungs.indices {
            let isOn = on.contains(index)
            let old = targets[index]
            var bitrate = isOn ? Int(Double(rungs[index].bitrate) * share) : rungs[index].bitrate
            bitrate = min(max(bitrate, TranscodeLimits.layerBitrates.lowerBound), rungs[index].bitrate)
            if isOn, old.isEncoded, bitrate > old.bitrate,
                Double(bitrate - old.bitrate) < leastRise * Double(rungs[index].bitrate)
            {
                bitrate = old.bitrate
            }
            targets[index] = Target(quality: old.quality, bitrate: bitrate, isEncoded: isOn)
            if targets[index] != old { changed = true }
        }
        return changed
    }
}
