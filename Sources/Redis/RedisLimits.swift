/// Bounds on what a server may send and on what may wait here.
package struct RedisLimits: Equatable, Sendable {
    /// Bytes of strings in one reply, and bytes that may wait for the rest of one.
    package var replyBytes = 4 * 1024 * 1024
    /// Values in one reply, the arrays themselves included.
    package var replyValues = 4_096
    /// Arrays within arrays. hiredis itself goes no deeper than 7.
    package var replyDepth = 7
    /// Commands of one connection that wait for their replies, and commands of the bus that wait for a connection.
    package var pendingCommands = 4_096
    /// Bytes of one command's arguments.
    package var commandBytes = 4 * 1024 * 1024
    package var channels = 65_536
    package var channelBytes = 1_024
    /// Channels in one SUBSCRIBE.
    package var channelsPerCommand = 128
    /// Connections to other nodes of a cluster that redirections opened.
    package var redirectConnections = 16

    package init() {}
}

/// What was exceeded; see `RedisLimits`.
package enum RedisLimit: String, Equatable, Sendable {
    case replyBytes = "bytes in a reply"
    case replyValues = "values in a reply"
    case replyDepth = "arrays within arrays in a reply"
    case pendingCommands = "commands that wait"
    case commandBytes = "bytes in a command"
    case channels = "subscriptions"
    case channelBytes = "bytes in the name of a channel"
}
