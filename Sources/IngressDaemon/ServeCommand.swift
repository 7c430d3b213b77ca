import ArgumentParser
import Foundation
import Ingress
import Logging
import ServiceConfiguration

/// The service itself.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Runs the service (what `ingress` does without a subcommand).")

    @OptionGroup var options: ConfigurationOptions

    func run() async throws {
        let load = options.load()
        Terminal.show(load)
        guard let configuration = load.configuration else { throw ExitCode.failure }
        let levels = LogLevels(configuration.logging, serviceName: configuration.serviceName)
        let output = LogOutput(format: configuration.logging.json ? .json : .text, levels: levels)
        LoggingSystem.bootstrap { output.handler(label: $0) }
        let options = options
        let daemon = IngressDaemon(
            configuration: configuration, version: IngressVersion.current, levels: levels,
            reload: { options.load() }, log: Logger(label: configuration.serviceName))
        do {
            try await daemon.run()
        } catch {
            Terminal.complain("error: \(StartupError.sentence(for: error))")
            throw ExitCode.failure
        }
    }
}
