import Bytes
import DTLS

package let dtlsTargets: [FuzzTarget] = [
    FuzzTarget("dtls-server", fuzzServer),
    FuzzTarget("dtls-handshake", fuzzHandshake),
    FuzzTarget("srtp-unprotect", fuzzUnprotect),
    FuzzTarget("stream-tls", fuzzStream),
    FuzzTarget("certificate-pem", fuzzCertificate),
    FuzzTarget("fingerprint", fuzzFingerprint),
]

private let context: DTLSContext = {
    do { return try DTLSContext(certificate: .selfSigned(unixSeconds: 0)) } catch {
        preconditionFailure("no context to fuzz with: \(error)")
    }
}()

/// Datagrams as they are, from a peer without any handshake of its own.
private func fuzzServer(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    guard let server = connection(.server) else { return }
    while !input.isEmpty {
        try? server.receive(input.slice(upTo: 2048).rawSpan, at: .zero)
        precondition(drain(server).count <= 32)
    }
    if case .connected = server.state { preconditionFailure("connected without a handshake") }
}

/// A real handshake whose datagrams the input changes, drops, repeats and mixes with its own.
private func fuzzHandshake(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    guard let client = connection(.client), let server = connection(.server) else { return }
    try? client.start(at: .zero)
    for _ in 0..<12 {
        deliver(from: client, to: server, &input)
        deliver(from: server, to: client, &input)
    }
    if case .connected(let one) = client.state, case .connected(let other) = server.state {
        precondition(one.local == other.remote && one.remote == other.local, "two ends with different keys")
    }
    client.close()
    server.close()
}

private func connection(_ role: DTLSRole) -> DTLSConnection? {
    try? DTLSConnection(role: role, context: context, expectedFingerprints: [context.certificate.fingerprint()])
}

private func deliver(from one: DTLSConnection, to other: DTLSConnection, _ input: inout FuzzInput) {
    for var datagram in drain(one) {
        switch input.byte() % 8 {
        case 1: datagram[input.int(in: 0...datagram.count - 1)] ^= input.byte()
        case 2: datagram.removeLast(input.int(in: 0...datagram.count))
        case 3: datagram += input.slice(upTo: 64)
        case 4: try? other.receive(datagram.rawSpan, at: .zero)
        case 5: try? other.receive(input.slice(upTo: 256).rawSpan, at: .zero)
        case 6: continue
        default: break
        }
        try? other.receive(datagram.rawSpan, at: .zero)
    }
}

private func drain(_ connection: DTLSConnection) -> [[UInt8]] {
    var datagrams: [[UInt8]] = []
    while true {
        var isThere = false
        let datagram = filled(capacity: DTLSConnection.maximumDatagramBytes) {
            isThere = connection.pollTransmit(into: &$0)
        }
        guard isThere else { return datagrams }
        precondition(!datagram.isEmpty)
        datagrams.append(datagram)
    }
}

private func filled(capacity: Int, _ body: (inout OutputRawSpan) -> Void) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
        let memory = UnsafeMutableRawBufferPointer(buffer)
        var output = OutputRawSpan(buffer: memory, initializedCount: 0)
        body(&output)
        count = output.finalize(for: memory)
    }
}

/// One byte chooses the profile and the form, one whether the rest is protected properly first and which bit changes then.
private func fuzzUnprotect(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    let profile = SRTPProfile.allCases[input.int(in: 0...SRTPProfile.allCases.count - 1)]
    let key = [UInt8](repeating: 7, count: profile.keyBytes + profile.saltBytes)
    guard let sender = try? SRTPSession(.sending, profile: profile, key: key),
        let receiver = try? SRTPSession(.receiving, profile: profile, key: key)
    else { return }
    while !input.isEmpty {
        let flags = input.byte()
        let plain = input.slice(upTo: 1500)
        _ = unprotect(plain, flags, receiver)
        var status = SRTPStatus.failed
        let packet = filled(capacity: plain.count + SRTPSession.protectionTailBytes) { output in
            output.append(copying: plain)
            status = flags & 1 == 0 ? sender.protectRTP(&output) : sender.protectRTCP(&output)
        }
        guard status == .ok else { continue }
        let result = unprotect(packet, flags, receiver)
        // What came between, forged or not, leaves both ends in step.
        switch result.status {
        case .ok: precondition(result.packet == plain, "another packet came out than went in")
        case .replayed, .tooOld: break
        default: preconditionFailure("a packet of the sender's was refused: \(result.status)")
        }
        precondition(unprotect(packet, flags, receiver).status != .ok, "a replay was accepted")
    }
}

private func unprotect(
    _ bytes: [UInt8], _ flags: UInt8, _ session: SRTPSession
) -> (status: SRTPStatus, packet: [UInt8]) {
    var packet = bytes
    let result = packet.withUnsafeMutableBytes { buffer in
        var span = MutableRawSpan(_unsafeBytes: buffer)
        return flags & 1 == 0 ? session.unprotectRTP(&span) : session.unprotectRTCP(&span)
    }
    precondition(result.count <= bytes.count)
    return (result.status, Array(packet.prefix(result.count)))
}

private let tlsContext = try? TLSServerContext(certificate: context.certificate)

private func fuzzStream(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    guard let tlsContext, let server = try? StreamTLS(server: tlsContext) else { return }
    while !input.isEmpty {
        try? server.receive(input.slice(upTo: 1024).rawSpan)
        server.takeCiphertext { _ in }
        precondition(server.plaintextBytes == 0 && server.state != .connected, "connected without a handshake")
    }
    server.close()
}

private func fuzzCertificate(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    let key = input.slice(upTo: 2048)
    guard let certificate = try? Certificate(pem: input.remainder(), key: key) else { return }
    _ = try? TLSServerContext(certificate: certificate)
    precondition(certificate.fingerprint().bytes.count == 32)
}

private func fuzzFingerprint(_ bytes: [UInt8]) {
    guard let fingerprint = Fingerprint(sdp: String(decoding: bytes, as: UTF8.self)) else { return }
    precondition(Fingerprint(sdp: fingerprint.sdp) == fingerprint, "its own text form is not accepted")
}
