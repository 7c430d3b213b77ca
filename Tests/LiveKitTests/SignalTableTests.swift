import Bytes
import LiveKit
import LiveKitProtocol
import Testing

/// Every input in every state: which state follows.
@Suite struct SignalTableTests {
    private enum Input: CaseIterable {
        case start, opened, refused, lost, late, join, reconnect, leave, publish, offer, answer, candidate, transportUp
        case transportLost, transportFailed, transportClosed, transportMoved, time, close
    }

    private static func fixture(in state: SignalMachine.State) throws -> SignalFixture {
        var fixture = try SignalFixture.connected()
        switch state {
        case .idle: return try SignalFixture()
        case .connecting: fixture.machine.socketClosed(.closedByPeer(code: nil), at: fixture.now)
        case .joined: break
        case .pausing:
            fixture.machine.socketClosed(.closedByPeer(code: nil), at: fixture.now)
            fixture.machine.socketClosed(.unreachable(""), at: fixture.now)
        case .ended: fixture.machine.close()
        }
        fixture.drain()
        return fixture
    }

    private static func apply(_ input: Input, to fixture: inout SignalFixture) {
        let now = fixture.now
        switch input {
        case .start: fixture.machine.start(at: now)
        case .opened: fixture.machine.socketOpened(at: now)
        case .refused: fixture.machine.socketClosed(.refused(status: 503, body: ""), at: now)
        case .lost: fixture.machine.socketClosed(.unreachable(""), at: now)
        case .late: fixture.machine.socketClosed(.timedOut, at: now)
        case .join: fixture.receive(.join(SignalFixture.joined()))
        case .reconnect: fixture.receive(.reconnect(Livekit_ReconnectResponse()))
        case .leave: fixture.receive(.leave(SignalFixture.leave(.disconnect, .roomDeleted)))
        case .publish: fixture.machine.publish(SignalFixture.video, at: now)
        case .offer: fixture.machine.sendOffer(sdp: "", at: now)
        case .answer: fixture.receive(.answer(SignalFixture.answer(id: 1)))
        case .candidate: fixture.receive(.trickle(SignalFixture.trickle("c")))
        case .transportUp: fixture.machine.transportConnected(at: now)
        case .transportLost: fixture.machine.transportLost(at: now)
        case .transportFailed: fixture.machine.transportFailed("", at: now)
        case .transportClosed: fixture.machine.transportClosed(at: now)
        case .transportMoved: fixture.machine.transportMoved(at: now)
        case .time: fixture.advance(.milliseconds(400))
        case .close: fixture.machine.close()
        }
    }

    /// States that follow, by input, where they differ from the state before. `connecting` is a resume here.
    private static let changes: [SignalMachine.State: [Input: SignalMachine.State]] = [
        .idle: [.start: .connecting, .close: .ended],
        .connecting: [
            .refused: .pausing, .lost: .pausing, .reconnect: .joined, .leave: .ended, .close: .ended,
        ],
        .joined: [
            .lost: .connecting, .late: .connecting, .leave: .ended, .transportLost: .connecting,
            .transportFailed: .connecting,
            .close: .ended,
        ],
        .pausing: [.time: .connecting, .close: .ended],
        .ended: [:],
    ]

    @Test(
        "each input in each state leads where the table says",
        arguments: [SignalMachine.State.idle, .connecting, .joined, .pausing, .ended])
    func transitions(state: SignalMachine.State) throws {
        for input in Input.allCases {
            var fixture = try Self.fixture(in: state)
            #expect(fixture.machine.state == state)
            Self.apply(input, to: &fixture)
            let expected = Self.changes[state]?[input] ?? state
            #expect(fixture.machine.state == expected, "\(input) in \(state)")
        }
    }

    @Test("nothing is done or told after the end")
    func silence() throws {
        for input in Input.allCases {
            var fixture = try Self.fixture(in: .ended)
            Self.apply(input, to: &fixture)
            let commands1 = fixture.commands()
            #expect(commands1 == [])
            let events2 = fixture.events()
            #expect(events2 == [])
            #expect(fixture.machine.nextDeadline == nil)
        }
    }
}
