/// Finds what somebody meant to write.
enum NearestName {
    /// The candidate with the fewest changed, missing, added or swapped letters, if these are few enough to be a slip.
    static func of(_ name: String, among candidates: some Sequence<String>) -> String? {
        // Longer names than any key are no slips, and would only cost time.
        guard name.utf8.count <= 64 else { return nil }
        let lowered = name.lowercased()
        let limit = max(1, name.count / 3)
        let ranked = candidates.map { (distance(lowered, $0.lowercased()), $0) }.filter { $0.0 <= limit }
        return ranked.min { ($0.0, $0.1) < ($1.0, $1.1) }?.1
    }

    /// Damerau's and Levenshtein's, no part moved twice.
    static func distance(_ first: String, _ second: String) -> Int {
        let a = Array(first.unicodeScalars)
        let b = Array(second.unicodeScalars)
        var rows = [[Int]](repeating: Array(repeating: 0, count: b.count + 1), count: a.count + 1)
        for i in 0...a.count { rows[i][0] = i }
        for j in 0...b.count { rows[0][j] = j }
        for (i, left) in a.enumerated() {
            for (j, right) in b.enumerated() {
                let replaced = rows[i][j] + (left == right ? 0 : 1)
                var best = min(replaced, rows[i][j + 1] + 1, rows[i + 1][j] + 1)
                if i > 0, j > 0, left == b[j - 1], a[i - 1] == right { best = min(best, rows[i - 1][j - 1] + 1) }
                rows[i + 1][j + 1] = best
            }
        }
        return rows[a.count][b.count]
    }
}
