import Bytes
import LiveKitProtocol
import PSRPC
import Redis
import Runtime
import SwiftProtobuf
import TestSupport
import Testing

extension PSRPCServerTests {
    @Suite struct ExchangeTests {
        @Test("a call is answered, or fails with the server's code and text")
        func call() async throws {
            let redis = try await RedisServer()
            let (here, there) = (try await Peer(redis), try await Peer(redis))
            let server = await RPCServer(bus: there.bus)
            let registration = try await server.register(IOInfo.getIngressInfo) {
                request, deadline throws(PSRPCError) in
                guard request.streamKey == "known" else { throw PSRPCError(.notFound, "ingress does not exist") }
                return Rpc_GetIngressInfoResponse(id: "IN_1")
            }
            let client = await RPCClient(bus: here.bus, service: IOInfo.service)
            let answer = try await client.call(IOInfo.getIngressInfo, Rpc_GetIngressInfoRequest(key: "known"))
            #expect(answer.info.ingressID == "IN_1")
            await #expect(throws: PSRPCError(.notFound, "ingress does not exist")) {
                try await client.call(IOInfo.getIngressInfo, Rpc_GetIngressInfoRequest(key: "other"))
            }
            await server.unregister(registration)
            #expect(await there.redis.channelCount == 0)
            #expect(await server.requestCount == 0)
            #expect(await server.registrationCount == 0)
            await client.close()
            #expect(await here.redis.channelCount == 0)
            await here.end()
            await there.end()
            await redis.end()
        }

        @Test("an empty answer is an answer, and many calls at once do not mix")
        func many() async throws {
            let redis = try await RedisServer()
            let (here, there) = (try await Peer(redis), try await Peer(redis))
            let server = await RPCServer(bus: there.bus)
            _ = try await server.register(IOInfo.updateIngressState) { _, _ in Google_Protobuf_Empty() }
            _ = try await server.register(IOInfo.getIngressInfo) { request, _ in
                Rpc_GetIngressInfoResponse(id: request.streamKey)
            }
            let client = await RPCClient(bus: here.bus, service: IOInfo.service)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for index in 0..<100 {
                    group.addTask {
                        let request = Rpc_GetIngressInfoRequest(key: "key\(index)")
                        let answer = try await client.call(IOInfo.getIngressInfo, request)
                        #expect(answer.info.ingressID == "key\(index)")
                        _ = try await client.call(IOInfo.updateIngressState, Rpc_UpdateIngressStateRequest())
                    }
                }
                try await group.waitForAll()
            }
            await here.end()
            await there.end()
            await redis.end()
        }

        @Test("without a server the call fails as unavailable")
        func nobody() async throws {
            let redis = try await RedisServer()
            let here = try await Peer(redis)
            let client = await RPCClient(bus: here.bus, service: IOInfo.service)
            await #expect(throws: PSRPCError(.unavailable, "no response from servers")) {
                try await client.call(IOInfo.getIngressInfo, Rpc_GetIngressInfoRequest(key: "k"))
            }
            await here.end()
            await redis.end()
        }
    }
}
