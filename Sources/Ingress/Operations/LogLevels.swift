package import ServiceConfiguration
package import Logging
import Synchronization

/// The level of each logger, which a reload may change under loggers that exist.
///
/// A logger's level is that of the longest entry of `component_levels` that its name begins with, in whole parts between
/// dots, with or without the service's name before it; else the general one.
package final class LogLevels: Sendable {
    /// One logger name's level; asking for it is one atomic load.
    package final class Cell: Sendable {
        private let rank: Atomic<Int>

        fileprivate init(_ level: Logger.Level) { rank = Atomic(Self.rank(of: level)) }

        package var level: Logger.Level { Logger.Level.allCases[rank.load(ordering: .relaxed)] }

        fileprivate func set(_ level: Logger.Level) { rank.store(Self.rank(of: level), ordering: .relaxed) }

        private static func rank(of level: Logger.Level) -> Int { Logger.Level.allCases.firstIndex(of: level) ?? 0 }
    }

    private struct State {
        var configuration: LoggingConfiguration
        var cells: [String: Cell] = [:]
    }

    private let serviceName: String
    private let state: Mutex<State>

    package init(_ configuration: LoggingConfiguration, serviceName: String) {
        self.serviceName = serviceName
        state = Mutex(State(configuration: configuration))
    }

    /// Takes the levels of a reloaded configuration over; loggers follow at once.
    package func update(_ configuration: LoggingConfiguration) {
        state.withLock { state in
            state.configuration = configuration
            for (label, cell) in state.cells { cell.set(level(of: label, configuration)) }
        }
    }

    /// One level for all loggers, as the main process tells its children: its place among `ConfiguredLogLevel`.
    package func setAll(_ place: UInt8) {
        let levels = ConfiguredLogLevel.allCases
        var configuration = LoggingConfiguration()
        configuration.level = levels[min(Int(place), levels.count - 1)]
        update(configuration)
    }

    package func cell(for label: String) -> Cell {
        state.withLock { state in
            if let cell = state.cells[label] { return cell }
            let cell = Cell(level(of: label, state.configuration))
            state.cells[label] = cell
            return cell
        }
    }

    private func level(of label: String, _ configuration: LoggingConfiguration) -> Logger.Level {
        let whole = label.split(separator: ".")
        let component = whole.first.map(String.init) == serviceName ? whole.dropFirst() : whole[...]
        for count in stride(from: whole.count, to: 0, by: -1) {
            for parts in [whole[...], component] where parts.count >= count {
                let name = parts.prefix(count).joined(separator: ".")
                if let level = configuration.componentLevels[name] { return Logger.Level(level) }
            }
        }
        return Logger.Level(configuration.level)
    }
}

extension Logger.Level {
    init(_ level: ConfiguredLogLevel) {
        self =
            switch level {
            case .debug: .trace
            case .info: .info
            case .warn: .warning
            case .error: .error
            }
    }

    /// In zap's words, which the readers of these logs know.
    var zapName: String {
        switch self {
        case .trace, .debug: "debug"
        case .info, .notice: "info"
        case .warning: "warn"
        case .error, .critical: "error"
        }
    }
}
