import ArgumentParser

/// `ingress`: takes live video from encoders and publishes it into LiveKit rooms.
@main
struct IngressCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ingress",
        abstract: "Takes live video from encoders and publishes it into LiveKit rooms.",
        discussion: """
            Runs beside an unmodified livekit-server and reads the configuration of LiveKit's own ingress service. \
            SIGTERM and SIGQUIT wait for the sessions to end, SIGINT ends them, SIGHUP reads the configuration anew.
            """,
        version: IngressVersion.current,
        subcommands: [ServeCommand.self, CheckCommand.self, RunHandlerCommand.self],
        defaultSubcommand: ServeCommand.self)
}

enum IngressVersion {
    static let current = "0.2.0"
}
