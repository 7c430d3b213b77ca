import ArgumentParser
import Bytes
import Runtime

struct PublishCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "publish", abstract: "Publishes a clip over RTMP at its pace, once or many times over.")

    @Argument(help: "rtmp://ADDRESS:PORT/APP/KEY") var url: String
    @Argument(help: "A FLV file.") var clip: String
    @Option(help: "How long to publish.") var seconds = 20.0
    @Option(help: "Publishers, all at once.") var count = 1
    @Option(help: "Their keys are this and a number; without it all use the URL's.") var keyPrefix: String?
    @Flag(inversion: .prefixedNo, help: "Begin anew at the clip's end.") var loop = true
    @Flag(help: "Leave the picture out.") var audioOnly = false

    struct Report: Encodable {
        var publishers = 0
        /// Still publishing, or ended with the clip.
        var good = 0
        var failed = 0
        var failures: [String] = []
        var messages = 0
        var pictures = 0
        var mostQueuedBytes = 0
        var worstLatenessMs = 0.0
        /// From the first byte to the server's word that it takes the stream.
        var startMsMax = 0.0
    }

    func validate() throws {
        guard (1...2_000).contains(count), seconds > 0 else {
            throw ValidationError("--count is 1 to 2000, --seconds above 0.")
        }
    }

    func run() async throws {
        let target = try ServerURL(url, scheme: "rtmp", defaultPort: 1935)
        let keys = streamKeys(target.folderAndName.name, prefix: keyPrefix, count: count)
        let report = try await Self.publish(
            target, keys, try Clip(path: clip, hasVideo: !audioOnly), isLooping: loop, for: Interval(seconds: seconds))
        try printJSON(report)
        if report.failed > 0 { throw ExitCode.failure }
    }

    @MediaLoop
    private static func publish(
        _ target: ServerURL, _ keys: [String], _ clip: Clip, isLooping: Bool, for duration: Interval
    ) async throws -> Report {
        var options = ClipPublisher.Options()
        options.isLooping = isLooping
        let publishers = keys.map { ClipPublisher(target, key: $0, clip: clip, options: options) }
        for publisher in publishers { publisher.start(connectingTo: target.address) }
        try await Task.sleep(nanoseconds: UInt64(duration.nanoseconds))
        var report = Report()
        for publisher in publishers { report.add(publisher) }
        for publisher in publishers { publisher.stop() }
        // The goodbyes need a moment to leave.
        try await Task.sleep(nanoseconds: 500_000_000)
        return report
    }
}

extension PublishCommand.Report {
    @MediaLoop
    mutating func add(_ publisher: ClipPublisher) {
        publishers += 1
        switch publisher.state {
        case .publishing, .ended: good += 1
        case .connecting: fail("no answer to publish")
        case .failed(let reason): fail(reason)
        }
        messages += publisher.messageCount
        pictures += publisher.pictureCount
        mostQueuedBytes = max(mostQueuedBytes, publisher.mostQueuedBytes)
        worstLatenessMs = max(worstLatenessMs, publisher.worstLateness.inMilliseconds)
        if let first = publisher.firstByteAt, let started = publisher.startedAt {
            startMsMax = max(startMsMax, (started - first).inMilliseconds)
        }
    }

    private mutating func fail(_ reason: String) {
        failed += 1
        if failures.count < 5 { failures.append(reason) }
    }
}
