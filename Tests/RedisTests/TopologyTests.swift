import Bytes
import Redis
import Runtime
import TestSupport
import Testing

extension RedisServerTests {
    @Suite struct TopologyTests {
        private static let replica = "*5\r\n$5\r\nslave\r\n$1\r\nh\r\n:1\r\n$9\r\nconnected\r\n:0\r\n"

        private static func named(_ address: RedisAddress) -> String {
            let port = String(address.port)
            return "*2\r\n$\(address.host.utf8.count)\r\n\(address.host)\r\n$\(port.utf8.count)\r\n\(port)\r\n"
        }

        // MARK: Sentinel

        @Test("a real sentinel names the master, and after a failover the new one")
        func failover() async throws {
            let first = try await RedisServer()
            let second = try await RedisServer(["--replicaof", "127.0.0.1 \(first.port)"])
            let sentinel = try await RedisServer(
                sentinelFor: "house", at: first.port,
                settings: ["sentinel down-after-milliseconds house 300", "sentinel failover-timeout house 3000"])
            var settings = RedisSettings(
                .sentinel(
                    masterName: "house",
                    addresses: [RedisAddress(host: "127.0.0.1", port: freePort()), try RedisAddress(sentinel.address)],
                    credentials: RedisCredentials()))
            settings.timing.commandWait = .seconds(30)
            let bus = try await RedisBus.connect(settings)
            let messages = Reports<[UInt8]>()
            _ = try await bus.subscribe("c") { messages.send($0.payload) }
            #expect(try await bus.publish("c", [1]) == 1)
            #expect(await messages.next() == [1])
            // The sentinel fails over only to a replica that it knows.
            let asking = try await RedisBus.connect(RedisSettings(.single(try RedisAddress(sentinel.address))))
            while case .array(let known) = try await asking.value(of: RedisCommand("SENTINEL", "replicas", "house")),
                known.isEmpty
            { await Task.yield() }
            let readiness = await bus.readiness()
            while true {
                do throws(RedisError) {
                    _ = try await asking.value(of: RedisCommand("SENTINEL", "failover", "house"))
                    break
                } catch {
                    // Not a good replica yet: its link to the master is still young.
                    await Task.yield()
                }
            }
            #expect(await readiness.next() == false)
            #expect(await readiness.next() == true)
            #expect(try await bus.publish("c", [2]) == 1)
            #expect(await messages.next() == [2])
            await asking.close()
            await bus.close()
            await sentinel.end()
            await second.end()
            await first.end()
        }

        @Test("what a sentinel names must say that it is the master")
        func staleSentinel() async throws {
            let server = try await ScriptedServer.start { words in words == ["ROLE"] ? Self.replica : nil }
            let address = await server.address
            let sentinel = try await ScriptedServer.start { _ in Self.named(address) }
            let settings = RedisSettings(
                .sentinel(
                    masterName: "m", addresses: [await sentinel.address],
                    credentials: RedisCredentials(username: "", password: "s")))
            await #expect(throws: RedisError.unableToConnect(address, .notMaster)) {
                _ = try await RedisBus.connect(settings)
            }
            #expect(await sentinel.commands.next() == ["AUTH", "s"])
            #expect(await sentinel.commands.next() == ["SENTINEL", "get-master-addr-by-name", "m"])
            #expect(await server.commands.next() == ["ROLE"])
            await server.close()
            await sentinel.close()
        }

        @Test("a sentinel that knows no such master, or answers nonsense, is passed over")
        func unknownMaster() async throws {
            let unknown = try await ScriptedServer.start { _ in "*-1\r\n" }
            let strange = try await ScriptedServer.start { _ in "*2\r\n$1\r\nh\r\n$5\r\n99999\r\n" }
            let failing = try await ScriptedServer.start { _ in "-ERR not a sentinel\r\n" }
            func connect(_ servers: ScriptedServer...) async -> RedisError? {
                var addresses: [RedisAddress] = []
                for server in servers { addresses.append(await server.address) }
                do throws(RedisError) {
                    _ = try await RedisBus.connect(
                        RedisSettings(
                            .sentinel(masterName: "m", addresses: addresses, credentials: RedisCredentials())))
                    return nil
                } catch {
                    return error
                }
            }
            #expect(await connect(unknown) == .masterUnknown(name: "m"))
            #expect(await connect(strange, unknown) == .masterUnknown(name: "m"))
            #expect(await connect(strange) == .protocolViolated)
            #expect(await connect(failing) == .unableToConnect(await failing.address, .refused("ERR not a sentinel")))
            for server in [unknown, strange, failing] { await server.close() }
        }

