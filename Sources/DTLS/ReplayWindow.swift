/// Which of the newest 1024 packet indices were seen (RFC 3711 section 3.3.2), as one bit each in a ring.
package struct ReplayWindow: Sendable {
    package static let width: UInt64 = 1024

    package enum Verdict: Equatable, Sendable {
        case fresh
        case replayed
        /// Too far behind the newest index to tell.
        case tooOld
    }

    /// The highest index taken; nil before the first.
    package private(set) var newest: UInt64?
    private var bits = [16 of UInt64](repeating: 0)

    package init() {}

    package func verdict(on index: UInt64) -> Verdict {
        guard let newest, index <= newest else { return .fresh }
        guard newest - index < Self.width else { return .tooOld }
        let (word, bit) = Self.place(of: index)
        return bits[word] & bit == 0 ? .fresh : .replayed
    }

    /// Once the packet is known to be the peer's. Of an index that is too old nothing is remembered.
    package mutating func insert(_ index: UInt64) {
        guard verdict(on: index) == .fresh else { return }
        advance(to: index)
        let (word, bit) = Self.place(of: index)
        bits[word] |= bit
    }

    private mutating func advance(to index: UInt64) {
        guard let newest else { return self.newest = index }
        guard index > newest else { return }
        if index - newest >= Self.width {
            bits = [16 of UInt64](repeating: 0)
        } else {
            for passed in newest + 1...index {
                let (word, bit) = Self.place(of: passed)
                bits[word] &= ~bit
            }
        }
        self.newest = index
    }

    private static func place(of index: UInt64) -> (word: Int, bit: UInt64) {
        (Int(index % width / 64), 1 << (index % 64))
    }
}
