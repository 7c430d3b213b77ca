import Bytes
import LiveKitProtocol
import PSRPC
import TestSupport
import Testing

@Suite struct ClientCallTests {
    private typealias Call = RPCClientCall

    private static let queued = RPCMethodTraits("S", "Queued")
    private static let affine = RPCMethodTraits("S", "Affine", hasAffinity: true)
    private static let multi = RPCMethodTraits("S", "Multi", isMulti: true)
    private static let direct = RPCMethodTraits("S", "Direct", isSingleServer: true)
    private static let failure = PSRPCError(.notFound, "no")

    private static func call(_ traits: RPCMethodTraits, timeout: Interval = .seconds(3)) -> RPCClientCall {
        RPCClientCall(traits, timeout: timeout, at: at(0).monotonic)
    }

    private static func time(_ milliseconds: Int64) -> Monotonic { at(milliseconds).monotonic }

    @Test("the first claim is granted, others are not")
    func firstClaim() {
        var call = Self.call(Self.queued)
        #expect(call.receiveClaim(server: "a", affinity: 0, at: Self.time(1)) == .grant(server: "a"))
        #expect(call.receiveClaim(server: "b", affinity: 1, at: Self.time(2)) == .nothing)
        #expect(call.receiveResponse(server: "a", .success([1])) == .finish(.answered([1])))
    }

    @Test("with affinity the best claim within 200 ms of the first is granted")
    func affinity() {
        var call = Self.call(Self.affine)
        #expect(call.receiveClaim(server: "a", affinity: 0.5, at: Self.time(100)) == .nothing)
        #expect(call.nextDeadline == Self.time(300))
        #expect(call.receiveClaim(server: "b", affinity: 0.9, at: Self.time(250)) == .nothing)
        #expect(call.receiveClaim(server: "c", affinity: 0.9, at: Self.time(260)) == .nothing)
        #expect(call.advance(to: Self.time(299)) == .nothing)
        #expect(call.advance(to: Self.time(300)) == .grant(server: "b"))
        #expect(call.nextDeadline == Self.time(3_000))
    }

    @Test("a late first claim has no 200 ms more than the selection's second")
    func lateFirstClaim() {
        var call = Self.call(Self.affine)
        _ = call.receiveClaim(server: "a", affinity: 1, at: Self.time(950))
        #expect(call.advance(to: Self.time(1_000)) == .grant(server: "a"))
    }

