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

        @Test("of two servers in a queue only one handles a request")
        func queue() async throws {
            let redis = try await RedisServer()
            let (here, one, two) = (try await Peer(redis), try await Peer(redis), try await Peer(redis))
            let handled = Reports<String>()
            for peer in [one, two] {
                _ = try await RPCServer(bus: peer.bus).register(IOInfo.getIngressInfo) { request, _ in
                    handled.send(request.streamKey)
                    return Rpc_GetIngressInfoResponse(id: request.streamKey)
                }
            }
            let client = await RPCClient(bus: here.bus, service: IOInfo.service)
            for index in 0..<30 {
                _ = try await client.call(IOInfo.getIngressInfo, Rpc_GetIngressInfoRequest(key: "\(index)"))
            }
            #expect(await handled.all() == (0..<30).map { "\($0)" })
            for peer in [here, one, two] { await peer.end() }
            await redis.end()
        }

        @Test("the server that suits best is chosen, and one that abstains is not")
        func affinity() async throws {
            let redis = try await RedisServer()
            let here = try await Peer(redis)
            let peers = [try await Peer(redis), try await Peer(redis), try await Peer(redis)]
            for (index, peer) in peers.enumerated() {
                _ = try await RPCServer(bus: peer.bus).register(
                    IngressInternal.startIngress, affinity: { _ in [0.5, 1, -1][index] }
                ) { request, _ in
                    var info = request.info
                    info.name = "server \(index)"
                    return info
                }
            }
            let client = await RPCClient(bus: here.bus, service: IngressInternal.service)
            for _ in 0..<3 {
                let info = try await client.call(IngressInternal.startIngress, Rpc_StartIngressRequest())
                #expect(info.name == "server 1")
            }
            for peer in peers { await peer.end() }
            await here.end()
            await redis.end()
        }

        @Test("a multi call gathers the answers of all servers; an empty topic is no topic")
        func multi() async throws {
            let redis = try await RedisServer()
            let (here, one, two) = (try await Peer(redis), try await Peer(redis), try await Peer(redis))
            _ = try await RPCServer(bus: one.bus).register(IngressInternal.listActiveIngress, topic: [""]) { _, _ in
                var answer = Rpc_ListActiveIngressResponse()
                answer.ingressIds = ["IN_1"]
                return answer
            }
            _ = try await RPCServer(bus: two.bus).register(IngressInternal.listActiveIngress) {
                _, _ throws(PSRPCError) in throw PSRPCError(.internal, "no list")
            }
            let client = await RPCClient(bus: here.bus, service: IngressInternal.service)
            let answers = try await client.gather(
                IngressInternal.listActiveIngress, Rpc_ListActiveIngressRequest(), timeout: .milliseconds(300))
            #expect(answers.count == 2)
            #expect(answers.compactMap { try? $0.get().ingressIds } == [["IN_1"]])
            #expect(answers.contains(.failure(PSRPCError(.internal, "no list"))))
            for peer in [here, one, two] { await peer.end() }
            await redis.end()
        }

        @Test("unregister waits for the handler that runs, whose answer still goes out")
        func unregister() async throws {
            let redis = try await RedisServer()
            let (here, there) = (try await Peer(redis), try await Peer(redis))
            let server = await RPCServer(bus: there.bus)
            let (running, release) = (Reports<Void>(), Reports<Void>())
            let registration = try await server.register(IngressHandler.deleteIngress, topic: ["IN_1"]) { _, _ in
                running.send(())
                await release.next()
                return Livekit_IngressState()
            }
            let client = await RPCClient(bus: here.bus, service: IngressHandler.service)
            async let answer = client.call(
                IngressHandler.deleteIngress, topic: ["IN_1"], Livekit_DeleteIngressRequest())
            await running.next()
            async let ended: Void = server.unregister(registration)
            // The request channel goes first, the channel of grants when the handler is done.
            while await there.redis.channelCount > 1 { await Task.yield() }
            #expect(await server.requestCount == 1)
            release.send(())
            _ = try await answer
            await ended
            #expect(await there.redis.channelCount == 0)
            await here.end()
            await there.end()
            await redis.end()
        }

        @Test("bytes that are no request are answered as malformed, and do no harm")
        func malformed() async throws {
            let redis = try await RedisServer()
            let (here, there) = (try await Peer(redis), try await Peer(redis))
            _ = try await RPCServer(bus: there.bus).register(IOInfo.getIngressInfo) { _, _ in
                Rpc_GetIngressInfoResponse(id: "IN_1")
            }
            for payload in [[], [0xFF, 0xFF], WireExample.getResponse, WireExample.startGrant] as [[UInt8]] {
                try await here.redis.publish("IOInfo|GetIngressInfo|REQ", payload)
            }
            // The same method with another type: its bytes are no text in field 2.
            let wrong = RPCMethod<Livekit_IngressState, Rpc_GetIngressInfoResponse>(IOInfo.getIngressInfo.traits)
            var state = Livekit_IngressState()
            state.video.width = 7
            state.error = "\u{1}"
            let client = await RPCClient(bus: here.bus, service: IOInfo.service)
            do throws(PSRPCError) {
                _ = try await client.call(wrong, state)
            } catch {
                #expect(error.code == .malformedRequest)
            }
            let answer = try await client.call(IOInfo.getIngressInfo, Rpc_GetIngressInfoRequest(key: "k"))
            #expect(answer.info.ingressID == "IN_1")
            await here.end()
            await there.end()
            await redis.end()
        }

        @Test("a cancelled call ends at once")
        func cancellation() async throws {
            let redis = try await RedisServer()
            let (here, there) = (try await Peer(redis), try await Peer(redis))
            let (running, release) = (Reports<Void>(), Reports<Void>())
            _ = try await RPCServer(bus: there.bus).register(IOInfo.getIngressInfo) { _, _ in
                running.send(())
                await release.next()
                return Rpc_GetIngressInfoResponse()
            }
            let client = await RPCClient(bus: here.bus, service: IOInfo.service)
            let call = Task {
                try await client.call(IOInfo.getIngressInfo, Rpc_GetIngressInfoRequest(key: "k"), timeout: .seconds(60))
            }
            await running.next()
            call.cancel()
            await #expect(throws: PSRPCError(.canceled, "request canceled")) { _ = try await call.value }
            release.send(())
            await here.end()
            await there.end()
            await redis.end()
        }

        @Test("when redis goes, calls under way fail; when it is back, calls and registrations work again")
        func restart() async throws {
            let redis = try await RedisServer()
            let (here, there) = (try await Peer(redis), try await Peer(redis))
            let running = Reports<Void>()
            let gate = Reports<Void>()
            _ = try await RPCServer(bus: there.bus).register(IOInfo.getIngressInfo) { request, _ in
                if request.streamKey == "slow" {
                    running.send(())
                    await gate.next()
                }
                return Rpc_GetIngressInfoResponse(id: request.streamKey)
            }
            let client = await RPCClient(bus: here.bus, service: IOInfo.service)
            let slow = Task {
                try await client.call(
                    IOInfo.getIngressInfo, Rpc_GetIngressInfoRequest(key: "slow"), timeout: .seconds(60))
            }
            await running.next()
            let changes = (await here.redis.readiness(), await there.redis.readiness())
            await redis.stop()
            await #expect {
                _ = try await slow.value
            } throws: { error in
                (error as? PSRPCError)?.code == .unavailable
            }
            gate.send(())
            #expect(await changes.0.next() == false)
            #expect(await changes.1.next() == false)
            do throws(PSRPCError) {
                _ = try await client.call(IOInfo.getIngressInfo, Rpc_GetIngressInfoRequest(key: "down"))
                Issue.record("answered without redis")
            } catch {
                #expect(error.code == .unavailable)
            }
            try await redis.start()
            #expect(await changes.0.next() == true)
            #expect(await changes.1.next() == true)
            let answer = try await client.call(IOInfo.getIngressInfo, Rpc_GetIngressInfoRequest(key: "up"))
            #expect(answer.info.ingressID == "up")
            await here.end()
            await there.end()
            await redis.end()
        }

        @Test("with TLS and a password the exchange is the same")
        func secured() async throws {
            let directory = try scratchDirectory()
            let files = try await makeCertificate(in: directory)
            let redis = try await RedisServer(
                [
                    "--requirepass", "secret", "--tls-cert-file", files.certificate, "--tls-key-file", files.key,
                    "--tls-ca-cert-file", files.certificate, "--tls-auth-clients", "no",
                ], tlsPort: true)
            var settings = RedisSettings(.single(try RedisAddress(redis.address)))
            settings.credentials.password = "secret"
            var tls = RedisTLSSettings()
            tls.authorityFile = files.certificate
            settings.tls = tls
            let (here, there) = (try await Peer(settings), try await Peer(settings))
            _ = try await RPCServer(bus: there.bus).register(IOInfo.getIngressInfo) { request, _ in
                Rpc_GetIngressInfoResponse(id: request.streamKey)
            }
            let client = await RPCClient(bus: here.bus, service: IOInfo.service)
            let answer = try await client.call(IOInfo.getIngressInfo, Rpc_GetIngressInfoRequest(key: "k"))
            #expect(answer.info.ingressID == "k")
            await here.end()
            await there.end()
            await redis.end()
        }

        @Test("a request that has expired by the wall clock is answered by nobody")
        func skewedClocks() async throws {
            let redis = try await RedisServer()
            let (here, there) = (try await Peer(redis), try await Peer(redis))
            let late = await PSRPCBus(
                there.redis, unixNanoseconds: { SystemClock.unixNanoseconds() + 3_600_000_000_000 })
            let server = await RPCServer(bus: late)
            _ = try await server.register(IOInfo.getIngressInfo) { _, _ in Rpc_GetIngressInfoResponse() }
            let client = await RPCClient(bus: here.bus, service: IOInfo.service)
            await #expect(throws: PSRPCError(.unavailable, "no response from servers")) {
                try await client.call(IOInfo.getIngressInfo, Rpc_GetIngressInfoRequest(key: "k"))
            }
            await here.end()
            await there.end()
            await redis.end()
        }
    }
}
