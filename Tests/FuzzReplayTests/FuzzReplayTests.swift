import Foundation
import FuzzTargets
import Testing

/// Every committed input through the function that libFuzzer runs: a find, once mended, stays mended.
@Suite struct FuzzReplayTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private func inputs(_ folder: String, of target: String) -> [URL] {
        let path = Self.root.appending(path: "Fuzz/\(folder)/\(target)")
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path.path)) ?? []
        return names.sorted().map { path.appending(path: $0) }
    }

    @Test("each target has a corpus and takes all of it", arguments: allFuzzTargets.map(\.name))
    func corpus(of name: String) throws {
        let target = try #require(allFuzzTargets.first { $0.name == name })
        let seeds = inputs("Corpus", of: name)
        #expect(!seeds.isEmpty, "Fuzz/Corpus/\(name) is empty")
        for seed in seeds + inputs("Regressions", of: name) { target.run([UInt8](try Data(contentsOf: seed))) }
    }

    @Test("each target takes nothing, and one byte of each value", arguments: allFuzzTargets.map(\.name))
    func smallest(of name: String) throws {
        let target = try #require(allFuzzTargets.first { $0.name == name })
        target.run([])
        for byte in UInt8.min...UInt8.max { target.run([byte]) }
    }

    @Test("each corpus folder belongs to a target")
    func noOrphans() throws {
        let names = Set(allFuzzTargets.map(\.name))
        for folder in ["Corpus", "Regressions"] {
            let path = Self.root.appending(path: "Fuzz/\(folder)").path
            for name in (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [] {
                #expect(names.contains(name), "Fuzz/\(folder)/\(name) has no target")
            }
        }
    }
}
