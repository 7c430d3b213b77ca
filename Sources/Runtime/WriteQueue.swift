import Bytes

/// Bytes that wait to be written, in one piece of memory that grows to a limit.
package struct WriteQueue: ~Copyable {
    private static let smallest = 4 * 1024
    /// An empty queue gives back memory beyond this.
    private static let keptWhenEmpty = 256 * 1024

    package let limit: Int
    private var memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    private var head = 0
    private var tail = 0

    package init(limit: Int) { self.limit = limit }

    deinit { memory.deallocate() }

    package var count: Int { tail - head }
    package var isEmpty: Bool { head == tail }

    /// What waits, oldest first; valid until the next change.
    package var pending: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[head..<tail]) }

    /// False, and nothing changed, when the limit would be passed.
    package mutating func append(_ bytes: RawSpan) -> Bool {
        guard bytes.byteCount <= limit - count else { return false }
        guard bytes.byteCount > 0 else { return true }
        makeRoom(bytes.byteCount)
        let room = UnsafeMutableRawBufferPointer(rebasing: memory[tail...])
        bytes.withUnsafeBytes { room.copyMemory(from: $0) }
        tail += bytes.byteCount
        return true
    }

    /// Lends `byteCount` bytes of room and keeps what `body` wrote; false, and `body` is not called, when the limit
    /// would be passed.
    package mutating func append<Failure: Error>(
        upTo byteCount: Int, _ body: (inout OutputRawSpan) throws(Failure) -> Void
    ) throws(Failure) -> Bool {
        guard byteCount <= limit - count else { return false }
        makeRoom(byteCount)
        let room = UnsafeMutableRawBufferPointer(rebasing: memory[tail..<tail + byteCount])
        var span = OutputRawSpan(buffer: room, initializedCount: 0)
        try body(&span)
        tail += span.finalize(for: room)
        return true
    }

    /// Removes `byteCount` bytes at the front.
    package mutating func consume(_ byteCount: Int) {
        head += byteCount
        guard head == tail else { return }
        head = 0
        tail = 0
        if memory.count > Self.keptWhenEmpty { removeAll() }
    }

    /// Empties the queue and frees its memory.
    package mutating func removeAll() {
        memory.deallocate()
        memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)
        head = 0
        tail = 0
    }

    private mutating func makeRoom(_ byteCount: Int) {
        guard tail + byteCount > memory.count else { return }
        let needed = count + byteCount
        // Moving is paid for by the bytes that left only while at most half of the memory is in use.
        if needed <= memory.count / 2 {
            memory.copyMemory(from: pending)
        } else {
            var capacity = max(Self.smallest, memory.count)
            while capacity < 2 * needed, capacity < 2 * limit { capacity *= 2 }
            capacity = max(capacity, needed)
            let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 64)
            larger.copyMemory(from: pending)
            memory.deallocate()
            memory = larger
        }
        tail -= head
        head = 0
    }
}
