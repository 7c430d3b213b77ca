package import DTLS
package import Redis
package import Runtime

/// Why the service does not start, each with a sentence that says what to do.
package enum StartupError: Error, Equatable, Sendable {
    case capacity(String)
    case redis(RedisError)
    case rpc(String)
    /// The key of the port, and why it could not be taken.
    case port(key: String, number: Int, RuntimeError)
    case httpPort(key: String, number: Int, reason: String)
    case certificate(DTLSError)
    case certificateMissing
    case whipCertificate(DTLSError)
    /// Peer connections cannot be encrypted.
    case webRTC(DTLSError)
    /// `use_external_ip` is on, and no STUN server answered.
    case externalAddress
    case system(RuntimeError)

    package static func sentence(for error: any Error) -> String { "\(error)" }
}

extension StartupError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .capacity(let text): text
        case .redis(let error): "\(error)"
        case .rpc(let text): "the channels of the RPC could not be subscribed: \(text)"
        case .port(let key, _, let error): "\(key): \(error); stop what uses it, or set another \(key)"
        case .httpPort(let key, let number, let reason):
            "\(key): port \(number) cannot be served (\(reason)); stop what uses it, or set another \(key)"
        case .certificate(let error): "rtmps_port: \(error) Check tls_cert and tls_key."
        case .webRTC(let error): "WebRTC has no certificate: \(error)"
        case .externalAddress:
            "rtc_config.use_external_ip: no STUN server answered; check rtc_config.stun_servers and that UDP gets out, or "
                + "set rtc_config.node_ip"
        case .certificateMissing: "rtmps_port is set, but tls_cert or tls_key is not: give both, or set rtmps_port to 0"
        case .whipCertificate(let error): "whip_port: \(error) Check whip_tls_cert and whip_tls_key."
        case .system(let error): "\(error)"
        }
    }
}
