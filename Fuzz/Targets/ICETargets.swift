import Bytes
import ICE

package let iceTargets: [FuzzTarget] = [
    FuzzTarget("stun") { bytes in
        _ = STUNDemux.classify(bytes.rawSpan)
        let fragment = STUNDemux.localFragment(of: bytes.rawSpan)
        guard let message = try? STUNMessage(bytes.rawSpan) else { return }
        readEverything(message)
        // What the quick look finds in a well-formed request, the full reader finds too.
        if let fragment, let username = message.copiedBytes(.username) {
            precondition(username.starts(with: Array(fragment.utf8) + [UInt8(ascii: ":")]))
        }
    },
    FuzzTarget("stun-write") { bytes in
        var input = FuzzInput(bytes)
        checkRoundTrip(&input)
    },
    FuzzTarget("ice-candidate") { bytes in
        guard let candidate = try? ICECandidate(parsing: String(decoding: bytes, as: UTF8.self)) else { return }
        guard let again = try? ICECandidate(parsing: candidate.description) else {
            preconditionFailure("a candidate's own text does not parse")
        }
        precondition(again == candidate)
    },
    FuzzTarget("stream-framing") { bytes in
        var input = FuzzInput(bytes)
        let step = input.int(in: 1...64)
        let stream = input.remainder()
        precondition(frames(of: stream, step: step) == frames(of: stream, step: stream.count + 1))
    },
    FuzzTarget("ice-agent") { bytes in
        var input = FuzzInput(bytes)
        var driver = AgentDriver(&input)
        for _ in 0..<200 where !input.isEmpty { driver.step(&input) }
    },
]

/// Cheap, keyed and no secret: enough to make and to break integrity.
private let weakHMAC: HMACSHA1 = { key, message in
    var state: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in key { state = (state ^ UInt64(byte)) &* 0x100_0000_01B3 }
    for offset in 0..<message.byteCount { state = (state ^ UInt64(message[offset])) &* 0x100_0000_01B3 }
    return [20 of UInt8] { UInt8(truncatingIfNeeded: (state &* UInt64($0 + 1)) >> 32) }
}

private func capture(_ body: (inout OutputRawSpan) -> Void) -> [UInt8] {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 2_048, alignment: 8)
    defer { memory.deallocate() }
    var output = OutputRawSpan(buffer: memory, initializedCount: 0)
    body(&output)
    let bytes = output.bytes.copied()
    _ = output.finalize(for: memory)
    return bytes
}

private func readEverything(_ message: borrowing STUNMessage) {
    let attributes: [STUNAttribute] = [
        .mappedAddress, .username, .errorCode, .channelNumber, .lifetime, .xorPeerAddress, .data, .realm, .nonce,
        .xorRelayedAddress, .xorMappedAddress, .priority, .useCandidate, .software, .iceControlled, .iceControlling,
    ]
    for attribute in attributes {
        _ = try? message.uint16(attribute)
        _ = try? message.uint32(attribute)
        _ = try? message.uint64(attribute)
        _ = try? message.xorAddress(attribute)
        _ = message.copiedBytes(attribute)
    }
    _ = try? message.errorCode()
    _ = message.unknownRequiredAttributes()
    _ = try? message.verifyFingerprint()
    _ = try? message.verifyIntegrity(key: [1], hmac: weakHMAC)
}

