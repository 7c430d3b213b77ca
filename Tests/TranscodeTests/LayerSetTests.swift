import Testing
import Transcode

@Suite struct LayerSetTests {
    private static let all: [Set<LayerQuality>] = (0..<8).map { bits in
        Set(LayerQuality.allCases.filter { bits >> $0.index & 1 == 1 })
    }

    @Test("it does what a set does", arguments: all, all)
    func algebra(_ a: Set<LayerQuality>, _ b: Set<LayerQuality>) {
        let (x, y) = (LayerSet(a), LayerSet(b))
        #expect(Set(x) == a)
        #expect(Array(x) == a.sorted())
        #expect((x == y) == (a == b))
        #expect(x.isEmpty == a.isEmpty)
        #expect(x.union(y) == LayerSet(a.union(b)))
        #expect(x.intersection(y) == LayerSet(a.intersection(b)))
        #expect(x.subtracting(y) == LayerSet(a.subtracting(b)))
        #expect(x.symmetricDifference(y) == LayerSet(a.symmetricDifference(b)))
        #expect(x.isSubset(of: y) == a.isSubset(of: b))
        var (joined, met, apart) = (x, x, x)
        joined.formUnion(y)
        met.formIntersection(y)
        apart.formSymmetricDifference(y)
        #expect([joined, met, apart] == [x.union(y), x.intersection(y), x.symmetricDifference(y)])
    }

    @Test("layers come and go one by one", arguments: all, LayerQuality.allCases)
    func members(_ set: Set<LayerQuality>, _ layer: LayerQuality) {
        var (expected, layers) = (set, LayerSet(set))
        #expect(layers.contains(layer) == expected.contains(layer))
        #expect(layers.insert(layer).inserted == expected.insert(layer).inserted)
        #expect(layers.update(with: layer) == layer)
        #expect(layers == LayerSet(expected))
        #expect(layers.remove(layer) == layer)
        #expect(layers.remove(layer) == nil)
        #expect(layers == LayerSet(set.subtracting([layer])))
        #expect(layers.update(with: layer) == nil)
    }

    @Test("bits that belong to no layer are left out", arguments: 0..<256)
    func rawValues(_ bits: Int) {
        let layers = LayerSet(rawValue: UInt8(bits))
        #expect(layers.rawValue == UInt8(bits & 7))
        #expect(LayerSet(rawValue: layers.rawValue) == layers)
        #expect(Array(layers) == LayerQuality.allCases.filter(layers.contains))
    }
}
