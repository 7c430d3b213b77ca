package import Bytes
package import Media
package import Runtime

/// What takes a publisher's media: a session of this process, or the relay to one in a child.
@MediaLoop
package protocol MediaSink: AnyObject {
    func configure(_ configuration: VideoConfiguration)
    func configure(_ configuration: AudioConfiguration)
    /// A frame with the source's own times. `now`: when its last byte came in.
    func receive(_ frame: EncodedFrame, at now: Monotonic)
    /// The source has gone; nothing comes after it. Also called after the gate ended the source itself.
    func sourceEnded(_ reason: SessionEnd, at now: Monotonic)
}

/// Why a publisher is not let in, in a sentence for the person at the encoder.
package struct PublishRefusal: Error, Equatable, Sendable {
    /// Whose fault it is decides the status that the encoder is given.
    package enum Fault: Sendable, Equatable {
        /// The key is missing or unknown.
        case key
        /// Another publisher has the key, and keeps it.
        case taken
        /// The key is known but may not be used now.
        case denied
        /// There is no room for another stream now.
        case capacity
        /// The server takes no more streams: it is about to end.
        case stopping
        /// The server cannot take the stream for reasons of its own.
        case server
    }

    package var fault: Fault
    package var sentence: String

    package init(_ fault: Fault, _ sentence: String) {
        self.fault = fault
        self.sentence = sentence
    }
}

/// Who decides on publishers: the test server's room, or the daemon.
@MediaLoop
package protocol PublishGate: AnyObject {
    /// Lets a publisher in, perhaps after asking others. `onEnd` is called at most once, when the session ends from the
    /// other side.
    /// - Parameter encoder: what the encoder calls itself, fit for logs.
    func publish(
        key: String, encoder: String, onEnd: @escaping @MediaLoop (SessionEnd) -> Void
    ) async throws(PublishRefusal) -> any MediaSink
}