private func checkRoundTrip(_ input: inout FuzzInput) {
    let method = STUNMethod(rawValue: UInt16(input.int(in: 0...0xFFF)))
    let messageClass = STUNClass(rawValue: UInt16(input.int(in: 0...3))) ?? .request
    let id = STUNTransactionID(high: UInt32(input.int(in: 0...0xFFFF)), low: UInt64(input.int(in: 0...0xFFFF)))
    let address = input.address()
    let priority = UInt32(input.int(in: 0...0xFFFF_FFFF))
    let key = input.slice(upTo: 40)
    let data = input.slice(upTo: 1_200)
    let bytes = capture { output in
        let writer = STUNWriter(method, messageClass, transactionID: id, into: &output)
        writer.append(.priority, priority, to: &output)
        writer.append(.xorMappedAddress, xor: address, to: &output)
        writer.append(.data, data.rawSpan, to: &output)
        writer.finish(integrityKey: key, fingerprint: true, hmac: weakHMAC, to: &output)
    }
    guard let message = try? STUNMessage(bytes.rawSpan) else { preconditionFailure("our own message does not parse") }
    let type = (message.method, message.messageClass, message.transactionID)
    precondition(type == (method, messageClass, id))
    let values = (try? message.uint32(.priority), try? message.xorAddress(.xorMappedAddress))
    precondition(values == (priority, address))
    let readData = message.copiedBytes(.data)
    precondition(readData == data)
    let isWhole: ()? = try? message.verifyFingerprint()
    let isSigned: ()? = try? message.verifyIntegrity(key: key, hmac: weakHMAC)
    precondition(isWhole != nil && isSigned != nil, "our own message does not verify")
}

/// The frames of a stream fed in steps, and whether it ended in an error.
private func frames(of stream: [UInt8], step: Int) -> [[UInt8]?] {
    var reader = StreamFrameReader(maximumFrameBytes: 512)
    var frames: [[UInt8]?] = []
    do throws(ICEError) {
        for start in Swift.stride(from: 0, to: stream.count, by: step) {
            try receive(Array(stream[start..<min(start + step, stream.count)]), &reader)
            while let frame = reader.frame?.copied() {
                frames.append(frame)
                try reader.removeFrame()
            }
        }
    } catch {
        frames.append(nil)
    }
    return frames
}

private func receive(_ bytes: [UInt8], _ reader: inout StreamFrameReader) throws(ICEError) {
    try reader.receive(bytes.rawSpan)
}

extension FuzzInput {
    fileprivate mutating func address() -> TransportAddress {
        let port = UInt16(int(in: 0...0xFFFF))
        let host = int(in: 0...3)
        return switch host {
        case 0: TransportAddress(ip: .v6(0x2001_0DB8_0000_0000, UInt64(byte())), port: port)
        case 1: TransportAddress(ip: .v4(UInt32(int(in: 0...0xFFFF_FFFF))), port: port)
        default: TransportAddress(ip: .v4(0xC000_0201), port: port & 3 | 0x1000)
        }
    }

    fileprivate mutating func path() -> ICEPath {
        let transport: ICETransport = byte() & 7 == 0 ? .tcp : .udp
        return ICEPath(socket: ICESocket(id: Int32(byte() & 1), transport: transport), remote: address())
    }
}

/// Drives one agent with whatever a peer and a driver may do, and holds it to its promises.
private struct AgentDriver: ~Copyable {
    private var agent: ICEAgent
    private let mode: ICEAgent.Mode
    private var now = Monotonic.zero
    private var sent: [([UInt8], ICEPath)] = []
    private let remote = ICECredentials(random: [UInt8](100..<124))
    private var generation: UInt8 = 0

    init(_ input: inout FuzzInput) {
        mode = input.byte() & 1 == 0 ? .lite : .full
        let role: ICEAgent.Role = input.byte() & 1 == 0 ? .controlling : .controlled
        agent = ICEAgent(
            ICEAgent.Configuration(
                mode: mode, role: role, credentials: ICECredentials(random: [UInt8](0..<24)),
                seed: [UInt8](repeating: 7, count: 16), hmac: weakHMAC), at: now)
    }

    mutating func step(_ input: inout FuzzInput) {
        switch input.byte() % 12 {
        case 0: receive(input.slice(upTo: 200), on: input.path())
        case 1, 2, 3: receive(request(&input), on: input.path())
        case 4, 5: answer(&input)
        case 6:
            now += .milliseconds(Int64(input.int(in: 0...12_000)))
            agent.advance(to: now)
        case 7: agent.setRemoteCredentials(remote, at: now)
        case 8: try? agent.addRemoteCandidate(.host(input.address()), at: now)
        case 9:
            let socket = ICESocket(id: Int32(input.byte() & 1))
            try? agent.addLocalCandidate(.host(input.address()), socket: socket, at: now)
            try? agent.gather(server: input.address(), from: socket, at: now)
        case 10:
            agent.recordMedia(on: input.path(), at: now)
            agent.pathLost(input.path(), at: now)
        default: restartRarely(&input)
        }
        drain()
    }

