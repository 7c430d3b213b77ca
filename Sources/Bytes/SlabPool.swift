import Synchronization

/// Keeps freed slabs for the next frame, in size classes of powers of two, without a lock: each class has a few slots that are
/// claimed and filled by one atomic exchange. Any thread may take and give.
public final class SlabPool: Sendable {
    /// 1 KiB … 1 MiB; larger slabs go to the allocator directly.
    private static let smallestShift = 10
    private static let classCount = 11
    private static let slotsPerClass = 16

    private let slots: SlotTable

    public init() { slots = SlotTable() }

    func take(atLeast bytes: Int) -> (UnsafeMutableRawPointer, Int) {
        guard let sizeClass = Self.sizeClass(of: bytes) else {
            return (.allocate(byteCount: bytes, alignment: 64), bytes)
        }
        let capacity = 1 << (sizeClass + Self.smallestShift)
        for slot in 0..<Self.slotsPerClass {
            let index = sizeClass * Self.slotsPerClass + slot
            let address = slots.exchange(index, 0)
            if let pointer = unsafe UnsafeMutableRawPointer(bitPattern: address) { return unsafe (pointer, capacity) }
        }
        return (.allocate(byteCount: capacity, alignment: 64), capacity)
    }

    func give(_ pointer: UnsafeMutableRawPointer, capacity: Int) {
        if let sizeClass = Self.sizeClass(of: capacity), capacity == 1 << (sizeClass + Self.smallestShift) {
            for slot in 0..<Self.slotsPerClass {
                let index = sizeClass * Self.slotsPerClass + slot
                if slots.fill(index, UInt(bitPattern: pointer)) { return }
            }
        }
        unsafe pointer.deallocate()
    }

    private static func sizeClass(of bytes: Int) -> Int? {
        let shift = max(smallestShift, Int.bitWidth - (bytes - 1).leadingZeroBitCount)
        let index = shift - smallestShift
        return index < classCount ? index : nil
    }

    /// Addresses of free slabs; 0 marks an empty slot. The struct is never copied: atomics forbid it.
    private final class SlotTable: Sendable {
        private let table: [SlotCell]
        init() {
            table = (0..<SlabPool.classCount * SlabPool.slotsPerClass).map { _ in SlotCell() }
        }
        func exchange(_ index: Int, _ value: UInt) -> UInt {
            table[index].address.exchange(value, ordering: .acquiringAndReleasing)
        }
        func fill(_ index: Int, _ value: UInt) -> Bool {
            table[index].address.compareExchange(expected: 0, desired: value, ordering: .acquiringAndReleasing)
                .exchanged
        }
        deinit {
            for cell in table {
                unsafe UnsafeMutableRawPointer(bitPattern: cell.address.load(ordering: .acquiring))?.deallocate()
            }
        }
    }

    private final class SlotCell: Sendable {
        let address = Atomic<UInt>(0)
    }
}
