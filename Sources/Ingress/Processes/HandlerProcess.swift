package import Bytes
package import Relay
package import Runtime

/// A child as the pool sees it; tests bring their own.
@MediaLoop
package protocol HandlerProcess: AnyObject {
    var pid: Int32 { get }
    /// Called once, on the loop, when the process has ended.
    var onExit: (@MediaLoop (ChildExit, Monotonic) -> Void)? { get set }
    /// Ends it at once; `onExit` tells when it has.
    func kill()
}

extension ChildProcess: HandlerProcess {}

/// Starts a process that answers the invitation.
package typealias HandlerSpawn = @MediaLoop (RelayInvitation) throws(RuntimeError) -> any HandlerProcess

extension HandlerPool {
    /// What a child needs of this process's environment: where programs, libraries and certificates are, and how time and text
    /// look. Nothing that may hold a secret.
    package nonisolated static let inheritedVariables = [
        "PATH", "TZ", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "SWIFT_BACKTRACE",
        "GLIBC_TUNABLES", "MALLOC_ARENA_MAX",
    ]

    /// Swift's backtraces keep a process that has crashed for seconds, and after a signal that somebody sent it goes on as if
    /// nothing had been. Who wants them says so in the daemon's environment.
    private nonisolated static let environmentDefaults = ["SWIFT_BACKTRACE": "enable=no"]

    /// Starts this program with `arguments`, the first of which is the name that it shows.
    package nonisolated static func ownProgram(_ arguments: [String] = ["ingress", "run-handler"]) -> HandlerSpawn {
        { invitation throws(RuntimeError) in
            try ChildProcess.start(
                ChildProcess.Command(
                    arguments: arguments,
                    environment: environmentDefaults.merging(ParentProcess.environment(inheritedVariables)) { $1 },
                    handedBytes: invitation.encoded()))
        }
    }
}
