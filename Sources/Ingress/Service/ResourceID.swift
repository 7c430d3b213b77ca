import Runtime

/// Ids in LiveKit's manner: a prefix that tells the kind, and twelve characters without those that look alike.
package enum ResourceID {
    private static let alphabet = Array("23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz")

    package static func make(_ prefix: String) -> String {
        prefix + String(Randomness.bytes(24).map { alphabet[Int($0) % alphabet.count] }.prefix(12))
    }
}
