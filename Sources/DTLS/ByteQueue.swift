import Bytes

/// Bytes in the order they came, in one block of memory that grows and is kept.
struct ByteQueue: ~Copyable {
    private var memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    private var start = 0
    private var end = 0

    var count: Int { end - start }
    var isEmpty: Bool { start == end }

    deinit { memory.deallocate() }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        append(upTo: bytes.count) { free in
            UnsafeMutableRawBufferPointer(rebasing: free[..<bytes.count]).copyMemory(from: bytes)
            return bytes.count
        }
    }

    /// Lends at least `capacity` free bytes; `body` fills some from the start and returns how many.
    mutating func append(upTo capacity: Int, _ body: (UnsafeMutableRawBufferPointer) -> Int) {
        reserve(capacity)
        let written = body(UnsafeMutableRawBufferPointer(rebasing: memory[end...]))
        precondition(written >= 0 && written <= memory.count - end, "more written than was lent")
        end += written
    }

    /// Lends all waiting bytes and forgets them.
    mutating func take<Failure>(_ body: (RawSpan) throws(Failure) -> Void) throws(Failure) {
        defer { (start, end) = (0, 0) }
        let span = RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: memory[start..<end]))
        try body(span)
    }

    /// Moves as much as fits; false when nothing was moved.
    mutating func move(into output: inout OutputRawSpan) -> Bool {
        let moved = min(count, output.freeCapacity)
        guard moved > 0 else { return false }
        let span = RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: memory[start..<start + moved]))
        output.append(copying: span)
        start += moved
        if start == end { (start, end) = (0, 0) }
        return true
    }

    private mutating func reserve(_ capacity: Int) {
        guard memory.count - end < capacity else { return }
        let waiting = UnsafeRawBufferPointer(rebasing: memory[start..<end])
        if memory.count >= count + capacity {
            memory.copyMemory(from: waiting)
        } else {
            let larger = UnsafeMutableRawBufferPointer.allocate(
                byteCount: max(count + capacity, memory.count * 2), alignment: 16)
            larger.copyMemory(from: waiting)
            memory.deallocate()
            memory = larger
        }
        (start, end) = (0, waiting.count)
    }
}
