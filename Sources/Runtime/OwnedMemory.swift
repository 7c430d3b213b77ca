/// Untyped memory with one owner, which frees it.
struct OwnedMemory: ~Copyable {
    let bytes: UnsafeMutableRawBufferPointer

    init(byteCount: Int) {
        bytes = .allocate(byteCount: byteCount, alignment: 64)
        bytes.initializeMemory(as: UInt8.self, repeating: 0)
    }

    /// The address `offset` bytes in.
    func address(_ offset: Int) -> UnsafeMutableRawPointer? { bytes.baseAddress.map { $0 + offset } }

    func slice(_ offset: Int, _ count: Int) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: bytes[offset..<offset + count])
    }

    deinit { bytes.deallocate() }
}

/// A fixed row of values with one owner, at an address that the kernel may keep.
struct OwnedRow<Element>: ~Copyable {
    let elements: UnsafeMutableBufferPointer<Element>

    init(count: Int, _ element: Element) {
        elements = .allocate(capacity: count)
        elements.initialize(repeating: element)
    }

    func address(_ index: Int) -> UnsafeMutablePointer<Element>? { elements.baseAddress.map { $0 + index } }

    deinit {
        elements.deinitialize()
        elements.deallocate()
    }
}
