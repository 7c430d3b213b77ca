package import Bytes
package import Relay
package import Runtime

/// Whoever runs the session in the child.
@MediaLoop
package protocol HandlerClientDelegate: AnyObject {
    /// In the order in which they were sent.
    func handlerClient(_ client: HandlerClient, received command: RelayCommand, at now: Monotonic)
}

/// The child's end of the relay: answers the invitation, takes commands, sends reports.
///
/// The child lives for the main process alone. When the connection to it ends, whatever the reason, there is nothing left to do
/// and nobody to tell: the process exits at once.
@MediaLoop
package final class HandlerClient {
    package enum ExitCode {
        /// The main process closed the connection.
        package static let closed: Int32 = 0
        /// The connection was never made, broke, or carried what is no message (EX_PROTOCOL).
        package static let failed: Int32 = 76
    }

    private static let connectTimeout = Interval.seconds(5)
    /// State and figures that wait for the main process; it reads them as they come, or hangs.
    private static let queueLimit = 4 * 1024 * 1024

    private let limits: RelayLimits
    private let delegate: any HandlerClientDelegate
    private let onLost: @MediaLoop (Int32) -> Void
    private var reader: RelayCommandReader
    private var stream: TCPStream?

    /// Answers the invitation on the inherited pipe and binds this process's life to its parent's. The first thing that a child
    /// does. Exits when the parent is gone already.
    package static func answerInvitation(
        slabPool: SlabPool, delegate: any HandlerClientDelegate
    ) throws(HandlerClientError) -> HandlerClient {
        do throws(RuntimeError) {
            let bytes = try ParentProcess.takeHandedBytes()
            guard let invitation = try? RelayInvitation(parsing: bytes.rawSpan) else {
                throw .system(.read, .invalidArgument)
            }
            // A terminal and a service manager tell all processes to end; when a child ends is the main process's decision.
            Signals.ignore(Set(ProcessSignal.allCases))
            try ParentProcess.takeName(processName)
            guard try ParentProcess.shareFate(withParent: invitation.parent) else {
                ParentProcess.exitNow(ExitCode.closed)
            }
            return try HandlerClient(invitation, slabPool: slabPool, delegate: delegate)
        } catch {
            throw HandlerClientError(reason: error)
        }
    }

    private nonisolated static let processName = "ingress-session"

    /// Connects and says hello. `onLost` gets the code to exit with, once.
    package init(
        _ invitation: RelayInvitation, limits: RelayLimits = RelayLimits(), slabPool: SlabPool,
        delegate: any HandlerClientDelegate,
        onLost: @escaping @MediaLoop (Int32) -> Void = { ParentProcess.exitNow($0) }
    ) throws(RuntimeError) {
        self.limits = limits
        self.delegate = delegate
        self.onLost = onLost
        reader = RelayCommandReader(limits: limits, pool: slabPool)
        var options = TCPStream.Options()
        options.writeQueueLimit = Self.queueLimit
        options.kernelReceiveBytes = HandlerSettings.kernelBytes
        stream = try TCPStream.connect(
            to: TransportAddress(ip: .v4(0x7F00_0001), port: invitation.port), timeout: Self.connectTimeout,
            options: options, handler: self)
        send(.hello(invitation.token))
    }

    /// The child can take a session from now on.
    package func ready() { send(.ready) }
    /// The session runs.
    package func started() { send(.started) }
    package func report(kind: UInt8, _ bytes: [UInt8]) { send(.report(kind: kind, bytes)) }
    package func wantKeyFrame() { send(.keyFrameWanted) }
    package func refuseSource(_ text: String) { send(.sourceRefused(text)) }

    /// Figures; left out while earlier reports still wait, because newer ones follow.
    package func statistics(_ bytes: [UInt8]) {
        if stream?.isCongested == false { send(.statistics(bytes)) }
    }

    /// The session is over. The main process answers by closing the connection, which ends this process.
    package func end(_ end: RelaySessionEnd) { send(.ended(end)) }

    /// Closes the connection without a word, as the end of the process does.
    package func close() { stream.take()?.close() }

    /// Reports are small; one that is too large is a fault of this program.
    private func send(_ report: RelayReport) {
        guard let stream else { return }
        let limits = limits
        do throws(RelayError) {
            let count = try report.encodedByteCount(limits)
            guard stream.write(upTo: count, { report.write(limits, into: &$0) }) else { return lose(ExitCode.failed) }
        } catch {
            preconditionFailure("a report that the relay does not carry: \(error)")
        }
    }

    private func lose(_ code: Int32) {
        guard let stream = stream.take() else { return }
        stream.close()
        onLost(code)
    }
}

extension HandlerClient: TCPStreamHandler {
    package func stream(_ stream: TCPStream, received bytes: RawSpan, at now: Monotonic) {
        var offset = 0
        do throws(RelayError) {
            while self.stream != nil, let command = try reader.next(bytes, from: &offset) {
                delegate.handlerClient(self, received: command, at: now)
            }
        } catch {
            lose(ExitCode.failed)
        }
    }

    package func streamEnded(_ stream: TCPStream, at now: Monotonic) { lose(ExitCode.closed) }

    package func stream(_ stream: TCPStream, failed error: RuntimeError, at now: Monotonic) {
        // A main process that ends with unread reports resets the connection: an end as any other.
        switch error {
        case .system(_, .connectionReset), .system(_, .brokenPipe): lose(ExitCode.closed)
        default: lose(ExitCode.failed)
        }
    }
}

/// Why a process that should be a child is none.
package struct HandlerClientError: Error, Equatable, Sendable, CustomStringConvertible {
    package var reason: RuntimeError

    package var description: String {
        "this command is for the server's own use: it starts it for each session by itself (\(reason))"
    }
}
