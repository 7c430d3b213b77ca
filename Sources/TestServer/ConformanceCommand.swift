import ArgumentParser
import Bytes
import Foundation
import Ingress

/// `ingress-test-server whip-conformance`: how well any WHIP server keeps RFC 9725.
struct ConformanceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "whip-conformance",
        abstract: "Tries the rules of RFC 9725 on a WHIP endpoint.",
        discussion: """
            Prints a line for each rule: how it went, the section of the RFC, MUST or SHOULD, the rule's name and words, and \
            what was seen. Exits with 1 when a MUST is broken. Nothing is ever sent but HTTP: the sessions that are made \
            have no media, and are ended.
            """)

    @Argument(help: "The endpoint, http:// or https://.")
    var url: String

    @Option(help: "Bearer token, where the endpoint wants one.")
    var bearer: String?

    @Flag(help: "Take any certificate of the server.")
    var insecure = false

    @Option(help: "Seconds that one request may take.")
    var timeout = 10.0

    @Option(name: .customLong("known"), help: "Name of a rule whose breach is known, and no failure; may be repeated.")
    var known: [String] = []

    func validate() throws {
        guard (0.1...600).contains(timeout) else { throw ValidationError("--timeout is 0.1 to 600 seconds.") }
        _ = try conformanceRun()
    }

    func run() async throws {
        let isConforming = try await conformanceRun().run { line in
            print(line)
            fflush(nil)
        }
        if !isConforming { throw ExitCode.failure }
    }

    private func conformanceRun() throws -> ConformanceRun {
        do throws(ConformanceRun.Failure) {
            return try ConformanceRun(
                url: url, bearer: bearer, verifiesServer: !insecure,
                timeout: Interval.milliseconds(Int64(timeout * 1_000)), known: known)
        } catch {
            throw ValidationError("\(error)")
        }
    }
}
