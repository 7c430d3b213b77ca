/// What a sender without transport-wide feedback is told that the path carries (REMB): by loss alone, and never far
/// above what arrives.
package struct ReceiveBitrateLimit: Sendable {
    /// Bits a second that a sender may start with.
    package static let start = 4_000_000
    package static let maximum = 40_000_000
    package static let minimum = 100_000
    /// What may always come on top, so that a quiet sender can ramp up.
    package static let headroom = 1_000_000

    private var estimate = Self.start

    package init() {}

    /// Once a second: `lossFraction` is that of the second passed, 0…1, `received` the rate that arrived, bits a
    /// second. Returns what to tell.
    package mutating func update(lossFraction: Double, received: Int) -> Int {
        let bound = received + received / 2 + Self.headroom
        if lossFraction > 0.1 {
            estimate = min(estimate, bound)
            estimate -= Int(Double(estimate) * lossFraction / 2)
        } else if lossFraction < 0.02, estimate < bound {
            estimate += estimate / 12
        }
        estimate = min(max(estimate, Self.minimum), Self.maximum)
        return min(estimate, bound)
    }
}
