package import Bytes
package import Logging
import Media
package import Runtime

/// The test server's own room: streams by key, each with at most one live publisher and any number of viewers.
@MediaLoop
package final class LocalRoom {
    package enum DuplicatePolicy: String, Sendable, CaseIterable {
        /// The newer publisher takes over with its first key frame.
        case replace
        /// The newer publisher is refused.
        case reject
    }

    package struct Settings: Sendable {
        package var session: IngestSession.Settings
        /// WHIP publishers' packets go to viewers as they are.
        package var passesWHIP = false
        /// Nil accepts any key.
        package var allowedKeys: Set<String>?
        package var duplicatePolicy = DuplicatePolicy.replace
        package var maxStreams = 1_000
        package var maxViewers = 1_000

        package init(session: IngestSession.Settings) { self.session = session }
    }

    /// Why a publisher is not let in; each with a sentence for the person at the encoder.
    package enum Refusal: Error, Equatable, Sendable {
        case missingKey
        case unknownKey
        case alreadyLive
        case full
        case stopping

        fileprivate var fault: PublishRefusal.Fault {
            switch self {
            case .missingKey, .unknownKey: .key
            case .alreadyLive: .taken
            case .full, .stopping: .server
            }
        }

        package var description: String {
            switch self {
            case .missingKey:
                "No stream key: put it into the encoder's stream key field, or behind the last slash of the URL."
            case .unknownKey: "This stream key is not known here."
            case .alreadyLive: "Another encoder is live with this key already."
            case .full: "The server has as many streams as it takes."
            case .stopping: "The server is shutting down."
            }
        }
    }

    package let settings: Settings
    package let slabPool = SlabPool()
    package let hub: PeerHub
    package let log: Logger
    package private(set) var streams: [String: LocalStream] = [:]
    /// Sessions that wait to take over from a live one.
    private var waiting: [ObjectIdentifier: (session: IngestSession, key: String)] = [:]
    private var isStopping = false

    package init(settings: Settings, hub: PeerHub, log: Logger) {
        self.settings = settings
        self.hub = hub
        self.log = log
    }

    // MARK: - Publishers

    /// Lets a publisher in. `onEnd` is called when the room ends the session.
    package func publish(
        key: String, encoder: String, at now: Monotonic, onEnd: @escaping @MediaLoop (SessionEnd) -> Void
    ) throws(Refusal) -> IngestSession {
        let isTaken = try judge(key)
        let stream = stream(for: key)
        let session = IngestSession(
            encoder: encoder, settings: settings.session, slabPool: slabPool, publisher: stream, isWaiting: isTaken,
            at: now,
            onEnd: onEnd)
        if isTaken {
            waiting[ObjectIdentifier(session)] = (session, key)
        } else {
            stream.attach(session, at: now)
        }
        return session
    }

    /// Whether somebody is live with the key whose place would be taken.
    private func judge(_ key: String) throws(Refusal) -> Bool {
        guard !isStopping else { throw .stopping }
        guard !key.isEmpty else { throw .missingKey }
        if let allowed = settings.allowedKeys, !allowed.contains(key) { throw .unknownKey }
        let isTaken = streams[key]?.isLive ?? false
        if isTaken, settings.duplicatePolicy == .reject { throw .alreadyLive }
        guard streams[key] != nil || streams.count < settings.maxStreams else { throw .full }
        return isTaken
    }

    /// The source of `session` has gone; nothing happens when the room ended it before.
    package func unpublish(_ session: IngestSession, _ reason: SessionEnd, at now: Monotonic) {
        waiting[ObjectIdentifier(session)] = nil
        session.finish()
        for (_, stream) in streams where stream.session === session && stream.feed == nil {
            stream.detach(reason, at: now)
        }
        removeIdleStreams()
    }

    private func sink(
        key: String, encoder: String, onEnd: @escaping @MediaLoop (SessionEnd) -> Void
    ) throws(Refusal) -> any MediaSink {
        let session = try publish(key: key, encoder: encoder, at: MediaLoop.now, onEnd: onEnd)
        return LocalSource(session, room: self)
    }

    func takeOver(_ session: IngestSession, at now: Monotonic) {
        guard let entry = waiting.removeValue(forKey: ObjectIdentifier(session)), let stream = streams[entry.key] else {
            return
        }
        stream.endPublisher(.replaced, at: now)
        stream.attach(session, at: now)
        session.goLive()
    }

    // MARK: - Viewers

    /// The stream of a key or a public id; a key that nobody publishes yet gets a stream to wait on.
    package func streamToWatch(_ name: String) -> LocalStream? {
        if let stream = streams.values.first(where: { $0.id == name }) { return stream }
        if let allowed = settings.allowedKeys, !allowed.contains(name) { return nil }
        guard streams[name] != nil || streams.count < settings.maxStreams else { return nil }
        return stream(for: name)
    }

    package var viewerCount: Int { streams.values.reduce(0) { $0 + $1.viewers.count } }

    func removeIdleStreams() {
        for (key, stream) in streams where !stream.isLive && stream.viewers.isEmpty { streams[key] = nil }
    }

    package func stop() {
        isStopping = true
        for stream in Array(streams.values) { stream.close(at: MediaLoop.now) }
        for (session, _) in waiting.values { session.end(.serverStopping) }
        waiting = [:]
        streams = [:]
    }

    private func stream(for key: String) -> LocalStream {
        if let stream = streams[key] { return stream }
        let stream = LocalStream(key: key, room: self)
        streams[key] = stream
        return stream
    }
}

