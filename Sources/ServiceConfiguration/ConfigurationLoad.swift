import Bytes

/// What came of reading a configuration.
package struct ConfigurationLoad: Equatable, Sendable {
    /// Nil when a diagnostic is an error.
    package var configuration: IngressConfiguration?
    /// In the order of the text, what has no place last.
    package var diagnostics: [ConfigurationDiagnostic]
    /// The file's path, or the option or variable that held the text; for the beginning of messages.
    package var source: String

    init(_ configuration: IngressConfiguration?, _ diagnostics: [ConfigurationDiagnostic], source: String) {
        let hasError = diagnostics.contains { $0.severity == .error }
        self.configuration = hasError ? nil : configuration
        let last = YAMLPosition(line: .max, column: .max)
        self.diagnostics = diagnostics.enumerated().sorted {
            ($0.element.position ?? last, $0.offset) < ($1.element.position ?? last, $1.offset)
        }.map(\.element)
        self.source = source
    }

    package var errors: [ConfigurationDiagnostic] { diagnostics.filter { $0.severity == .error } }
    package var warnings: [ConfigurationDiagnostic] { diagnostics.filter { $0.severity == .warning } }
}

extension IngressConfiguration {
    /// Reads the configuration from where the command line and the environment say.
    ///
    /// A text (`--config-body`, `INGRESS_CONFIG_BODY`) wins over a file (`--config`, `INGRESS_CONFIG_FILE`), an option
    /// over its variable; what is empty counts as not given. `readFile` throws with a description fit for the operator.
    package static func load(
        file: String?, body: String?, environment: [String: String],
        readFile: (String) throws -> [UInt8]
    ) -> ConfigurationLoad {
        func given(_ text: String?) -> String? { text.flatMap { $0.isEmpty ? nil : $0 } }
        if let body = given(body) {
            return load(Array(body.utf8), environment: environment, source: "--config-body")
        }
        if let body = given(environment["INGRESS_CONFIG_BODY"]) {
            return load(Array(body.utf8), environment: environment, source: "INGRESS_CONFIG_BODY")
        }
        guard let path = given(file) ?? given(environment["INGRESS_CONFIG_FILE"]) else {
            let text =
                "missing config: give a file with --config or INGRESS_CONFIG_FILE, or its text with --config-body"
            return ConfigurationLoad(nil, [.init(.error, text)], source: "")
        }
        do {
            return load(try readFile(path), environment: environment, source: path)
        } catch {
            return ConfigurationLoad(nil, [.init(.error, "cannot read the configuration: \(error)")], source: path)
        }
    }

    /// Reads the configuration from a text; LIVEKIT_API_KEY, LIVEKIT_API_SECRET and LIVEKIT_WS_URL fill what it leaves
    /// empty.
    package static func load(_ text: [UInt8], environment: [String: String], source: String = "") -> ConfigurationLoad {
        let document: YAMLDocument
        do {
            document = try YAMLDocument(parsing: text)
        } catch {
            return ConfigurationLoad(nil, [.unparsable(at: error.position, error.text)], source: source)
        }
        var decoder = ConfigurationDecoder()
        decoder.decode(document)
        decoder.update { $0.complete(environment) }
        // What is missing because it could not be read is not missing.
        if !decoder.diagnostics.contains(where: { $0.severity == .error }) { decoder.check() }
        return ConfigurationLoad(decoder.configuration, decoder.diagnostics, source: source)
    }

    /// Fills what the text left open: from the environment, and where 0 means the default.
    private mutating func complete(_ environment: [String: String]) {
        if apiKey.isEmpty { apiKey = environment["LIVEKIT_API_KEY"] ?? "" }
        if apiSecret.isEmpty { apiSecret = environment["LIVEKIT_API_SECRET"] ?? "" }
        if wsURL.isEmpty { wsURL = environment["LIVEKIT_WS_URL"] ?? "" }
        let defaults = IngressConfiguration()
        if rtmpPort == 0 { rtmpPort = defaults.rtmpPort }
        if whipPort == 0 { whipPort = defaults.whipPort }
        if httpRelayPort == 0 { httpRelayPort = defaults.httpRelayPort }
        if serviceName.isEmpty { serviceName = defaults.serviceName }
        if cpuCost.minIdleRatio <= 0 { cpuCost.minIdleRatio = defaults.cpuCost.minIdleRatio }
        if rtc.portRangeStart != 0 {
            rtc.udpPorts = nil
        } else if rtc.udpPorts == nil {
            rtc.udpPorts = RTCConfiguration.defaultUDPPort...RTCConfiguration.defaultUDPPort
        }
    }
}
