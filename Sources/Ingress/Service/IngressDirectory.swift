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
    /// Lets the server end this process's session of an ingress, from before the session is announced.
    func openControl(
        of ingressID: String, end: @escaping @MediaLoop () -> Livekit_IngressState
    ) async throws(PSRPCError) -> any IngressControl
}

/// The server's way to end one session.
@MediaLoop
package protocol IngressControl: AnyObject {
    func close() async
}
