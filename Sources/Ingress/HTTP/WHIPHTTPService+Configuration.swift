import Bytes
import DTLS
package import ServiceConfiguration
package import WHIP

extension WHIPOptions {
    /// What the daemon's configuration says of WHIP: any app, as encoders of LiveKit's ingress have it.
    package init(_ configuration: IngressConfiguration) {
        self.init(
            publicURL: configuration.whipPublicURL.isEmpty ? nil : configuration.whipPublicURL,
            iceServers: ICEServers(configuration.iceServers) { HMAC.sha1(key: $0, $1) })
    }
}

extension IngressConfiguration {
    fileprivate var iceServers: [ICEServer] {
        whipICEServers.map { url in
            guard url.hasPrefix("turn") else { return ICEServer(url: url) }
            return ICEServer(
                url: url,
                credential: whipTURNSecret.isEmpty
                    ? .password(username: whipTURNUsername, password: whipTURNPassword)
                    : .timeLimited(
                        secret: whipTURNSecret, name: "whip",
                        lifetimeSeconds: whipTURNLifetime.milliseconds / 1_000))
        }
    }

    fileprivate func whipCertificate() throws(StartupError) -> TLSServerContext {
        do throws(DTLSError) {
            return try TLSServerContext(certificateFile: whipTLSCertificate, keyFile: whipTLSKey)
        } catch {
            throw .whipCertificate(error)
        }
    }
}

extension ReloadableTLS {
    /// The certificate of `whip_port`; nil when it is plain HTTP.
    package static func forWHIP(_ configuration: IngressConfiguration) throws(StartupError) -> ReloadableTLS? {
        guard !configuration.whipTLSCertificate.isEmpty, !configuration.whipTLSKey.isEmpty else { return nil }
        return ReloadableTLS(try configuration.whipCertificate())
    }

    /// Reads the files once more; what cannot be read leaves the certificate as it was.
    package func reloadForWHIP(_ configuration: IngressConfiguration) throws(StartupError) {
        replace(with: try configuration.whipCertificate())
    }
}
