/// One thing that RFC 9725 asks of a server, and how a client sees whether it is so.
package struct ConformanceRow: Sendable {
    package enum Level: String, Sendable {
        case must = "MUST"
        case should = "SHOULD"
    }

    typealias Check = @Sendable (ConformanceClient) async throws(ConformanceFinding) -> String

    /// Short, and the same for ever.
    package let id: String
    package let section: String
    package let level: Level
    /// In our words.
    package let rule: String
    /// Gives what was seen when all is well.
    let check: Check

    init(_ section: String, _ id: String, _ level: Level, _ rule: String, check: @escaping Check) {
        self.id = id
        self.section = section
        self.level = level
        self.rule = rule
        self.check = check
    }
}

typealias Finding = ConformanceFinding

/// Why a row did not pass.
package enum ConformanceFinding: Error, Equatable, Sendable {
    /// What was seen instead.
    case failed(String)
    /// What the server does not do, or what this run lacks.
    case notApplicable(String)
}

package struct ConformanceResult: Sendable {
    package enum Outcome: String, Sendable {
        case pass
        case fail = "FAIL"
        /// A rule that a server should keep, and this one does not.
        case warning = "warn"
        /// It fails, and was said to.
        case known
        case notApplicable = "n/a"
    }

    package let row: ConformanceRow
    package let outcome: Outcome
    package let seen: String
}

/// All rows, and a run of them.
package enum WHIPConformance {
    package static let rows: [ConformanceRow] =
        endpointRows + answerRows + sessionRows + trickleRows + restartRows + serverRows

    /// Runs the rows one after the other; each makes the sessions that it needs and ends them. `deviations`: ids of rows
    /// whose failure is known. `progress` is called after each.
    package static func run(
        _ client: ConformanceClient, deviations: Set<String> = [],
        progress: (ConformanceResult) -> Void = { _ in }
    ) async -> [ConformanceResult] {
        var results: [ConformanceResult] = []
        for row in rows {
            let result = await row.result(client, isKnown: deviations.contains(row.id))
            progress(result)
            results.append(result)
        }
        return results
    }

    /// Whether no rule that must be kept is broken, those apart that are known to be.
    package static func isConforming(_ results: [ConformanceResult]) -> Bool {
        results.allSatisfy { $0.outcome != .fail }
    }

    /// "38 rules: 30 pass, …".
    package static func summary(_ results: [ConformanceResult]) -> String {
        let counts = [ConformanceResult.Outcome.pass, .fail, .warning, .known, .notApplicable].compactMap { outcome in
            let count = results.count { $0.outcome == outcome }
            return count == 0 ? nil : "\(count) \(outcome.rawValue)"
        }
        return "\(results.count) rules: " + counts.joined(separator: ", ")
    }
}

extension ConformanceRow {
    fileprivate func result(_ client: ConformanceClient, isKnown: Bool) async -> ConformanceResult {
        do {
            return ConformanceResult(row: self, outcome: .pass, seen: try await check(client))
        } catch {
            switch error {
            case .failed(let seen):
                let outcome: ConformanceResult.Outcome = isKnown ? .known : level == .must ? .fail : .warning
                return ConformanceResult(row: self, outcome: outcome, seen: seen)
            case .notApplicable(let why):
                return ConformanceResult(row: self, outcome: .notApplicable, seen: why)
            }
        }
    }
}

extension ConformanceResult {
    /// One line of the table.
    package var line: String {
        let columns = [(outcome.rawValue, 4), (row.section, 6), (row.level.rawValue, 6), (row.id, 22), (row.rule, 62)]
        return columns.map { $0.0 + String(repeating: " ", count: max(0, $0.1 - $0.0.count)) }.joined(separator: "  ")
            + "  " + seen
    }
}
