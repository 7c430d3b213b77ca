import ArgumentParser
import Bytes
import DTLS
import Runtime

struct DelayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delay",
        abstract: "Publishes and watches in one process: from a picture's last byte in to its first RTP packet out.",
        discussion: """
            The viewer waits before the publisher comes, so that the time of the first picture is told as well. \
            Delays are those of one layer, over loopback, with both ends' system calls inside.
            """)

    @Argument(help: "rtmp://ADDRESS:PORT/APP/KEY") var rtmpURL: String
    @Argument(help: "http://ADDRESS:PORT/whep/KEY") var whepURL: String
    @Argument(help: "H.264 and AAC in FLV.") var clip: String
    @Option(help: "How long to publish.") var seconds = 20.0
    @Option(help: "Seconds at the begin that the delay leaves out.") var warmup = 2.0
    @Option(help: "Layer: q, h or f.") var layer = "f"
    @Option(help: "Stop sending at this second.") var freezeAt: Double?
    @Option(help: "Seconds for which nothing is sent.") var freezeSeconds = 5.0
    @Flag(help: "After the freeze go on where it stopped; otherwise all that was held back comes at once.") var resume =
        false

    struct Report: Encodable {
        /// From the publisher's first byte to the whole first picture at the waiting viewer.
        var firstPictureMs: Double?
        /// The same from the last byte of the first picture in.
        var firstPictureFromFrameMs: Double?
        var picturesSent = 0
        var picturesReceived = 0
        var matched = 0
        /// Received, but not found among those sent.
        var unmatched = 0
        /// Sent and never received.
        var missing = 0
        var lostPackets = 0
        var delayP50Ms: Double?
        var delayP99Ms: Double?
        var delayMaxMs: Double?
        /// Times that the server moved its clock's distance.
        var clockMoves = 0
        var largestGapMs = 0.0
        /// From the end of the freeze to the first of thirty pictures in a row below 60 ms.
        var recoveryMs: Double?
        var recovered: Bool?
        var failure: String?
    }

    /// What counts as good again after a freeze.
    fileprivate static let recoveredBelow = Interval.milliseconds(60)
    fileprivate static let recoveredFor = 30

    func run() async throws {
        let rtmp = try ServerURL(rtmpURL, scheme: "rtmp", defaultPort: 1935)
        let whep = try ServerURL(whepURL, scheme: "http", defaultPort: 80)
        var options = ClipPublisher.Options()
        options.isJittering = true
        options.freezeAt = freezeAt.map { Interval(seconds: $0) }
        options.freezeFor = Interval(seconds: freezeSeconds)
        options.isBursting = !resume
        let report = try await Self.measure(
            rtmp, whep, path: "\(whep.path)?layer=\(layer)", try Clip(path: clip), options,
            for: Interval(seconds: seconds),
            warmup: Interval(seconds: warmup))
        try printJSON(report)
        if report.failure != nil || report.matched == 0 { throw ExitCode.failure }
    }

    @MediaLoop
    private static func measure(
        _ rtmp: ServerURL, _ whep: ServerURL, path: String, _ clip: Clip, _ options: ClipPublisher.Options,
        for duration: Interval, warmup: Interval
    ) async throws -> Report {
        let viewer = try await RTPViewer.open(whep, path: path, context: try viewerContext(), keepsArrivals: true)
        for _ in 0..<100 where !viewer.isConnected { try await Task.sleep(nanoseconds: 50_000_000) }
        guard viewer.isConnected else { throw BenchError("the viewer does not connect") }
        let publisher = ClipPublisher(
            rtmp, key: rtmp.folderAndName.name, clip: clip, options: options, keepsPictures: true)
        publisher.start(connectingTo: rtmp.address)
        try await Task.sleep(nanoseconds: UInt64(duration.nanoseconds))
        var report = Report()
        report.note(publisher, viewer, warmup: warmup)
        publisher.stop()
        viewer.close()
        try await Task.sleep(nanoseconds: 300_000_000)
        viewer.release()
        return report
    }
}

extension DelayCommand.Report {
    @MediaLoop
    fileprivate mutating func note(_ publisher: ClipPublisher, _ viewer: RTPViewer, warmup: Interval) {
        if case .failed(let reason) = publisher.state { failure = reason }
        if !viewer.isConnected { failure = viewer.closeReason.map { "the viewer was closed: \($0)" } }
        let matcher = DelayMatcher(sent: publisher.pictures, received: viewer.video.arrivals)
        picturesSent = publisher.pictures.count
        picturesReceived = viewer.video.frames
        matched = matcher.matches.count
        unmatched = matcher.unmatched
        let found = Set(matcher.matches.map(\.sent))
        // The last pictures may be on their way.
        missing = publisher.pictures.indices.dropLast(10).count { !found.contains($0) }
        clockMoves = max(0, matcher.offsets - 1)
        lostPackets = viewer.video.lost
        largestGapMs = viewer.video.largestGap.inMilliseconds
        if let at = viewer.video.firstCompletedAt {
            firstPictureMs = publisher.firstByteAt.map { (at - $0).inMilliseconds }
            firstPictureFromFrameMs = publisher.pictures.first.map { (at - $0.at).inMilliseconds }
        }
        guard let start = publisher.startedAt else { return }
        let end = publisher.thawedAt ?? .distantFuture
        let steady = matcher.matches.filter { $0.sentAt - start >= warmup && $0.arrivedAt < end }.map(\.delay)
        delayP50Ms = steady.percentile(0.5)?.inMilliseconds
        delayP99Ms = steady.percentile(0.99)?.inMilliseconds
        delayMaxMs = steady.max()?.inMilliseconds
        if let thaw = publisher.thawedAt { noteRecovery(matcher.matches.filter { $0.arrivedAt >= thaw }, thaw) }
    }

    private mutating func noteRecovery(_ matches: [DelayMatcher.Match], _ thaw: Monotonic) {
        var run = 0
        recovered = false
        for (index, match) in matches.enumerated() {
            run = match.delay < DelayCommand.recoveredBelow ? run + 1 : 0
            guard run == DelayCommand.recoveredFor else { continue }
            recovered = true
            recoveryMs = (matches[index + 1 - run].arrivedAt - thaw).inMilliseconds
            return
        }
    }
}
