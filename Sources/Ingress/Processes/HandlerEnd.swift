package import Bytes
package import Runtime

/// How a child's session ended, as the main process knows it.
package enum HandlerEnd: Equatable, Sendable, CustomStringConvertible {
    /// The session came to its end as it was meant to, a requested stop included.
    case finished
    /// The child says what went wrong, and whether the same session may do better when it is tried again.
    case failed(String, isRetryable: Bool)
    /// The process ended without a word.
    case crashed(ChildExit)
    /// The process had to be killed; why.
    case lost(String)

    package var description: String {
        switch self {
        case .finished: "finished"
        case .failed(let text, _): text
        case .crashed(let exit): "the session's process ended unexpectedly (\(exit))"
        case .lost(let reason): "the session's process was ended because it \(reason)"
        }
    }
}

/// Why no child can be had.
package enum HandlerError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The pool is stopping, or was never opened.
    case closed
    /// One child after the other died at its start; what the last one died of.
    case startsFailing(String)
    /// So many wait for a child already that another would not be served in time.
    case busy

    package var description: String {
        switch self {
        case .closed: "the server is stopping"
        case .startsFailing(let reason): "no process for the session can be started (\(reason))"
        case .busy: "too many sessions start at once"
        }
    }
}

/// Whoever runs a session in a child. All calls come on the loop; after `ended` there are no more.
@MediaLoop
package protocol HandlerDelegate: AnyObject {
    /// The session runs.
    func handlerStarted(_ handler: Handler, at now: Monotonic)
    /// A change of state; kind and bytes are the two services' own.
    func handler(_ handler: Handler, reported kind: UInt8, _ bytes: [UInt8], at now: Monotonic)
    func handler(_ handler: Handler, statistics bytes: [UInt8], at now: Monotonic)
    /// The decoder needs a key frame of the source.
    func handlerWantsKeyFrame(_ handler: Handler, at now: Monotonic)
    /// The child is done with the present source but not with the session.
    func handler(_ handler: Handler, refusedSource text: String, at now: Monotonic)
    /// Called once. The process may still be on its way out.
    func handler(_ handler: Handler, ended end: HandlerEnd, at now: Monotonic)
}

extension HandlerDelegate {
    package func handlerStarted(_ handler: Handler, at now: Monotonic) {}
    package func handler(_ handler: Handler, statistics bytes: [UInt8], at now: Monotonic) {}
    package func handlerWantsKeyFrame(_ handler: Handler, at now: Monotonic) {}
}
