package import Bytes
import Media
package import Runtime
import Transcode

/// Makes the room's report: what `GET /streams` answers.
@MediaLoop
package final class RoomReporter {
    package struct Addresses: Sendable {
        package var rtmpURL: String
        package var rtmpsURL: String?
        package var whipURL: String
        package var whepURL: String

        package init(rtmpURL: String, rtmpsURL: String?, whipURL: String, whepURL: String) {
            self.rtmpURL = rtmpURL
            self.rtmpsURL = rtmpsURL
            self.whipURL = whipURL
            self.whepURL = whepURL
        }
    }

    private let room: LocalRoom
    private let addresses: Addresses
    private let version: String
    private let startedAt: Monotonic
    private var lastSample: (at: Monotonic, processorTime: Interval)
    private var cpuPercent = 0.0

    package init(room: LocalRoom, addresses: Addresses, version: String, at now: Monotonic) {
        self.room = room
        self.addresses = addresses
        self.version = version
        startedAt = now
        lastSample = (now, SystemClock.processTime())
    }

    package func report(at now: Monotonic) -> RoomReport {
        let process = ProcessStatistics.current()
        if now - lastSample.at >= .milliseconds(500) {
            let used = process.processorTime - lastSample.processorTime
            cpuPercent = used.seconds / (now - lastSample.at).seconds * 100
            lastSample = (now, process.processorTime)
        }
        let server = RoomReport.Server(
            version: version, uptimeSeconds: (now - startedAt).seconds, viewers: room.viewerCount,
            cpuPercent: cpuPercent,
            memoryMB: Double(process.residentBytes) / 1e6, rtmpURL: addresses.rtmpURL, rtmpsURL: addresses.rtmpsURL,
            whipURL: addresses.whipURL, whepURL: addresses.whepURL)
        let streams = room.streams.values.map { $0.report(at: now) }
        return RoomReport(server: server, streams: streams.sorted { $0.since > $1.since })
    }
}

extension LocalStream {
    func report(at now: Monotonic) -> StreamReport {
        let percentiles = delay.percentiles([0.5, 0.99])
        var report = StreamReport(
            id: id, key: redactedKey, live: isLive, since: 0, liveSeconds: 0, encoder: "", inKbps: 0,
            video: nil,
            audio: nil, layers: [],
            delay: StreamReport.Delay(
                p50: percentiles[0].seconds * 1000, p99: percentiles[1].seconds * 1000),
            dropped: 0, drops: [:], skewMilliseconds: skew.seconds * 1000, viewers: viewers.count, advice: [])
        if let feed {
            describe(feed, in: &report, at: now)
            return report
        }
        guard let session else { return report }
        let statistics = session.statistics
        var meters = (video: statistics.videoIn, audio: statistics.audioIn)
        report.since = Double(session.startedAtUnix) / 1e9
        report.liveSeconds = (now - session.startedAt).seconds
        report.encoder = session.encoder
        report.inKbps = (meters.video.bitsPerSecond(at: now) + meters.audio.bitsPerSecond(at: now)) / 1000
        report.video = videoReport(statistics, &meters.video, at: now)
        report.audio = audioReport(statistics, &meters.audio, at: now)
        report.layers = layerReports(session, at: now)
        report.drops = [
            "late": statistics.video.droppedForLateness &+ session.lateSound, "queue": session.queueDrops,
            "undecodable": statistics.video.decoderErrors &+ statistics.audio.decoderErrors,
            "time": statistics.video.droppedForTime,
        ]
        report.dropped = report.drops.values.reduce(0, &+)
        report.advice = Advice.sentences(for: session, fps: report.video?.fps ?? 0)
        return report
    }

