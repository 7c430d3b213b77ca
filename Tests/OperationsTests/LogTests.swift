import ServiceConfiguration
import Ingress
import Logging
import Synchronization
import Testing

@Suite struct LogLevelsTests {
    private func levels(_ level: ConfiguredLogLevel, _ components: [String: ConfiguredLogLevel] = [:]) -> LogLevels {
        var configuration = LoggingConfiguration()
        configuration.level = level
        configuration.componentLevels = components
        return LogLevels(configuration, serviceName: "ingress")
    }

    @Test(
        "levels of the configuration as those of swift-log",
        arguments: [
            (ConfiguredLogLevel.debug, Logger.Level.trace), (.info, .info), (.warn, .warning), (.error, .error),
        ])
    func levels(configured: ConfiguredLogLevel, level: Logger.Level) {
        #expect(levels(configured).cell(for: "ingress").level == level)
    }

    @Test(
        "the longest entry that a logger's name begins with rules, with or without the service's name",
        arguments: [
            ("ingress", Logger.Level.info), ("ingress.rtmp", .trace), ("ingress.rtmp.chunks", .error),
            ("ingress.rtmp.chunks.deep", .error), ("ingress.rtmpx", .info), ("rtmp", .trace),
            ("ingress.whip", .warning),
            ("whip", .info), ("other.rtmp", .info), ("", .info),
        ])
    func components(label: String, level: Logger.Level) {
        let levels = levels(.info, ["rtmp": .debug, "rtmp.chunks": .error, "ingress.whip": .warn])
        #expect(levels.cell(for: label).level == level)
    }

    @Test("a reload changes loggers that exist")
    func reload() {
        let levels = levels(.info)
        let (all, one) = (levels.cell(for: "ingress"), levels.cell(for: "ingress.rtmp"))
        var configuration = LoggingConfiguration()
        configuration.level = .error
        configuration.componentLevels = ["rtmp": .debug]
        levels.update(configuration)
        #expect(all.level == .error)
        #expect(one.level == .trace)
        #expect(levels.cell(for: "ingress.new").level == .error)
    }
}

@Suite struct LogLineTests {
    private func line(
        _ format: LogLine.Format, _ message: String = "hello", level: Logger.Level = .info,
        fields: Logger.Metadata = [:],
        at time: Int64 = 1_700_000_000_123_456_789
    ) -> String {
        let bytes = LogLine.encode(
            format, level: level, label: "ingress.rtmp", message: message, fields: fields, unixNanoseconds: time)
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test("JSON as zap writes it")
    func json() {
        #expect(
            line(.json, fields: ["b": "2", "a": "1"])
                == "{\"level\":\"info\",\"ts\":1700000000.123456,\"logger\":\"ingress.rtmp\",\"msg\":\"hello\","
                + "\"a\":\"1\",\"b\":\"2\"}\n")
    }