    @Test(
        "an affinity of 0, below it, or not a number is never chosen", arguments: [0, -1, .nan, -.infinity] as [Float])
    func uselessAffinity(affinity: Float) {
        var call = Self.call(Self.affine)
        #expect(call.receiveClaim(server: "a", affinity: affinity, at: Self.time(10)) == .nothing)
        #expect(call.receiveClaim(server: "b", affinity: affinity, at: Self.time(10)) == .nothing)
        #expect(call.nextDeadline == Self.time(1_000))
        #expect(
            call.advance(to: Self.time(1_000))
                == .finish(.failed(PSRPCError(.unavailable, "no servers available (received 2 responses)"))))
    }

    @Test("when nobody claims within a second the call fails", arguments: [queued, affine])
    func nobody(traits: RPCMethodTraits) {
        var call = Self.call(traits)
        #expect(call.advance(to: Self.time(999)) == .nothing)
        #expect(
            call.advance(to: Self.time(1_000))
                == .finish(.failed(PSRPCError(.unavailable, "no response from servers"))))
    }

    @Test("an error before any claim is the answer if nobody claims, and is forgotten if somebody does")
    func earlyError() {
        var call = Self.call(Self.queued)
        #expect(call.receiveResponse(server: "a", .failure(Self.failure)) == .nothing)
        #expect(call.receiveResponse(server: "b", .failure(PSRPCError(.internal, "x"))) == .nothing)
        #expect(call.advance(to: Self.time(1_000)) == .finish(.failed(Self.failure)))
        call = Self.call(Self.queued)
        _ = call.receiveResponse(server: "a", .failure(Self.failure))
        #expect(call.receiveClaim(server: "b", affinity: 1, at: Self.time(10)) == .grant(server: "b"))
        #expect(
            call.advance(to: Self.time(3_000)) == .finish(.failed(PSRPCError(.deadlineExceeded, "request timed out"))))
    }

    @Test("a success without a claim is a success", arguments: [queued, affine, direct])
    func unclaimedSuccess(traits: RPCMethodTraits) {
        var call = Self.call(traits)
        #expect(call.receiveResponse(server: "a", .success([])) == .finish(.answered([])))
    }

    @Test("after the choice only the chosen server's failure counts, and anybody's success")
    func strangers() {
        var call = Self.call(Self.queued)
        _ = call.receiveClaim(server: "a", affinity: 1, at: Self.time(1))
        #expect(call.receiveResponse(server: "b", .failure(Self.failure)) == .nothing)
        #expect(call.receiveResponse(server: "a", .failure(Self.failure)) == .finish(.failed(Self.failure)))
        call = Self.call(Self.queued)
        _ = call.receiveClaim(server: "a", affinity: 1, at: Self.time(1))
        #expect(call.receiveResponse(server: "b", .success([2])) == .finish(.answered([2])))
    }

    @Test("a method without claims takes the first answer and grants nothing")
    func noClaims() {
        var call = Self.call(Self.direct)
        #expect(call.receiveClaim(server: "a", affinity: 1, at: Self.time(1)) == .nothing)
        #expect(call.nextDeadline == Self.time(3_000))
        #expect(call.receiveResponse(server: "a", .failure(Self.failure)) == .finish(.failed(Self.failure)))
    }

    @Test("a time-out shorter than the selection ends it", arguments: [queued, affine, direct])
    func shortTimeout(traits: RPCMethodTraits) {
        var call = Self.call(traits, timeout: .milliseconds(500))
        #expect(call.nextDeadline == Self.time(500))
        #expect(
            call.advance(to: Self.time(500)) == .finish(.failed(PSRPCError(.deadlineExceeded, "request timed out"))))
    }

    @Test("a multi call gathers one answer of each server, for its whole time")
    func gathering() {
        var call = Self.call(Self.multi)
        for (server, result) in [
            ("a", .success([1])), ("b", .failure(Self.failure)), ("a", .success([2])), ("c", .success([])),
        ] as [(String, Result<[UInt8], PSRPCError>)] {
            #expect(call.receiveResponse(server: server, result) == .nothing)
        }
        #expect(call.receiveClaim(server: "d", affinity: 1, at: Self.time(1)) == .nothing)
        #expect(call.advance(to: Self.time(2_999)) == .nothing)
        #expect(
            call.advance(to: Self.time(3_000))
                == .finish(.gathered([.success([1]), .failure(Self.failure), .success([])])))
    }

    @Test("what a multi call gathers is bounded, in answers and in bytes")
    func gatheringLimits() {
        var limits = PSRPCLimits()
        limits.gatheredAnswers = 3
        limits.messageBytes = 10
        var call = RPCClientCall(Self.multi, timeout: .seconds(1), limits: limits, at: Self.time(0))
        for (index, count) in [8, 3, 2, 0, 0].enumerated() {
            _ = call.receiveResponse(server: "\(index)", .success([UInt8](repeating: 7, count: count)))
        }
        guard case .finish(.gathered(let answers)) = call.advance(to: Self.time(1_000)) else {
            Issue.record("not gathered")
            return
        }
        #expect(answers.compactMap { try? $0.get().count } == [8, 2, 0])
    }
}

@Suite struct ClientTableTests {
    private static let method = IOInfo.getIngressInfo.traits
    private static let requestID = "REQ_aaaaaaaaaaaa"

    private static func began(limits: PSRPCLimits = PSRPCLimits()) throws -> RPCClientTable {
        var table = RPCClientTable(clientID: "CLI_bbbbbbbbbbbb", limits: limits)
        try table.begin(
            method, topic: [], requestID: requestID, body: Rpc_GetIngressInfoRequest(key: "8kJ2mNpQrStU").wireBytes(),
            timeout: .seconds(3), at: at(0))
        return table
    }

