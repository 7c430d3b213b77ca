import Bytes
package import LiveKitProtocol
package import PSRPC
package import Runtime
import SwiftProtobuf

/// livekit-server's knowledge of ingresses, over Redis.
@MediaLoop
package final class RPCDirectory: IngressDirectory {
    private enum Timeouts {
        static let call = Interval.seconds(3)
        /// A session elsewhere is a rare guess: whoever starts a stream does not wait long for nobody's answer.
        static let endElsewhere = Interval.milliseconds(700)
        /// A client waits for a session that another process has.
        static let whip = Interval.seconds(5)
    }

    private let info: RPCClient
    private let handlers: RPCClient
    private let server: RPCServer

    package init(bus: PSRPCBus, server: RPCServer) {
        info = RPCClient(bus: bus, service: IOInfo.service)
        handlers = RPCClient(bus: bus, service: IngressHandler.service)
        self.server = server
    }

    /// Subscribes what answers come on, so that the first publisher need not wait for it.
    package func start() async throws(PSRPCError) {
        try await info.start()
        try await handlers.start()
    }

    package func ingress(streamKey: String) async throws(PSRPCError) -> Rpc_GetIngressInfoResponse {
        try await info.call(IOInfo.getIngressInfo, .with { $0.streamKey = streamKey }, timeout: Timeouts.call)
    }

    package func update(_ state: Livekit_IngressState, of ingressID: String) async throws(PSRPCError) {
        let request = Rpc_UpdateIngressStateRequest.with {
            $0.ingressID = ingressID
            $0.state = state
        }
        _ = try await info.call(IOInfo.updateIngressState, request, timeout: Timeouts.call)
    }

    package func endElsewhere(_ ingressID: String) async throws(PSRPCError) {
        _ = try await handlers.call(
            IngressHandler.deleteIngress, topic: [ingressID], .with { $0.ingressID = ingressID },
            timeout: Timeouts.endElsewhere)
    }

    package func deleteElsewhere(_ request: Rpc_DeleteWHIPResourceRequest) async throws(PSRPCError) {
        _ = try await handlers.call(
            IngressHandler.deleteWHIPResource, topic: [request.resourceID], request, timeout: Timeouts.whip)
    }

    package func restartElsewhere(
        _ request: Rpc_ICERestartWHIPResourceRequest
    ) async throws(PSRPCError) -> Rpc_ICERestartWHIPResourceResponse {
        try await handlers.call(
            IngressHandler.iceRestartWHIPResource, topic: [request.resourceID], request, timeout: Timeouts.whip)
    }

    package func openControl(_ controls: SessionControls) async throws(PSRPCError) -> any IngressControl {
        let end = controls.end
        // Side by side: an encoder is waiting.
        var pending = [
            serve(IngressHandler.updateIngress, controls.ingressID) { _, _ in end() },
            serve(IngressHandler.deleteIngress, controls.ingressID) { _, _ in end() },
        ]
        if let whip = controls.whip {
            pending.append(
                serve(IngressHandler.deleteWHIPResource, whip.resourceID) { request, _ throws(PSRPCError) in
                    try whip.delete(request)
                    return Google_Protobuf_Empty()
                })
            pending.append(
                serve(IngressHandler.iceRestartWHIPResource, whip.resourceID) { request, _ throws(PSRPCError) in
                    try await whip.restart(request)
                })
        }
        return try await RPCControl.open(on: server, pending)
    }

    package func openNotices(
        of participantID: String, receive: @escaping @MediaLoop (Rpc_WHIPRTCConnectionNotifyRequest) -> Void
    ) async throws(PSRPCError) -> any IngressControl {
        try await RPCControl.open(
            on: server,
            [
                serve(IngressHandler.whipRTCConnectionNotify, participantID) { request, _ in
                    receive(request)
                    return Google_Protobuf_Empty()
                }
            ])
    }

    private func serve<Request: Message, Response: Message>(
        _ method: RPCMethod<Request, Response>, _ topic: String,
        handler: @escaping @MediaLoop (Request, RPCDeadline) async throws(PSRPCError) -> Response
    ) -> RPCControl.Pending {
        let server = server
        return Task { @MediaLoop in
            do throws(PSRPCError) {
                return .success(try await server.register(method, topic: [topic], handler: handler))
            } catch {
                return .failure(error)
            }
        }
    }
}

/// Methods that are served together.
@MediaLoop
private final class RPCControl: IngressControl {
    typealias Pending = Task<Result<RPCServer.Registration, PSRPCError>, Never>

    private let server: RPCServer
    private var registrations: [RPCServer.Registration] = []

    private init(_ server: RPCServer) { self.server = server }

    /// All of them or none.
    static func open(on server: RPCServer, _ pending: [Pending]) async throws(PSRPCError) -> RPCControl {
        let control = RPCControl(server)
        var failure: PSRPCError?
        for registration in pending {
            switch await registration.value {
            case .success(let registration): control.registrations.append(registration)
            case .failure(let error): failure = failure ?? error
            }
        }
        guard let failure else { return control }
        await control.close()
        throw failure
    }

    func close() async {
        let registrations = registrations
        self.registrations = []
        for registration in registrations { await server.unregister(registration) }
    }
}
