/// Which channels are wanted, and which of them the server has confirmed on the connection of now. Several may want one
/// channel; the server hears of it once.
///
/// Every SUBSCRIBE and UNSUBSCRIBE of a channel is confirmed once and in order, so the count of those under way says
/// whether the last one is.
package struct SubscriptionTable: Sendable {
    package enum Command: Equatable, Sendable {
        case subscribe([String])
        case unsubscribe([String])
    }

    private struct Channel {
        var users = 0
        /// Commands without a confirmation yet.
        var underway = 0
        /// What the last command was.
        var isSubscribed = false
    }

    private let limits: RedisLimits
    private var channels: [String: Channel] = [:]
    /// Channels whose wish and last command may differ, in order.
    private var changed: [String] = []
    private var unconfirmed = 0
    package private(set) var isConnected = false

    package init(limits: RedisLimits = RedisLimits()) { self.limits = limits }

    /// Channels that somebody wants.
    package var count: Int { channels.count { $0.value.users > 0 } }

    /// Connected, and the server has confirmed every channel that is wanted.
    package var isComplete: Bool { isConnected && changed.isEmpty && unconfirmed == 0 }

    /// One more wants `channel`.
    package mutating func add(_ channel: String) throws(RedisError) {
        guard channel.utf8.count <= limits.channelBytes else { throw .limitExceeded(.channelBytes) }
        guard channels[channel] != nil || channels.count < limits.channels else { throw .limitExceeded(.channels) }
        channels[channel, default: Channel()].users += 1
        if channels[channel]?.users == 1 { changed.append(channel) }
    }

    /// One less wants `channel`.
    package mutating func remove(_ channel: String) {
        guard let users = channels[channel]?.users, users > 0 else { return }
        channels[channel]?.users = users - 1
        if users == 1 { changed.append(channel) }
    }

    /// The server sends what comes on `channel` from here on.
    package func isConfirmed(_ channel: String) -> Bool {
        guard let state = channels[channel] else { return false }
        return isConnected && state.isSubscribed && state.underway == 0
    }

    /// Nobody wants `channel`, and the server knows.
    package func isGone(_ channel: String) -> Bool { channels[channel] == nil }

    /// A new connection, which knows no channels.
    package mutating func connected() {
        disconnected()
        isConnected = true
    }

    package mutating func disconnected() {
        isConnected = false
        unconfirmed = 0
        for (name, state) in channels {
            channels[name] = state.users > 0 ? Channel(users: state.users) : nil
        }
        changed = channels.keys.sorted()
    }

    /// The next command for the server; nil when it knows all.
    package mutating func pollCommand() -> Command? {
        guard isConnected else { return nil }
        var batch: [String] = []
        var subscribes = false
        var index = 0
        while index < changed.count, batch.count < limits.channelsPerCommand {
            let name = changed[index]
            if let state = channels[name], state.isSubscribed != (state.users > 0) {
                if batch.isEmpty { subscribes = state.users > 0 }
                guard subscribes == (state.users > 0) else { break }
                channels[name]?.isSubscribed = subscribes
                channels[name]?.underway += 1
                unconfirmed += 1
                batch.append(name)
            } else {
                forget(name)
            }
            index += 1
        }
        changed.removeFirst(index)
        guard !batch.isEmpty else { return nil }
        return subscribes ? .subscribe(batch) : .unsubscribe(batch)
    }

    /// The server confirmed one command for `channel`, or refused it.
    package mutating func confirmed(_ channel: String) {
        guard let state = channels[channel], state.underway > 0 else { return }
        channels[channel]?.underway -= 1
        unconfirmed -= 1
        forget(channel)
    }

    private mutating func forget(_ channel: String) {
        guard let state = channels[channel], state.users == 0, !state.isSubscribed, state.underway == 0 else { return }
        channels[channel] = nil
    }
}