    @Test("the exchange of GetIngressInfo goes out and in to the byte")
    func exchange() throws {
        var table = try Self.began()
        #expect(
            table.pollTransmit()
                == .init(
                    requestID: Self.requestID, channel: "IOInfo|GetIngressInfo|REQ", payload: WireExample.getRequest))
        table.receive(WireExample.getClaim, at: at(5).monotonic)
        #expect(
            table.pollTransmit()
                == .init(
                    requestID: Self.requestID, channel: "IOInfo|GetIngressInfo|RCLAIM", payload: WireExample.getGrant))
        table.receive(WireExample.getResponse, at: at(6).monotonic)
        #expect(table.pollEvent() == .init(requestID: Self.requestID, outcome: .answered(WireExample.getInfo)))
        #expect(table.pollTransmit() == nil && table.pollEvent() == nil && table.nextDeadline == nil)
    }

    @Test("the failure of GetIngressInfo is the caller's")
    func failure() throws {
        var table = try Self.began()
        table.receive(WireExample.getClaim, at: at(5).monotonic)
        table.receive(WireExample.getFailure, at: at(6).monotonic)
        #expect(
            table.pollEvent()
                == .init(requestID: Self.requestID, outcome: .failed(PSRPCError(.notFound, "ingress does not exist"))))
    }

    @Test("late and doubled messages, and those of others, do nothing")
    func strays() throws {
        var table = try Self.began()
        _ = table.pollTransmit()
        for stray in [
            WireExample.startClaim, WireExample.startResponse, WireExample.getRequest, WireExample.getGrant, [1],
        ] {
            table.receive(stray, at: at(1).monotonic)
        }
        #expect(table.pollTransmit() == nil && table.pollEvent() == nil && table.count == 1)
        table.receive(WireExample.getResponse, at: at(2).monotonic)
        table.receive(WireExample.getResponse, at: at(2).monotonic)
        table.receive(WireExample.getClaim, at: at(2).monotonic)
        #expect(table.pollEvent() != nil)
        #expect(table.pollEvent() == nil && table.pollTransmit() == nil && table.count == 0)
    }

    @Test("time, cancellation, a failed publication and a lost connection end a call once")
    func ends() throws {
        var table = try Self.began()
        #expect(table.nextDeadline == at(1_000).monotonic)
        table.advance(to: at(1_000).monotonic)
        #expect(table.pollEvent()?.outcome == .failed(PSRPCError(.unavailable, "no response from servers")))
        table = try Self.began()
        table.cancel(Self.requestID)
        table.cancel(Self.requestID)
        #expect(table.pollEvent()?.outcome == .failed(PSRPCError(.canceled, "request canceled")))
        #expect(table.pollEvent() == nil)
        table = try Self.began()
        let error = PSRPCError(.unavailable, "down")
        table.fail(Self.requestID, error)
        table.failAll(error)
        #expect(table.pollEvent()?.outcome == .failed(error))
        #expect(table.pollEvent() == nil)
    }

    @Test("calls and their sizes are bounded")
    func limits() throws {
        var limits = PSRPCLimits()
        limits.calls = 1
        limits.messageBytes = WireExample.getRequest.count
        var table = try Self.began(limits: limits)
        #expect(throws: PSRPCError.self) {
            try table.begin(Self.method, topic: [], requestID: "b", body: [], timeout: .seconds(1), at: at(0))
        }
        table.cancel(Self.requestID)
        #expect(throws: PSRPCError.self) {
            try table.begin(
                Self.method, topic: [], requestID: Self.requestID, body: [UInt8](repeating: 0, count: 15),
                timeout: .seconds(3), at: at(0))
        }
        #expect(table.count == 0)
    }

    @Test("a topic is part of both channels")
    func topic() throws {
        var table = RPCClientTable(clientID: "CLI_1")
        try table.begin(
            IngressHandler.deleteIngress.traits, topic: ["IN_a-b"], requestID: Self.requestID, body: [],
            timeout: .seconds(3), at: at(0))
        #expect(table.pollTransmit()?.channel == "IngressHandler|DeleteIngress|IN_au+002db|REQ")
        table.receive(WireExample.getClaim, at: at(1).monotonic)
        #expect(table.pollTransmit()?.channel == "IngressHandler|DeleteIngress|IN_au+002db|RCLAIM")
    }
}
