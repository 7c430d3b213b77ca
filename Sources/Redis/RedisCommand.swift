import CHiredis

/// One command with its arguments, which may hold any bytes.
package struct RedisCommand: Equatable, Sendable {
    package let arguments: [[UInt8]]

    /// At least the command's name.
    package init(_ arguments: [[UInt8]]) {
        precondition(!arguments.isEmpty, "a command has a name")
        self.arguments = arguments
    }

    package init(_ arguments: String...) { self.init(arguments.map { Array($0.utf8) }) }

    package static let ping = RedisCommand("PING")

    package static func publish(_ channel: String, _ payload: [UInt8]) -> RedisCommand {
        RedisCommand([Array("PUBLISH".utf8), Array(channel.utf8), payload])
    }

    /// Sets `key` unless it exists; it vanishes after `seconds`.
    package static func setIfAbsent(_ key: String, _ value: String, seconds: Int) -> RedisCommand {
        RedisCommand("SET", key, value, "EX", String(seconds), "NX")
    }

    static func authenticate(_ credentials: RedisCredentials) -> RedisCommand {
        credentials.username.isEmpty
            ? RedisCommand("AUTH", credentials.password)
            : RedisCommand("AUTH", credentials.username, credentials.password)
    }

    static func subscribe(_ channels: [String]) -> RedisCommand {
        RedisCommand((["SUBSCRIBE"] + channels).map { Array($0.utf8) })
    }

    static func unsubscribe(_ channels: [String]) -> RedisCommand {
        RedisCommand((["UNSUBSCRIBE"] + channels).map { Array($0.utf8) })
    }

    /// Bytes of all arguments.
    package var argumentBytes: Int { arguments.reduce(0) { $0 + $1.count } }

    /// The command as it goes over the wire.
    package func encoded() -> [UInt8] {
        let joined = arguments.flatMap { $0 }
        var lengths = arguments.map(\.count)
        var formatted: UnsafeMutablePointer<CChar>?
        let count = joined.withUnsafeBytes { bytes in
            var offset = 0
            // An argument of length 0 is not read, so an empty command may have any address.
            let start = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
            var addresses = lengths.map { length in
                defer { offset += length }
                return start.map { $0 + offset }
            }
            return redisFormatCommandArgv(&formatted, Int32(clamping: lengths.count), &addresses, &lengths)
        }
        guard count > 0, let formatted else { preconditionFailure("no memory is left for a command") }
        defer { redisFreeCommand(formatted) }
        return [UInt8](UnsafeRawBufferPointer(start: formatted, count: Int(count)))
    }
}
