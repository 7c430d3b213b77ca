import Bytes
import DTLS

/// Lends `capacity` bytes to a writer and gives back what it wrote.
func written(capacity: Int, _ body: (inout OutputRawSpan) -> Void) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
        let memory = UnsafeMutableRawBufferPointer(buffer)
        var output = OutputRawSpan(buffer: memory, initializedCount: 0)
        body(&output)
        count = output.finalize(for: memory)
    }
}

extension DTLSConnection {
    /// All datagrams that wait.
    func drain() -> [[UInt8]] {
        var datagrams: [[UInt8]] = []
        var more = true
        while more {
            let datagram = written(capacity: Self.maximumDatagramBytes) { more = pollTransmit(into: &$0) }
            if more { datagrams.append(datagram) }
        }
        return datagrams
    }

    var keys: SRTPKeyingMaterial? {
        if case .connected(let keys) = state { keys } else { nil }
    }
}

/// Two connections and the wire between them.
final class DTLSPair {
    static let now = Monotonic(nanoseconds: 1_000_000_000)

    let client: DTLSConnection
    let server: DTLSConnection
    /// Datagrams in the order they were sent, and what arrives of each: none, one or several.
    var wire: (_ sender: DTLSRole, _ index: Int, _ datagram: [UInt8]) -> [[UInt8]] = { _, _, datagram in [datagram] }
    private(set) var sent: [(sender: DTLSRole, datagram: [UInt8])] = []
    private(set) var errors: [DTLSError] = []

    init(
        client clientContext: DTLSContext, server serverContext: DTLSContext, clientExpects: [Fingerprint]? = nil,
        serverExpects: [Fingerprint]? = nil, retransmitAfter: Interval = .milliseconds(16)
    ) throws {
        client = try DTLSConnection(
            role: .client, context: clientContext,
            expectedFingerprints: clientExpects ?? [serverContext.certificate.fingerprint()],
            retransmitAfter: retransmitAfter)
        server = try DTLSConnection(
            role: .server, context: serverContext,
            expectedFingerprints: serverExpects ?? [clientContext.certificate.fingerprint()],
            retransmitAfter: retransmitAfter)
    }

    convenience init() throws {
        let context = try DTLSContext(certificate: .selfSigned(unixSeconds: 1_800_000_000))
        try self.init(client: context, server: context)
    }

    func start() throws {
        try client.start(at: Self.now)
        try server.start(at: Self.now)
        pump()
    }

    /// Delivers until nobody has anything to send.
    func pump() {
        while deliver(from: client, .client, to: server) || deliver(from: server, .server, to: client) {}
    }

    /// Lets OpenSSL's timers run, at most until both sides are connected or `limit` of real time is over.
    func pumpInRealTime(limit: Duration = .seconds(5)) {
        let clock = ContinuousClock()
        let end = clock.now + limit
        while client.keys == nil || server.keys == nil, errors.isEmpty, clock.now < end {
            for side in [client, server] {
                guard let deadline = side.nextDeadline else { continue }
                capture { () throws(DTLSError) in try side.advance(to: deadline) }
            }
            pump()
        }
    }

    private func deliver(from one: DTLSConnection, _ role: DTLSRole, to other: DTLSConnection) -> Bool {
        let datagrams = one.drain()
        for datagram in datagrams {
            let index = sent.count
            sent.append((role, datagram))
            for arriving in wire(role, index, datagram) {
                capture { () throws(DTLSError) in try other.receive(arriving.rawSpan, at: Self.now) }
            }
        }
        return !datagrams.isEmpty
    }

    private func capture(_ body: () throws(DTLSError) -> Void) {
        do { try body() } catch { errors.append(error) }
    }
}
