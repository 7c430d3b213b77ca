import Bytes
import DTLS
import TestSupport
import Testing

@Suite struct DTLSConnectionTests {
    enum Kind: CaseIterable, Sendable {
        case ec
        case rsa

        func context() throws -> DTLSContext { try (self == .ec ? Self.ecContext : Self.rsaContext).get() }

        private static let ecContext = Result {
            try DTLSContext(certificate: Certificate(pem: PEM.ecCertificate, key: PEM.ecKey))
        }
        private static let rsaContext = Result {
            try DTLSContext(certificate: Certificate(pem: PEM.rsaCertificate, key: PEM.rsaKey))
        }
    }

    @Test("both ends get the same keys, crosswise", arguments: Kind.allCases, Kind.allCases)
    func handshake(client: Kind, server: Kind) throws {
        let pair = try DTLSPair(client: client.context(), server: server.context())
        try pair.start()
        let (one, other) = (try #require(pair.client.keys), try #require(pair.server.keys))
        #expect(one.local == other.remote)
        #expect(one.remote == other.local)
        #expect(one.local != one.remote)
        #expect(one.profile == .aeadAES128GCM)
        #expect(one.local.count == 28)
        #expect(pair.client.nextDeadline == nil)
        #expect(pair.server.nextDeadline == nil)
    }

    @Test("each profile can be agreed on and gives keys of its length", arguments: SRTPProfile.allCases)
    func profiles(profile: SRTPProfile) throws {
        let one = try DTLSContext(certificate: .selfSigned(unixSeconds: 0), profiles: [profile])
        let pair = try DTLSPair(client: one, server: Kind.ec.context())
        try pair.start()
        let keys = try #require(pair.server.keys)
        #expect(keys.profile == profile)
        #expect(keys.local.count == profile.keyBytes + profile.saltBytes)
        #expect(pair.client.keys?.local == keys.remote)
    }

    @Test("without a common profile nobody is connected")
    func noCommonProfile() throws {
        let certificate = try Certificate.selfSigned(unixSeconds: 0)
        let one = try DTLSContext(certificate: certificate, profiles: [.aeadAES256GCM])
        let other = try DTLSContext(certificate: certificate, profiles: [.aes128CMSHA1With80BitTag])
        let pair = try DTLSPair(client: one, server: other)
        try pair.start()
        #expect(pair.errors.contains(.srtpProfileMissing))
        #expect(pair.client.keys == nil)
        #expect(pair.server.keys == nil)
    }

    @Test("keys print without their bytes")
    func redaction() {
        let keys = SRTPKeyingMaterial(profile: .aeadAES128GCM, local: [222, 173], remote: [190, 239])
        #expect("\(keys)" == "SRTPKeyingMaterial(aeadAES128GCM)")
        #expect(!String(reflecting: DTLSConnection.State.connected(keys)).contains("222"))
    }

    // MARK: Fingerprints

    @Test("a certificate other than announced fails before any key is known", arguments: [DTLSRole.client, .server])
    func wrongFingerprint(victim: DTLSRole) throws {
        let context = try Kind.ec.context()
        let stranger = [try Certificate.selfSigned(unixSeconds: 0).fingerprint()]
        let pair = try DTLSPair(
            client: context, server: context, clientExpects: victim == .client ? stranger : nil,
            serverExpects: victim == .server ? stranger : nil)
        try pair.start()
        #expect((victim == .client ? pair.client : pair.server).state == .failed(.fingerprintMismatch))
        #expect(pair.errors == [.fingerprintMismatch])
        #expect((victim == .client ? pair.server : pair.client).state == .closed)
    }

    @Test("without an announced fingerprint nobody is trusted")
    func noFingerprint() throws {
        let context = try Kind.ec.context()
        let pair = try DTLSPair(client: context, server: context, serverExpects: [])
        try pair.start()
        #expect(pair.server.state == .failed(.fingerprintMismatch))
    }

    @Test("any one of several fingerprints of an algorithm is enough")
    func severalFingerprints() throws {
        let context = try Kind.ec.context()
        let expected = [
            try Certificate.selfSigned(unixSeconds: 0).fingerprint(.sha384), context.certificate.fingerprint(.sha384),
        ]
        let pair = try DTLSPair(client: context, server: context, serverExpects: expected)
        try pair.start()
        #expect(pair.server.keys != nil)
    }

    @Test("the strongest algorithm decides, a match of a weaker one is not enough")
    func strongestFingerprint() throws {
        let context = try Kind.ec.context()
        let expected = [
            context.certificate.fingerprint(.sha256), try Certificate.selfSigned(unixSeconds: 0).fingerprint(.sha512),
        ]
        let pair = try DTLSPair(client: context, server: context, serverExpects: expected)
        try pair.start()
        #expect(pair.server.state == .failed(.fingerprintMismatch))
    }

    // MARK: Datagrams

    @Test("no datagram is larger than the MTU, and messages larger than it are rebuilt")
    func fragments() throws {
        let long = PEM.rsaCertificate + PEM.rsaCertificate + PEM.rsaCertificate
        let context = try DTLSContext(certificate: Certificate(pem: long, key: PEM.rsaKey))
        let pair = try DTLSPair(client: context, server: context)
        try pair.start()
        #expect(pair.server.keys != nil)
        #expect(pair.client.keys != nil)
        #expect(pair.sent.allSatisfy { $0.datagram.count <= 1200 })
        #expect(pair.sent.count { $0.sender == .server } > 3)
    }

    @Test("a lost datagram is sent again, whichever it was", arguments: 0..<6)
    func loss(lost: Int) throws {
        let pair = try DTLSPair(client: Kind.rsa.context(), server: Kind.rsa.context())
        pair.wire = { _, index, datagram in index == lost ? [] : [datagram] }
        try pair.start()
        pair.pumpInRealTime()
        #expect(pair.errors == [])
        #expect(pair.client.keys != nil)
        #expect(pair.server.keys?.local == pair.client.keys?.remote)
    }

    @Test("datagrams that come twice do no harm and are not answered twice")
    func duplicates() throws {
        let pair = try DTLSPair(client: Kind.ec.context(), server: Kind.ec.context(), retransmitAfter: .seconds(1))
        pair.wire = { _, _, datagram in [datagram, datagram] }
        try pair.start()
        #expect(pair.errors == [])
        #expect(pair.client.keys != nil)
        #expect(pair.server.keys != nil)
        #expect(pair.sent.count <= 6)
    }

    @Test("a flood of one ClientHello is answered by one flight")
    func amplification() throws {
        let context = try Kind.rsa.context()
        let pair = try DTLSPair(client: context, server: context, retransmitAfter: .seconds(1))
        try pair.client.start(at: DTLSPair.now)
        let hello = try #require(pair.client.drain().first)
        for _ in 0..<200 { try pair.server.receive(hello.rawSpan, at: DTLSPair.now) }
        let answers = pair.server.drain()
        #expect(answers.count <= 3)
        #expect(answers.reduce(0) { $0 + $1.count } < 4096)
    }

    @Test("garbage between all datagrams is dropped")
    func garbage() throws {
        let pair = try DTLSPair(client: Kind.ec.context(), server: Kind.ec.context())
        var generator = SeededGenerator(seed: 7)
        pair.wire = { _, _, datagram in Self.garbage(around: datagram, &generator) }
        try pair.start()
        pair.wire = { _, _, datagram in [datagram] }
        pair.pumpInRealTime()
        #expect(pair.errors == [])
        let keys = try #require(pair.client.keys)
        #expect(pair.server.keys?.local == keys.remote)
        let (client, server) = (pair.client.droppedDatagrams, pair.server.droppedDatagrams)
        #expect(client > 20 && server > 20)
        for noise in Self.garbage(around: pair.sent[pair.sent.count - 1].datagram, &generator) {
            try pair.client.receive(noise.rawSpan, at: DTLSPair.now)
            try pair.server.receive(noise.rawSpan, at: DTLSPair.now)
        }
        #expect(pair.client.keys == keys)
        #expect(pair.server.keys != nil)
    }

    /// The datagram itself behind things that are no DTLS, or none that may change anything.
    private static func garbage(around datagram: [UInt8], _ generator: inout SeededGenerator) -> [[UInt8]] {
        var all: [[UInt8]] = [[], [22], Array(datagram.prefix(12)), Array(datagram.dropLast()), generator.bytes(9000)]
        for length in [1, 12, 13, 14, 60, 1200] { all.append(generator.bytes(length)) }
        // A STUN request, an RTP header, a TLS 1.2 record over TCP, a record of DTLS 1.0 in an odd version.
        all += [[0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42] + generator.bytes(12), [0x80, 0x60] + generator.bytes(40)]
        all += [[22, 3, 3] + datagram.dropFirst(3), [22, 0xFE, 0xFC] + datagram.dropFirst(3)]
        let header: [UInt8] = [0xFE, 0xFD]
        // Application data in the clear, an encrypted record that nobody made, a record without content.
        all.append([23] + header + [0, 0, 0, 0, 0, 0, 0, 9, 0, 4, 1, 2, 3, 4])
        all.append([23] + header + [0, 1, 0, 0, 0, 0, 1, 9, 0, 64] + generator.bytes(64))
        all.append([22] + header + [0, 1, 0, 0, 0, 0, 1, 10, 0, 64] + generator.bytes(64))
        all.append([21] + header + [0, 1, 0, 0, 0, 0, 1, 11, 0, 34] + generator.bytes(34))
        all.append([22] + header + [0, 0, 0, 0, 0, 0, 0, 77, 0, 0])
        // Shorter than what protects a record.
        for count in [1, 2, 8, 15, 16, 23] as [UInt8] {
            all.append([21] + header + [0, 1, 0, 0, 0, 0, 1, 12 + count, 0, count] + generator.bytes(Int(count)))
        }
        // Noise behind a good record must not spoil it.
        all.append(datagram + [23] + header + [0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 1])
        return all
    }

    @Test("what OpenSSL says about a broken handshake is kept")
    func brokenHandshake() throws {
        let context = try Kind.ec.context()
        let pair = try DTLSPair(client: context, server: context)
        pair.wire = { sender, _, datagram in
            guard sender == .client else { return [datagram] }
            var broken = datagram
            // The body of ClientHello begins behind two headers; the length of the session id stands 34 bytes further.
            broken[13 + 12 + 34] = 0xFF
            return [broken]
        }
        try pair.start()
        guard case .failed(.handshakeFailed(let cause)) = pair.server.state else {
            Issue.record("the server should have failed, but is \(pair.server.state)")
            return
        }
        #expect(cause.code != 0)
        #expect("\(cause)".contains("SSL routines"))
        // The alert reached the client.
        guard case .failed(.handshakeFailed) = pair.client.state else {
            Issue.record("the client should have failed, but is \(pair.client.state)")
            return
        }
    }

    // MARK: Time and end

    @Test("a client has a deadline from its first flight on, an idle server has none")
    func deadlines() throws {
        let context = try Kind.ec.context()
        let pair = try DTLSPair(client: context, server: context, retransmitAfter: .milliseconds(500))
        #expect(pair.client.nextDeadline == nil)
        try pair.client.start(at: DTLSPair.now)
        try pair.server.start(at: DTLSPair.now)
        let deadline = try #require(pair.client.nextDeadline)
        #expect(deadline > DTLSPair.now && deadline <= DTLSPair.now + .milliseconds(500))
        #expect(pair.server.nextDeadline == nil)
        let flight = pair.client.drain()
        #expect(flight.count == 1)
        // The driver's time may run ahead of OpenSSL's: nothing is sent early, and the deadline moves on.
        try pair.client.advance(to: deadline)
        #expect(pair.client.drain() == [])
        let next = try #require(pair.client.nextDeadline)
        #expect(next > deadline)
    }

    @Test("a deadline that is not reached does nothing")
    func earlyAdvance() throws {
        let context = try Kind.ec.context()
        let pair = try DTLSPair(client: context, server: context)
        try pair.client.start(at: DTLSPair.now)
        let deadline = pair.client.nextDeadline
        _ = pair.client.drain()
        try pair.client.advance(to: DTLSPair.now)
        #expect(pair.client.nextDeadline == deadline)
        #expect(pair.client.drain() == [])
    }

    @Test("a silent peer is given up after 12 retransmissions, and what waits to be sent stays bounded")
    func silentPeer() throws {
        // Timers below 15 ms count as due at once, so all retransmissions happen in one call.
        let long = PEM.rsaCertificate + PEM.rsaCertificate + PEM.rsaCertificate
        let context = try DTLSContext(certificate: Certificate(pem: long, key: PEM.rsaKey))
        let pair = try DTLSPair(client: context, server: context, retransmitAfter: .microseconds(1))
        #expect(throws: DTLSError.self) { try pair.client.start(at: DTLSPair.now) }
        let hellos = pair.client.drain()
        #expect(hellos.count == 13)
        let hello = try #require(hellos.first)
        #expect(throws: DTLSError.self) { try pair.server.receive(hello.rawSpan, at: DTLSPair.now) }
        guard case .failed(.handshakeFailed(let cause)) = pair.server.state else {
            Issue.record("the server should have failed, but is \(pair.server.state)")
            return
        }
        #expect("\(cause)".contains("timeout"))
        #expect(pair.server.drain().count == 32)
        #expect(pair.server.droppedTransmits > 0)
        #expect(pair.server.nextDeadline == nil)
    }

    @Test("closing tells the peer", arguments: [DTLSRole.client, .server])
    func close(closer: DTLSRole) throws {
        let pair = try DTLSPair()
        try pair.start()
        let (one, other) = closer == .client ? (pair.client, pair.server) : (pair.server, pair.client)
        #expect(other.keys != nil)
        one.close()
        #expect(one.state == .closed)
        pair.pump()
        #expect(other.state == .closed)
        #expect(pair.errors == [])
    }

    @Test("closing during the handshake is silent and final")
    func closeEarly() throws {
        let context = try Kind.ec.context()
        let pair = try DTLSPair(client: context, server: context)
        try pair.client.start(at: DTLSPair.now)
        let hello = try #require(pair.client.drain().first)
        pair.client.close()
        #expect(pair.client.state == .closed)
        #expect(pair.client.nextDeadline == nil)
        #expect(pair.client.drain() == [])
        try pair.server.receive(hello.rawSpan, at: DTLSPair.now)
        for datagram in pair.server.drain() { try pair.client.receive(datagram.rawSpan, at: DTLSPair.now) }
        #expect(pair.client.drain() == [])
        #expect(pair.client.state == .closed)
        #expect(pair.client.droppedDatagrams > 0)
    }

    @Test("datagrams of one association mean nothing to another")
    func foreignRecords() throws {
        let (one, other) = (try DTLSPair(), try DTLSPair())
        try one.start()
        try other.start()
        let keys = try #require(other.server.keys)
        for (_, datagram) in one.sent { try other.server.receive(datagram.rawSpan, at: DTLSPair.now) }
        #expect(other.server.keys == keys)
        #expect(other.server.drain() == [])
    }
}
