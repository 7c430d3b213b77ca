import RTMP
import Testing

@Suite struct StateMachineTests {
    typealias State = ServerStateMachine.State
    typealias Event = ServerStateMachine.Event
    typealias Action = ServerStateMachine.Action

    static let request = RTMPConnectRequest()
    static let connected = State.connected(request)
    static let deciding = State.awaitingDecision(request, messageStreamID: 1)
    static let publishing = State.publishing(request, messageStreamID: 1)

    static let states: [State] = [
        .awaitingHandshake, .awaitingConnect, connected, deciding, publishing, .lingering, .closing, .failed,
    ]
    static let events: [Event] = [
        .handshakeCompleted, .connectReceived(request), .callReceived, .publishReceived(messageStreamID: 1),
        .mediaReceived, .unpublishReceived,
        .endReceived(messageStreamID: nil), .endReceived(messageStreamID: 1), .endReceived(messageStreamID: 2),
        .publishAccepted, .publishRejected, .closeRequested, .errorThrown,
    ]

    /// One row per state, one entry per event, in the order of the lists above.
    static let table: [[(State, Action)]] = [
        rowBeforeConnect(.awaitingHandshake),
        rowBeforeConnect(.awaitingConnect),
        [
            (connected, .none), (connected, .refuseCall), (connected, .answerCall),
            (deciding, .requestDecision(request)), (connected, .none), (connected, .none),
            (connected, .none), (connected, .none), (connected, .none),
            (connected, .none), (connected, .none), (.closing, .sayGoodbye), (.failed, .none),
        ],
        [
            (deciding, .none), (deciding, .refuseCall), (deciding, .answerCall),
            (deciding, .refuseSecondPublish), (deciding, .holdMedia), (.lingering, .endPublish(messageStreamID: 1)),
            (.closing, .endPublish(messageStreamID: 1)), (.closing, .endPublish(messageStreamID: 1)), (deciding, .none),
            (publishing, .startPublish(messageStreamID: 1)), (.closing, .refusePublish(messageStreamID: 1)),
            (.closing, .sayGoodbye), (.failed, .none),
        ],
        [
            (publishing, .none), (publishing, .refuseCall), (publishing, .answerCall),
            (publishing, .refuseSecondPublish), (publishing, .deliverMedia),
            (.lingering, .endPublish(messageStreamID: 1)),
            (.closing, .endPublish(messageStreamID: 1)), (.closing, .endPublish(messageStreamID: 1)),
            (publishing, .none),
            (publishing, .none), (publishing, .none), (.closing, .sayGoodbye), (.failed, .none),
        ],
        [
            (.lingering, .none), (.lingering, .none), (.lingering, .answerCall),
            (.lingering, .none), (.lingering, .none), (.lingering, .none),
            (.closing, .none), (.closing, .none), (.closing, .none),
            (.lingering, .none), (.lingering, .none), (.closing, .none), (.failed, .none),
        ],
        Array(repeating: (.closing, .none), count: 12) + [(.failed, .none)],
        Array(repeating: (.failed, .none), count: 13),
    ]

    static func rowBeforeConnect(_ state: State) -> [(State, Action)] {
        [
            (.awaitingConnect, .none), (connected, .answerConnect(request)), (.failed, .fail(.commandBeforeConnect)),
            (.failed, .fail(.commandBeforeConnect)), (state, .none), (state, .none),
            (state, .none), (state, .none), (state, .none),
            (state, .none), (state, .none), (.closing, .none), (.failed, .none),
        ]
    }

    @Test("every state answers every event as tabled", arguments: 0..<states.count)
    func transitions(row: Int) {
        #expect(Self.table[row].count == Self.events.count)
        for (event, expected) in zip(Self.events, Self.table[row]) {
            let got = ServerStateMachine.transition(from: Self.states[row], on: event)
            #expect(got == expected, "\(Self.states[row]) on \(event)")
        }
    }
}
