import Bytes
import DTLS
import TestSupport
import Testing

@Suite struct StreamTLSTests {
    @Test("names and addresses of the certificate connect", arguments: ["localhost", "127.0.0.1"], [false, true])
    func handshake(host: String, rsa: Bool) throws {
        let pair = try TLSPair(host: host, rsa: rsa)
        pair.pump()
        #expect(pair.client.state == .connected)
        #expect(pair.server.state == .connected)
        #expect(pair.errors == [])
    }

    @Test("a server for another name is refused", arguments: ["example.org", "127.0.0.2", "::1"])
    func wrongHost(host: String) throws {
        let pair = try TLSPair(host: host)
        pair.pump()
        guard case .failed(.peerCertificateRejected(let verdict)) = pair.client.state else {
            Issue.record("the client should refuse, but is \(pair.client.state)")
            return
        }
        #expect("\(DTLSError.peerCertificateRejected(verdict))".contains("mismatch"))
        guard case .failed = pair.server.state else {
            Issue.record("the server should learn of it, but is \(pair.server.state)")
            return
        }
    }

    @Test("a server without a known authority is refused")
    func unknownAuthority() throws {
        let pair = try TLSPair(host: "localhost", trusts: false)
        pair.pump()
        guard case .failed(.peerCertificateRejected(let verdict)) = pair.client.state else {
            Issue.record("the client should refuse, but is \(pair.client.state)")
            return
        }
        #expect("\(DTLSError.peerCertificateRejected(verdict))".contains("self-signed"))
    }

    @Test("bytes cross both ways, whatever their number", arguments: [1, 100, 16_384, 16_385, 300_000])
    func transfer(count: Int) throws {
        let pair = try TLSPair()
        pair.pump()
        var generator = SeededGenerator(seed: UInt64(count))
        let (up, down) = (generator.bytes(count), generator.bytes(count))
        try pair.client.send(up.rawSpan)
        try pair.server.send(down.rawSpan)
        pair.pump()
        #expect(pair.serverReceived == up)
        #expect(pair.clientReceived == down)
    }

    @Test("the stream may arrive cut at any byte")
    func splits() throws {
        // One recorded session cannot be replayed, so each cut gets a session of its own in pieces of that size.
        for piece in [1, 2, 3, 5, 7, 11, 64, 333, 1000] {
            let pair = try TLSPair(piece: piece)
            try pair.client.send(Array("hello".utf8).rawSpan)
            pair.pump()
            try pair.server.send(Array("world".utf8).rawSpan)
            pair.pump()
            #expect(pair.serverReceived == Array("hello".utf8), "pieces of \(piece)")
            #expect(pair.clientReceived == Array("world".utf8), "pieces of \(piece)")
        }
    }

    @Test("one record may arrive cut in two at every byte")
    func recordSplits() throws {
        let pair = try TLSPair()
        pair.pump()
        let message = Array("a message in one record".utf8)
        var cut = 0
        var length = 1
        while cut <= length {
            try pair.client.send(message.rawSpan)
            let record = pair.client.takeCiphertext()
            length = record.count
            try pair.server.receive(Array(record[..<cut]).rawSpan)
            try pair.server.receive(Array(record[cut...]).rawSpan)
            #expect(pair.server.takePlaintext() == message)
            cut += 1
        }
    }

    @Test("bytes sent before the handshake is over wait for it, up to a limit")
    func early() throws {
        let pair = try TLSPair()
        let half = [UInt8](repeating: 1, count: StreamTLS.maximumEarlyBytes / 2)
        try pair.client.send(half.rawSpan)
        try pair.client.send(half.rawSpan)
        #expect(throws: DTLSError.queueFull) { try pair.client.send([1].rawSpan) }
        pair.pump()
        #expect(pair.serverReceived.count == StreamTLS.maximumEarlyBytes)
    }

    @Test("waiting bytes can be moved out in parts")
    func parts() throws {
        let pair = try TLSPair()
        pair.pump()
        var generator = SeededGenerator(seed: 11)
        let message = generator.bytes(1000)
        try pair.client.send(message.rawSpan)
        let waiting = pair.client.ciphertextBytes
        var record: [UInt8] = []
        var more = true
        while more { record += written(capacity: 100) { more = pair.client.pollCiphertext(into: &$0) } }
        #expect(record.count == waiting)
        try pair.server.receive(record.rawSpan)
        #expect(pair.server.plaintextBytes == 1000)
        var plain: [UInt8] = []
        more = true
        while more { plain += written(capacity: 64) { more = pair.server.pollPlaintext(into: &$0) } }
        #expect(plain == message)
    }

