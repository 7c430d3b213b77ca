package import LiveKitProtocol
package import PSRPC
package import Runtime

/// What livekit-server knows of ingresses and wants to know; the service of that name (`IOInfo`) over Redis.
@MediaLoop
package protocol IngressDirectory: AnyObject {
    func ingress(streamKey: String) async throws(PSRPCError) -> Rpc_GetIngressInfoResponse
    func update(_ state: Livekit_IngressState, of ingressID: String) async throws(PSRPCError)
    /// Asks whoever runs a session of this ingress, in any process, to end it.
    func endElsewhere(_ ingressID: String) async throws(PSRPCError)
    /// Has whoever runs this WHIP session carry out what a client asked us.
    func deleteElsewhere(_ request: Rpc_DeleteWHIPResourceRequest) async throws(PSRPCError)
    func restartElsewhere(
        _ request: Rpc_ICERestartWHIPResourceRequest
    ) async throws(PSRPCError) -> Rpc_ICERestartWHIPResourceResponse
    /// Opens a session of this process to the server and to other processes, from before the session is announced.
    func openControl(_ controls: SessionControls) async throws(PSRPCError) -> any IngressControl
    /// Hears what the server tells of a participant that publishes to it directly.
    func openNotices(
        of participantID: String, receive: @escaping @MediaLoop (Rpc_WHIPRTCConnectionNotifyRequest) -> Void
    ) async throws(PSRPCError) -> any IngressControl
}

/// What others may do to a session.
package struct SessionControls {
    package var ingressID: String
    package var end: @MediaLoop () -> Livekit_IngressState
    /// Nil unless its publisher came by WHIP.
    package var whip: WHIP?

    package struct WHIP {
        package var resourceID: String
        package var delete: @MediaLoop (Rpc_DeleteWHIPResourceRequest) throws(PSRPCError) -> Void
        package var restart:
            @MediaLoop (Rpc_ICERestartWHIPResourceRequest) async throws(PSRPCError) ->
                Rpc_ICERestartWHIPResourceResponse
    }
}

/// What was opened; `close` returns when nothing more comes.
@MediaLoop
package protocol IngressControl: AnyObject {
    func close() async
}
