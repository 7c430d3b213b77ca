import ServiceConfiguration

/// The least that a configuration needs, to which a test adds its lines.
enum ConfigurationFixture {
    static let base = """
        redis: {address: "localhost:6379"}
        api_key: key
        api_secret: secret
        ws_url: ws://localhost:7880

        """

    static func load(_ text: String, environment: [String: String] = [:]) -> ConfigurationLoad {
        IngressConfiguration.load(Array(text.utf8), environment: environment)
    }

    /// The base with more lines; line numbers begin at 5.
    static func loadBase(_ lines: String) -> ConfigurationLoad { load(base + lines) }
}
