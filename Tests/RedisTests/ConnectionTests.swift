import Bytes
import DTLS
import Redis
import Runtime
import TestSupport
import Testing

extension RedisServerTests {
    /// How the server is reached and what is said when it is not.
    @Suite struct ConnectionTests {
        /// The error of a first connection, without the address.
        private static func failure(_ settings: RedisSettings) async -> RedisError? {
            do throws(RedisError) {
                await (try await RedisBus.connect(settings)).close()
                return nil
            } catch {
                guard case .unableToConnect(_, let cause) = error else { return error }
                return cause
            }
        }

        @Test("where nobody listens, the sentence says so")
        func refused() async throws {
            let port = freePort()
            await #expect {
                _ = try await RedisBus.connect(RedisSettings(.single(RedisAddress(host: "localhost", port: port))))
            } throws: { error in
                "\(error)" == "unable to connect to redis at localhost:\(port): connection refused; is it running?"
            }
        }

        @Test("a name that does not resolve is named")
        func unresolved() async throws {
            let failure = await Self.failure(RedisSettings(.single(RedisAddress(host: "host.invalid"))))
            guard case .network(.resolve(host: "host.invalid", _))? = failure else {
                Issue.record("\(String(describing: failure))")
                return
            }
        }

        @Test("passwords and users are asked for, checked, and accepted")
        func authentication() async throws {
            let server = try await RedisServer([
                "--requirepass", "right", "--user", "alice", "on", ">wonder", "~*", "&*", "+@all",
            ])
            var settings = try RedisSettings(server)
            #expect(await Self.failure(settings) == .authenticationRequired)
            settings.credentials.password = "wrong"
            #expect(await Self.failure(settings) == .authenticationRefused("WRONGPASS"))
            settings.credentials.password = "right"
            #expect(await Self.failure(settings) == nil)
            settings.credentials = RedisCredentials(username: "alice", password: "wonder")
            #expect(await Self.failure(settings) == nil)
            await server.end()
        }

        @Test("the database is selected, and one that does not exist is refused")
        func database() async throws {
            let server = try await RedisServer(["--databases", "4"])
            var settings = try RedisSettings(server)
            settings.database = 3
            let bus = try await RedisBus.connect(settings)
            #expect(try await bus.setIfAbsent("k", "3", seconds: 100))
            #expect(try await bus.value(of: RedisCommand("SELECT", "0")) == .status("OK"))
            #expect(try await bus.value(of: RedisCommand("GET", "k")) == .null)
            await bus.close()
            settings.database = 4
            #expect(await Self.failure(settings) == .databaseRefused(4, "ERR DB index is out of range"))
            await server.end()
        }

        @Test("a channel that the user may not hear is refused, and the bus goes on")
        func channelRights() async throws {
            let server = try await RedisServer(["--user", "bob", "on", ">b", "~*", "&open*", "+@all"])
            var settings = try RedisSettings(server)
            settings.credentials = RedisCredentials(username: "bob", password: "b")
            let bus = try await RedisBus.connect(settings)
            _ = try await bus.subscribe("open1") { _ in }
            await #expect {
                _ = try await bus.subscribe("closed") { _ in }
            } throws: { error in
                if case .refused(let text)? = error as? RedisError { text.hasPrefix("NOPERM") } else { false }
            }
            #expect(try await bus.publish("open1", []) == 1)
            #expect(await bus.channelCount == 1)
            await bus.close()
            await server.end()
        }

        @Test("TLS is verified against the authority of the settings, by name or address")
        func tls() async throws {
            let directory = try scratchDirectory()
            let files = try await makeCertificate(in: directory)
            let server = try await RedisServer(
                [
                    "--tls-cert-file", files.certificate, "--tls-key-file", files.key, "--tls-ca-cert-file",
                    files.certificate, "--tls-auth-clients", "no",
                ], tlsPort: true)
            var settings = try RedisSettings(server)
            // It closes, or sends its alert first.
            #expect([.closedByServer, .protocolViolated].contains(await Self.failure(settings)))
            var tls = RedisTLSSettings()
            settings.tls = tls
            guard case .tls(.peerCertificateRejected)? = await Self.failure(settings) else {
                Issue.record("an unknown authority was trusted")
                return
            }
            tls.authorityFile = files.certificate
            settings.tls = tls
            let bus = try await RedisBus.connect(settings)
            let payload = [UInt8](repeating: 7, count: 300_000)
            let messages = Reports<Int>()
            _ = try await bus.subscribe("c") { messages.send($0.payload.count) }
            #expect(try await bus.publish("c", payload) == 1)
            #expect(await messages.next() == payload.count)
            let readiness = await bus.readiness()
            await server.stop()
            #expect(await readiness.next() == false)
            try await server.start()
            #expect(await readiness.next() == true)
            #expect(try await bus.publish("c", payload) == 1)
            #expect(await messages.next() == payload.count)
            await bus.close()
            tls.serverName = "localhost"
            settings.tls = tls
            #expect(await Self.failure(settings) == nil)
            tls.serverName = "other.example"
            settings.tls = tls
            guard case .tls(.peerCertificateRejected)? = await Self.failure(settings) else {
                Issue.record("another name was accepted")
                return
            }
            tls.isInsecure = true
            settings.tls = tls
            #expect(await Self.failure(settings) == nil)
            await server.end()
        }

        @Test("a client certificate is shown where the server wants one")
        func clientCertificate() async throws {
            let directory = try scratchDirectory()
            let files = try await makeCertificate(in: directory)
            let server = try await RedisServer(
                [
                    "--tls-cert-file", files.certificate, "--tls-key-file", files.key, "--tls-ca-cert-file",
                    files.certificate, "--tls-auth-clients", "yes",
                ], tlsPort: true)
            var settings = try RedisSettings(server)
            var tls = RedisTLSSettings()
            tls.authorityFile = files.certificate
            settings.tls = tls
            #expect(await Self.failure(settings) != nil)
            tls.certificateFile = files.certificate
            settings.tls = tls
            #expect(
                await Self.failure(settings)
                    == .invalidSetting("client_cert_file and client_key_file of redis go together"))
            tls.keyFile = files.key
            settings.tls = tls
            #expect(await Self.failure(settings) == nil)
            tls.authorityFile = "/nowhere/ca.pem"
            settings.tls = tls
            #expect(await Self.failure(settings) == .tls(.certificateFileUnreadable))
            await server.end()
        }

        @Test("a plain server is told from one with TLS")
        func tlsToPlain() async throws {
            let server = try await RedisServer()
            var settings = try RedisSettings(server)
            settings.tls = RedisTLSSettings()
            settings.timing.connect = .milliseconds(500)
            let failure = await Self.failure(settings)
            #expect(failure != nil && failure != .protocolViolated)
            await server.end()
        }
    }
}