    @Test("closing is told to the peer, which may still answer")
    func close() throws {
        let pair = try TLSPair()
        pair.pump()
        pair.client.close()
        pair.pump()
        #expect(pair.client.state == .closed)
        #expect(pair.server.state == .closedByPeer)
        try pair.server.send([1].rawSpan)
        #expect(pair.server.ciphertextBytes > 0)
        pair.server.close()
        #expect(pair.server.state == .closed)
        #expect(throws: DTLSError.closed) { try pair.client.send([1].rawSpan) }
        try pair.client.receive(pair.server.takeCiphertext().rawSpan)
        #expect(pair.client.plaintextBytes == 0)
    }

    @Test("what is no TLS fails at once", arguments: ["GET / HTTP/1.1\r\n\r\n", "\u{3}aaaaaaaaaaaaaaaaaaaaa"])
    func notTLS(text: String) throws {
        let server = try StreamTLS(server: TLSPair.serverContext())
        #expect(throws: DTLSError.self) { try server.receive(Array(text.utf8).rawSpan) }
        guard case .failed(.handshakeFailed) = server.state else {
            Issue.record("the server should have failed, but is \(server.state)")
            return
        }
        try server.receive(Array(text.utf8).rawSpan)
        #expect(throws: DTLSError.self) { try server.send([1].rawSpan) }
        server.close()
        guard case .failed = server.state else {
            Issue.record("closing must not hide the failure")
            return
        }
    }

    @Test("a changed record ends the connection")
    func forged() throws {
        let pair = try TLSPair()
        pair.pump()
        try pair.client.send(Array("money".utf8).rawSpan)
        var record = pair.client.takeCiphertext()
        record[record.count - 1] ^= 1
        #expect(throws: DTLSError.self) { try pair.server.receive(record.rawSpan) }
        guard case .failed(.recordFailed) = pair.server.state else {
            Issue.record("the server should have failed, but is \(pair.server.state)")
            return
        }
        #expect(pair.server.plaintextBytes == 0)
        #expect(pair.server.ciphertextBytes > 0)
    }

    @Test("plaintext that nobody takes is bounded")
    func plaintextLimit() throws {
        let pair = try TLSPair()
        pair.pump()
        let chunk = [UInt8](repeating: 0, count: 1 << 20)
        #expect(throws: DTLSError.queueFull) {
            for _ in 0..<6 {
                try pair.client.send(chunk.rawSpan)
                try pair.server.receive(pair.client.takeCiphertext().rawSpan)
            }
        }
        #expect(pair.server.plaintextBytes < StreamTLS.maximumPlaintextBytes + 32_768)
    }
}

extension StreamTLS {
    func takeCiphertext() -> [UInt8] {
        var bytes: [UInt8] = []
        takeCiphertext { bytes = $0.copied() }
        return bytes
    }

    func takePlaintext() -> [UInt8] {
        var bytes: [UInt8] = []
        takePlaintext { bytes = $0.copied() }
        return bytes
    }
}

final class TLSPair {
    let client: StreamTLS
    let server: StreamTLS
    private(set) var clientReceived: [UInt8] = []
    private(set) var serverReceived: [UInt8] = []
    private(set) var errors: [DTLSError] = []
    private let piece: Int

    init(host: String = "localhost", rsa: Bool = false, trusts: Bool = true, piece: Int = .max) throws {
        let authority = try Certificate(
            pem: rsa ? PEM.rsaCertificate : PEM.ecCertificate, key: rsa ? PEM.rsaKey : PEM.ecKey)
        server = try StreamTLS(server: TLSServerContext(certificate: authority))
        client = try StreamTLS(client: TLSClientContext(trusting: trusts ? authority : nil), host: host)
        self.piece = piece
    }

    static func serverContext() throws -> TLSServerContext {
        try TLSServerContext(certificate: Certificate(pem: PEM.ecCertificate, key: PEM.ecKey))
    }

    func pump() {
        var moved = true
        while moved {
            moved = deliver(from: client, to: server)
            moved = deliver(from: server, to: client) || moved
            serverReceived += server.takePlaintext()
            clientReceived += client.takePlaintext()
        }
    }

    private func deliver(from one: StreamTLS, to other: StreamTLS) -> Bool {
        let bytes = one.takeCiphertext()
        var rest = bytes[...]
        while !rest.isEmpty {
            do { try other.receive(Array(rest.prefix(piece)).rawSpan) } catch { errors.append(error) }
            rest = rest.dropFirst(piece)
        }
        return !bytes.isEmpty
    }
}
