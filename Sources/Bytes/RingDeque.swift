/// A first-in first-out queue of fixed capacity that never allocates after it was made.
///
/// Inlinable, since packets go through it one by one: other modules would call it through metadata of its element.
public struct RingDeque<Element>: ~Copyable {
    @usableFromInline var slots: [Element?]
    @usableFromInline var head = 0
    @usableFromInline var used = 0

    @inlinable
    public init(capacity: Int) {
        precondition(capacity > 0)
        slots = Array(repeating: nil, count: capacity)
    }

    @inlinable public var count: Int { used }
    @inlinable public var capacity: Int { slots.count }
    @inlinable public var isEmpty: Bool { used == 0 }
    @inlinable public var isFull: Bool { used == slots.count }
    @inlinable public var first: Element? { used == 0 ? nil : slots[head] }

    /// False, and nothing changed, when full.
    @inlinable
    @discardableResult
    public mutating func append(_ element: Element) -> Bool {
        guard !isFull else { return false }
        slots[(head + used) % slots.count] = element
        used += 1
        return true
    }

    @inlinable
    public mutating func popFirst() -> Element? {
        guard used > 0 else { return nil }
        let element = slots[head].take()
        head = (head + 1) % slots.count
        used -= 1
        return element
    }

    /// The element `offset` places behind the first; traps outside `0..<count`.
    @inlinable
    public subscript(_ offset: Int) -> Element {
        precondition(offset >= 0 && offset < used, "queue index out of bounds")
        guard let element = slots[(head + offset) % slots.count] else { preconditionFailure("filled slot is empty") }
        return element
    }

    @inlinable
    public mutating func removeAll() {
        while popFirst() != nil {}
    }
}
