package import DTLS
package import Runtime

/// What went wrong between this process and Redis. `description` is a sentence that says what to do; no case carries a
/// password, and texts of the server that could repeat one are cut to their code.
package indirect enum RedisError: Error, Equatable, Sendable {
    /// Neither an address nor sentinels nor cluster nodes are set.
    case notConfigured
    /// A setting makes no sense; the text names it.
    case invalidSetting(String)
    /// The first connection could not be made.
    case unableToConnect(RedisAddress, RedisError)
    /// The socket failed, or was never connected.
    case network(RuntimeError)
    /// TLS failed, or its files could not be used.
    case tls(DTLSError)
    /// The server ended the connection.
    case closedByServer
    /// No answer came in time.
    case timedOut
    /// The server wants a password and none is set.
    case authenticationRequired
    /// The server did not accept user and password; the payload is the first word of its answer.
    case authenticationRefused(String)
    /// SELECT was refused.
    case databaseRefused(Int, String)
    /// A sentinel named a node that is no master (any more).
    case notMaster
    /// No sentinel could be asked, or none knows a master of this name.
    case masterUnknown(name: String)
    /// An error reply to a command.
    case refused(String)
    /// The bytes were no replies, or a reply that the command cannot have.
    case protocolViolated
    case limitExceeded(RedisLimit)
    /// There was no connection within the time that a command waits for one.
    case notConnected
    /// The nodes of a cluster sent a command around for too long.
    case tooManyRedirects
    /// Closed by us.
    case closed
}

extension RedisError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .notConfigured: "redis is not configured"
        case .invalidSetting(let text): text
        case .unableToConnect(let address, let cause): "unable to connect to redis at \(address): \(cause)"
        case .network(.connect(_, .connectionRefused)): "connection refused; is it running?"
        case .network(.connect(_, .timedOut)), .timedOut:
            "no answer in time; is the address right, and does the network let this host through?"
        case .network(.connect(_, let errno)): "\(errno)"
        case .network(let error): "\(error)"
        case .tls(let error): "\(error) Do the TLS settings match those of the server?"
        case .closedByServer: "the server closed the connection; does it expect TLS, or has it too many clients?"
        case .authenticationRequired: "it wants a password and none is configured"
        case .authenticationRefused(let code): "user name or password are not accepted (\(code))"
        case .databaseRefused(let number, let text): "database \(number) cannot be selected (\(text))"
        case .notMaster: "this node is not the master"
        case .masterUnknown(let name):
            "no sentinel that answers knows a master named \"\(name)\"; check sentinel_master_name and the addresses"
        case .refused(let text): "redis refused a command: \(text)"
        case .protocolViolated: "the answer is not that of a redis server; is this its port, and does it expect TLS?"
        case .limitExceeded(let limit): "too many \(limit.rawValue)"
        case .notConnected: "there is no connection to redis at the moment"
        case .tooManyRedirects: "the nodes of the redis cluster do not agree on who owns a key"
        case .closed: "the connection to redis was closed"
        }
    }
}
