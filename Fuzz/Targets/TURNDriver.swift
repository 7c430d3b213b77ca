import Bytes
import ICE

private let weakKey = weakMD5(Array("u:r:p".utf8).rawSpan).map { digest in (0..<16).map { digest[$0] } } ?? []

/// What a TURN server may answer: success, or an error of any kind, with attributes as the input has it.
func turnAnswer(_ method: STUNMethod, _ id: STUNTransactionID, _ input: inout FuzzInput) -> [UInt8] {
    let flags = input.byte()
    let codes = [401, 401, 438, 437, 403, 400, 500, 508]
    let address = input.address()
    let nonce = [input.byte()]
    let isError = flags & 3 == 0
    return message(method, isError ? .error : .success, id, key: isError ? nil : weakKey) { writer, output in
        if isError { writer.append(errorCode: codes[Int(flags >> 2 & 7)], to: &output) }
        if flags & 0x20 == 0 { writer.append(.realm, Array("r".utf8).rawSpan, to: &output) }
        if flags & 0x40 == 0 { writer.append(.nonce, nonce.rawSpan, to: &output) }
        if flags & 0x80 == 0 { writer.append(.xorRelayedAddress, xor: address, to: &output) }
        writer.append(.lifetime, UInt32(flags) << 4, to: &output)
        writer.append(.xorMappedAddress, xor: address, to: &output)
    }
}

/// Drives one TURN client with whatever its server and its agent may do.
struct TURNDriver {
    private var client: TURNClient
    private var now = Monotonic.zero
    private var requests: [[UInt8]] = []

    init(_ input: inout FuzzInput) {
        let transport: ICETransport = input.byte() & 1 == 0 ? .udp : .tcp
        let path = ICEPath(
            socket: ICESocket(id: 1, transport: transport),
            remote: TransportAddress(ip: .v4(0xC000_0201), port: 3_478))
        guard let configuration = try? TURNClient.Configuration(path: path, username: "u", password: "p") else {
            preconditionFailure("short names are refused")
        }
        client = TURNClient(
            configuration, seed: [UInt8](repeating: 7, count: 16), hmac: weakHMAC, md5: weakMD5, at: now)
    }

    mutating func step(_ input: inout FuzzInput) {
        defer { drain() }
        switch input.byte() % 10 {
        case 0: receive(input.slice(upTo: 200))
        case 1, 2, 3, 4: answer(&input)
        case 5:
            now += .milliseconds(Int64(input.int(in: 0...400_000)))
            client.advance(to: now)
        case 6: client.permit(input.address().ip, at: now)
        case 7: client.bind(input.address(), at: now)
        case 8: receive(data(&input))
        default: if input.byte() == 0 { client.close(at: now) } else { wrap(&input) }
        }
    }

    private mutating func receive(_ bytes: [UInt8]) {
        if case .data(let range, _) = client.receive(bytes.rawSpan, at: now) {
            precondition(range.lowerBound >= 4 && range.upperBound <= bytes.count, "data from outside of a datagram")
        }
    }

    private mutating func answer(_ input: inout FuzzInput) {
        guard !requests.isEmpty else { return }
        let request = requests[input.int(in: 0...requests.count - 1)]
        guard let message = try? STUNMessage(request.rawSpan) else { return }
        receive(turnAnswer(message.method, message.transactionID, &input))
    }

    /// Channel data, or an indication that says to be of an address of the input's choice.
    private func data(_ input: inout FuzzInput) -> [UInt8] {
        let payload = input.slice(upTo: 100)
        if input.byte() & 1 == 0 { return [0x40, input.byte() & 7, 0, UInt8(payload.count)] + payload }
        let peer = input.address()
        return message(.data, .indication, STUNTransactionID(high: 1, low: 1), key: nil) {
            $0.append(.xorPeerAddress, xor: peer, to: &$1)
            $0.append(.data, payload.rawSpan, to: &$1)
        }
    }

    private func wrap(_ input: inout FuzzInput) {
        let peer = input.address()
        let payload = input.slice(upTo: 1_300)
        var isWrapped = false
        let bytes = capture { output in
            output.append(copying: payload)
            isWrapped = client.wrap(&output, to: peer)
        }
        guard isWrapped else { return precondition(bytes == payload) }
        precondition(
            bytes.count - payload.count <= ICELimits.relayOverheadBytes, "more was added than there is room for")
        if bytes[0] & 0xC0 == 0x40 { return precondition(Array(bytes[4..<4 + payload.count]) == payload) }
        guard let message = try? STUNMessage(bytes.rawSpan) else {
            preconditionFailure("our own indication does not parse")
        }
        let read = (message.copiedBytes(.data), try? message.xorAddress(.xorPeerAddress))
        precondition(read == (payload, peer))
    }

    private mutating func drain() {
        while true {
            var isSent = false
            let bytes = capture { isSent = client.pollTransmit(into: &$0) }
            guard isSent else { break }
            precondition(bytes.count <= ICELimits.transmitBytes && (try? STUNMessage(bytes.rawSpan)) != nil)
            requests.append(bytes)
            if requests.count > 64 { requests.removeFirst() }
        }
        while client.pollEvent() != nil {}
        switch client.state {
        case .failed, .closed: precondition(client.nextDeadline == nil, "who has ended waits for nothing")
        case .allocating, .allocated: precondition(client.nextDeadline != nil, "an allocation would lapse")
        }
    }
}