        // MARK: Cluster

        @Test("a key that lives elsewhere is set there, by MOVED and by ASK")
        func redirects() async throws {
            let owner = try await ScriptedServer.start { words in
                words.first == "SET" ? "+OK\r\n" : words == ["ASKING"] ? "+OK\r\n" : nil
            }
            let target = await owner.address
            let node = try await ScriptedServer.start { words in
                switch words.prefix(2) {
                case ["SET", "moved"]: "-MOVED 1 \(target)\r\n"
                case ["SET", "asked"]: "-ASK 1 \(target)\r\n"
                case ["SET", "here"]: "$-1\r\n"
                default: "-ERR\r\n"
                }
            }
            let nobody = RedisAddress(host: "127.0.0.1", port: freePort())
            let bus = try await RedisBus.connect(RedisSettings(.cluster([nobody, await node.address])))
            #expect(try await bus.setIfAbsent("moved", "1", seconds: 5))
            #expect(await owner.commands.next() == ["SET", "moved", "1", "EX", "5", "NX"])
            #expect(try await bus.setIfAbsent("asked", "1", seconds: 5))
            #expect(await owner.commands.next() == ["ASKING"])
            #expect(await owner.commands.next() == ["SET", "asked", "1", "EX", "5", "NX"])
            #expect(try await !bus.setIfAbsent("here", "1", seconds: 5))
            await bus.close()
            await node.close()
            await owner.close()
        }

        @Test("a command that the nodes send around is given up after its redirections")
        func redirectLimit() async throws {
            let node = try await ScriptedServer.start { words in words[0] == "SET" ? "-MOVED 1 :\(words[2])\r\n" : nil }
            let address = await node.address
            let bus = try await RedisBus.connect(RedisSettings(.cluster([address])))
            await #expect(throws: RedisError.tooManyRedirects) {
                try await bus.setIfAbsent("k", "\(address.port)", seconds: 5)
            }
            for _ in 0..<3 { #expect(await node.commands.next().first == "SET") }
            await bus.close()
            await node.close()
        }

        @Test("a master that became a replica is left for another connection")
        func readOnly() async throws {
            let node = try await ScriptedServer.start { words in
                words[0] == "SET" ? "-READONLY You can't write against a read only replica.\r\n" : nil
            }
            let bus = try await RedisBus.connect(RedisSettings(.single(await node.address)))
            let readiness = await bus.readiness()
            await #expect(throws: RedisError.self) { try await bus.setIfAbsent("k", "1", seconds: 5) }
            #expect(await readiness.next() == false)
            #expect(await readiness.next() == true)
            await bus.close()
            await node.close()
        }

        @Test("channels that are refused after a reconnection keep the bus from being ready")
        func rightsLost() async throws {
            let turns = Turns()
            let node = try await ScriptedServer.start { words in
                guard words[0] == "SUBSCRIBE" else { return nil }
                return turns.next() == 1 ? "-NOPERM no\r\n" : ScriptedServer.confirmation(words[1])
            }
            let bus = try await RedisBus.connect(RedisSettings(.single(await node.address)))
            _ = try await bus.subscribe("c") { _ in }
            let readiness = await bus.readiness()
            await node.dropConnections()
            #expect(await readiness.next() == false)
            #expect(await readiness.next() == true)
            #expect(await turns.count == 3)
            await bus.close()
            await node.close()
        }
    }
}

/// Counts on the loop.
@MediaLoop
private final class Turns {
    private(set) var count = 0

    nonisolated init() {}

    func next() -> Int {
        defer { count += 1 }
        return count
    }
}
