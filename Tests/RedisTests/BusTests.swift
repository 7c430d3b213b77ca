import Bytes
import Foundation
import Glibc
import Redis
import Runtime
import TestSupport
import Testing

extension RedisServerTests {
    @Suite struct BusTests {
        @Test("a message on a confirmed channel reaches its handler, with any bytes in it")
        func message() async throws {
            let server = try await RedisServer()
            let bus = try await RedisBus.connect(try RedisSettings(server))
            let messages = Reports<RedisMessage>()
            let subscription = try await bus.subscribe("a|b") { messages.send($0) }
            let payload = (0..<70_000).map { UInt8(truncatingIfNeeded: $0) }
            #expect(try await bus.publish("a|b", payload) == 1)
            let message = await messages.next()
            #expect(message.channel == "a|b" && message.payload == payload)
            #expect(await bus.isReady)
            await bus.unsubscribe(subscription)
            #expect(try await bus.publish("a|b", payload) == 0)
            #expect(await bus.channelCount == 0)
            await bus.close()
            await server.end()
        }

        @Test("several on one channel all hear it, and the server hears of the last who leaves")
        func shared() async throws {
            let server = try await RedisServer()
            let bus = try await RedisBus.connect(try RedisSettings(server))
            let first = Reports<[UInt8]>()
            let second = Reports<[UInt8]>()
            let one = try await bus.subscribe("c") { first.send($0.payload) }
            let two = try await bus.subscribe("c") { second.send($0.payload) }
            #expect(try await bus.publish("c", [1]) == 1)
            #expect(await first.next() == [1])
            #expect(await second.next() == [1])
            await bus.unsubscribe(one)
            #expect(try await bus.publish("c", [2]) == 1)
            #expect(await second.next() == [2])
            await bus.unsubscribe(two)
            #expect(try await bus.publish("c", [3]) == 0)
            await bus.close()
            await server.end()
        }

        @Test("a key is set by the first who asks")
        func lock() async throws {
            let server = try await RedisServer()
            let bus = try await RedisBus.connect(try RedisSettings(server))
            #expect(try await bus.setIfAbsent("key=", "1", seconds: 5))
            #expect(try await !bus.setIfAbsent("key=", "2", seconds: 5))
            #expect(try await bus.value(of: RedisCommand("GET", "key=")) == .string([0x31]))
            await #expect(throws: RedisError.refused("ERR unknown command 'NONE', with args beginning with: ")) {
                try await bus.value(of: RedisCommand("NONE"))
            }
            await bus.close()
            await server.end()
        }

        @Test("hundreds of channels are confirmed, and again after the server came back")
        func restart() async throws {
            let server = try await RedisServer()
            let bus = try await RedisBus.connect(try RedisSettings(server))
            let messages = Reports<String>()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for index in 0..<300 {
                    group.addTask { _ = try await bus.subscribe("channel\(index)") { messages.send($0.channel) } }
                }
                try await group.waitForAll()
            }
            let readiness = await bus.readiness()
            await server.stop()
            #expect(await readiness.next() == false)
            #expect(await !bus.isReady)
            #expect(await bus.lastError != nil)
            try await server.start()
            #expect(await readiness.next() == true)
            for index in [0, 128, 299] {
                #expect(try await bus.publish("channel\(index)", []) == 1)
                #expect(await messages.next() == "channel\(index)")
            }
            await bus.close()
            await server.end()
        }

        @Test("without a server a command fails after a bounded wait, and a subscription waits for the next connection")
        func outage() async throws {
            let server = try await RedisServer()
            let bus = try await RedisBus.connect(try RedisSettings(server))
            let readiness = await bus.readiness()
            await server.stop()
            #expect(await readiness.next() == false)
            await #expect(throws: RedisError.notConnected) { try await bus.publish("c", [1]) }
            async let subscription = bus.subscribe("late") { _ in }
            try await server.start()
            #expect(try await subscription.channel == "late")
            #expect(try await bus.publish("late", [1]) == 1)
            await bus.close()
            await server.end()
        }

        @Test("a server that stops answering is noticed by the missing answer to PING")
        func frozen() async throws {
            let server = try await RedisServer()
            var settings = try RedisSettings(server)
            settings.timing.keepalive = .milliseconds(50)
            settings.timing.reply = .milliseconds(200)
            let bus = try await RedisBus.connect(settings)
            let readiness = await bus.readiness()
            guard case .string(let info) = try await bus.value(of: RedisCommand("INFO", "server")),
                let line = String(decoding: info, as: UTF8.self).split(whereSeparator: \.isNewline)
                    .first(where: { $0.hasPrefix("process_id:") }), let pid = Int32(line.dropFirst(11))
            else { Issue.record("no process id"); return }
            kill(pid, SIGSTOP)
            #expect(await readiness.next() == false)
            #expect(await bus.lastError == .timedOut)
            kill(pid, SIGCONT)
            #expect(await readiness.next() == true)
            await bus.close()
            await server.end()
        }

        @Test("close fails what waits, and nothing follows")
        func close() async throws {
            let server = try await RedisServer()
            let bus = try await RedisBus.connect(try RedisSettings(server))
            let readiness = await bus.readiness()
            await server.end()
            #expect(await readiness.next() == false)
            async let waiting = #expect(throws: RedisError.closed) { _ = try await bus.subscribe("x") { _ in } }
            while await bus.channelCount == 0 { await Task.yield() }
            await bus.close()
            _ = await waiting
            await #expect(throws: RedisError.closed) { try await bus.ping() }
            await #expect(throws: RedisError.closed) { _ = try await bus.subscribe("y") { _ in } }
        }
    }
}
