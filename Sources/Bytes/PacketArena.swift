import Synchronization

/// Keeps the bytes of many small packets in a few large slabs, and hands each packet out as a slice at once.
///
/// A slab that no slice refers to any more is filled again, so that nothing is allocated once as many slabs exist as
/// are in use at a time. Slices may go to other threads; the arena itself has one owner.
public struct PacketArena: ~Copyable {
    public static let defaultSlabBytes = 65_536

    private var slabs: [SlabStorage] = []
    /// The slab that is being filled, and how far.
    private var current = 0
    private var used = 0
    private let slabBytes: Int
    private let maxSlabs: Int

    /// At most `maxSlabs` slabs are kept for reuse; when all of them are in use, further ones are left to their slices.
    public init(slabBytes: Int = Self.defaultSlabBytes, maxSlabs: Int = 64) {
        precondition(slabBytes > 1 && maxSlabs > 0)
        self.slabBytes = slabBytes
        self.maxSlabs = maxSlabs
    }

    /// Slabs that are kept.
    public var slabCount: Int { slabs.count }

    /// A copy of `bytes`. Nothing can be read behind its end: slices of an arena have no padding.
    public mutating func append(_ bytes: RawSpan) -> SlabSlice {
        append(bytes, bytes.extracting(bytes.byteCount..<bytes.byteCount))
    }

    /// A copy of `head` with `tail` behind it.
    public mutating func append(_ head: RawSpan, _ tail: RawSpan) -> SlabSlice {
        let count = head.byteCount + tail.byteCount
        // One more for the byte that ends a packet, see below.
        guard count < slabBytes else {
            var writer = SlabWriter(reservingCapacity: count)
            writer.append(head)
            writer.append(tail)
            return writer.seal()
        }
        if slabs.isEmpty || used + count + 1 > slabBytes { takeSlab() }
        let storage = slabs[current]
        let start = used
        copy(head, to: storage, at: start)
        copy(tail, to: storage, at: start + head.byteCount)
        // What follows a packet is written later, so that it must never pass for a decoder's padding.
        unsafe (storage.base + start + count).storeBytes(of: 0xFF, as: UInt8.self)
        used = start + count + 1
        return SlabSlice(storage: storage, offset: start, count: count)
    }

    /// Makes a slab without slices the current one.
    private mutating func takeSlab() {
        used = 0
        for step in 0..<slabs.count {
            let index = (current + 1 + step) % slabs.count
            guard isKnownUniquelyReferenced(&slabs[index]) else { continue }
            // Whoever held the last slice has read it before this thread writes again.
            atomicMemoryFence(ordering: .acquiring)
            current = index
            return
        }
        let slab = SlabStorage(capacity: slabBytes, pool: nil)
        if slabs.count < maxSlabs {
            slabs.append(slab)
            current = slabs.count - 1
        } else {
            current = (current + 1) % slabs.count
            slabs[current] = slab
        }
    }

    private func copy(_ bytes: RawSpan, to storage: SlabStorage, at offset: Int) {
        unsafe bytes.withUnsafeBytes { source in
            if let start = source.baseAddress {
                unsafe (storage.base + offset).copyMemory(from: start, byteCount: source.count)
            }
        }
    }
}
