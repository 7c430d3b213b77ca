package import LiveKitProtocol
package import Runtime

/// A session as its service sees it, whatever way its media goes.
@MediaLoop
package protocol ServedSession: AnyObject {
    var info: Livekit_IngressInfo { get }
    var resourceID: String { get }
    var state: Livekit_IngressState { get }
    var isOver: Bool { get }

    /// Tells the first state and goes into the room.
    func start()
    /// Ends the session in good order: its ingress was changed or deleted, or the service stops.
    func stop(_ reason: SessionEnd)
    /// Forgets a session that could not be started.
    func abandon(_ reason: SessionEnd)
    /// A publisher's way in. It takes an empty place at once, and one that is taken with its first key frame.
    func join(encoder: String, onEnd: @escaping @MediaLoop (SessionEnd) -> Void) -> WHIPAdmission
}
