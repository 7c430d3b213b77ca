import ServiceConfiguration
import Glibc
package import Logging
import Runtime

/// Where the lines of all loggers go, and how.
package struct LogOutput: Sendable {
    package var format: LogLine.Format
    package var levels: LogLevels
    /// Nanoseconds since 1970.
    package var clock: @Sendable () -> Int64
    /// Takes one whole line with its end.
    package var write: @Sendable ([UInt8]) -> Void

    package init(
        format: LogLine.Format, levels: LogLevels,
        clock: @escaping @Sendable () -> Int64 = { SystemClock.unixNanoseconds() },
        write: @escaping @Sendable ([UInt8]) -> Void = LogOutput.writeToStandardError
    ) {
        self.format = format
        self.levels = levels
        self.clock = clock
        self.write = write
    }

    /// The factory for `LoggingSystem.bootstrap`.
    package func handler(label: String) -> any LogHandler { LineLogHandler(label: label, output: self) }

    /// One call for one line: lines of several threads and processes that share a pipe stay whole as long as they are
    /// shorter than the pipe's atomic size. What a full pipe does not take is lost, because a log must not stop media.
    package static func writeToStandardError(_ line: [UInt8]) {
        line.withUnsafeBytes { buffer in
            var rest = buffer[...]
            while !rest.isEmpty {
                let count = Glibc.write(STDERR_FILENO, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { return }
                rest = rest.dropFirst(count)
            }
        }
    }
}

/// The backend of swift-log: JSON or text lines, with levels that change while loggers live.
package struct LineLogHandler: LogHandler {
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?
    private let label: String
    private let output: LogOutput
    private let cell: LogLevels.Cell
    /// Set by code on one logger, which then no longer follows the configuration.
    private var ownLevel: Logger.Level?

    package init(label: String, output: LogOutput) {
        self.label = label
        self.output = output
        cell = output.levels.cell(for: label)
    }

    package var logLevel: Logger.Level {
        get { ownLevel ?? cell.level }
        set { ownLevel = newValue }
    }

    package subscript(metadataKey key: String) -> Logger.MetadataValue? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        var fields = metadata
        if let provided = metadataProvider?.get() { fields.merge(provided) { _, new in new } }
        if let given = event.metadata { fields.merge(given) { _, new in new } }
        if let error = event.error { fields["error"] = .string("\(error)") }
        output.write(
            LogLine.encode(
                output.format, level: event.level, label: label, message: event.message.description, fields: fields,
                unixNanoseconds: output.clock()))
    }
}
