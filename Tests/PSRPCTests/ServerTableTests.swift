import Bytes
import FoundationEssentials
import LiveKitProtocol
import PSRPC
import TestSupport
import Testing

@Suite struct ServerTableTests {
    private static let server = "SRV_gggggggggggg"
    private static let queued = IngressHandler.deleteIngress.traits
    private static let affine = IngressInternal.startIngress.traits
    private static let multi = IngressInternal.listActiveIngress.traits
    private static let direct = IngressHandler.whipRTCConnectionNotify.traits

    private static func request(
        id: String = "REQ_1", client: String = "CLI_1", expiry: Int64 = 3_000, body: [UInt8] = []
    ) -> [UInt8] {
        var message = Internal_Request()
        message.requestID = id
        message.clientID = client
        message.sentAt = at(0).unixNanoseconds
        message.expiry = at(expiry).unixNanoseconds
        message.rawRequest = Data(body)
        return Envelope.request(message).wireBytes()
    }

    private static func grant(_ server: String = server, id: String = "REQ_1") -> [UInt8] {
        var message = Internal_ClaimResponse()
        message.requestID = id
        message.serverID = server
        return Envelope.claimResponse(message).wireBytes()
    }

    private static func events(_ table: inout RPCServerTable) -> [RPCServerTable.Event] {
        var events: [RPCServerTable.Event] = []
        while let event = table.pollEvent() { events.append(event) }
        return events
    }

    private static func deadline(_ milliseconds: Int64) throws -> RPCDeadline {
        try #require(RPCDeadline(expiry: at(milliseconds).unixNanoseconds, at: at(0), longest: .seconds(300)))
    }

    /// A table with one method, and the token that its next request will have.
    private static func table(
        _ traits: RPCMethodTraits, limits: PSRPCLimits = PSRPCLimits()
    ) throws -> (RPCServerTable, id: UInt64, token: UInt64) {
        var table = RPCServerTable(serverID: server, limits: limits)
        let id = try table.register(traits, topic: [])
        return (table, id, id + 1)
    }

    // MARK: Exchanges

