package import Bytes
import CoreMetrics
package import DTLS
package import Logging
package import Runtime

/// Listens for encoders, in clear or behind TLS, and holds their connections.
@MediaLoop
package final class RTMPServer {
    package enum Limits {
        package static let connections = 2_000
        /// Of one address, loopback excepted: more than any studio behind one NAT.
        package static let connectionsPerAddress = 250
        package static let tlsHandshake = Interval.seconds(5)
    }

    let gate: any PublishGate
    let slabPool: SlabPool
    let counters: RTMPCounters
    let log: Logger
    /// What new connections are served with; nil serves in clear.
    package var tls: TLSServerContext?
    private var listener: TCPListener?
    private var connections: [ObjectIdentifier: RTMPConnection] = [:]
    private var perAddress: [TransportAddress.IP: Int] = [:]

    /// `tls` makes it an RTMPS server.
    package init(
        gate: any PublishGate, slabPool: SlabPool, counters: RTMPCounters, tls: TLSServerContext? = nil, log: Logger
    ) {
        self.gate = gate
        self.slabPool = slabPool
        self.counters = counters
        self.tls = tls
        self.log = log
    }

    package func open(on address: TransportAddress) throws(RuntimeError) {
        listener = try TCPListener(on: address, handler: self)
    }

    package var port: UInt16 { listener?.address.port ?? 0 }

    /// Stops listening and ends all connections.
    package func close() {
        listener?.close()
        for connection in Array(connections.values) { connection.end(.serverStopping) }
    }

    func forget(_ connection: RTMPConnection) {
        guard connections.removeValue(forKey: ObjectIdentifier(connection)) != nil else { return }
        let ip = connection.remoteIP
        perAddress[ip] = perAddress[ip].flatMap { $0 > 1 ? $0 - 1 : nil }
        counters.connections.record(connections.count)
    }
}

extension RTMPServer: TCPListenerHandler {
    package func listener(_ listener: TCPListener, accepted stream: TCPStream, at now: Monotonic) {
        let ip = stream.peerAddress.ip.unmapped
        let isCrowded = !ip.isLoopback && perAddress[ip, default: 0] >= Limits.connectionsPerAddress
        guard connections.count < Limits.connections, !isCrowded else {
            counters.closed(.tooManyConnections)
            return stream.close()
        }
        let connection: RTMPConnection
        do throws(DTLSError) {
            let transport = try tls.map { context throws(DTLSError) in try StreamTLS(server: context) }
            connection = RTMPConnection(stream, tls: transport, server: self, at: now)
        } catch {
            log.error("no TLS session could be made: \(error)")
            return stream.close()
        }
        connections[ObjectIdentifier(connection)] = connection
        perAddress[ip, default: 0] += 1
        counters.connections.record(connections.count)
        connection.start(at: now)
    }

    package func listener(
        _ listener: TCPListener, exhausted errno: Errno, restingFor pause: Interval, at now: Monotonic
    ) {
        log.error("new encoders cannot be accepted for now: the process is out of file descriptors (\(errno))")
    }
}
