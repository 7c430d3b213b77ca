import ArgumentParser
import Foundation
import FuzzTargets

/// `ingress-fuzz`: runs fuzz targets over files and over mutations of them, without a fuzzing toolchain.
@main
struct FuzzCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ingress-fuzz",
        abstract: "Runs the protocol fuzz targets.",
        discussion: "A target that traps ends the program; the file that did it was named on the line before.",
        subcommands: [List.self, Replay.self, Mutate.self])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Names the targets.")

        func run() { for target in allFuzzTargets { print(target.name) } }
    }

    struct Replay: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Runs a target over files, or over all files of folders.")

        @Argument(help: "The target's name.")
        var target: String

        @Argument(help: "Files and folders.")
        var inputs: [String]

        func run() throws {
            let target = try find(target)
            for file in try files(in: inputs) {
                print(file)
                target.run(try read(file))
            }
        }
    }

    struct Mutate: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Runs a target over random changes of its corpus; the same seed gives the same changes.")

        @Argument(help: "The target's name.")
        var target: String

        @Argument(help: "Files and folders to start from.")
        var inputs: [String]

        @Option(help: "How many inputs to try.")
        var runs = 100_000

        @Option(help: "Seed of the random numbers.")
        var seed: UInt64 = 1

        @Option(help: "Each input is written here before it runs, so that the last one survives a trap.")
        var last = "fuzz-last.bin"

        func run() throws {
            let target = try find(target)
            let corpus = try files(in: inputs).map { try read($0) }
            guard !corpus.isEmpty else { throw ValidationError("There is nothing to start from.") }
            var mutator = Mutator(seed: seed)
            for count in 1...max(1, runs) {
                let input = mutator.mutate(corpus)
                try Data(input).write(to: URL(fileURLWithPath: last))
                target.run(input)
                if count % 10_000 == 0 { print("\(count) inputs") }
            }
            try? FileManager.default.removeItem(atPath: last)
        }
    }
}

private func find(_ name: String) throws -> FuzzTarget {
    guard let target = allFuzzTargets.first(where: { $0.name == name }) else {
        throw ValidationError("There is no target \(name); `ingress-fuzz list` names them.")
    }
    return target
}

private func read(_ path: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(fileURLWithPath: path))) }

private func files(in paths: [String]) throws -> [String] {
    var files: [String] = []
    for path in paths {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw ValidationError("\(path) does not exist.")
        }
        if isFolder.boolValue {
            files += try FileManager.default.contentsOfDirectory(atPath: path).sorted().map { path + "/" + $0 }
        } else {
            files.append(path)
        }
    }
    return files
}

/// Flips, overwrites, cuts, repeats and joins.
private struct Mutator {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

    private mutating func next(_ bound: Int) -> Int {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return bound > 0 ? Int(state >> 33) % bound : 0
    }

    mutating func mutate(_ corpus: [[UInt8]]) -> [UInt8] {
        var bytes = corpus[next(corpus.count)]
        for _ in 0...next(6) {
            let position = next(bytes.count + 1)
            switch next(6) {
            case 0 where position < bytes.count: bytes[position] ^= 1 << UInt8(next(8))
            case 1 where position < bytes.count: bytes[position] = [0, 1, 0x7F, 0x80, 0xFF][next(5)]
            case 2: bytes.insert(UInt8(next(256)), at: position)
            case 3: bytes.removeSubrange(position..<min(bytes.count, position + next(16)))
            case 4:
                let end = min(bytes.count, position + next(64))
                bytes.insert(contentsOf: Array(bytes[position..<end]), at: position)
            default:
                let other = corpus[next(corpus.count)]
                bytes = Array(bytes.prefix(position)) + Array(other.dropFirst(next(other.count + 1)))
            }
        }
        return Array(bytes.prefix(65_536))
    }
}
