import ArgumentParser
import Bytes
import DTLS
import Foundation
import Ingress
import Logging
import Transcode

/// `ingress-test-server`: RTMP in, WebRTC out, with a page to watch it; nothing else needed.
@main
struct TestServerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ingress-test-server",
        abstract: "Takes live video over RTMP and shows it in a browser over WebRTC.",
        discussion: """
            Point OBS or FFmpeg at rtmp://127.0.0.1:1935/live/KEY, open the page, watch. Each stream is transcoded to a ladder of \
            layers; a layer that nobody watches is not encoded. With --demo the server publishes a test picture to itself.
            """,
        version: TestServerVersion.current, subcommands: [ConformanceCommand.self])

    @Option(help: "TCP port for RTMP.")
    var rtmpPort: UInt16 = 1935

    @Option(help: "TCP port for RTMPS; needs --tls-cert and --tls-key.")
    var rtmpsPort: UInt16?

    @Option(help: "Certificate chain for RTMPS, PEM file.")
    var tlsCert: String?

    @Option(help: "Private key for RTMPS, PEM file.")
    var tlsKey: String?

    @Option(help: "TCP port for the page, the reports and WHEP.")
    var httpPort: UInt16 = 8080

    @Option(help: "UDP port for all WebRTC media; the TCP port of the same number serves ICE-TCP.")
    var udpPort: UInt16 = 7885

    @Option(help: "Address to listen on. 0.0.0.0 opens the server to everyone who can reach this machine.")
    var bind = "127.0.0.1"

    @Option(help: ArgumentHelp("Ladder of layers, by LiveKit's name.", discussion: presetNames))
    var preset = "H264_720P_30FPS_3_LAYERS"

    @Option(
        help: "Own ladder instead of a preset: one to three of WxH or WxH@kbps, with commas between.")
    var layers: String?

    @Option(help: "Codec of the layers: h264 or vp8.")
    var videoCodec = "h264"

    @Option(help: "Most frames a second of an own ladder.")
    var fps = 30.0

    @Option(help: "Bit rate of the sound that viewers get, kbit/s.")
    var audioBitrate = 96

    @Flag(help: "Send the sound in mono.")
    var mono = false

    @Option(
        name: .customLong("stream-key"), parsing: .upToNextOption,
        help: "Stream keys that are accepted; any is when none is given.")
    var streamKeys: [String] = []

    @Option(
        name: .customLong("on-duplicate"),
        help: "A second encoder on a live key: replace (with its first key frame) or reject.")
    var onDuplicate = "replace"

    @Option(
        help: "What becomes of WHIP publishers: transcode (to the ladder) or pass (their packets go on as they are).")
    var whip = "transcode"

    @Flag(help: "Publish a moving test picture with sound to this server, through a real RTMP connection.")
    var demo = false

    @Option(name: .customLong("log-level"), help: "trace, debug, info, notice, warning or error.")
    var logLevel = "info"

    private static var presetNames: String {
        "One of: " + LadderSpec.Preset.allCases.map(\.name).joined(separator: ", ") + "."
    }

    func validate() throws {
        _ = try ladder()
        _ = try address()
        guard LocalRoom.DuplicatePolicy(rawValue: onDuplicate) != nil else {
            throw ValidationError("--on-duplicate takes replace or reject, not \(onDuplicate).")
        }
        guard ["transcode", "pass"].contains(whip) else {
            throw ValidationError("--whip takes transcode or pass, not \(whip).")
        }
        guard Logger.Level(rawValue: logLevel) != nil else {
            throw ValidationError("There is no log level \(logLevel).")
        }
        guard (6...510).contains(audioBitrate) else { throw ValidationError("--audio-bitrate is 6 to 510 kbit/s.") }
        let tlsParts = [rtmpsPort != nil, tlsCert != nil, tlsKey != nil]
        guard Set(tlsParts).count == 1 else {
            throw ValidationError("RTMPS takes --rtmps-port, --tls-cert and --tls-key together.")
        }
    }

    func run() async throws {
        let level = Logger.Level(rawValue: logLevel) ?? .info
        LoggingSystem.bootstrap { label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = level
            return handler
        }
        let metrics = PrometheusRegistry()
        do {
            let server = RoomServer(
                options: try options(), assets: PageAssets.all, metrics: metrics, log: Logger(label: "ingress"))
            let isDemo = demo
            try await server.run { bound in
                print(Banner.text(bound, isDemo: isDemo))
                fflush(nil)
            }
        } catch {
            FileHandle.standardError.write(Data("error: \(Banner.sentence(for: error))\n".utf8))
            throw ExitCode.failure
        }
    }

    private func ladder() throws -> LadderSpec {
        guard let codec: LadderCodec = ["h264": .h264, "vp8": .vp8][videoCodec] else {
            throw ValidationError("--video-codec takes h264 or vp8, not \(videoCodec).")
        }
        do {
            if let layers { return try LadderSpec(layers: layers, codec: codec, maxFrameRate: fps) }
            guard let preset = LadderSpec.Preset(name: preset) else {
                throw ValidationError("There is no preset \(preset). \(Self.presetNames)")
            }
            let spec = LadderSpec(preset: preset)
            return try LadderSpec(codec: codec, maxFrameRate: spec.maxFrameRate, layers: spec.layers)
        } catch let error as TranscodeError {
            throw ValidationError("--layers takes WxH@kbps,… with even sides and at most three layers (\(error)).")
        }
    }

    private func address() throws -> TransportAddress.IP {
        guard let ip = TransportAddress.IP(bind) else {
            throw ValidationError("--bind takes an IP address such as 127.0.0.1 or 0.0.0.0, not \(bind).")
        }
        return ip
    }

    private func options() throws -> RoomServer.Options {
        var room = LocalRoom.Settings(
            session: IngestSession.Settings(
                ladder: try ladder(),
                audio: AudioSpec(channels: mono ? 1 : 2, bitrate: audioBitrate * 1000, usesDTX: false),
                maxThreads: max(1, ProcessInfo.processInfo.activeProcessorCount)))
        let demoKey = demo ? "demo" : nil
        if !streamKeys.isEmpty { room.allowedKeys = Set(streamKeys + [demoKey].compactMap { $0 }) }
        room.passesWHIP = whip == "pass"
        room.duplicatePolicy = LocalRoom.DuplicatePolicy(rawValue: onDuplicate) ?? .replace
        var options = RoomServer.Options(bind: try address(), room: room, version: TestServerVersion.current)
        options.rtmpPort = rtmpPort
        options.httpPort = httpPort
        options.udpPort = udpPort
        options.demoKey = demoKey
        if let rtmpsPort, let tlsCert, let tlsKey {
            options.rtmpsPort = rtmpsPort
            options.tls = try TLSServerContext(certificateFile: tlsCert, keyFile: tlsKey)
        }
        return options
    }
}

enum TestServerVersion {
    static let current = "0.1.0"
}
