import Bytes
import LiveKitProtocol
import PSRPC

/// What anybody with access to Redis can publish.
package let psrpcTargets: [FuzzTarget] = [
    FuzzTarget("psrpc-envelope") { bytes in
        guard let envelope = Envelope(parsing: bytes) else { return }
        let written = envelope.wireBytes()
        precondition(Envelope(parsing: written)?.wireBytes() == written, "an envelope changed when written")
    },
    FuzzTarget("psrpc-server") { bytes in
        var input = FuzzInput(bytes)
        var limits = PSRPCLimits()
        limits.requests = 8
        driveServer(RPCServerTable(serverID: "SRV_1", limits: limits), limits, &input)
    },
    FuzzTarget("psrpc-client") { bytes in
        var input = FuzzInput(bytes)
        driveClient(RPCClientTable(clientID: "CLI_1"), &input)
    },
    FuzzTarget("psrpc-channel") { bytes in
        let part = String(decoding: bytes, as: UTF8.self)
        let name = ChannelName.sanitised(part)
        let isClean = name.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x5F, 0x2B: true
            default: false
            }
        }
        precondition(isClean && name.isEmpty == part.isEmpty, "a channel's name that Redis peers do not use")
    },
]

private func moment(_ milliseconds: Int64) -> RPCTime {
    RPCTime(
        monotonic: Monotonic(nanoseconds: milliseconds * 1_000_000),
        unixNanoseconds: 1_760_000_000_000_000_000 + milliseconds * 1_000_000)
}

/// Half of the messages are the fuzzer's bytes, the others well-formed with identifiers that it chose.
private func message(_ input: inout FuzzInput, at now: RPCTime) -> [UInt8] {
    let id = "REQ_\(input.byte() & 3)"
    let server = "SRV_\(input.byte() & 3)"
    switch input.byte() & 7 {
    case 0:
        var request = Internal_Request()
        request.requestID = id
        request.clientID = "CLI_1"
        request.expiry = now.unixNanoseconds &+ Int64(input.int(in: 0...5_000)) * 1_000_000
        return Envelope.request(request).wireBytes()
    case 1:
        var grant = Internal_ClaimResponse()
        grant.requestID = id
        grant.serverID = server
        return Envelope.claimResponse(grant).wireBytes()
    case 2:
        var claim = Internal_ClaimRequest()
        claim.requestID = id
        claim.serverID = server
        claim.affinity = Float(bitPattern: UInt32(input.int(in: 0...Int(UInt32.max))))
        return Envelope.claimRequest(claim).wireBytes()
    case 3:
        var response = Internal_Response()
        response.requestID = id
        response.serverID = server
        response.error = input.byte() & 1 == 0 ? "" : "x"
        return Envelope.response(response).wireBytes()
    default: return input.slice(upTo: 256)
    }
}

private func driveServer(_ initial: RPCServerTable, _ limits: PSRPCLimits, _ input: inout FuzzInput) {
    var table = initial
    let methods = [
        IngressInternal.startIngress.traits, IngressHandler.deleteIngress.traits,
        IngressInternal.listActiveIngress.traits, IngressHandler.whipRTCConnectionNotify.traits,
    ]
    var registrations = methods.compactMap { try? table.register($0, topic: []) }
    var milliseconds: Int64 = 0
    var running: [RPCServerTable.Token] = []
    var drained = 0
    while !input.isEmpty {
        milliseconds += Int64(input.byte())
        let now = moment(milliseconds)
        let method = methods[input.int(in: 0...3)]
        switch input.byte() & 7 {
        case 0: table.advance(to: now.monotonic)
        case 1: if let token = running.popLast() { table.finished(token, .success([]), at: now) }
        case 2: if let id = registrations.popLast() { table.unregister(id) }
        case 3: table.receive(message(&input, at: now), on: method.grantChannel([]), at: now)
        default: table.receive(message(&input, at: now), on: method.requestChannel([]), at: now)
        }
        while let event = table.pollEvent() {
            switch event {
            case .lock(let token, let key):
                precondition(key.utf8.count == 44, "the name of a lock is a hash")
                table.lockDecided(token, isOurs: input.byte() & 3 != 0)
            case .assess(let token, _, _):
                let choice = input.byte() & 3
                table.assessed(token, choice == 0 ? .malformed("") : .affinity(Float(choice) - 1.5), at: now)
            case .run(let token, let deadline):
                precondition(deadline.unixNanoseconds > now.unixNanoseconds - 5_000_000_000, "an old request runs")
                running.append(token)
            case .dropped: break
            case .drained: drained += 1
            }
        }
        while let transmit = table.pollTransmit() {
            precondition(Envelope(parsing: transmit.payload, limits: limits) != nil, "sent what nobody reads")
        }
        precondition(table.requestCount <= limits.requests, "more requests than the limit")
    }
    for token in running { table.finished(token, .failure(PSRPCError(.internal, "")), at: moment(milliseconds)) }
    table.advance(to: moment(milliseconds + 1_000_000).monotonic)
    precondition(table.requestCount == 0 && table.nextDeadline == nil, "a request that never ends")
}

private func driveClient(_ initial: RPCClientTable, _ input: inout FuzzInput) {
    var table = initial
    let methods = [
        IngressInternal.startIngress.traits, IOInfo.getIngressInfo.traits, IngressInternal.listActiveIngress.traits,
        IngressHandler.whipRTCConnectionNotify.traits,
    ]
    var milliseconds: Int64 = 0
    var begun = 0
    for (index, method) in methods.enumerated() {
        let body = input.slice(upTo: 16)
        if (try? table.begin(
            method, topic: [], requestID: "REQ_\(index)", body: body, timeout: .seconds(3), at: moment(0))) != nil
        {
            begun += 1
        }
    }
    var ended = 0
    func drain(_ table: inout RPCClientTable) {
        while table.pollTransmit() != nil {}
        while table.pollEvent() != nil { ended += 1 }
    }
    while !input.isEmpty {
        milliseconds += Int64(input.byte())
        let now = moment(milliseconds)
        switch input.byte() & 15 {
        case 0: table.advance(to: now.monotonic)
        case 1: table.cancel("REQ_\(input.byte() & 7)")
        default: table.receive(message(&input, at: now), at: now.monotonic)
        }
        drain(&table)
    }
    table.advance(to: moment(milliseconds + 2_000).monotonic)
    table.advance(to: moment(milliseconds + 10_000).monotonic)
    drain(&table)
    precondition(table.count == 0 && ended == begun, "every call ends once")
}
