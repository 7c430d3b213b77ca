package import Bytes
package import Media
package import RTP
package import Runtime

/// One video stream of a publisher whose packets go on as they are.
package struct PassedLayer: Hashable, Sendable {
    /// Names the stream in packets and in requests for key frames.
    package var stream: Int
    /// As its key frames say, or foreseen from other layers while it has not begun.
    package var size: VideoSize
    /// Bits a second, measured or foreseen.
    package var bitrate: Int
    package var frameRate: Double
    /// Layers of each picture that are all in this stream, the largest as `size` says.
    package var spatialLayers = 1
    /// Its packets have dependency descriptors.
    package var isDescribed = false

    package init(stream: Int, size: VideoSize, bitrate: Int, frameRate: Double) {
        self.stream = stream
        self.size = size
        self.bitrate = bitrate
        self.frameRate = frameRate
    }
}

/// What a publisher sends that goes on as it is.
package struct PassedTracks: Hashable, Sendable {
    package struct Video: Hashable, Sendable {
        package var codec: VideoCodec
        /// `profile-level-id` of H.264, `profile-id` of VP9 and so on: what `a=fmtp` of a further offer has to say.
        package var parameters: [String: String]
        /// The smallest picture first; three at most, never empty.
        package var layers: [PassedLayer]

        package init(codec: VideoCodec, parameters: [String: String], layers: [PassedLayer]) {
            self.codec = codec
            self.parameters = parameters
            self.layers = layers
        }

        /// Of a publisher that sends all of them in one stream; 1 otherwise.
        package var spatialLayers: Int { layers.count == 1 ? min(layers[0].spatialLayers, 3) : 1 }
    }

    /// Opus.
    package struct Audio: Hashable, Sendable {
        package var isStereo: Bool

        package init(isStereo: Bool) { self.isStereo = isStereo }
    }

    package var video: Video?
    package var audio: Audio?

    package init(video: Video? = nil, audio: Audio? = nil) {
        self.video = video
        self.audio = audio
    }
}

/// Where packets come from that are passed through.
@MediaLoop
package protocol PacketSource: AnyObject {
    /// Asks the publisher for a key frame of one of its streams.
    func requestKeyFrame(ofStream stream: Int)
}

/// What takes a publisher's packets as they are: the local room, or a LiveKit room. Sound that the room cannot use comes
/// by the calls of `MediaSink` instead, and is transcoded alone.
@MediaLoop
package protocol PacketSink: MediaSink {
    /// What comes, before the first packet of it; once more when something joins it or a layer's size changes.
    func describe(_ tracks: PassedTracks, from source: any PacketSource, at now: Monotonic)
    /// A packet in order of arrival; `stream` is nil for sound.
    func forward(_ packet: ForwardedPacket, stream: Int?, at now: Monotonic)
}

/// Where a WHIP publisher's media goes.
package enum WHIPSink {
    /// Frames, to be decoded and made into a ladder.
    case transcoded(any MediaSink)
    /// Packets, as they are.
    case passed(any PacketSink)
}

/// How a WHIP publisher that was let in goes on.
package struct WHIPAdmission {
    package enum Way {
        /// Its media comes to this process.
        case here(WHIPSink)
        /// Its media goes to the LiveKit server directly, which answers its offer.
        case proxied(ProxiedSource)
    }

    package var way: Way
    /// What LiveKit calls the session; nil where there is no LiveKit.
    package var sessionID: String?

    package init(_ way: Way, sessionID: String? = nil) {
        self.way = way
        self.sessionID = sessionID
    }
}

/// Who decides on WHIP publishers: the test server's room, or the daemon.
@MediaLoop
package protocol WHIPGate: AnyObject {
    /// Lets a publisher in, perhaps after asking others. `onEnd` is called at most once, when the session ends from the
    /// other side.
    /// - Parameter encoder: what the client calls itself, fit for logs.
    func publish(
        whip key: String, encoder: String, onEnd: @escaping @MediaLoop (SessionEnd) -> Void
    ) async throws(PublishRefusal) -> WHIPAdmission
}
