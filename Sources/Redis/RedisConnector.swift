import Bytes
import DTLS
import Runtime

/// Makes connections to the server that the topology leads to at the moment.
@MediaLoop
final class RedisConnector {
    private let settings: RedisSettings
    private let parameters: RedisConnection.Parameters
    /// Where the search among sentinels or nodes begins: behind the last that failed.
    private var firstCandidate = 0

    init(_ settings: RedisSettings) throws(RedisError) {
        self.settings = settings
        var parameters = RedisConnection.Parameters()
        parameters.timing = settings.timing
        parameters.limits = settings.limits
        parameters.setup.credentials = settings.credentials
        if settings.tls != nil { parameters.tls = try Self.tls(settings.tls) }
        switch settings.topology {
        case .single: parameters.setup.database = settings.database
        case .sentinel(_, let addresses, _):
            guard !addresses.isEmpty else { throw .notConfigured }
            parameters.setup.database = settings.database
            parameters.setup.requiresMaster = true
        case .cluster(let addresses):
            guard !addresses.isEmpty else { throw .notConfigured }
        }
        self.parameters = parameters
    }

    private static func tls(_ settings: RedisTLSSettings?) throws(RedisError) -> (TLSClientContext, String)? {
        guard let settings else { return nil }
        guard settings.certificateFile.isEmpty == settings.keyFile.isEmpty else {
            throw .invalidSetting("client_cert_file and client_key_file of redis go together")
        }
        do throws(DTLSError) {
            var client = TLSClientSettings()
            client.verifiesServer = !settings.isInsecure
            client.authorityFile = settings.authorityFile
            if !settings.certificateFile.isEmpty {
                client.certificate = try Certificate(
                    certificateFile: settings.certificateFile, keyFile: settings.keyFile)
            }
            return (try TLSClientContext(client), settings.serverName)
        } catch {
            throw .tls(error)
        }
    }

    /// Errors are `unableToConnect` with the address that was tried last, or `masterUnknown`.
    func connect(
        for purpose: RedisSession.Purpose, handler: any RedisConnectionHandler
    ) async throws(RedisError) -> RedisConnection {
        switch settings.topology {
        case .single(let address): return try await open(address, purpose, parameters, handler)
        case .cluster(let addresses):
            return try await first(of: addresses) { (address) async throws(RedisError) in
                try await self.open(address, purpose, self.parameters, handler)
            }
        case .sentinel(let name, let addresses, let credentials):
            let master = try await first(of: addresses) { (address) async throws(RedisError) in
                try await self.master(name, credentials, askedAt: address)
            }
            return try await open(master, purpose, parameters, handler)
        }
    }

    /// For a node of the cluster that another node named.
    func connectNode(_ address: RedisAddress) async throws(RedisError) -> RedisConnection {
        try await open(address, .commands, parameters, nil)
    }

    private func open(
        _ address: RedisAddress, _ purpose: RedisSession.Purpose, _ parameters: RedisConnection.Parameters,
        _ handler: (any RedisConnectionHandler)?
    ) async throws(RedisError) -> RedisConnection {
        do throws(RedisError) {
            return try await RedisConnection.open(address, for: purpose, parameters, handler: handler)
        } catch {
            throw .unableToConnect(address, error)
        }
    }

    private func first<Found>(
        of addresses: [RedisAddress], _ attempt: @MediaLoop (RedisAddress) async throws(RedisError) -> Found
    ) async throws(RedisError) -> Found {
        var last = RedisError.notConfigured
        for offset in addresses.indices {
            let index = (firstCandidate + offset) % addresses.count
            do throws(RedisError) {
                let found = try await attempt(addresses[index])
                firstCandidate = index
                return found
            } catch {
                last = error
            }
        }
        throw last
    }

    private func master(
        _ name: String, _ credentials: RedisCredentials, askedAt address: RedisAddress
    ) async throws(RedisError) -> RedisAddress {
        var parameters = parameters
        parameters.setup = RedisSession.Setup()
        parameters.setup.credentials = credentials
        let sentinel = try await open(address, .commands, parameters, nil)
        defer { sentinel.close() }
        let reply: RedisReply
        do throws(RedisError) {
            reply = try await sentinel.send(RedisCommand("SENTINEL", "get-master-addr-by-name", name))
        } catch {
            throw .unableToConnect(address, error)
        }
        switch reply {
        case .array(let values) where values.count == 2:
            guard let host = values[0].text, let port = values[1].text.flatMap({ UInt16($0) }), !host.isEmpty,
                host.utf8.count <= 255
            else { throw .protocolViolated }
            return RedisAddress(host: host, port: port)
        case .null: throw .masterUnknown(name: name)
        case .error(let text): throw .unableToConnect(address, .refused(text))
        default: throw .unableToConnect(address, .protocolViolated)
        }
    }
}

/// Where a cluster sends a command on to.
package struct ClusterRedirect: Equatable, Sendable {
    package let address: RedisAddress
    /// ASKING goes before the command, and only this once.
    package let isAsk: Bool

    /// Reads "MOVED slot host:port" and "ASK slot host:port"; an empty host is that of the node that answered.
    package init?(_ error: String, answeredBy node: RedisAddress) {
        let words = error.split(separator: " ")
        guard words.count == 3, words[0] == "MOVED" || words[0] == "ASK", let colon = words[2].lastIndex(of: ":"),
            let port = UInt16(words[2][words[2].index(after: colon)...]), port > 0
        else { return nil }
        let host = words[2][..<colon]
        guard host.utf8.count <= 255, host != "?" else { return nil }
        address = RedisAddress(host: host.isEmpty ? node.host : String(host), port: port)
        isAsk = words[0] == "ASK"
    }
}
