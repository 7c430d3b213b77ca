package import Bytes
import ICE
package import Runtime

/// Asks STUN servers for the address that the world sees this machine by.
@MediaLoop
package final class ExternalAddress: DatagramHandler {
    package enum Limits {
        /// Of the whole question.
        package static let patience = Interval.seconds(5)
        static let pause = Interval.milliseconds(500)
        static let servers = 8
        /// Of this machine, asked from.
        static let addresses = 8
        static let defaultPort: UInt16 = 3_478
    }

    private let transactionID = STUNTransactionID(high: .random(in: .min ... .max), low: .random(in: .min ... .max))
    private var socket: UDPSocket?
    private var servers: [TransportAddress] = []
    private let found: AsyncStream<TransportAddress.IP>.Continuation

    /// The outer addresses of a machine with these inner ones, in their order and each once: what is asked from each
    /// alone, as each may have another way out. Those without an answer in time are left out.
    package static func find(
        asking servers: [String], from inside: [TransportAddress.IP], within patience: Interval = Limits.patience
    ) async -> [TransportAddress.IP] {
        let asked = inside.prefix(Limits.addresses).map { ip in
            Task { @MediaLoop in try? await find(asking: servers, from: ip, within: patience) }
        }
        var found: [TransportAddress.IP] = []
        for task in asked {
            if let ip = await task.value, !found.contains(ip) { found.append(ip) }
        }
        return found
    }

    /// The IPv4 address that the first of `servers` (`host:port`) answers with; nil when none does in time.
    package static func find(
        asking servers: [String], from inside: TransportAddress.IP = .v4(0), within patience: Interval = Limits.patience
    ) async throws(RuntimeError) -> TransportAddress.IP? {
        let (answers, continuation) = AsyncStream<TransportAddress.IP>.makeStream()
        let question = ExternalAddress(continuation)
        let socket = try UDPSocket(on: TransportAddress(ip: inside, port: 0), handler: question)
        question.socket = socket
        let tasks =
            servers.prefix(Limits.servers).map { server in Task { @MediaLoop in await question.resolve(server) } }
            + [
                Task { @MediaLoop in
                    await question.ask(for: patience)
                    continuation.finish()
                }
            ]
        var answer: TransportAddress.IP?
        for await ip in answers {
            answer = ip
            break
        }
        for task in tasks { task.cancel() }
        socket.close()
        return answer
    }

    private init(_ found: AsyncStream<TransportAddress.IP>.Continuation) { self.found = found }

    private func resolve(_ server: String) async {
        let (host, port) = Self.split(server)
        guard let addresses = try? await Resolver.resolve(host, port: port) else { return }
        guard let address = addresses.first(where: { !$0.ip.isV6 }), !Task.isCancelled else { return }
        servers.append(address)
        send(to: address)
    }

    /// `host:port`, or a host alone.
    package nonisolated static func split(_ server: String) -> (host: String, port: UInt16) {
        guard let colon = server.lastIndex(of: ":"), server.firstIndex(of: ":") == colon,
            let port = UInt16(server[server.index(after: colon)...])
        else { return (server, Limits.defaultPort) }
        return (String(server[..<colon]), port)
    }

    /// Once more to all who have not answered.
    private func ask(for patience: Interval) async {
        var waited = Interval.zero
        while waited < patience {
            let pause = min(Limits.pause, patience - waited)
            do { try await Task.sleep(for: .nanoseconds(pause.nanoseconds)) } catch { return }
            waited = waited + pause
            for server in servers { send(to: server) }
        }
    }

    private func send(to server: TransportAddress) {
        let id = transactionID
        socket?.withNextSlot { slot in
            let writer = STUNWriter(.binding, .request, transactionID: id, into: &slot)
            writer.finish(integrityKey: nil, fingerprint: false, hmac: { _, _ in .init(repeating: 0) }, to: &slot)
            return server
        }
    }

    package func socket(
        _ socket: UDPSocket, received datagram: inout MutableRawSpan, from source: TransportAddress, at now: Monotonic
    ) {
        guard servers.contains(source), let message = try? STUNMessage(datagram.bytes),
            message.transactionID == transactionID, message.messageClass == .success,
            let address = try? message.xorAddress(.xorMappedAddress)
        else { return }
        found.yield(address.ip)
    }
}
