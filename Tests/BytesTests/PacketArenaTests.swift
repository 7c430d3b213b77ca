import Bytes
import Testing

@Suite struct PacketArenaTests {
    @Test("slices keep their bytes while others are appended behind them")
    func slices() {
        var arena = PacketArena(slabBytes: 64)
        let slices = (0..<40 as Range<UInt8>).map { arena.append([UInt8](repeating: $0, count: Int($0) % 20).rawSpan) }
        for (index, slice) in slices.enumerated() {
            #expect(slice.copied() == [UInt8](repeating: UInt8(index), count: index % 20))
        }
    }

    @Test("two parts are put together")
    func parts() {
        var arena = PacketArena()
        let parts: ([UInt8], [UInt8]) = ([1, 2], [3])
        #expect(arena.append(parts.0.rawSpan, parts.1.rawSpan).copied() == [1, 2, 3])
        let nothing: [UInt8] = []
        let empty = arena.append(nothing.rawSpan, nothing.rawSpan)
        #expect(empty.isEmpty)
    }

    @Test("slabs that nothing refers to are filled again")
    func reuse() {
        var arena = PacketArena(slabBytes: 100, maxSlabs: 8)
        var held: [SlabSlice] = []
        for index in 0..<1_000 {
            held.append(arena.append([UInt8](repeating: UInt8(index & 0xFF), count: 40).rawSpan))
            if held.count > 5 { held.removeFirst() }
            #expect(held.allSatisfy { slice in slice.copied().allSatisfy { $0 == slice.copied()[0] } })
        }
        #expect(arena.slabCount == 4)
    }

    @Test("when all slabs are in use, further ones are not kept")
    func bound() {
        var arena = PacketArena(slabBytes: 16, maxSlabs: 3)
        let held = (0..<20 as Range<UInt8>).map { arena.append([$0, $0, $0, $0, $0, $0, $0, $0].rawSpan) }
        #expect(arena.slabCount == 3)
        for (index, slice) in held.enumerated() {
            #expect(slice.copied() == [UInt8](repeating: UInt8(index), count: 8))
        }
    }

    @Test("what is larger than a slab has memory of its own", arguments: [98, 99, 100, 101, 5_000])
    func large(count: Int) {
        var arena = PacketArena(slabBytes: 100)
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
        #expect(arena.append(bytes.rawSpan).copied() == bytes)
        #expect(arena.slabCount == (count < 100 ? 1 : 0))
    }

    @Test("a slice never passes for one with a decoder's padding behind it")
    func padding() {
        var arena = PacketArena()
        let zeroes = arena.append([UInt8](repeating: 0, count: 200).rawSpan)
        #expect(!zeroes.endsAtPadding && !arena.append([1].rawSpan).endsAtPadding)
    }
}
