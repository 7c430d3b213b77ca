import Bytes
import ICE
import TestSupport
import Testing

/// A lite agent alone, with requests made by hand.
@Suite struct ICEAgentLiteTests {
    private let host: Host
    private let here = address("192.0.2.1", 5_000)
    private let home = ICEPath(socket: ICESocket(id: 1), remote: address("198.51.100.1", 40_000))
    private let away = ICEPath(socket: ICESocket(id: 1), remote: address("203.0.113.9", 50_000))

    init() {
        host = Host(Host.configuration(.lite, seed: 1))
        host.bindSilently(1, here)
    }

    private func request(_ id: UInt64 = 1, nominating: Bool = false) -> Request {
        Request(to: host.credentials, id: id, usesCandidate: nominating)
    }

    private func at(_ seconds: Int64) -> Monotonic { .zero + .seconds(seconds) }

    @Test("a request is answered with the address it came from, signed with our password")
    func answer() throws {
        #expect(host.inject(request(9).bytes, on: home, at: .zero) == .accepted)
        let sent = host.drain()
        #expect(sent.count == 1)
        let answer = try #require(sent.first)
        #expect(answer.source == here)
        #expect(answer.destination == home.remote)
        #expect(try read(answer.bytes) { $0.messageClass } == .success)
        #expect(try read(answer.bytes) { $0.transactionID.low } == 9)
        #expect(try read(answer.bytes) { m throws(ICEError) in try m.xorAddress(.xorMappedAddress) } == home.remote)
        #expect(verifyError(answer.bytes, key: Array(host.credentials.password.utf8)) == nil)
    }

    @Test("no answer is longer than its request")
    func noAmplification() {
        let request = request().bytes
        host.inject(request, on: home, at: .zero)
        let v6 = ICEPath(socket: ICESocket(id: 1), remote: address("2001:db8::1", 1))
        host.inject(request, on: v6, at: .zero)
        let sizes = host.drain().map(\.bytes.count)
        #expect(sizes.count == 2)
        #expect(sizes.allSatisfy { $0 <= request.count })
    }

    @Test("an IPv4 address in IPv6 clothes is told as IPv4")
    func mappedAddress() throws {
        let path = ICEPath(socket: ICESocket(id: 1), remote: address("::ffff:198.51.100.1", 7))
        host.inject(request().bytes, on: path, at: .zero)
        let answer = try #require(host.drain().first)
        #expect(answer.destination == path.remote)
        let told = try read(answer.bytes) { m throws(ICEError) in try m.xorAddress(.xorMappedAddress) }
        #expect(told == address("198.51.100.1", 7))
    }

    @Test("the first authenticated request makes a validated, selected path, without candidates of the peer")
    func firstPath() {
        #expect(!host.isValidated(home))
        host.inject(request().bytes, on: home, at: .zero)
        _ = host.drain()
        #expect(host.events == [.pathValidated(home), .selectedPathChanged(home), .stateChanged(.connected)])
        #expect(host.isValidated(home))
        #expect(!host.isValidated(away))
        #expect(!host.isNominated)
    }

    @Test("a lite agent sends nothing by itself")
    func silent() throws {
        try host.add("candidate:1 1 udp 1 198.51.100.1 40000 typ host")
        host.agent.setRemoteCredentials(ICECredentials(random: [UInt8](0..<24)), at: .zero)
        host.inject(request(nominating: true).bytes, on: home, at: .zero)
        #expect(host.drain().count == 1)
        for second in Int64(1)...29 { host.agent.advance(to: at(second)) }
        #expect(host.drain().isEmpty)
    }

    @Test("nomination moves the selection, a plain request from elsewhere does not")
    func nomination() {
        host.inject(request(1).bytes, on: home, at: .zero)
        host.inject(request(2).bytes, on: away, at: .zero)
        #expect(host.selectedPath == home)
        #expect(host.isValidated(away))
        host.inject(request(3, nominating: true).bytes, on: away, at: .zero)
        _ = host.drain()
        #expect(host.selectedPath == away)
        #expect(host.isNominated)
        #expect(host.selections == [home, away])
    }

    @Test("after NAT rebinding a nomination from the new address moves the selection at once")
    func rebinding() {
        host.inject(request(1, nominating: true).bytes, on: home, at: .zero)
        host.inject(request(2, nominating: true).bytes, on: away, at: at(5))
        #expect(host.selectedPath == away)
        #expect(host.isValidated(home))
    }

    @Test("a path of lower rank is taken over when the peer names it twice and the present one no more")
    func insistence() {
        host.inject(request(1, nominating: true).bytes, on: home, at: .zero)
        var lower = request(2, nominating: true)
        lower.priority = 1
        host.inject(lower.bytes, on: away, at: at(1))
        #expect(host.selectedPath == home)
        lower.id.low = 3
        host.inject(lower.bytes, on: away, at: at(2))
        #expect(host.selectedPath == away)
    }

