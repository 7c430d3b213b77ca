import Bytes
import LiveKit
import LiveKitProtocol
import Testing

@Suite struct SignalRecoveryTests {
    @Test("a lost socket is resumed at once with the newest token, and ICE restarted")
    func resume() throws {
        var fixture = try SignalFixture.connected()
        fixture.receive(.refreshToken("second"))
        fixture.machine.socketClosed(.closedByPeer(code: nil), at: fixture.now)
        let events1 = fixture.events()
        #expect(events1 == [.reconnecting(cause: "the signalling connection was closed")])
        let url = try RoomAddress("ws://h:7880").resume(sid: "PA_1", reason: .rrSignalDisconnected)
        let commands2 = fixture.commands()
        #expect(commands2 == [.closeSocket, .openSocket(url: url, token: "second")])
        fixture.machine.socketOpened(at: fixture.now)
        fixture.receive(.reconnect(Livekit_ReconnectResponse()))
        let none = SignalMachine.MediaServers(iceServers: [], forcesRelay: false)
        let commands3 = fixture.commands()
        #expect(commands3 == [.restartICE(none)])
        fixture.machine.sendOffer(sdp: "restart", at: fixture.now)
        fixture.receive(.trickle(SignalFixture.trickle("new")))
        fixture.drain()
        fixture.receive(.answer(SignalFixture.answer(id: 2)))
        let commands25 = fixture.commands()
        #expect(
            commands25 == [.applyAnswer(sdp: "answer 2"), .addRemoteCandidate(CandidateInit(candidate: "new"))])
        let events4 = fixture.events()
        #expect(events4 == [.recovered(.resumed)])
        #expect(fixture.machine.nextDeadline == nil)
    }

    @Test("a resume that fails in any way is followed by a join with all tracks")
    func rejoin() throws {
        let failures: [(inout SignalFixture) -> Void] = [
            { $0.machine.socketClosed(.tls("x"), at: $0.now) },
            { $0.machine.socketClosed(.refused(status: 500, body: "broken"), at: $0.now) },
            { $0.machine.socketClosed(.refused(status: 404, body: "gone"), at: $0.now) },
            { $0.receive(.leave(SignalFixture.leave(.reconnect, .stateMismatch))) },
            { $0.receive(.leave(SignalFixture.leave(.resume))) },
            { $0.advance(.seconds(5)) },
        ]
        for fail in failures {
            var fixture = try SignalFixture.connected()
            fixture.machine.socketClosed(.closedByPeer(code: nil), at: fixture.now)
            fixture.machine.socketOpened(at: fixture.now)
            fixture.drain()
            fail(&fixture)
            // Who waited for nothing waits no longer.
            if fixture.machine.state == .pausing { fixture.advance(.milliseconds(300)) }
            let url5 = fixture.dialled()
            #expect(url5 == (try RoomAddress("ws://h:7880").join))
            fixture.machine.socketOpened(at: fixture.now)
            fixture.receive(.join(SignalFixture.joined(participant: "PA_2")))
            let requests6 = try fixture.sent()
            #expect(requests6 == [.addTrack(SignalFixture.audio)])
            let events7 = fixture.events()
            #expect(events7 == [.joined(roomSID: "RM_1", participantSID: "PA_2")])
            fixture.machine.sendOffer(sdp: "anew", at: fixture.now)
            fixture.receive(.answer(SignalFixture.answer(id: 2)))
            let events8 = fixture.events()
            #expect(events8 == [])
            fixture.machine.transportConnected(at: fixture.now)
            let events9 = fixture.events()
            #expect(events9 == [.recovered(.rejoined)])
        }
    }

    @Test("a server that cannot be reached for a while is resumed still, and joined at once when it has forgotten")
    func unreachable() throws {
        let failures: [SignalSocketClosed] = [
            .unreachable("refused"), .refused(status: 502, body: ""), .unreachable("refused"),
            .refused(status: 504, body: "gateway"),
        ]
        var fixture = try SignalFixture.connected()
        let resume = try RoomAddress("ws://h:7880").resume(sid: "PA_1", reason: .rrSignalDisconnected)
        fixture.machine.socketClosed(.closedByPeer(code: nil), at: fixture.now)
        let first = fixture.dialled()
        #expect(first == resume)
        for failure in failures {
            fixture.machine.socketClosed(failure, at: fixture.now)
            fixture.advance(.seconds(3))
            let next = fixture.dialled()
            #expect(next == resume)
        }
        fixture.machine.socketOpened(at: fixture.now)
        fixture.receive(.leave(SignalFixture.leave(.reconnect, .stateMismatch)))
        let last = fixture.dialled()
        #expect(last == (try RoomAddress("ws://h:7880").join))
    }

    @Test("a lost media connection is resumed; recovery waits until the peer is heard again")
    func transportLost() throws {
        var fixture = try SignalFixture.connected()
        fixture.machine.transportLost(at: fixture.now)
        let url = try RoomAddress("ws://h:7880").resume(sid: "PA_1", reason: .rrPublisherFailed)
        let url10 = fixture.dialled()
        #expect(url10 == url)
        fixture.machine.socketOpened(at: fixture.now)
        fixture.receive(.reconnect(Livekit_ReconnectResponse()))
        fixture.machine.sendOffer(sdp: "restart", at: fixture.now)
        fixture.drain()
        fixture.receive(.answer(SignalFixture.answer(id: 2)))
        let events11 = fixture.events()
        #expect(events11 == [])
        #expect(fixture.machine.nextDeadline == fixture.now + .seconds(5))
        fixture.machine.transportConnected(at: fixture.now)
        let events12 = fixture.events()
        #expect(events12 == [.recovered(.resumed)])
    }

    @Test("a fall-back of the media path restarts ICE over the same signalling, once")
    func transportMoved() throws {
        var fixture = try SignalFixture.connected()
        fixture.machine.transportMoved(at: fixture.now)
        fixture.machine.transportMoved(at: fixture.now)
        let servers = SignalMachine.MediaServers(iceServers: SignalFixture.joined().iceServers, forcesRelay: false)
        let commands13 = fixture.commands()
        #expect(commands13 == [.restartICE(servers)])
        fixture.receive(.trickle(SignalFixture.trickle("new")))
        fixture.machine.sendOffer(sdp: "restart", at: fixture.now)
        fixture.machine.transportMoved(at: fixture.now)
        fixture.drain()
        fixture.receive(.answer(SignalFixture.answer(id: 2)))
        let commands14 = fixture.commands()
        #expect(commands14.count == 2)
        let events15 = fixture.events()
        #expect(events15 == [])
        #expect(fixture.machine.nextDeadline == nil)
    }

    @Test("a peer connection that ended, and a resume without media in time, need a join")
    func transportFailed() throws {
        var fixture = try SignalFixture.connected()
        fixture.machine.transportFailed("DTLS broke", at: fixture.now)
        let events16 = fixture.events()
        #expect(events16 == [.reconnecting(cause: "DTLS broke")])
        let url17 = fixture.dialled()
        #expect(url17 == (try RoomAddress("ws://h:7880").join))

        fixture = try SignalFixture.connected()
        fixture.machine.transportLost(at: fixture.now)
        fixture.machine.socketOpened(at: fixture.now)
        fixture.receive(.reconnect(Livekit_ReconnectResponse()))
        fixture.machine.sendOffer(sdp: "restart", at: fixture.now)
        fixture.receive(.answer(SignalFixture.answer(id: 2)))
        fixture.drain()
        fixture.advance(.seconds(5))
        fixture.advance(.milliseconds(300))
        let url18 = fixture.dialled()
        #expect(url18 == (try RoomAddress("ws://h:7880").join))
    }

    @Test("a media connection that the server closes waits for the reason, and is had back without one")
    func transportClosed() throws {
        var fixture = try SignalFixture.connected()
        fixture.machine.transportClosed(at: fixture.now)
        let none = fixture.commands()
        #expect(none == [])
        fixture.receive(.leave(SignalFixture.leave(.disconnect, .roomDeleted)))
        let end = fixture.events().end
        #expect(end == .disconnected(.roomDeleted))

        fixture = try SignalFixture.connected()
        fixture.machine.transportClosed(at: fixture.now)
        fixture.advance(.seconds(1))
        let url = fixture.dialled()
        #expect(url == (try RoomAddress("ws://h:7880").join))
    }

    @Test("a server that forbids resuming is joined anew")
    func resumeDisabled() throws {
        var fixture = try SignalFixture.connected()
        fixture.machine.transportFailed("x", at: fixture.now)
        fixture.machine.socketOpened(at: fixture.now)
        var join = SignalFixture.joined()
        join.clientConfiguration.resumeConnection = .disabled
        join.clientConfiguration.forceRelay = .enabled
        fixture.drain()
        fixture.receive(.join(join))
        let servers = SignalMachine.MediaServers(iceServers: join.iceServers, forcesRelay: true)
        let commands19 = fixture.commands()
        #expect(commands19.last == .createPeer(servers))
        fixture.machine.sendOffer(sdp: "x", at: fixture.now)
        fixture.receive(.answer(SignalFixture.answer(id: 2)))
        fixture.machine.transportConnected(at: fixture.now)
        fixture.drain()
        fixture.machine.socketClosed(.closedByPeer(code: 1001), at: fixture.now)
        let url20 = fixture.dialled()
        #expect(url20 == (try RoomAddress("ws://h:7880").join))
    }

    @Test("attempts follow each other after n² · 300 ms, capped, for a minute; then the end is retryable")
    func attempts() throws {
        var fixture = try SignalFixture.connected()
        let start = fixture.now
        fixture.machine.socketClosed(.closedByPeer(code: nil), at: fixture.now)
        var delays: [Int64] = []
        while fixture.machine.state == .connecting {
            fixture.drain()
            let failedAt = fixture.now
            fixture.machine.socketClosed(.unreachable("refused"), at: fixture.now)
            guard let deadline = fixture.machine.nextDeadline else { break }
            delays.append((deadline - failedAt).milliseconds)
            fixture.advance(deadline - failedAt)
        }
        #expect(delays.prefix(5) == [300, 1_200, 2_700, 3_000, 3_000])
        #expect(fixture.now - start < .seconds(60) && fixture.now - start > .seconds(55))
        let end = fixture.events().end
        #expect(end?.isRetryable == true)
        #expect(end?.text == "room disconnected unexpectedly: the server cannot be reached (refused)")
    }

    @Test("a server that lets a lost session wait is dialled anew every half second, and later with more patience")
    func silentServer() throws {
        var fixture = try SignalFixture.connected()
        fixture.machine.socketClosed(.closedByPeer(code: nil), at: fixture.now)
        var patience: [Int64] = []
        while fixture.machine.state == .connecting, patience.count < 22 {
            fixture.drain()
            let dialledAt = fixture.now
            fixture.advance(try #require(fixture.machine.nextDeadline) - dialledAt)
            patience.append((fixture.now - dialledAt).milliseconds)
        }
        #expect(patience == Array(repeating: 500, count: 12) + (2...10).map { $0 * 500 } + [5_000])
    }

    @Test("a server that is always slow gets four times what it needed, and no more than at first")
    func slowServer() throws {
        for (taken, expected) in [(Int64(400), Int64(1_600)), (3_000, 5_000)] {
            var fixture = try SignalFixture()
            fixture.machine.start(at: fixture.now)
            fixture.now += .milliseconds(taken)
            fixture.machine.socketOpened(at: fixture.now)
            fixture.receive(.join(SignalFixture.joined()))
            fixture.machine.socketClosed(.closedByPeer(code: nil), at: fixture.now)
            let deadline = fixture.machine.nextDeadline
            #expect(deadline == fixture.now + .milliseconds(expected))
        }
    }

    @Test("the first join is given up sooner, and at once when the server refuses for good")
    func firstJoin() throws {
        for (status, isFinal) in [(400, true), (401, true), (404, true), (408, false), (429, false), (503, false)] {
            var fixture = try SignalFixture()
            fixture.machine.start(at: fixture.now)
            fixture.machine.socketClosed(.refused(status: status, body: "because\n"), at: fixture.now)
            #expect((fixture.machine.state == .ended) == isFinal)
            guard isFinal else { continue }
            let end = fixture.events().end
            #expect(end?.isRetryable == false)
            #expect(end?.text == "could not join the room: the server answered \(status): because")
        }
        var fixture = try SignalFixture()
        fixture.machine.start(at: fixture.now)
        let start = fixture.now
        // Two attempts time out; a third would come too late.
        while fixture.machine.state != .ended { fixture.advance(.seconds(1)) }
        #expect(fixture.now == start + .seconds(10))
        let events21 = fixture.events()
        #expect(events21.end?.isRetryable == true)
    }

    @Test("pings go out at the server's interval; silence is a lost connection, anything heard is not")
    func pings() throws {
        var fixture = try SignalFixture.connected(ping: 5)
        fixture.advance(.seconds(5))
        guard case .pingReq(let ping)? = try fixture.sent().first else {
            Issue.record("no ping")
            return
        }
        #expect(ping.timestamp == fixture.now.nanoseconds / 1_000_000)
        var pong = Livekit_Pong()
        pong.lastPingTimestamp = ping.timestamp
        fixture.now += .milliseconds(12)
        fixture.receive(.pongResp(pong))
        fixture.advance(.milliseconds(4_988))
        guard case .pingReq(let second)? = try fixture.sent().first else {
            Issue.record("no second ping")
            return
        }
        #expect(second.rtt == 12)
        fixture.advance(.seconds(9))
        #expect(fixture.machine.state == .joined)
        fixture.advance(.seconds(2))
        let events22 = fixture.events()
        #expect(events22 == [.reconnecting(cause: "the signalling connection is silent")])
    }

    @Test("a track and an offer without an answer are lost connections")
    func unanswered() throws {
        var fixture = try SignalFixture.connected()
        fixture.machine.publish(SignalFixture.video, at: fixture.now)
        fixture.advance(.seconds(10))
        let url23 = fixture.dialled()
        #expect(url23 == (try RoomAddress("ws://h:7880").join))
        fixture = try SignalFixture.connected()
        fixture.machine.sendOffer(sdp: "x", at: fixture.now)
        fixture.advance(.seconds(15))
        let events24 = fixture.events()
        #expect(events24 == [.reconnecting(cause: "the server did not answer the offer")])
    }

    @Test("a goodbye is obeyed by its action, or by the old flag of servers before protocol 13")
    func leaves() throws {
        enum Outcome { case resume, join, final, retryable }
        let cases: [(Livekit_LeaveRequest, Int32, Outcome)] = [
            (SignalFixture.leave(.resume), 16, .resume), (SignalFixture.leave(.reconnect), 16, .join),
            (SignalFixture.leave(.disconnect, .roomDeleted, canReconnect: true), 16, .final),
            (SignalFixture.leave(.disconnect, .roomDeleted, canReconnect: true), 12, .join),
            (SignalFixture.leave(.disconnect, .duplicateIdentity), 12, .final),
            (SignalFixture.leave(.disconnect, .participantRemoved), 16, .final),
            (SignalFixture.leave(.disconnect, .joinFailure), 16, .retryable),
            (SignalFixture.leave(.disconnect, .stateMismatch), 16, .retryable),
            (SignalFixture.leave(.disconnect, .serverShutdown), 16, .join),
        ]
        for (leave, serverProtocol, outcome) in cases {
            var fixture = try SignalFixture()
            fixture.machine.start(at: fixture.now)
            fixture.machine.socketOpened(at: fixture.now)
            fixture.receive(.join(SignalFixture.joined(serverProtocol: serverProtocol)))
            fixture.machine.transportConnected(at: fixture.now)
            fixture.drain()
            fixture.receive(.leave(leave))
            let url = fixture.dialled()
            let end = fixture.events().end
            switch outcome {
            case .resume: #expect(url?.contains("reconnect=1") == true)
            case .join: #expect(url == (try RoomAddress("ws://h:7880").join))
            case .final: #expect(end == .disconnected(leave.reason))
            case .retryable: #expect(end?.isRetryable == true)
            }
        }
    }
}