    @Test("the exchange of StartIngress goes in and out to the byte")
    func exchange() throws {
        var (table, id, token) = try Self.table(Self.affine)
        table.receive(WireExample.startRequest, on: "IngressInternal|StartIngress|REQ", at: at(1))
        #expect(Self.events(&table) == [.assess(token, id, [0x0A, 0x29] + WireExample.startInfo)])
        table.assessed(token, .affinity(1), at: at(1))
        #expect(
            table.pollTransmit()
                == .init(channel: "IngressInternal|CLI_ffffffffffff|CLAIM", payload: WireExample.startClaim))
        table.receive(WireExample.startGrant, on: "IngressInternal|StartIngress|RCLAIM", at: at(250))
        #expect(Self.events(&table) == [.run(token, try Self.deadline(3_000))])
        guard case .response(let expected)? = Envelope(parsing: WireExample.startResponse) else {
            Issue.record("not a response")
            return
        }
        let sent = RPCTime(monotonic: at(260).monotonic, unixNanoseconds: expected.sentAt)
        table.finished(token, .success(WireExample.startAnswer), at: sent)
        #expect(
            table.pollTransmit()
                == .init(channel: "IngressInternal|CLI_ffffffffffff|RES", payload: WireExample.startResponse))
        #expect(table.requestCount == 0 && table.nextDeadline == nil)
    }

    @Test("a queued request is locked over its bytes before anything else")
    func lock() throws {
        var (table, id, token) = try Self.table(IOInfo.getIngressInfo.traits)
        table.receive(WireExample.getRequest, on: "IOInfo|GetIngressInfo|REQ", at: at(1))
        #expect(Self.events(&table) == [.lock(token, key: "1NHJanOeaWRd8A54WbBQJLOsNE++GL148oDwNF10nXI=")])
        table.lockDecided(token, isOurs: true)
        #expect(
            Self.events(&table)
                == [.assess(token, id, Rpc_GetIngressInfoRequest(key: "8kJ2mNpQrStU").wireBytes())])
    }

    @Test("without the lock the request is another's")
    func noLock() throws {
        var (table, _, token) = try Self.table(Self.queued)
        table.receive(Self.request(), on: Self.queued.requestChannel([]), at: at(1))
        _ = table.pollEvent()
        table.lockDecided(token, isOurs: false)
        #expect(Self.events(&table) == [] && table.pollTransmit() == nil && table.requestCount == 0)
    }

    @Test("a method without claims runs at once, whatever its affinity", arguments: [1, -1] as [Float])
    func noClaim(affinity: Float) throws {
        var (table, id, token) = try Self.table(Self.multi)
        table.receive(Self.request(), on: Self.multi.requestChannel([]), at: at(1))
        #expect(Self.events(&table) == [.assess(token, id, [])])
        table.assessed(token, .affinity(affinity), at: at(1))
        #expect(Self.events(&table) == [.run(token, try Self.deadline(3_000))])
        #expect(table.pollTransmit() == nil)
    }

    @Test("a queued method without claims is locked and then runs")
    func direct() throws {
        var (table, id, token) = try Self.table(Self.direct)
        table.receive(Self.request(), on: Self.direct.requestChannel([]), at: at(1))
        table.lockDecided(token, isOurs: true)
        table.assessed(token, .affinity(1), at: at(1))
        let events = Self.events(&table)
        #expect(
            events.count == 3 && events[1] == .assess(token, id, [])
                && events[2] == .run(token, try Self.deadline(3_000)))
        #expect(table.pollTransmit() == nil)
    }

    @Test("a negative affinity, or none at all, says nothing", arguments: [-0.1, -.infinity, .nan] as [Float])
    func abstains(affinity: Float) throws {
        var (table, _, token) = try Self.table(Self.affine)
        table.receive(Self.request(), on: Self.affine.requestChannel([]), at: at(1))
        _ = table.pollEvent()
        table.assessed(token, .affinity(affinity), at: at(1))
        #expect(Self.events(&table) == [.dropped(token)])
        #expect(table.pollTransmit() == nil && table.requestCount == 0)
    }

    @Test("a request that cannot be decoded is answered at once, without a claim")
    func malformed() throws {
        var (table, _, token) = try Self.table(Self.affine)
        table.receive(Self.request(), on: Self.affine.requestChannel([]), at: at(1))
        table.assessed(token, .malformed("bad"), at: at(1))
        let answer = table.pollTransmit()
        let transmit = try #require(answer)
        #expect(transmit.channel == "IngressInternal|CLI_1|RES")
        guard case .response(let response)? = Envelope(parsing: transmit.payload) else {
            Issue.record("not a response")
            return
        }
        #expect(response.code == "malformed_request" && response.error == "bad" && response.requestID == "REQ_1")
        #expect(table.requestCount == 0)
    }

    @Test("a failure without a text gets one, because without it is a success; an empty answer has no body")
    func emptyTexts() throws {
        for (result, error, code) in [
            (.failure(PSRPCError(.internal, "")), "internal", "internal"), (.success([]), "", ""),
        ] as [(Result<[UInt8], PSRPCError>, String, String)] {
            var (table, _, token) = try Self.table(Self.multi)
            table.receive(Self.request(), on: Self.multi.requestChannel([]), at: at(1))
            table.assessed(token, .affinity(1), at: at(1))
            table.finished(token, result, at: at(2))
            guard let payload = table.pollTransmit()?.payload,
                case .response(let response)? = Envelope(parsing: payload)
            else { Issue.record("not a response"); return }
            #expect(response.error == error && response.code == code && response.rawResponse.isEmpty)
        }
    }

    @Test("an answer that is too large becomes a failure that says so")
    func largeAnswer() throws {
        var limits = PSRPCLimits()
        limits.messageBytes = 200
        var (table, _, token) = try Self.table(Self.multi, limits: limits)
        table.receive(Self.request(), on: Self.multi.requestChannel([]), at: at(1))
        table.assessed(token, .affinity(1), at: at(1))
        table.finished(token, .success([UInt8](repeating: 1, count: 200)), at: at(2))
        guard let payload = table.pollTransmit()?.payload, case .response(let response)? = Envelope(parsing: payload)
        else { Issue.record("not a response"); return }
        #expect(response.code == "invalid_argument" && payload.count <= 200)
    }

    // MARK: Grants

    @Test("a grant for another server, another request or another method runs nothing")
    func otherGrants() throws {
        var (table, _, token) = try Self.table(Self.affine)
        table.receive(Self.request(), on: Self.affine.requestChannel([]), at: at(1))
        _ = table.pollEvent()
        // Before the claim a grant means nothing.
        table.receive(Self.grant(), on: Self.affine.grantChannel([]), at: at(1))
        table.assessed(token, .affinity(0), at: at(1))
        table.receive(Self.grant(id: "REQ_2"), on: Self.affine.grantChannel([]), at: at(2))
        table.receive(Self.grant(), on: Self.queued.grantChannel([]), at: at(2))
        #expect(Self.events(&table) == [] && table.requestCount == 1)
        table.receive(Self.grant("SRV_other"), on: Self.affine.grantChannel([]), at: at(3))
        #expect(Self.events(&table) == [.dropped(token)] && table.requestCount == 0)
        table.receive(Self.grant(), on: Self.affine.grantChannel([]), at: at(4))
        #expect(Self.events(&table) == [])
    }

    @Test("a doubled grant runs the handler once")
    func doubledGrant() throws {
        var (table, _, token) = try Self.table(Self.affine)
        table.receive(Self.request(), on: Self.affine.requestChannel([]), at: at(1))
        table.assessed(token, .affinity(1), at: at(1))
        _ = Self.events(&table)
        for _ in 0..<2 { table.receive(Self.grant(), on: Self.affine.grantChannel([]), at: at(2)) }
        #expect(Self.events(&table) == [.run(token, try Self.deadline(3_000))])
    }

    @Test("of two registrations that claimed one request only one runs it")
    func doubledClaim() throws {
        var table = RPCServerTable(serverID: Self.server)
        _ = try table.register(Self.affine, topic: [])
        _ = try table.register(Self.affine, topic: [])
        table.receive(Self.request(), on: Self.affine.requestChannel([]), at: at(1))
        for token: UInt64 in [3, 4] { table.assessed(token, .affinity(1), at: at(1)) }
        _ = Self.events(&table)
        table.receive(Self.grant(), on: Self.affine.grantChannel([]), at: at(2))
        #expect(Self.events(&table) == [.run(3, try Self.deadline(3_000)), .dropped(4)])
    }

    // MARK: Time

    @Test("a request at or after its expiry is dropped without a word, by the wall clock")
    func expired() throws {
        for (expiry, isTaken) in [(1_000, false), (1_001, true), (-5, false)] as [(Int64, Bool)] {
            var (table, _, _) = try Self.table(Self.multi)
            table.receive(Self.request(expiry: expiry), on: Self.multi.requestChannel([]), at: at(1_000))
            #expect(table.requestCount == (isTaken ? 1 : 0))
        }
    }

    @Test("an expiry in the far future is cut, and one in the far past is past")
    func farExpiry() {
        let longest = Interval.seconds(300)
        #expect(RPCDeadline(expiry: .max, at: at(0), longest: longest)?.monotonic == at(300_000).monotonic)
        let early = RPCTime(monotonic: .zero, unixNanoseconds: .min)
        #expect(RPCDeadline(expiry: .max, at: early, longest: longest)?.monotonic == at(300_000).monotonic)
        #expect(RPCDeadline(expiry: .min, at: at(0), longest: longest) == nil)
        #expect(RPCDeadline(expiry: 0, at: at(0), longest: longest) == nil)
    }

    @Test("what waits at its expiry is forgotten, and a handler that runs is not")
    func expiry() throws {
        for step in 0..<3 {
            var (table, _, token) = try Self.table(IOInfo.getIngressInfo.traits)
            table.receive(Self.request(), on: "IOInfo|GetIngressInfo|REQ", at: at(1))
            if step > 0 { table.lockDecided(token, isOurs: true) }
            if step > 1 { table.assessed(token, .affinity(1), at: at(1)) }
            _ = Self.events(&table)
            #expect(table.nextDeadline == at(3_000).monotonic)
            table.advance(to: at(2_999).monotonic)
            #expect(table.requestCount == 1)
            table.advance(to: at(3_000).monotonic)
            #expect(table.requestCount == 0)
            #expect(Self.events(&table) == (step == 0 ? [] : [.dropped(token)]))
            // What comes late finds nothing.
            table.lockDecided(token, isOurs: true)
            table.assessed(token, .affinity(1), at: at(3_001))
            table.finished(token, .success([]), at: at(3_001))
            table.receive(Self.grant(), on: "IOInfo|GetIngressInfo|RCLAIM", at: at(3_001))
            #expect(Self.events(&table) == [])
        }
        var (table, _, token) = try Self.table(Self.multi)
        table.receive(Self.request(), on: Self.multi.requestChannel([]), at: at(1))
        table.assessed(token, .affinity(1), at: at(1))
        table.advance(to: at(10_000).monotonic)
        #expect(table.nextDeadline == nil)
        table.finished(token, .success([]), at: at(10_000))
        #expect(table.pollTransmit() != nil)
    }

    // MARK: Registrations

    @Test("queued registrations of one process take turns, plain ones all hear")
    func turns() throws {
        for (traits, expected) in [
            (Self.direct, [[1], [2], [3], [1]]), (Self.multi, [[1, 2, 3], [1, 2, 3]]),
        ] as [(RPCMethodTraits, [[UInt64]])] {
            var table = RPCServerTable(serverID: Self.server)
            for _ in 0..<3 { _ = try table.register(traits, topic: []) }
            for (index, members) in expected.enumerated() {
                table.receive(Self.request(id: "REQ_\(index)"), on: traits.requestChannel([]), at: at(1))
                var assessed: [UInt64] = []
                while let event = table.pollEvent() {
                    if case .lock(let token, _) = event { table.lockDecided(token, isOurs: true) }
                    if case .assess(_, let id, _) = event { assessed.append(id) }
                }
                #expect(assessed == members)
            }
        }
    }

    @Test("an unregistered method takes nothing more and is drained when its requests are over")
    func draining() throws {
        var (table, id, token) = try Self.table(Self.affine)
        table.receive(Self.request(), on: Self.affine.requestChannel([]), at: at(1))
        table.assessed(token, .affinity(1), at: at(1))
        table.unregister(id)
        table.unregister(id)
        _ = Self.events(&table)
        table.receive(Self.request(id: "REQ_2"), on: Self.affine.requestChannel([]), at: at(2))
        #expect(Self.events(&table) == [] && table.requestCount == 1)
        table.receive(Self.grant(), on: Self.affine.grantChannel([]), at: at(2))
        #expect(Self.events(&table) == [.run(token, try Self.deadline(3_000))])
        table.finished(token, .success([]), at: at(3))
        #expect(Self.events(&table) == [.drained(id)] && table.registrationCount == 0)
        var (idle, other, _) = try Self.table(Self.multi)
        idle.unregister(other)
        #expect(Self.events(&idle) == [.drained(other)])
    }

    @Test("a topic hears its own requests alone")
    func topics() throws {
        var table = RPCServerTable(serverID: Self.server)
        _ = try table.register(Self.queued, topic: ["IN_1"])
        let other = try table.register(Self.queued, topic: ["IN_2"])
        table.receive(Self.request(), on: "IngressHandler|DeleteIngress|IN_2|REQ", at: at(1))
        table.receive(Self.request(), on: "IngressHandler|DeleteIngress|REQ", at: at(1))
        #expect(table.requestCount == 1)
        table.lockDecided(3, isOurs: true)
        #expect(Self.events(&table).last == .assess(3, other, []))
    }

    @Test("requests under way and registrations are bounded; what is too much is left to others")
    func limits() throws {
        var limits = PSRPCLimits()
        limits.requests = 2
        limits.registrations = 1
        var (table, _, token) = try Self.table(Self.multi, limits: limits)
        #expect(throws: PSRPCError.self) { try table.register(Self.queued, topic: []) }
        for index in 0..<3 {
            table.receive(Self.request(id: "REQ_\(index)"), on: Self.multi.requestChannel([]), at: at(1))
        }
        #expect(table.requestCount == 2 && Self.events(&table).count == 2)
        table.assessed(token, .malformed("x"), at: at(1))
        table.receive(Self.request(), on: Self.multi.requestChannel([]), at: at(1))
        #expect(table.requestCount == 2)
    }

    @Test("other types on the channels of requests and grants are dropped")
    func otherTypes() throws {
        var (table, _, _) = try Self.table(Self.affine)
        for payload in [WireExample.startResponse, WireExample.startClaim, WireExample.startGrant, [], [0xFF]] {
            table.receive(payload, on: Self.affine.requestChannel([]), at: at(1))
        }
        table.receive(WireExample.startRequest, on: Self.affine.grantChannel([]), at: at(1))
        table.receive(WireExample.startRequest, on: "IngressInternal|Other|REQ", at: at(1))
        #expect(table.requestCount == 0 && Self.events(&table) == [] && table.pollTransmit() == nil)
    }
}
