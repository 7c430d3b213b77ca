import ArgumentParser
import Bytes
import DTLS
import Runtime

struct PassCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pass",
        abstract: "Publishes a clip over WHIP and watches it over WHEP in one process, once or many times over.",
        discussion: """
            For a server that passes packets on. Delays are those of each packet of a picture, from the publisher's sender to \
            the viewer's socket, over loopback, with both ends' system calls inside.
            """)

    @Argument(help: "http://ADDRESS:PORT/whip/KEY") var whipURL: String
    @Argument(help: "http://ADDRESS:PORT/whep/KEY") var whepURL: String
    @Argument(help: "H.264 without B-frames in FLV.") var clip: String
    @Option(help: "How long to publish, once all are connected.") var seconds = 20.0
    @Option(help: "Seconds at the begin that the delay leaves out.") var warmup = 3.0
    @Option(help: "Publishers, each with a viewer.") var count = 1
    @Option(help: "Their keys are this and a number; without it all use the URL's.") var keyPrefix: String?

    struct Report: Encodable {
        var publishers = 0
        /// Connected, and still so at the end.
        var publishersConnected = 0
        var viewersConnected = 0
        var failures: [String] = []
        /// Packets of first sendings, and those that the server asked for again.
        var packetsSent: UInt64 = 0
        var packetsNacked: UInt64 = 0
        var packetsReceived = 0
        var packetsLost = 0
        /// Of the viewer with the fewest pictures.
        var picturesMin: Int?
        var largestGapMs = 0.0
        var traced = 0
        var delayP50Ms: Double?
        var delayP99Ms: Double?
        var delayMaxMs: Double?
    }

    func validate() throws {
        guard (1...1_000).contains(count), seconds > 0 else {
            throw ValidationError("--count is 1 to 1000, --seconds above 0.")
        }
    }

    func run() async throws {
        let whip = try ServerURL(whipURL, scheme: "http", defaultPort: 80)
        let whep = try ServerURL(whepURL, scheme: "http", defaultPort: 80)
        let report = try await measure(whip, whep, try PassClip(path: clip))
        try printJSON(report)
        if report.publishersConnected < count || report.viewersConnected < count { throw ExitCode.failure }
    }

    @MediaLoop
    private func measure(_ whip: ServerURL, _ whep: ServerURL, _ clip: PassClip) async throws -> Report {
        let context = try viewerContext()
        var report = Report()
        var pairs: [(publisher: WHIPPublisher, viewer: RTPViewer)] = []
        let tracer = count == 1 ? PacketTracer() : nil
        for key in streamKeys(whip.folderAndName.name, prefix: keyPrefix, count: count) {
            report.publishers += 1
            do {
                let publisher = try await Self.publish(whip, "\(whip.folderAndName.folder)/\(key)", clip, context)
                publisher.tracer = tracer
                let path = "\(whep.folderAndName.folder)/\(key)"
                let viewer = try await RTPViewer.open(whep, path: path, context: context)
                viewer.tracer = tracer
                pairs.append((publisher, viewer))
            } catch {
                if report.failures.count < 5 { report.failures.append("\(error)") }
            }
        }
        let start = Monotonic.now
        try await Task.sleep(nanoseconds: UInt64(seconds * 1e9))
        for (publisher, viewer) in pairs { report.add(publisher, viewer) }
        if let tracer {
            report.note(tracer.delays.filter { $0.sentAt - start >= Interval(seconds: warmup) }.map(\.delay))
        }
        for (publisher, viewer) in pairs {
            viewer.close()
            publisher.close()
        }
        // The goodbyes need a moment to leave.
        try await Task.sleep(nanoseconds: 300_000_000)
        for (publisher, viewer) in pairs {
            viewer.release()
            publisher.release()
        }
        return report
    }

    @MediaLoop
    private static func publish(
        _ url: ServerURL, _ path: String, _ clip: PassClip, _ context: DTLSContext
    ) async throws -> WHIPPublisher {
        try await WHIPPublisher.open(clip, context: context) { offer in
            let response = try await HTTPExchange.perform("POST", url, path: path, body: offer)
            guard response.status == 201 else { throw BenchError("WHIP answered \(response.status): \(response.text)") }
            return (response.text, response.localIP)
        }
    }
}

extension PassCommand.Report {
    @MediaLoop
    fileprivate mutating func add(_ publisher: WHIPPublisher, _ viewer: RTPViewer) {
        if publisher.isConnected {
            publishersConnected += 1
        } else if failures.count < 5 {
            failures.append("publisher: \(publisher.closeReason.map { "\($0)" } ?? "not connected")")
        }
        if viewer.isConnected {
            viewersConnected += 1
        } else if failures.count < 5 {
            failures.append("viewer: \(viewer.closeReason.map { "\($0)" } ?? "not connected")")
        }
        packetsSent += publisher.packets
        packetsNacked += publisher.nacked
        packetsReceived += viewer.video.packets + viewer.audio.packets
        packetsLost += viewer.video.lost + viewer.audio.lost
        picturesMin = min(picturesMin ?? .max, viewer.video.frames)
        largestGapMs = max(largestGapMs, viewer.video.largestGap.inMilliseconds)
    }

    fileprivate mutating func note(_ delays: [Interval]) {
        traced = delays.count
        delayP50Ms = delays.percentile(0.5)?.inMilliseconds
        delayP99Ms = delays.percentile(0.99)?.inMilliseconds
        delayMaxMs = delays.max()?.inMilliseconds
    }
}
