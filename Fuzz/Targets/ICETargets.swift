import Bytes
import ICE

package let iceTargets: [FuzzTarget] = [
    FuzzTarget("stun") { bytes in
        _ = STUNDemux.classify(bytes.rawSpan)
        let fragment = STUNDemux.localFragment(of: bytes.rawSpan)
        let tag = STUNDemux.transactionTag(ofResponse: bytes.rawSpan)
        guard let message = try? STUNMessage(bytes.rawSpan) else { return }
        let isAnswer = message.messageClass == .success || message.messageClass == .error
        if message.method == .binding, isAnswer {
            precondition(tag == message.transactionID.high, "an answer has another tag than its transaction id")
        } else {
            precondition(tag == nil, "what is no answer has a tag")
        }
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
        for framing in [StreamFraming.lengthPrefixed, .turn] {
            precondition(
                frames(of: stream, step: step, framing) == frames(of: stream, step: stream.count + 1, framing))
        }
    },
    FuzzTarget("ice-server-url") { bytes in
        guard let url = try? ICEServerURL(parsing: String(decoding: bytes, as: UTF8.self)) else { return }
        precondition(url.port != 0 && !url.host.isEmpty && (url.kind != .turns || url.transport == .tcp))
    },
    FuzzTarget("turn-client") { bytes in
        var input = FuzzInput(bytes)
        var driver = TURNDriver(&input)
        for _ in 0..<200 where !input.isEmpty { driver.step(&input) }
    },
    FuzzTarget("ice-agent") { bytes in
        var input = FuzzInput(bytes)
        var driver = AgentDriver(&input)
        for _ in 0..<200 where !input.isEmpty { driver.step(&input) }
    },
]

/// Cheap, keyed and no secret: enough to make and to break integrity.
let weakHMAC: HMACSHA1 = { key, message in
    var state: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in key { state = (state ^ UInt64(byte)) &* 0x100_0000_01B3 }
    for offset in 0..<message.byteCount { state = (state ^ UInt64(message[offset])) &* 0x100_0000_01B3 }
    return [20 of UInt8] { UInt8(truncatingIfNeeded: (state &* UInt64($0 + 1)) >> 32) }
}

let weakMD5: MD5Hash = { message in
    let tag = weakHMAC([], message)
    return message.byteCount == 13 ? nil : [16 of UInt8] { tag[$0] }
}

func capture(_ body: (inout OutputRawSpan) -> Void) -> [UInt8] {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 2_048, alignment: 8)
    defer { memory.deallocate() }
    var output = OutputRawSpan(buffer: memory, initializedCount: 0)
    body(&output)
    let bytes = output.bytes.copied()
    _ = output.finalize(for: memory)
    return bytes
}

func message(
    _ method: STUNMethod, _ messageClass: STUNClass, _ id: STUNTransactionID, key: [UInt8]?,
    fingerprint: Bool = true, _ body: (STUNWriter, inout OutputRawSpan) -> Void
) -> [UInt8] {
    capture { output in
        let writer = STUNWriter(method, messageClass, transactionID: id, into: &output)
        body(writer, &output)
        writer.finish(integrityKey: key, fingerprint: fingerprint, hmac: weakHMAC, to: &output)
    }
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
    let bytes = message(method, messageClass, id, key: key) { writer, output in
        writer.append(.priority, priority, to: &output)
        writer.append(.xorMappedAddress, xor: address, to: &output)
        writer.append(.data, data.rawSpan, to: &output)
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
private func frames(of stream: [UInt8], step: Int, _ framing: StreamFraming) -> [[UInt8]?] {
    var reader = StreamFrameReader(framing, maximumFrameBytes: 512)
    var frames: [[UInt8]?] = []
    do throws(ICEError) {
        for start in Swift.stride(from: 0, to: stream.count, by: step) {
            try reader.receive(Array(stream[start..<min(start + step, stream.count)]).rawSpan)
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

extension FuzzInput {
    mutating func address() -> TransportAddress {
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
        var configuration = ICEAgent.Configuration(
            mode: mode, role: role, credentials: ICECredentials(random: [UInt8](0..<24)),
            seed: [UInt8](repeating: 7, count: 16), hmac: weakHMAC)
        configuration.md5 = weakMD5
        agent = ICEAgent(configuration, at: now)
    }

    mutating func step(_ input: inout FuzzInput) {
        switch input.byte() % 12 {
        case 0: _ = agent.receive(input.slice(upTo: 200).rawSpan, on: input.path(), at: now)
        case 1, 2, 3: _ = agent.receive(request(&input).rawSpan, on: input.path(), at: now)
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
            let path = input.path()
            if let relay = try? TURNClient.Configuration(path: path, username: "u", password: "p") {
                try? agent.addRelay(relay, at: now)
            }
        case 10:
            agent.recordMedia(on: input.path(), at: now)
            agent.pathLost(input.path(), at: now)
        default: restartRarely(&input)
        }
        relayMedia()
        drain()
    }

    private func relayMedia() {
        guard let path = agent.selectedPath else { return }
        var outer: ICEPath?
        let bytes = capture { output in
            output.append(copying: [0x80, 1, 2])
            outer = agent.wrap(&output, on: path)
        }
        precondition(path.socket.isRelayed ? bytes.count != 3 || outer == nil : outer == path)
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
        let key = Array(credentials.password.utf8)
        return message(.binding, .request, id, key: key, fingerprint: flags & 0x70 != 0x10) { writer, output in
            writer.append(username: Array(credentials.fragment.utf8), Array(remote.fragment.utf8), to: &output)
            if flags & 1 == 0 { writer.append(.priority, priority, to: &output) }
            if flags & 2 != 0 { writer.append(flag: .useCandidate, to: &output) }
            let claim = flags & 4 == 0 ? UInt64.max : 0
            writer.append(flags & 8 == 0 ? .iceControlling : .iceControlled, claim, to: &output)
            if flags & 0xF0 == 0xF0 { writer.append(flag: STUNAttribute(rawValue: 0x7F00), to: &output) }
        }
    }

    /// Answers one of the agent's own requests, perhaps with an error, perhaps from elsewhere.
    private mutating func answer(_ input: inout FuzzInput) {
        guard !sent.isEmpty else { return }
        let (bytes, path) = sent[input.int(in: 0...sent.count - 1)]
        guard let request = try? STUNMessage(bytes.rawSpan) else { return }
        let (id, method) = (request.transactionID, request.method)
        let flags = input.byte()
        if method != .binding {
            _ = agent.receive(turnAnswer(method, id, &input).rawSpan, on: path, at: now)
            return
        }
        let key = Array(remote.password.utf8)
        let isError = flags & 3 == 0
        let response = message(.binding, isError ? .error : .success, id, key: key) { writer, output in
            if isError { return writer.append(errorCode: flags & 4 == 0 ? 487 : 400, to: &output) }
            writer.append(.xorMappedAddress, xor: path.remote, to: &output)
        }
        _ = agent.receive(response.rawSpan, on: flags & 0x78 == 0x78 ? input.path() : path, at: now)
    }

    private mutating func drain() {
        while true {
            var path: ICEPath?
            let bytes = capture { path = agent.pollTransmit(into: &$0)?.path }
            guard let path else { break }
            guard let message = try? STUNMessage(bytes.rawSpan) else {
                precondition(bytes[0] & 0xC0 == 0x40, "an agent sent nonsense")
                continue
            }
            precondition(!path.socket.isRelayed, "a driver knows no relayed paths")
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

/// The key of user "u" with password "p" in realm "r", which is what `turnAnswer` says.