    /// A publisher that is passed through.
    private func describe(_ feed: PassedFeed, in report: inout StreamReport, at now: Monotonic) {
        var audio = feed.audioIn
        var inBits = audio.bitsPerSecond(at: now)
        report.since = Double(feed.startedAtUnix) / 1e9
        report.liveSeconds = (now - feed.startedAt).seconds
        report.encoder = feed.encoder
        for layer in feed.layers.reversed() {
            let quality = layer.quality
            var meter = layer.meter
            let (fps, bits) = (meter.eventsPerSecond(at: now), meter.bitsPerSecond(at: now))
            inBits += bits
            let size = layer.passed.size
            let viewers = layers[quality]?.viewers ?? 0
            report.layers.append(
                StreamReport.Layer(
                    rid: quality.rid, quality: "\(quality)".uppercased(), width: size.width, height: size.height,
                    fps: fps, kbps: bits / 1000, targetKbps: Double(layer.passed.bitrate) / 1000, encodeMilliseconds: 0,
                    viewers: viewers, state: "passed"))
            guard report.video == nil, let video = feed.video else { continue }
            let name = video.codec.displayName
            report.video = StreamReport.Video(
                codec: name, profile: name, width: size.width, height: size.height, fps: fps, gopSeconds: 0,
                gopFrames: 0, kbps: bits / 1000, hasBFrames: false)
        }
        report.inKbps = inBits / 1000
        if feed.tracks.audio != nil || feed.sound != nil {
            let kbps = audio.bitsPerSecond(at: now) / 1000
            let isStereo = feed.tracks.audio?.isStereo ?? false
            report.audio = StreamReport.Audio(
                codec: (feed.soundCodec ?? .opus).displayName, sampleRate: 0,
                channels: isStereo ? 2 : 1, kbps: kbps, outKbps: kbps)
        }
    }

    private func videoReport(
        _ statistics: SessionStatistics, _ meter: inout RateMeter, at now: Monotonic
    ) -> StreamReport.Video? {
        guard let configuration = statistics.videoConfiguration else { return nil }
        let size = statistics.video.source.displaySize
        let coded = configuration.codedSize
        return StreamReport.Video(
            codec: configuration.profileName, profile: configuration.profileName,
            width: size.width > 0 ? size.width : coded?.width ?? 0,
            height: size.height > 0 ? size.height : coded?.height ?? 0,
            fps: meter.eventsPerSecond(at: now), gopSeconds: statistics.keyFrameDistance.seconds,
            gopFrames: statistics.gopFrames, kbps: meter.bitsPerSecond(at: now) / 1000,
            hasBFrames: statistics.hasBFrames)
    }

    private func audioReport(
        _ statistics: SessionStatistics, _ meter: inout RateMeter, at now: Monotonic
    ) -> StreamReport.Audio? {
        guard let configuration = statistics.audioConfiguration else { return nil }
        var out = audioOut
        let decoded = statistics.audio
        return StreamReport.Audio(
            codec: configuration.profileName.split(separator: " ").first.map(String.init)
                ?? configuration.codec.rawValue,
            sampleRate: decoded.sourceRate > 0 ? decoded.sourceRate : configuration.sampleRate,
            channels: decoded.sourceChannels > 0 ? decoded.sourceChannels : configuration.channels,
            kbps: meter.bitsPerSecond(at: now) / 1000, outKbps: out.bitsPerSecond(at: now) / 1000)
    }

    private func layerReports(_ session: IngestSession, at now: Monotonic) -> [StreamReport.Layer] {
        session.ladder.reversed().map { rung in
            var figures = layers[rung.quality] ?? LayerFigures()
            let isEncoded = isEncoded(rung.quality)
            return StreamReport.Layer(
                rid: rung.quality.rid, quality: "\(rung.quality)".uppercased(), width: rung.size.width,
                height: rung.size.height,
                fps: figures.meter.eventsPerSecond(at: now), kbps: figures.meter.bitsPerSecond(at: now) / 1000,
                targetKbps: Double(rung.bitrate) / 1000,
                encodeMilliseconds: isEncoded ? session.statistics.encodeMilliseconds(rung.quality) : 0,
                viewers: figures.viewers, state: isEncoded ? "encoded" : "paused")
        }
    }
}

extension SessionStatistics {
    /// Scaling and encoding of one frame, mean between the last two readings.
    func encodeMilliseconds(_ quality: LayerQuality) -> Double {
        let (now, then) = (video[quality], previousVideo[quality])
        let frames = Double(now.encode.count &- then.encode.count)
        guard frames > 0 else { return 0 }
        return ((now.encode.sum + now.scale.sum) - (then.encode.sum + then.scale.sum)).seconds * 1000 / frames
    }
}
