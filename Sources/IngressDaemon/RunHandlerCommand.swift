import ArgumentParser
import Ingress
import Logging
import ServiceConfiguration

/// The child that carries one session; started by the service alone.
struct RunHandlerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "run-handler", shouldDisplay: false)

    @Option var serviceName = "ingress"
    @Option var logLevel = ConfiguredLogLevel.info.rawValue
    @Flag var logJson = false

    func run() async throws {
        var logging = LoggingConfiguration()
        logging.level = ConfiguredLogLevel(name: logLevel) ?? .info
        let levels = LogLevels(logging, serviceName: serviceName)
        let output = LogOutput(format: logJson ? .json : .text, levels: levels)
        LoggingSystem.bootstrap { output.handler(label: $0) }
        do {
            try await ChildSession.run(levels: levels, log: Logger(label: serviceName + ".session"))
        } catch {
            Terminal.complain("error: \(error)")
            throw ExitCode.failure
        }
    }
}
