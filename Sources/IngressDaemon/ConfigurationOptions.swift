import ArgumentParser
import Foundation
import ServiceConfiguration

/// Where the configuration comes from.
struct ConfigurationOptions: ParsableArguments {
    @Option(help: "Configuration file, YAML. Also INGRESS_CONFIG_FILE.")
    var config: String?

    @Option(help: "The configuration itself, YAML; wins over a file. Also INGRESS_CONFIG_BODY.")
    var configBody: String?

    func load() -> ConfigurationLoad {
        IngressConfiguration.load(
            file: config, body: configBody, environment: ProcessInfo.processInfo.environment,
            readFile: Self.read)
    }

    private struct Unreadable: Error, CustomStringConvertible {
        var description: String
    }

    private static func read(_ path: String) throws -> [UInt8] {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw Unreadable(
                description: FileManager.default.fileExists(atPath: path)
                    ? "\(path) may not be read by this user" : "there is no file \(path)")
        }
        return Array(data)
    }
}

/// What a person reads on the terminal.
enum Terminal {
    static func complain(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }

    /// Every diagnostic on a line of its own, with its place in front.
    static func show(_ load: ConfigurationLoad) {
        let place = load.source.isEmpty ? "" : load.source + ":"
        for diagnostic in load.diagnostics { complain(place + diagnostic.description) }
    }
}
