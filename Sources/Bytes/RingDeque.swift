/// A first-in first-out queue of fixed capacity that never allocates after it was made.
public struct RingDeque<Element>: ~Copyable {
    private var slots: [Element?]
    private var head = 0
    public private(set) var count = 0

    public init(capacity: Int) {
        precondition(capacity > 0)
        slots = Array(repeating: nil, count: capacity)
    }

    public var capacity: Int { slots.count }
    public var isEmpty: Bool { count == 0 }
    public var isFull: Bool { count == slots.count }
    public var first: Element? { count == 0 ? nil : slots[head] }

    /// False, and nothing changed, when full.
    @discardableResult
    public mutating func append(_ element: Element) -> Bool {
        guard !isFull else { return false }
        slots[(head + count) % slots.count] = element
        count += 1
        return true
    }

    public mutating func popFirst() -> Element? {
        guard count > 0 else { return nil }
        let element = slots[head].take()
        head = (head + 1) % slots.count
        count -= 1
        return element
    }

    /// The element `offset` places behind the first; traps outside `0..<count`.
    public subscript(_ offset: Int) -> Element {
        precondition(offset >= 0 && offset < count, "queue index out of bounds")
        guard let element = slots[(head + offset) % slots.count] else { preconditionFailure("filled slot is empty") }
        return element
    }

    public mutating func removeAll() {
        while popFirst() != nil {}
    }
}
