/// Where a server connection stands. A pure table from state and event to state and action; the session carries actions out.
package struct ServerStateMachine: ~Copyable {
    package enum State: Equatable {
        case awaitingHandshake
        case awaitingConnect
        case connected(RTMPConnectRequest)
        /// The driver was asked whether the stream may be published.
        case awaitingDecision(RTMPConnectRequest, messageStreamID: UInt32)
        case publishing(RTMPConnectRequest, messageStreamID: UInt32)
        /// The encoder has ended its stream and is about to leave.
        case lingering
        /// Over in good order, by either side; the connection closes once everything is sent.
        case closing
        case failed
    }

    package enum Event: Equatable {
        case handshakeCompleted
        case connectReceived(RTMPConnectRequest)
        /// A command other than `connect` that makes sense on a connection only.
        case callReceived
        case publishReceived(messageStreamID: UInt32)
        case mediaReceived
        /// The encoder ends its stream and will say more.
        case unpublishReceived
        /// The encoder ended a stream; nil ends whatever is published.
        case endReceived(messageStreamID: UInt32?)
        case publishAccepted
        case publishRejected
        case closeRequested
        case errorThrown
    }

    package enum Action: Equatable {
        case none
        case answerConnect(RTMPConnectRequest)
        case answerCall
        case requestDecision(RTMPConnectRequest)
        /// Another stream is asked for while one is published; the first goes on.
        case refuseSecondPublish
        case refuseCall
        case holdMedia
        case deliverMedia
        case startPublish(messageStreamID: UInt32)
        case refusePublish(messageStreamID: UInt32)
        case endPublish(messageStreamID: UInt32)
        case sayGoodbye
        case fail(RTMPError)
    }

    package private(set) var state = State.awaitingHandshake

    package init() {}

    package mutating func handle(_ event: Event) -> Action {
        let (next, action) = Self.transition(from: state, on: event)
        state = next
        return action
    }

    package static func transition(from state: State, on event: Event) -> (State, Action) {
        switch state {
        case .lingering: whileLingering(event)
        case .closing: event == .errorThrown ? (.failed, .none) : (.closing, .none)
        case .failed: (.failed, .none)
        case .awaitingHandshake, .awaitingConnect: beforeConnect(state, event)
        case .connected(let request): whileConnected(request, event)
        case .awaitingDecision(let request, let id): whileDeciding(request, id, event)
        case .publishing(let request, let id): whilePublishing(request, id, event)
        }
    }

    private static func beforeConnect(_ state: State, _ event: Event) -> (State, Action) {
        switch event {
        case .handshakeCompleted: (.awaitingConnect, .none)
        case .connectReceived(let request): (.connected(request), .answerConnect(request))
        case .callReceived, .publishReceived: (.failed, .fail(.commandBeforeConnect))
        case .mediaReceived, .unpublishReceived, .endReceived, .publishAccepted, .publishRejected: (state, .none)
        case .closeRequested: (.closing, .none)
        case .errorThrown: (.failed, .none)
        }
    }

    private static func whileConnected(_ request: RTMPConnectRequest, _ event: Event) -> (State, Action) {
        let state = State.connected(request)
        return switch event {
        case .connectReceived: (state, .refuseCall)
        case .callReceived: (state, .answerCall)
        case .publishReceived(let id): (.awaitingDecision(request, messageStreamID: id), .requestDecision(request))
        case .handshakeCompleted, .mediaReceived, .unpublishReceived, .endReceived, .publishAccepted, .publishRejected:
            (state, .none)
        case .closeRequested: (.closing, .sayGoodbye)
        case .errorThrown: (.failed, .none)
        }
    }

    private static func whileDeciding(_ request: RTMPConnectRequest, _ id: UInt32, _ event: Event) -> (State, Action) {
        let state = State.awaitingDecision(request, messageStreamID: id)
        return switch event {
        case .connectReceived: (state, .refuseCall)
        case .callReceived: (state, .answerCall)
        case .publishReceived: (state, .refuseSecondPublish)
        case .mediaReceived: (state, .holdMedia)
        case .unpublishReceived: (.lingering, .endPublish(messageStreamID: id))
        case .endReceived(let ended): ended ?? id == id ? (.closing, .endPublish(messageStreamID: id)) : (state, .none)
        case .publishAccepted: (.publishing(request, messageStreamID: id), .startPublish(messageStreamID: id))
        case .publishRejected: (.closing, .refusePublish(messageStreamID: id))
        case .handshakeCompleted: (state, .none)
        case .closeRequested: (.closing, .sayGoodbye)
        case .errorThrown: (.failed, .none)
        }
    }

    private static func whilePublishing(_ request: RTMPConnectRequest, _ id: UInt32, _ event: Event) -> (State, Action)
    {
        let state = State.publishing(request, messageStreamID: id)
        return switch event {
        case .connectReceived: (state, .refuseCall)
        case .callReceived: (state, .answerCall)
        case .publishReceived: (state, .refuseSecondPublish)
        case .mediaReceived: (state, .deliverMedia)
        case .unpublishReceived: (.lingering, .endPublish(messageStreamID: id))
        case .endReceived(let ended): ended ?? id == id ? (.closing, .endPublish(messageStreamID: id)) : (state, .none)
        case .handshakeCompleted, .publishAccepted, .publishRejected: (state, .none)
        case .closeRequested: (.closing, .sayGoodbye)
        case .errorThrown: (.failed, .none)
        }
    }

    private static func whileLingering(_ event: Event) -> (State, Action) {
        switch event {
        case .endReceived, .closeRequested: (.closing, .none)
        case .callReceived: (.lingering, .answerCall)
        case .errorThrown: (.failed, .none)
        case .handshakeCompleted, .connectReceived, .publishReceived, .mediaReceived, .unpublishReceived,
            .publishAccepted, .publishRejected:
            (.lingering, .none)
        }
    }
}
