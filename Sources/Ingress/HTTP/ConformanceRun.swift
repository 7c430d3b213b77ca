package import Bytes
import DTLS
import Runtime
import WHIP

/// Tries the rules of RFC 9725 on the WHIP endpoint at a URL, over the network.
package struct ConformanceRun: Sendable {
    package enum Failure: Error, Equatable, Sendable, CustomStringConvertible {
        case url
        case tls(String)
        case unknownRow(String)

        package var description: String {
            switch self {
            case .url: "the URL must be http:// or https://, without a user name."
            case .tls(let error): "TLS cannot be set up: \(error)."
            case .unknownRow(let id): "there is no rule \(id)."
            }
        }
    }

    private let client: ConformanceClient
    private let known: Set<String>

    /// - Parameters:
    ///   - bearer: the token that goes with every request.
    ///   - verifiesServer: false takes any certificate.
    ///   - timeout: of one request, name and connection included.
    ///   - known: rules whose breach is no failure.
    package init(
        url: String, bearer: String?, verifiesServer: Bool, timeout: Interval, known: [String]
    ) throws(Failure) {
        guard let endpoint = HTTPURL(url) else { throw .url }
        for id in known where !WHIPConformance.rows.contains(where: { $0.id == id }) { throw .unknownRow(id) }
        self.known = Set(known)
        var settings = TLSClientSettings()
        settings.verifiesServer = verifiesServer
        let tls: TLSClientContext
        do throws(DTLSError) { tls = try TLSClientContext(settings) } catch { throw .tls("\(error)") }
        let http = HTTPClient(tls: tls, timeout: timeout)
        client = ConformanceClient(endpoint: endpoint, token: bearer, randomBytes: { Randomness.bytes($0) }) {
            url, request throws(ConformanceFinding) in
            do throws(HTTPClientError) {
                return try await http.send(request, to: url)
            } catch {
                throw .failed("\(error)")
            }
        }
    }

    /// Gives a line to `show` after each rule, and a summary at the end. False when a rule is broken that must be kept.
    package func run(_ show: (String) -> Void) async -> Bool {
        let results = await WHIPConformance.run(client, deviations: known) { show($0.line) }
        show(WHIPConformance.summary(results))
        return WHIPConformance.isConforming(results)
    }
}
