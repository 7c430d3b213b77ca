import ArgumentParser
import Bytes
import Foundation
import Runtime

struct ReportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report", abstract: "Asks a test server for its own figures: GET /streams in a few numbers.")

    @Argument(help: "http://ADDRESS:PORT") var url: String

    private struct Streams: Decodable {
        struct Server: Decodable {
            let viewers: Int
        }
        struct Stream: Decodable {
            struct Delay: Decodable {
                let p50: Double
                let p99: Double
            }
            let live: Bool
            let delay: Delay
            let drops: [String: UInt64]

            enum CodingKeys: String, CodingKey {
                case live, drops
                case delay = "delay_ms"
            }
        }
        let server: Server
        let streams: [Stream]
    }

    struct Report: Encodable {
        let streams: Int
        let live: Int
        let viewers: Int
        /// Of the stream with the longest.
        let delayP50Ms: Double
        let delayP99Ms: Double
        let dropped: UInt64
        let dropReasons: String
    }

    func run() async throws {
        let target = try ServerURL(url, scheme: "http", defaultPort: 80)
        let response = try await HTTPExchange.perform("GET", target, path: "/streams")
        guard response.status == 200 else { throw BenchError("GET /streams answered \(response.status)") }
        let said = try JSONDecoder().decode(Streams.self, from: Data(response.body))
        var drops: [String: UInt64] = [:]
        for stream in said.streams { drops.merge(stream.drops, uniquingKeysWith: +) }
        let reasons = drops.filter { $0.value > 0 }.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
        try printJSON(
            Report(
                streams: said.streams.count, live: said.streams.count { $0.live }, viewers: said.server.viewers,
                delayP50Ms: said.streams.map(\.delay.p50).max() ?? 0,
                delayP99Ms: said.streams.map(\.delay.p99).max() ?? 0,
                dropped: drops.values.reduce(0, +), dropReasons: reasons.joined(separator: "; ")))
    }
}
