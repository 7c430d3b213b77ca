import ArgumentParser
import Bytes
import Foundation
import Runtime

/// `ingress-bench`: what script/bench measures with. Each subcommand prints one line of JSON; times are
/// milliseconds unless the
/// name says otherwise.
@main
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ingress-bench",
        abstract: "Measures the ingest server: the bare floor of its work, publishers, viewers, delay.",
        subcommands: [
            FloorCommand.self, PublishCommand.self, ViewCommand.self, DelayCommand.self, ReportCommand.self,
            PassCommand.self, AllocationsCommand.self, SRTPCommand.self,
        ])
}

/// A sentence for whoever runs the bench.
struct BenchError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

func printJSON(_ value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    print(String(decoding: try encoder.encode(value), as: UTF8.self))
}

extension Interval {
    /// With a microsecond's resolution, for reports.
    var inMilliseconds: Double { (Double(nanoseconds) / 1_000).rounded() / 1_000 }

    init(seconds: Double) { self.init(nanoseconds: Int64(seconds * 1e9)) }
}

extension [Interval] {
    /// The value below which `share` (0…1) of all lie; nil when there are none.
    func percentile(_ share: Double) -> Interval? {
        guard !isEmpty else { return nil }
        let index = Int((share * Double(count)).rounded(.up)) - 1
        return sorted()[Swift.min(Swift.max(index, 0), count - 1)]
    }
}
