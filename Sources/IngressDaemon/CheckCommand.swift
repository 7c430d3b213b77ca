import ArgumentParser
import ServiceConfiguration

/// `ingress check`: reads the configuration as the service would, and shows what came of it.
struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Checks the configuration and prints what is in effect, secrets masked.")

    @OptionGroup var options: ConfigurationOptions

    @Flag(help: "Print a table of all keys instead.")
    var listKeys = false

    func run() throws {
        if listKeys { return print(ConfigurationReference.markdown(), terminator: "") }
        let load = options.load()
        Terminal.show(load)
        guard let configuration = load.configuration else { throw ExitCode.failure }
        print(configuration.yaml(), terminator: "")
    }
}
