package import DTLS
import Synchronization

/// The certificate of a port that is served over TLS: connections to come get the newest.
package final class ReloadableTLS: Sendable {
    private let context: Mutex<TLSServerContext>

    package init(_ context: TLSServerContext) { self.context = Mutex(context) }

    package var current: TLSServerContext { context.withLock { $0 } }

    package func replace(with context: TLSServerContext) { self.context.withLock { $0 = context } }
}
