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

    package func openControl(
        of ingressID: String, end: @escaping @MediaLoop () -> Livekit_IngressState
    ) async throws(PSRPCError) -> any IngressControl {
        let control = RPCIngressControl(server)
        do throws(PSRPCError) {
            try await control.open(ingressID, end)
        } catch {
            await control.close()
            throw error
        }
        return control
    }
}

@MediaLoop
private final class RPCIngressControl: IngressControl {
    private let server: RPCServer
    private var registrations: [RPCServer.Registration] = []

    init(_ server: RPCServer) { self.server = server }

    func open(
        _ ingressID: String, _ end: @escaping @MediaLoop () -> Livekit_IngressState
    ) async throws(PSRPCError) {
        let server = server
        // Side by side: an encoder is waiting.
        async let update = Self.result { () async throws(PSRPCError) in
            try await server.register(IngressHandler.updateIngress, topic: [ingressID]) { _, _ in end() }
        }
        async let delete = Self.result { () async throws(PSRPCError) in
            try await server.register(IngressHandler.deleteIngress, topic: [ingressID]) { _, _ in end() }
        }
        let results = await [update, delete]
        for result in results { if case .success(let registration) = result { registrations.append(registration) } }
        for result in results { _ = try result.get() }
    }

    func close() async {
        let registrations = registrations
        self.registrations = []
        for registration in registrations { await server.unregister(registration) }
    }

    private static func result(
        _ body: @MediaLoop () async throws(PSRPCError) -> RPCServer.Registration
    ) async -> Result<RPCServer.Registration, PSRPCError> {
        do throws(PSRPCError) { return .success(try await body()) } catch { return .failure(error) }
    }
}
