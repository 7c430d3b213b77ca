import Bytes
import RTMP
import Runtime

/// One RTMP publisher that sends a clip at its pace, over a real connection.
@MediaLoop
final class ClipPublisher {
    struct Options: Sendable {
        /// Begins anew at the clip's end, with times that go on.
        var isLooping = true
        /// Moves each picture by 0 to 3 ms, so that every stretch of times is unlike all others and
        /// pictures can be told by it.
        var isJittering = false
        /// From this time on, counted from the first message, nothing is sent for `freezeFor`.
        var freezeAt: Interval?
        var freezeFor = Interval.zero
        /// What the freeze held back is sent at once after it, as a stalled network does; otherwise
        /// everything is late by it.
        var isBursting = true
    }

    enum State: Equatable {
        case connecting
        case publishing
        case ended
        case failed(String)
    }

    /// A picture that was handed to the socket.
    struct SentPicture: Sendable {
        /// Presentation time.
        let milliseconds: Int64
        let at: Monotonic
    }

    private(set) var state = State.connecting
    /// When the first byte was handed to the socket.
    private(set) var firstByteAt: Monotonic?
    private(set) var startedAt: Monotonic?
    private(set) var thawedAt: Monotonic?
    private(set) var pictures: [SentPicture] = []
    private(set) var pictureCount = 0
    private(set) var messageCount = 0
    /// The most bytes that waited for the socket: a server that does not read shows here.
    private(set) var mostQueuedBytes = 0
    /// How late the latest message was because of this process.
    private(set) var worstLateness = Interval.zero

    private let clip: Clip
    private let options: Options
    private let keepsPictures: Bool
    private var rtmp: RTMPClientSession
    private var stream: TCPStream?
    private let timer = LoopTimer()
    private var index = 0
    private var repetition: Int64 = 0
    private var shift = Interval.zero
    private var isFrozen = false

    init(_ url: ServerURL, key: String, clip: Clip, options: Options, keepsPictures: Bool = false) {
        self.clip = clip
        self.options = options
        self.keepsPictures = keepsPictures
        let app = url.folderAndName.folder.drop { $0 == "/" }
        let configuration = RTMPClientConfiguration(
            app: String(app), tcURL: "rtmp://\(url.authority)/\(app)", streamName: key)
        rtmp = RTMPClientSession(configuration: configuration, random: Randomness.bytes(1_528), at: .now)
    }

    func start(connectingTo address: TransportAddress) {
        do throws(RuntimeError) {
            stream = try TCPStream.connect(to: address, handler: self)
        } catch {
            state = .failed("\(error)")
        }
    }

    /// Ends the stream in good order.
    func stop() {
        guard state == .publishing || state == .connecting else { return }
        state = .ended
        rtmp.close()
        flush()
        leave()
    }

    private func leave() {
        timer.cancel()
        stream?.closeAfterFlush()
        stream = nil
    }

    private func fail(_ reason: String) {
        guard state == .publishing || state == .connecting else { return }
        state = .failed(reason)
        leave()
    }

    private func flush() {
        while let bytes = rtmp.pollTransmit() {
            if firstByteAt == nil { firstByteAt = .now }
            if stream?.write(bytes.rawSpan) == false { return fail("the server does not read") }
        }
        mostQueuedBytes = max(mostQueuedBytes, stream?.queuedBytes ?? 0)
    }

    private func settle(at now: Monotonic) {
        flush()
        while let event = rtmp.pollEvent() {
            switch event {
            case .publishStarted:
                state = .publishing
                startedAt = now
                advance(at: now)
            case .refused(let code, let description): fail("refused: \(code) \(description)")
            case .reconnectRequested: break
            }
        }
        if state == .connecting { timer.schedule(at: rtmp.nextDeadline, calling: self) }
    }

    // MARK: - The clip

    private func due(_ message: Clip.Message, from start: Monotonic) -> Monotonic {
        start + shift + .milliseconds(message.milliseconds + repetition * clip.milliseconds)
    }

    /// Sends all that is due and sets the timer for the next.
    private func advance(at now: Monotonic) {
        guard state == .publishing, let start = startedAt else { return }
        if let thaw = freeze(at: now, start) { return timer.schedule(at: thaw, calling: self) }
        while state == .publishing {
            let message = clip.messages[index]
            let due = due(message, from: start)
            if due > now { return timer.schedule(at: due, calling: self) }
            if options.freezeAt == nil { worstLateness = max(worstLateness, now - due) }
            if !message.isSetup || repetition == 0 { send(message) }
            step()
        }
    }

    /// The end of the freeze while it lasts.
    private func freeze(at now: Monotonic, _ start: Monotonic) -> Monotonic? {
        guard let freezeAt = options.freezeAt, thawedAt == nil else { return nil }
        let end = start + freezeAt + options.freezeFor
        if now >= end {
            thawedAt = now
            if !options.isBursting { shift = options.freezeFor }
            return nil
        }
        return now >= start + freezeAt ? end : nil
    }

    private func step() {
        index += 1
        guard index == clip.messages.count else { return }
        guard options.isLooping else { return stop() }
        index = 0
        repetition += 1
    }

    private func send(_ message: Clip.Message) {
        var time = message.milliseconds + repetition * clip.milliseconds
        if message.isPicture {
            if options.isJittering { time += Int64((pictureCount &* 2_654_435_761) >> 16 & 3) }
            // Taken before the write: what the system call takes counts against the server.
            if keepsPictures {
                pictures.append(SentPicture(milliseconds: time + message.compositionMilliseconds, at: .now))
            }
            pictureCount += 1
        }
        do throws(RTMPError) {
            try rtmp.send(message.kind, payload: message.payload.bytes, timestampMilliseconds: time)
            messageCount += 1
        } catch {
            return fail("\(error)")
        }
        flush()
    }
}

extension ClipPublisher: TCPStreamHandler, TimerHandler {
    func streamConnected(_ stream: TCPStream, at now: Monotonic) { settle(at: now) }

    func stream(_ stream: TCPStream, received bytes: RawSpan, at now: Monotonic) {
        do throws(RTMPError) {
            try rtmp.receive(bytes, at: now)
        } catch {
            return fail("\(error)")
        }
        settle(at: now)
    }

    func streamEnded(_ stream: TCPStream, at now: Monotonic) { fail("the server closed the connection") }

    func stream(_ stream: TCPStream, failed error: RuntimeError, at now: Monotonic) { fail("\(error)") }

    func timerFired(_ timer: LoopTimer, at now: Monotonic) {
        guard state == .connecting else { return advance(at: now) }
        do throws(RTMPError) { try rtmp.advance(to: now) } catch { return fail("\(error)") }
        settle(at: now)
    }
}
