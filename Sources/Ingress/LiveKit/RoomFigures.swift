package import Bytes
import ICE
import RTP
package import Transcode
import WebRTC

/// What a room session counts.
struct RoomFigures {
    /// By `LayerQuality.index`, as are `videoLatencies`: a dictionary would allocate for each change of a value.
    var layers = [RateMeter](repeating: RateMeter(), count: LayerQuality.allCases.count)
    var audio = RateMeter()
    var delay = DelayWindow()
    /// Bits a second that the path is believed to carry.
    var estimate: Int?
    var framesDropped: UInt64 = 0
    var reconnects = 0
    var path: ICEPath?
    var videoLatencies = [LatencyHistogram](repeating: LatencyHistogram(), count: LayerQuality.allCases.count)
    var audioLatencies = LatencyHistogram()
}

/// How a room session is doing.
package struct RoomStatistics: Sendable {
    package struct Layer: Sendable {
        package var quality: LayerQuality
        package var size: PictureSize
        /// Somebody watches it, and the path carries it.
        package var isEncoded: Bool
        /// What its encoder is to make, bits a second.
        package var target: Int
        package var bitsPerSecond: Double
        package var framesPerSecond: Double
    }

    package var isConnected = false
    package var layers: [Layer] = []
    package var audioBitsPerSecond = 0.0
    package var videoBytes: UInt64 = 0
    package var audioBytes: UInt64 = 0
    /// Last byte of a frame in to the first packet of its best layer out: median and 95th percentile.
    package var delay = Interval.zero
    package var delayTail = Interval.zero
    package var roundTrip: Interval?
    package var estimate: Int?
    /// Frames that were encoded and not sent.
    package var framesDropped: UInt64 = 0
    package var packetsSent: UInt64 = 0
    package var packetsRetransmitted: UInt64 = 0
    package var packetsNacked: UInt64 = 0
    package var keyFrameRequests: UInt64 = 0
    package var reconnects = 0
}

extension RoomPublisher {
    /// The figures now. Packets are those of the present media connection.
    package func statistics(at now: Monotonic) -> RoomStatistics {
        var statistics = RoomStatistics()
        statistics.isConnected = isConnected
        let targets = allocation?.targets ?? []
        statistics.layers = rungs.map { rung in
            var meter = figures.layers[rung.quality.index]
            return RoomStatistics.Layer(
                quality: rung.quality, size: rung.size, isEncoded: active.contains(rung.quality),
                target: targets.first { $0.quality == rung.quality }?.bitrate ?? rung.bitrate,
                bitsPerSecond: meter.bitsPerSecond(at: now), framesPerSecond: meter.eventsPerSecond(at: now))
        }
        statistics.audioBitsPerSecond = figures.audio.bitsPerSecond(at: now)
        statistics.videoBytes = figures.layers.reduce(0) { $0 &+ $1.totalBytes }
        statistics.audioBytes = figures.audio.totalBytes
        let delays = figures.delay.percentiles([0.5, 0.95])
        (statistics.delay, statistics.delayTail) = (delays[0], delays[1])
        statistics.estimate = figures.estimate
        statistics.framesDropped = figures.framesDropped
        statistics.reconnects = figures.reconnects
        guard let peer = peer?.peer else { return statistics }
        statistics.roundTrip = peer.connection.sender.roundTrip
        for stream in 0..<peer.connection.sender.streamCount {
            let counts = peer.connection.sender.statistics(of: stream)
            statistics.packetsSent &+= counts.packetsSent
            statistics.packetsRetransmitted &+= counts.packetsRetransmitted
            statistics.packetsNacked &+= counts.packetsNacked
            statistics.keyFrameRequests &+= counts.keyFrameRequests
        }
        return statistics
    }
}

extension RoomPublisher {
    /// The latencies of each track since the last call, under the names of LiveKit's metrics.
    package func drainLatencies() -> [(track: String, histogram: LatencyHistogram)] {
        var drained: [(track: String, histogram: LatencyHistogram)] = []
        for quality in LayerQuality.allCases {
            let histogram = figures.videoLatencies[quality.index].drain()
            guard !histogram.isEmpty else { continue }
            drained.append(("output.video." + "\(quality)".uppercased(), histogram))
        }
        let audio = figures.audioLatencies.drain()
        if !audio.isEmpty { drained.append(("output.audio", audio)) }
        return drained
    }
}