    @Test("under aggressive nomination the path of highest rank stays selected")
    func aggressive() {
        var low = request(1, nominating: true)
        low.priority = 1
        let high = request(2, nominating: true)
        for second in Int64(0)..<10 {
            host.inject(low.bytes, on: away, at: at(second))
            host.inject(high.bytes, on: home, at: at(second))
        }
        _ = host.drain()
        #expect(host.selections == [away, home])
    }

    @Test("without requests and media the path is reported lost, then consent runs out")
    func silence() {
        host.inject(request().bytes, on: home, at: .zero)
        var times: [Monotonic] = []
        while let deadline = host.nextDeadline {
            times.append(deadline)
            host.agent.advance(to: deadline)
        }
        _ = host.drain()
        #expect(times == [at(10), at(30)])
        #expect(host.states == [.connected, .disconnected, .failed])
        #expect(!host.isValidated(home))
        #expect(host.selectedPath == nil)
        #expect(host.inject(request(2).bytes, on: home, at: at(31)) == .ignored(.closed))
    }

    @Test("media keeps a lite agent's path alive")
    func media() {
        host.inject(request().bytes, on: home, at: .zero)
        for second in Int64(1)...120 {
            host.agent.recordMedia(on: home, at: at(second))
            host.agent.advance(to: at(second))
        }
        _ = host.drain()
        #expect(host.states == [.connected])
    }

    @Test("media from another path than the selected one keeps nothing alive")
    func foreignMedia() {
        host.inject(request().bytes, on: home, at: .zero)
        for second in Int64(1)...30 {
            host.agent.recordMedia(on: away, at: at(second))
            host.agent.advance(to: at(second))
        }
        #expect(host.state == .failed)
    }

    @Test("a request brings a disconnected agent back")
    func recovery() {
        host.inject(request(1).bytes, on: home, at: .zero)
        host.agent.advance(to: at(12))
        host.inject(request(2).bytes, on: home, at: at(13))
        _ = host.drain()
        #expect(host.states == [.connected, .disconnected, .connected])
    }

    @Test("without any request the agent fails when its patience ends")
    func noPeer() {
        let patience = Monotonic.zero + ICETiming().patience
        #expect(host.nextDeadline == patience)
        host.agent.advance(to: patience - .milliseconds(1))
        #expect(host.state == .checking)
        host.agent.advance(to: patience)
        #expect(host.state == .failed)
        #expect(host.nextDeadline == nil)
    }

    @Test("a peer that claims to be controlled is told of the conflict, and gets no path")
    func roleConflict() throws {
        var conflicting = request()
        conflicting.controlling = nil
        for claim in [UInt64.min, .max] {
            conflicting.controlled = claim
            #expect(host.inject(conflicting.bytes, on: home, at: .zero) == .ignored(.roleConflict))
            let answer = try #require(host.drain().first)
            #expect(try read(answer.bytes) { m throws(ICEError) in try m.errorCode() } == 487)
            #expect(verifyError(answer.bytes, key: conflicting.password) == nil)
        }
        #expect(!host.isValidated(home))
    }

    @Test("the number of paths stays bounded, and the selected one is never forgotten")
    func pathLimit() {
        host.inject(request(nominating: true).bytes, on: home, at: .zero)
        let paths = (1...100).map { ICEPath(socket: home.socket, remote: address("203.0.113.9", UInt16($0))) }
        for (index, path) in paths.enumerated() {
            host.inject(request(UInt64(index) + 10).bytes, on: path, at: at(1) + .milliseconds(Int64(index)))
            _ = host.drain()
        }
        #expect(host.isValidated(home))
        #expect(paths.count { host.isValidated($0) } == ICELimits.litePaths - 1)
        #expect(paths.suffix(ICELimits.litePaths - 1).allSatisfy { host.isValidated($0) })
    }

    @Test("answers beyond what may wait are dropped and counted, not kept")
    func backlog() {
        for id in 0..<UInt64(ICELimits.pendingTransmits + 5) { host.inject(request(id).bytes, on: home, at: .zero) }
        #expect(host.drain().count == ICELimits.pendingTransmits)
        #expect(host.ignoredCount == 5)
    }

    @Test("closing ends everything")
    func close() {
        host.inject(request().bytes, on: home, at: .zero)
        host.agent.close()
        host.agent.close()
        #expect(host.drain().isEmpty)
        #expect(host.states == [.connected, .closed])
        #expect(!host.isValidated(home))
        #expect(host.nextDeadline == nil)
        #expect(host.inject(request(2).bytes, on: home, at: .zero) == .ignored(.closed))
        #expect(throws: ICEError.closed) {
            try host.add("candidate:1 1 udp 1 192.0.2.9 1 typ host")
        }
    }
}
