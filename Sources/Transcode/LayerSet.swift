/// Some of a ladder's layers, lowest first. It is asked for each packet, which is why it is no `Set`.
package struct LayerSet: SetAlgebra, Sequence, Hashable, Sendable {
    /// A bit for each layer, by `LayerQuality.rawValue`; others are never set.
    package private(set) var rawValue: UInt8 = 0

    package static let all = LayerSet(LayerQuality.allCases)

    package init() {}

    package init(rawValue: UInt8) { self.rawValue = rawValue & Self.all.rawValue }

    package func contains(_ layer: LayerQuality) -> Bool { rawValue & Self.bit(layer) != 0 }

    @discardableResult
    package mutating func insert(_ layer: LayerQuality) -> (inserted: Bool, memberAfterInsert: LayerQuality) {
        defer { rawValue |= Self.bit(layer) }
        return (!contains(layer), layer)
    }

    @discardableResult
    package mutating func remove(_ layer: LayerQuality) -> LayerQuality? {
        defer { rawValue &= ~Self.bit(layer) }
        return contains(layer) ? layer : nil
    }

    @discardableResult
    package mutating func update(with layer: LayerQuality) -> LayerQuality? {
        insert(layer).inserted ? nil : layer
    }

    package mutating func formUnion(_ other: LayerSet) { rawValue |= other.rawValue }
    package mutating func formIntersection(_ other: LayerSet) { rawValue &= other.rawValue }
    package mutating func formSymmetricDifference(_ other: LayerSet) { rawValue ^= other.rawValue }

    package func union(_ other: LayerSet) -> LayerSet { LayerSet(rawValue: rawValue | other.rawValue) }
    package func intersection(_ other: LayerSet) -> LayerSet { LayerSet(rawValue: rawValue & other.rawValue) }
    package func symmetricDifference(_ other: LayerSet) -> LayerSet { LayerSet(rawValue: rawValue ^ other.rawValue) }

    package func makeIterator() -> some IteratorProtocol<LayerQuality> {
        LayerQuality.allCases.lazy.filter(contains).makeIterator()
    }

    private static func bit(_ layer: LayerQuality) -> UInt8 { 1 << layer.rawValue }
}
