import ServiceConfiguration

/// What the daemon accepts as a configuration, it prints so that it reads back as the same.
package let configurationTargets: [FuzzTarget] = [
    FuzzTarget("configuration") { bytes in
        let load = IngressConfiguration.load(bytes, environment: ["LIVEKIT_API_KEY": "k", "LIVEKIT_API_SECRET": "s"])
        precondition(load.diagnostics.count <= ConfigurationLimits.diagnostics + 1, "too many remarks")
        guard let configuration = load.configuration else {
            precondition(!load.errors.isEmpty, "refused without a reason")
            return
        }
        let printed = Array(configuration.yaml(maskingSecrets: false).utf8)
        guard printed.count <= ConfigurationLimits.bytes else { return }
        let again = IngressConfiguration.load(printed, environment: [:])
        precondition(again.configuration == configuration, "a configuration changed on its way")
    }
]
