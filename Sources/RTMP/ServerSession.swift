package import Bytes

/// One RTMP connection of an encoder, seen from the server: bytes in, bytes and events out; no socket and no clock.
///
/// Feed `receive(_:at:)` with whatever the socket gives, in any pieces. After each mutating call send what `pollTransmit()`
/// returns, take events until `pollEvent()` is nil, and call `advance(to:)` at `nextDeadline`. Answer `.publishRequested` by
/// `acceptPublish(at:)` or `rejectPublish(_:description:)` at any later time; media that comes meanwhile is kept in order. Close
/// the socket when `isClosing` is true and everything is sent, or when an error is thrown.
///
/// It takes one published stream per connection; playing is refused. Limits: `RTMPLimits`. Sources: RTMP 1.0 (2012), Enhanced
/// RTMP v2 for `connect`, and the digest handshake, which has no specification.
package struct RTMPServerSession: ~Copyable {
    let limits: RTMPLimits
    let capabilities: RTMPCapabilities
    private var handshake: ServerHandshake
    var chunks: ChunkReader
    var machine = ServerStateMachine()
    var outbox = Outbox()
    var events = EventQueue()
    var timers = TimerTable<ServerDeadline>()
    var timestamps = TimestampUnwrapper()
    var window = AcknowledgementWindow()
    var controlBudget: RateBudget
    private var chunkBudget: RateBudget
    var createdStreams = 0

    /// `random` needs 1,528 bytes. Without `hmac` digest handshakes are answered in the simple form, which most encoders take.
    package init(
        limits: RTMPLimits = RTMPLimits(), capabilities: RTMPCapabilities = RTMPCapabilities(),
        slabPool: SlabPool? = nil,
        hmac: HMACSHA256?, random: [UInt8], at now: Monotonic
    ) {
        self.limits = limits
        self.capabilities = capabilities
        handshake = ServerHandshake(random: random, hmac: hmac)
        chunks = ChunkReader(limits: limits, pool: slabPool)
        controlBudget = RateBudget(perSecond: limits.controlMessagesPerSecond)
        chunkBudget = RateBudget(perSecond: limits.smallChunksPerSecond)
        timers[.handshake] = now + limits.handshakeTimeout
    }

    /// False for a peer that has not finished its handshake: a port probe, most often, and nothing to log about.
    package var hasCompletedHandshake: Bool { handshake.isComplete }

    /// Everything is said; close the socket once `pollTransmit()` is drained and sent.
    package var isClosing: Bool { machine.state == .closing || machine.state == .failed }

    /// False while so much media waits for the driver's decision that the socket should not be read.
    package var wantsBytes: Bool { events.heldBytes < limits.heldBytesPause }

    /// When to call `advance(to:)` at the latest.
    package var nextDeadline: Monotonic? { isClosing ? nil : timers.next }

    /// Takes bytes from the peer. An error ends the connection; events from before it can still be polled.
    package mutating func receive(_ bytes: RawSpan, at now: Monotonic) throws(RTMPError) {
        guard machine.state != .failed else { throw .closed }
        do {
            try process(bytes, at: now)
        } catch {
            fail()
            throw error
        }
    }

    /// Tells the time; throws when the peer is late.
    package mutating func advance(to now: Monotonic) throws(RTMPError) {
        guard !isClosing, let reason = timers.popExpired(at: now) else { return }
        switch reason {
        case .handshake: throw expire(.handshakeTimeout)
        case .publish: throw expire(.publishTimeout)
        case .idle: throw expire(.idleTimeout)
        case .linger: _ = machine.handle(.closeRequested)
        }
    }

    private mutating func expire(_ error: RTMPError) -> RTMPError {
        fail()
        return error
    }

    /// Bytes for the socket, in order; nil when there are none.
    package mutating func pollTransmit() -> [UInt8]? { outbox.take() }

    /// The next event; nil when there is none, or none before the driver's decision.
    package mutating func pollEvent() -> RTMPServerEvent? {
        if case .awaitingDecision = machine.state { return events.popUnheld() }
        return events.popFirst()
    }

    private mutating func fail() {
        _ = machine.handle(.errorThrown)
        events.dropHeld()
        timers.removeAll()
    }

    private mutating func process(_ bytes: RawSpan, at now: Monotonic) throws(RTMPError) {
        var offset = 0
        if !handshake.isComplete {
            if let answer = try handshake.receive(bytes, from: &offset) { outbox.write(raw: answer) }
            guard handshake.isComplete else { return }
            _ = machine.handle(.handshakeCompleted)
            timers[.handshake] = nil
            timers[.publish] = now + limits.publishTimeout
        }
        while !isClosing, let message = try chunks.nextMessage(bytes, from: &offset) {
            try handle(message, at: now)
        }
        guard !isClosing else { return }
        guard chunkBudget.spend(chunks.takeSmallChunkCount(), at: now) else { throw .smallChunkBudgetExceeded }
        window.count(bytes.byteCount)
        if let sequence = window.takeDue() { outbox.write(.acknowledgement(sequence)) }
    }
}

/// Why a server session waits.
enum ServerDeadline: Int, CaseIterable, Sendable {
    case handshake, publish, idle, linger
}

/// What a server session tells its driver.
package enum RTMPServerEvent: Sendable {
    /// Asks for `acceptPublish(at:)` or `rejectPublish(_:description:)`.
    indirect case publishRequested(RTMPPublishRequest)
    /// An FLV audio tag body. Milliseconds, unwrapped, on the encoder's own timeline.
    case audio(timestampMilliseconds: Int64, payload: SlabSlice)
    /// An FLV video tag body.
    case video(timestampMilliseconds: Int64, payload: SlabSlice)
    /// AMF0 values, the handler's name first ("onMetaData"); `@setDataFrame` is stripped and AMF3 translated.
    case data(timestampMilliseconds: Int64, payload: SlabSlice)
    /// The encoder ended the stream in good order. Comes instead of held media when it ends before the decision.
    case publishEnded
}

/// Events in order. Keeps its memory, so a steady stream allocates nothing.
struct EventQueue {
    private var items: [RTMPServerEvent?] = []
    private var head = 0
    /// Payload bytes that wait for the driver's decision.
    private(set) var heldBytes = 0

    mutating func append(_ event: RTMPServerEvent) { items.append(event) }

    mutating func hold(_ event: RTMPServerEvent, bytes: Int) {
        items.append(event)
        heldBytes += bytes
    }

    /// Held media becomes deliverable.
    mutating func release() { heldBytes = 0 }

    /// Held media is given up; what may be delivered stays.
    mutating func dropHeld() {
        guard heldBytes > 0 else { return }
        items = items[head...].filter { event in
            if case .publishRequested = event { true } else { false }
        }
        head = 0
        heldBytes = 0
    }

    mutating func popFirst() -> RTMPServerEvent? {
        guard head < items.count else { return nil }
        let event = items[head].take()
        head += 1
        if head == items.count {
            items.removeAll(keepingCapacity: true)
            head = 0
        }
        return event
    }

    /// The next event unless it is held media.
    mutating func popUnheld() -> RTMPServerEvent? {
        guard head < items.count, case .publishRequested = items[head] else { return nil }
        return popFirst()
    }
}