extension LocalRoom: PublishGate {
    package func publish(
        key: String, encoder: String, onEnd: @escaping @MediaLoop (SessionEnd) -> Void
    ) async throws(PublishRefusal) -> any MediaSink {
        do throws(Refusal) {
            return try sink(key: key, encoder: encoder, onEnd: onEnd)
        } catch {
            throw PublishRefusal(error.fault, error.description)
        }
    }
}

extension LocalRoom: WHIPGate {
    package func publish(
        whip key: String, encoder: String, onEnd: @escaping @MediaLoop (SessionEnd) -> Void
    ) async throws(PublishRefusal) -> WHIPAdmission {
        guard settings.passesWHIP else {
            return WHIPAdmission(.here(.transcoded(try await publish(key: key, encoder: encoder, onEnd: onEnd))))
        }
        do throws(Refusal) {
            return WHIPAdmission(
                .here(.passed(try feed(key: key, encoder: encoder, at: MediaLoop.now, onEnd: onEnd))))
        } catch {
            throw PublishRefusal(error.fault, error.description)
        }
    }

    /// Lets a publisher in whose packets are passed through. One that is there already leaves at once.
    private func feed(
        key: String, encoder: String, at now: Monotonic, onEnd: @escaping @MediaLoop (SessionEnd) -> Void
    ) throws(Refusal) -> PassedFeed {
        let isTaken = try judge(key)
        let stream = stream(for: key)
        if isTaken { stream.endPublisher(.replaced, at: now) }
        let kept = self.stream(for: key)
        let feed = PassedFeed(
            encoder: encoder, stream: kept, at: now,
            makeSound: { [settings, slabPool] in
                IngestSession(
                    encoder: encoder, settings: settings.session, slabPool: slabPool, publisher: kept,
                    isWaiting: false, at: now, onEnd: { _ in })
            }, onEnd: onEnd)
        kept.attach(feed, at: now)
        return feed
    }
}

/// A publisher's way into the room.
@MediaLoop
private final class LocalSource: MediaSink {
    private let session: IngestSession
    private weak var room: LocalRoom?

    init(_ session: IngestSession, room: LocalRoom) {
        self.session = session
        self.room = room
    }

    func configure(_ configuration: VideoConfiguration) { session.configure(configuration) }
    func configure(_ configuration: AudioConfiguration) { session.configure(configuration) }
    func receive(_ frame: EncodedFrame, at now: Monotonic) { session.receive(frame, at: now) }
    func sourceEnded(_ reason: SessionEnd, at now: Monotonic) { room?.unpublish(session, reason, at: now) }
}
