import ArgumentParser
import Bytes
import DTLS
import Runtime

struct ViewCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "view", abstract: "Watches streams over WHEP, counts what comes, decodes nothing.")

    @Argument(help: "http://ADDRESS:PORT/whep/KEY") var url: String
    @Option(help: "How long to watch.") var seconds = 20.0
    @Option(help: "Viewers, all at once.") var count = 1
    @Option(help: "Layer: q, h or f; several with commas between are taken in turn.") var layer = "f"
    @Option(help: "The streams' keys are this and a number; without it all watch the URL's.") var keyPrefix: String?

    func validate() throws {
        guard (1...2_000).contains(count), seconds > 0 else {
            throw ValidationError("--count is 1 to 2000, --seconds above 0.")
        }
    }

    func run() async throws {
        let target = try ServerURL(url, scheme: "http", defaultPort: 80)
        let (folder, name) = target.folderAndName
        let layers = layer.split(separator: ",")
        let paths = streamKeys(name, prefix: keyPrefix, count: count).enumerated().map { index, key in
            "\(folder)/\(key)?layer=\(layers[index % layers.count])"
        }
        let report = try await Self.view(target, paths, for: Interval(seconds: seconds))
        try printJSON(report)
        if report.connected < report.viewers { throw ExitCode.failure }
    }

    @MediaLoop
    private static func view(_ target: ServerURL, _ paths: [String], for duration: Interval) async throws -> ViewReport
    {
        let end = Monotonic.now + duration
        let context = try viewerContext()
        var report = ViewReport()
        let viewers = await withTaskGroup(of: Result<RTPViewer, any Error>.self) { group in
            for path in paths { group.addTask { await Self.open(target, path, context) } }
            var opened: [RTPViewer] = []
            for await result in group {
                switch result {
                case .success(let viewer): opened.append(viewer)
                case .failure(let error): report.fail("\(error)")
                }
            }
            return opened
        }
        let rest = max((end - .now).nanoseconds, 0)
        try await Task.sleep(nanoseconds: UInt64(rest))
        for viewer in viewers { report.add(viewer) }
        for viewer in viewers { viewer.close() }
        // The goodbyes need a moment to leave.
        try await Task.sleep(nanoseconds: 300_000_000)
        for viewer in viewers { viewer.release() }
        return report
    }

    @MediaLoop
    private static func open(
        _ target: ServerURL, _ path: String, _ context: DTLSContext
    ) async -> Result<RTPViewer, any Error> {
        do {
            return .success(try await RTPViewer.open(target, path: path, context: context))
        } catch {
            return .failure(error)
        }
    }
}

/// One certificate serves all viewers of a process.
func viewerContext() throws -> DTLSContext {
    let certificate = try Certificate.selfSigned(unixSeconds: SystemClock.unixNanoseconds() / 1_000_000_000)
    return try DTLSContext(certificate: certificate)
}

struct ViewReport: Encodable {
    struct Sum: Encodable {
        var packets = 0
        var bytes = 0
        var lost = 0
        var reordered = 0
        /// Fewest and most frames that one viewer got.
        var framesMin: Int?
        var framesMax = 0
        var keyFramesMin: Int?
        var largestGapMs = 0.0
        /// Viewers that got nothing.
        var starved = 0

        mutating func add(_ track: RTPViewer.Track) {
            packets += track.packets
            bytes += track.bytes
            lost += track.lost
            reordered += track.reordered
            framesMin = min(framesMin ?? .max, track.frames)
            framesMax = max(framesMax, track.frames)
            keyFramesMin = min(keyFramesMin ?? .max, track.keyFrames)
            largestGapMs = max(largestGapMs, track.largestGap.inMilliseconds)
            if track.packets == 0 { starved += 1 }
        }
    }

    var viewers = 0
    /// Connected, and still so at the end.
    var connected = 0
    var failures: [String] = []
    var audio = Sum()
    var video = Sum()
    /// Datagrams that could not be used: unauthentic, repeated, malformed.
    var dropped: UInt64 = 0
    /// From the offer to SRTP keys.
    var connectMsMax = 0.0
    /// From the offer to the whole first picture.
    var firstPictureMsMax = 0.0

    @MediaLoop
    mutating func add(_ viewer: RTPViewer) {
        viewers += 1
        if viewer.isConnected {
            connected += 1
        } else if failures.count < 5 {
            failures.append(viewer.closeReason.map { "closed: \($0)" } ?? "not connected")
        }
        audio.add(viewer.audio)
        video.add(viewer.video)
        dropped += viewer.drops
        if let at = viewer.connectedAt { connectMsMax = max(connectMsMax, (at - viewer.openedAt).inMilliseconds) }
        if let at = viewer.video.firstCompletedAt {
            firstPictureMsMax = max(firstPictureMsMax, (at - viewer.openedAt).inMilliseconds)
        }
    }

    mutating func fail(_ reason: String) {
        viewers += 1
        if failures.count < 5 { failures.append(reason) }
    }
}