    private mutating func restartRarely(_ input: inout FuzzInput) {
        guard input.byte() & 3 == 0, generation < 100 else { return }
        generation += 1
        agent.restart(credentials: ICECredentials(random: [UInt8](repeating: generation, count: 24)), at: now)
    }

    /// A signed request with chosen attributes.
    private func request(_ input: inout FuzzInput) -> [UInt8] {
        let flags = input.byte()
        let priority = UInt32(input.int(in: 0...0xFFFF_FFFF))
        let id = STUNTransactionID(high: 1, low: UInt64(input.byte()))
        let credentials = agent.localCredentials
        return capture { output in
            let writer = STUNWriter(.binding, .request, transactionID: id, into: &output)
            writer.append(username: Array(credentials.fragment.utf8), Array(remote.fragment.utf8), to: &output)
            if flags & 1 == 0 { writer.append(.priority, priority, to: &output) }
            if flags & 2 != 0 { writer.append(flag: .useCandidate, to: &output) }
            let claim = flags & 4 == 0 ? UInt64.max : 0
            writer.append(flags & 8 == 0 ? .iceControlling : .iceControlled, claim, to: &output)
            if flags & 0xF0 == 0xF0 { writer.append(flag: STUNAttribute(rawValue: 0x7F00), to: &output) }
            writer.finish(
                integrityKey: Array(credentials.password.utf8), fingerprint: flags & 0x70 != 0x10, hmac: weakHMAC,
                to: &output)
        }
    }

    /// Answers one of the agent's own requests, perhaps with an error, perhaps from elsewhere.
    private mutating func answer(_ input: inout FuzzInput) {
        guard !sent.isEmpty else { return }
        let (bytes, path) = sent[input.int(in: 0...sent.count - 1)]
        guard let id = Self.transactionID(bytes) else { return }
        let flags = input.byte()
        let key = Array(remote.password.utf8)
        let response = capture { output in
            let writer = STUNWriter(.binding, flags & 3 == 0 ? .error : .success, transactionID: id, into: &output)
            if flags & 3 == 0 {
                writer.append(errorCode: flags & 4 == 0 ? 487 : 400, to: &output)
            } else {
                writer.append(.xorMappedAddress, xor: path.remote, to: &output)
            }
            writer.finish(integrityKey: key, fingerprint: true, hmac: weakHMAC, to: &output)
        }
        receive(response, on: flags & 0x78 == 0x78 ? input.path() : path)
    }

    private static func transactionID(_ bytes: [UInt8]) -> STUNTransactionID? {
        guard let message = try? STUNMessage(bytes.rawSpan) else { return nil }
        return message.transactionID
    }

    private mutating func receive(_ bytes: [UInt8], on path: ICEPath) {
        _ = agent.receive(bytes.rawSpan, on: path, at: now)
    }

    private mutating func drain() {
        while true {
            var path: ICEPath?
            let bytes = capture { path = agent.pollTransmit(into: &$0)?.path }
            guard let path else { break }
            guard let message = try? STUNMessage(bytes.rawSpan) else { preconditionFailure("an agent sent nonsense") }
            if message.messageClass == .request {
                sent.append((bytes, path))
                if sent.count > 64 { sent.removeFirst() }
            }
        }
        while let event = agent.pollEvent() {
            if case .selectedPathChanged(let path) = event, path == agent.selectedPath {
                precondition(agent.isValidated(path), "a selected path is a validated one")
            }
        }
        if agent.state == .connected { precondition(agent.selectedPath != nil, "connected to nowhere") }
        if agent.state == .failed { precondition(agent.nextDeadline == nil, "a failed agent waits for nothing") }
        if mode == .lite { precondition(agent.role == .controlled, "a lite agent never controls") }
    }
}