    @Test("text with tabs, as zap's console")
    func text() {
        #expect(line(.text) == "2023-11-14T22:13:20.123Z\tINFO\tingress.rtmp\thello\n")
        #expect(
            line(.text, fields: ["a": "1"]) == "2023-11-14T22:13:20.123Z\tINFO\tingress.rtmp\thello\t{\"a\":\"1\"}\n")
    }

    @Test(
        "levels in zap's words",
        arguments: zip(Logger.Level.allCases, ["debug", "debug", "info", "info", "warn", "error", "error"]))
    func levels(level: Logger.Level, name: String) {
        #expect(line(.json, level: level).hasPrefix("{\"level\":\"\(name)\""))
        #expect(line(.text, level: level).contains("\t\(name.uppercased())\t"))
    }

    @Test("numbers and truth values stay what they are, other values are texts, nested ones nest")
    func values() {
        let fields: Logger.Metadata = [
            "bool": .stringConvertible(true), "double": .stringConvertible(1.5), "int": .stringConvertible(-5),
            "list": ["x", .stringConvertible(1 as UInt8)], "map": ["k": "v"], "nan": .stringConvertible(Double.nan),
            "range": .stringConvertible(Duration.seconds(1)),
        ]
        #expect(
            line(.text, fields: fields).hasSuffix(
                "\t{\"bool\":true,\"double\":1.5,\"int\":-5,\"list\":[\"x\",1],\"map\":{\"k\":\"v\"},\"nan\":\"nan\","
                    + "\"range\":\"1.0 seconds\"}\n"))
    }

    @Test("no text breaks the line or the JSON")
    func escapes() {
        let nasty = "a\"b\\c\nd\re\tf\u{1B}[31m\u{7F}\u{0}ü😀"
        #expect(
            line(.json, nasty).contains(
                "\"msg\":\"a\\\"b\\\\c\\nd\\re\\tf\\u001b[31m\\u007f\\u0000ü😀\""))
        let text = line(.text, nasty, fields: [nasty: .string(nasty)])
        #expect(text.contains("\ta\"b\\c\\nd\\re\\tf\\u001b[31m\\u007f\\u0000ü😀\t"))
        #expect(text.utf8.count { $0 == 10 } == 1)
        #expect(text.utf8.allSatisfy { $0 >= 32 || $0 == 9 || $0 == 10 })
    }

    @Test("a long text is cut between characters")
    func long() {
        for lead in ["", "x", "xx", "xxx"] {
            let text = line(.json, lead + String(repeating: "😀", count: 5_000))
            #expect(text.utf8.count < 4_300)
            #expect(text.contains("😀…\""))
            #expect(!text.contains("\u{FFFD}"))
        }
        let fits = String(repeating: "é", count: 2_048)
        #expect(line(.json, fits).contains("\"\(fits)\""))
    }

    @Test(
        "dates of all kinds of years",
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (951_782_399, "2000-02-28T23:59:59.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"), (951_868_800, "2000-03-01T00:00:00.000Z"),
            (1_735_689_599, "2024-12-31T23:59:59.000Z"), (4_107_542_400, "2100-03-01T00:00:00.000Z"),
        ] as [(Int64, String)])
    func dates(seconds: Int64, text: String) {
        #expect(line(.text, at: seconds * 1_000_000_000).hasPrefix(text + "\t"))
    }
}

@Suite struct LineLogHandlerTests {
    private final class Sink: Sendable {
        private let lines = Mutex<[String]>([])
        var all: [String] { lines.withLock { $0 } }
        func take(_ line: [UInt8]) { lines.withLock { $0.append(String(decoding: line, as: UTF8.self)) } }
    }

    private struct Broken: Error, CustomStringConvertible { var description: String { "it broke" } }

    private func logger(_ label: String, _ sink: Sink, _ levels: LogLevels) -> Logger {
        let output = LogOutput(format: .json, levels: levels, clock: { 1_000_000_000 }, write: { sink.take($0) })
        return Logger(label: label) { output.handler(label: $0) }
    }

    private let levels = LogLevels(LoggingConfiguration(), serviceName: "ingress")

    @Test("lines below the level are not written, and a reload is followed at once")
    func levelChange() {
        let sink = Sink()
        let logger = logger("ingress", sink, levels)
        logger.debug("a")
        logger.info("b")
        var configuration = LoggingConfiguration()
        configuration.level = .debug
        levels.update(configuration)
        logger.debug("c")
        configuration.level = .error
        levels.update(configuration)
        logger.warning("d")
        #expect(sink.all.map { $0.contains("\"msg\":\"b\"") || $0.contains("\"msg\":\"c\"") } == [true, true])
    }

    @Test("a level set on one logger is its own")
    func ownLevel() {
        let sink = Sink()
        var quiet = logger("ingress", sink, levels)
        let other = quiet
        quiet.logLevel = .critical
        quiet.error("a")
        other.info("b")
        #expect(sink.all.count == 1)
        #expect(quiet.logLevel == .critical && other.logLevel == .info)
    }

    @Test("fields of the logger, of its provider and of the call, the last one winning")
    func fields() {
        let sink = Sink()
        let output = LogOutput(format: .json, levels: levels, clock: { 0 }, write: { sink.take($0) })
        var handler = LineLogHandler(label: "x", output: output)
        handler.metadataProvider = Logger.MetadataProvider { ["b": "provider", "c": "provider"] }
        handler[metadataKey: "a"] = "own"
        handler[metadataKey: "b"] = "own"
        #expect(handler[metadataKey: "a"] == "own")
        let logger = Logger(label: "x") { _ in handler }
        logger.info("m", metadata: ["c": "call"])
        #expect(sink.all.first?.hasSuffix("\"a\":\"own\",\"b\":\"provider\",\"c\":\"call\"}\n") == true)
    }

    @Test("an error is a field")
    func error() {
        let sink = Sink()
        logger("ingress", sink, levels).error("failed", error: Broken())
        #expect(sink.all.first?.contains("\"error\":\"it broke\"") == true)
    }
}
