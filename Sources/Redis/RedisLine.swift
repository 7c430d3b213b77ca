import Bytes
import Runtime

/// Whoever uses a `RedisLine`.
@MediaLoop
protocol RedisLineHandler: AnyObject {
    /// A new connection; what was settled on the one before is gone.
    func line(_ line: RedisLine, connected connection: RedisConnection)
    func line(_ line: RedisLine, received event: RedisSession.Event)
    /// The connection broke, or could not be made again.
    func line(_ line: RedisLine, lost error: RedisError)
}

/// A connection that comes back by itself, until `close()`.
@MediaLoop
final class RedisLine: RedisConnectionHandler {
    let purpose: RedisSession.Purpose
    private let connector: RedisConnector
    private var backoff: ReconnectBackoff
    private let timer = LoopTimer()
    private weak var handler: (any RedisLineHandler)?
    private(set) var connection: RedisConnection?
    private(set) var isClosed = false

    init(_ purpose: RedisSession.Purpose, _ connector: RedisConnector, timing: RedisTiming) {
        self.purpose = purpose
        self.connector = connector
        backoff = ReconnectBackoff(timing)
    }

    /// Makes the first connection; its failure is the caller's.
    func start(_ handler: any RedisLineHandler) async throws(RedisError) {
        self.handler = handler
        try await connect()
    }

    /// Ends the connection of now, so that another is made: it leads to the wrong server.
    func abandon(_ error: RedisError) {
        guard let connection = connection.take() else { return }
        connection.close()
        lost(error)
    }

    func close() {
        isClosed = true
        timer.cancel()
        connection.take()?.close()
    }

    private func connect() async throws(RedisError) {
        let connection = try await connector.connect(for: purpose, handler: self)
        guard !isClosed else {
            connection.close()
            throw .closed
        }
        // It may have broken between its last step and here.
        guard connection.isOpen else { throw .closedByServer }
        self.connection = connection
        backoff.reset()
        handler?.line(self, connected: connection)
    }

    private func lost(_ error: RedisError) {
        guard !isClosed else { return }
        timer.schedule(at: MediaLoop.now + backoff.next(), calling: self)
        handler?.line(self, lost: error)
    }

    func connection(_ connection: RedisConnection, received event: RedisSession.Event) {
        handler?.line(self, received: event)
    }

    func connection(_ connection: RedisConnection, closed error: RedisError) {
        guard connection === self.connection else { return }
        self.connection = nil
        lost(error)
    }
}

extension RedisLine: Runtime.TimerHandler {
    func timerFired(_ timer: LoopTimer, at now: Monotonic) {
        guard !isClosed, connection == nil else { return }
        Task {
            do throws(RedisError) {
                try await connect()
            } catch {
                lost(error)
            }
        }
    }
}
